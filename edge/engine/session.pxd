# Sessions: made, found and forgotten by the control plane's commands; online or not is the engine's business.

from libc.stdint cimport uint64_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport AclProfile, Connection, Session

cdef Session* session_find(EngineState* state, uint64_t session_id) noexcept nogil
cdef void session_open(EngineState* state, uint64_t session_id) noexcept nogil
cdef void session_free(EngineState* state, Session* session) noexcept nogil
cdef void session_attach(EngineState* state, Session* session, Connection* connection) noexcept nogil
cdef void session_detach(Connection* connection) noexcept nogil
cdef void session_set_acl(EngineState* state, Session* session, AclProfile* profile) noexcept nogil
