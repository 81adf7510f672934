# From the first byte of a client until the engine has its end: PROXY header, TLS handshake, HTTP upgrade.
#
# Each step takes bytes from the front of `data` and leaves the rest to the next: they may all come in one
# read. Before `data` lie HELD_BYTES_MAX bytes of room, where a step puts the start of its header that came earlier.

from libc.stdint cimport uint8_t, uint32_t
from edge.gateways.tunnel cimport PumpState, Tunnel

# All return True if the next step may look at what is left (perhaps nothing); False: wait, or the tunnel ends.
cdef bint greet_proxy(PumpState* pump, Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil
# Also decrypts once the handshake is over.
cdef bint greet_tls(PumpState* pump, Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil
cdef bint greet_upgrade(PumpState* pump, Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil
