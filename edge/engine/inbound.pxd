# Receiver side of QoS 2, section 4.3.3: the Packet Identifiers that were received and not yet released.
#
# A set of 16-bit numbers by open addressing; 0 is no Packet Identifier and marks an empty place.

from libc.stdint cimport uint16_t
from edge.engine.types cimport Session

cdef bint inbound_has(const Session* session, uint16_t packet_id) noexcept nogil
cdef void inbound_add(Session* session, uint16_t packet_id) noexcept nogil
cdef bint inbound_remove(Session* session, uint16_t packet_id) noexcept nogil
cdef void inbound_release(Session* session) noexcept nogil
