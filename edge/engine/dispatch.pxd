# From bytes to Control Packets: framing, and who handles which packet type.

from libc.stdint cimport uint8_t, uint32_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport CONNECTION_DEAD, Connection

cdef uint32_t dispatch(EngineState* state, Connection* connection, const uint8_t* data, uint32_t length) noexcept nogil


cdef inline bint dispatch_may_go_on(const Connection* connection) noexcept nogil:
    """Whether the next packet of this connection may be looked at now."""
    return not (connection.paused or connection.throttled or connection.clogged or connection.finishing
                or connection.state == CONNECTION_DEAD)
