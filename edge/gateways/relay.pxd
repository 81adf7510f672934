# What the pump does when epoll reports one of a tunnel's two sockets.

from libc.stdint cimport uint32_t
from edge.gateways.tunnel cimport PumpState, Tunnel

cdef void relay_client(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil
cdef void relay_inner(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil
# The pump stops: the engine will say no more than it has said.
cdef void relay_last_words(PumpState* pump, Tunnel* tunnel) noexcept nogil
