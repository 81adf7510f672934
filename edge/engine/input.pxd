# Input of one connection: reading the socket, and keeping the part of a packet that is still incomplete.

from edge.engine.state cimport EngineState
from edge.engine.types cimport Connection

cdef enum:
    READ_BYTES = 65536              # one read drains most sockets; larger ones gained nothing (measured)

cdef void input_readable(EngineState* state, Connection* connection) noexcept nogil
cdef void input_unclog(EngineState* state, Connection* connection) noexcept nogil
cdef void input_resume(EngineState* state, Connection* connection) noexcept nogil
