# The PUBLISH packet, both ways.  Section 3.3 of MQTT 5.0; 3.1 and 3.1.1 have no properties.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Body, Connection, SubIds

# A PUBLISH as a client sent it: pointers into the receive buffer, good for the current packet only.
ctypedef struct Publish:
    const uint8_t* topic
    const uint8_t* properties       # as received, without their length
    const uint8_t* payload
    uint32_t properties_len
    uint32_t payload_len
    uint32_t hop_bytes              # bytes of `properties` that belong to this hop (alias, expiry)
    uint32_t expiry_s
    uint16_t topic_len
    uint16_t packet_id
    uint16_t topic_alias            # 0: none
    uint8_t qos
    uint8_t retain
    uint8_t dup
    uint8_t has_expiry

# A message on its way out, from a Publish or a Body.
ctypedef struct Message:
    const uint8_t* topic
    const uint8_t* properties       # forwarded ones only
    const uint8_t* payload
    Body* body                      # NULL: not shareable
    uint32_t properties_len
    uint32_t payload_len
    uint16_t topic_len
    int64_t expires_ms              # 0: never

# publish_decode() results besides 0: a Reason Code to close with.
cdef uint8_t publish_decode(const uint8_t* data, uint32_t length, uint8_t first_byte, bint has_properties,
                            uint16_t alias_max, Publish* out) noexcept nogil
cdef void publish_forwarded(const Publish* publish, uint8_t* out) noexcept nogil
cdef void message_from_body(Message* message, Body* body) noexcept nogil
cdef bint publish_encode(EngineState* state, Connection* connection, const Message* message, uint8_t qos,
                         uint8_t retain, uint8_t dup, uint16_t packet_id, SubIds* subids) noexcept nogil
cdef uint8_t ack_properties_check(const uint8_t* data, uint32_t length) noexcept nogil
