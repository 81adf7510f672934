# What epoll watches for a connection: one place that turns its flags into an event mask.

from libc.stdint cimport uint64_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Connection

cdef enum:
    # epoll data: a listener's is its index, a connection's its handle
    POLL_WAKE = 0xFFFFFFFF          # the mailbox
    POLL_TIMER = 0xFFFFFFFE

cdef void connection_poll(EngineState* state, Connection* connection) noexcept nogil
cdef void connection_unwatch(EngineState* state, Connection* connection) noexcept nogil


cdef inline uint64_t connection_handle(const Connection* connection) noexcept nogil:
    """What the control plane calls this connection: generation and slot, never 0 and never reused."""
    return (<uint64_t>connection.generation << 32) | connection.slot
