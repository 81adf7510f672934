# From bytes to Control Packets: framing, and who handles which packet type.

from libc.stdint cimport uint8_t, uint32_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Connection

cdef uint32_t dispatch(EngineState* state, Connection* connection, const uint8_t* data, uint32_t length) noexcept nogil
cdef bint dispatch_may_go_on(const Connection* connection) noexcept nogil
