# One Network Connection from accept to the grave.
#
# States: NEW (waits for CONNECT) -> CONNECTING (the control plane decides) -> LIVE -> LINGER (our
# last packet is sent, the peer's FIN is awaited) -> DEAD.  `finishing` marks a connection that is
# detached from its session and only has output left.  Every way out goes through connection_end(),
# which tells the control plane once; connection_kill() frees the descriptor and files the struct in
# the graveyard, because pointers to it may still be in use until the turn is over.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from edge.engine.mailbox cimport AcceptTerms
from edge.engine.state cimport EngineState, Listener
from edge.engine.types cimport Connection

cdef Connection* connection_new(EngineState* state, Listener* listener, int fd, const uint8_t* peer,
                                uint32_t peer_len, bint proxy_header) noexcept nogil
cdef Connection* connection_find(EngineState* state, uint64_t handle) noexcept nogil
cdef void connection_accept(EngineState* state, Connection* connection, const AcceptTerms* terms,
                            const uint8_t* mount, uint16_t mount_len) noexcept nogil
cdef void connection_fail(EngineState* state, Connection* connection, uint8_t reason_code, uint8_t cause) noexcept nogil
cdef void connection_finish(EngineState* state, Connection* connection, uint8_t cause, uint8_t reason_code) noexcept nogil
cdef void connection_kill(EngineState* state, Connection* connection, uint8_t cause) noexcept nogil
cdef void connection_flush(EngineState* state, Connection* connection) noexcept nogil
cdef void connection_timer(EngineState* state, Connection* connection) noexcept nogil
cdef void connection_schedule(EngineState* state, Connection* connection) noexcept nogil
cdef void connection_bury(EngineState* state) noexcept nogil
