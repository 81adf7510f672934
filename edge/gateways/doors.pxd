# The pump's listening sockets: accepting, resting while too many handshakes are under way, refusing.

from libc.stdint cimport uint16_t
from edge.gateways.openssl cimport SSL_CTX
from edge.gateways.tunnel cimport PumpListener, PumpState

cdef enum:
    # A handshake under way costs some 50 KiB. With so many of them listeners rest, and who keeps us
    # waiting for STALLED_MS makes room: a flood of half-open handshakes slows newcomers and costs no more.
    HANDSHAKES_MAX = 512
    STALLED_MS = 2000

cdef void doors_add(PumpState* pump, PumpListener* listener) noexcept nogil
cdef void doors_remove(PumpState* pump, uint16_t index) noexcept nogil
cdef void doors_remove_all(PumpState* pump) noexcept nogil
# Takes over the reference to `context`.
cdef void doors_reload(PumpState* pump, uint16_t index, SSL_CTX* context) noexcept nogil
# Accepts from those that are ready; lets them rest, or go on.
cdef void doors_turn(PumpState* pump) noexcept nogil
