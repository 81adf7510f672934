# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Decoding and encoding PUBLISH; see publish.pxd."""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy
from edge.engine.alias cimport alias_find, alias_register
from edge.engine.output cimport (
    SHARE_BYTES_MIN, output_commit, output_over_budget, output_reserve, output_share,
)
from edge.engine.reader cimport (
    Reader, read_bytes, read_u16, read_u32, read_u8, read_varint, reader_init, reader_left, utf8_is_valid,
)

cdef enum Property:
    PAYLOAD_FORMAT_INDICATOR = 0x01
    MESSAGE_EXPIRY_INTERVAL = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_IDENTIFIER = 0x0B
    REASON_STRING = 0x1F
    TOPIC_ALIAS = 0x23
    USER_PROPERTY = 0x26

cdef enum ReasonCode:
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    TOPIC_ALIAS_INVALID = 0x94

cdef enum:
    REMAINING_LENGTH_MAX = 268435455    # what a Remaining Length can say [section 2.1.4]


cdef bint read_text(Reader* reader) noexcept nogil:
    """Skip a UTF-8 string after checking it."""
    cdef uint16_t length = read_u16(reader)
    cdef const uint8_t* text = read_bytes(reader, length)
    return not reader.bad and utf8_is_valid(text, length)


cdef uint8_t check_response_topic(Reader* reader) noexcept nogil:
    """A Response Topic is a UTF-8 string [MQTT-3.3.2-13] without wildcards [MQTT-3.3.2-14]."""
    cdef uint32_t start = reader.position + 2
    cdef uint32_t i
    if not read_text(reader):
        return MALFORMED_PACKET
    for i in range(start, reader.position):
        if reader.data[i] == c"+" or reader.data[i] == c"#":
            return PROTOCOL_ERROR
    return 0


cdef uint8_t decode_properties(Reader* reader, uint16_t alias_max, Publish* out) noexcept nogil:
    """Check every property of a PUBLISH; 0 or the Reason Code to close with."""
    cdef uint64_t seen = 0
    cdef uint8_t identifier
    cdef uint8_t problem
    while reader_left(reader):
        identifier = read_u8(reader)
        if identifier != USER_PROPERTY:
            if identifier > 0x3F:
                return MALFORMED_PACKET
            if seen & (<uint64_t>1 << identifier):
                # Only User Property may stand more than once [section 2.2.2.2].
                return PROTOCOL_ERROR
            seen |= <uint64_t>1 << identifier
        if identifier == USER_PROPERTY:
            if not read_text(reader) or not read_text(reader):
                return MALFORMED_PACKET
        elif identifier == PAYLOAD_FORMAT_INDICATOR:
            if read_u8(reader) > 1:
                return PROTOCOL_ERROR
        elif identifier == MESSAGE_EXPIRY_INTERVAL:
            out.expiry_s = read_u32(reader)
            out.has_expiry = 1
            out.hop_bytes += 5
        elif identifier == CONTENT_TYPE:
            if not read_text(reader):
                return MALFORMED_PACKET
        elif identifier == RESPONSE_TOPIC:
            problem = check_response_topic(reader)
            if problem:
                return problem
        elif identifier == CORRELATION_DATA:
            read_bytes(reader, read_u16(reader))
        elif identifier == TOPIC_ALIAS:
            out.topic_alias = read_u16(reader)
            out.hop_bytes += 3
            if not reader.bad and (out.topic_alias == 0 or out.topic_alias > alias_max):
                # [MQTT-3.3.2-8], [MQTT-3.3.2-9]
                return TOPIC_ALIAS_INVALID
        elif identifier == SUBSCRIPTION_IDENTIFIER:
            # A client never sends one in a PUBLISH [MQTT-3.3.4-6].
            return PROTOCOL_ERROR
        else:
            return MALFORMED_PACKET
        if reader.bad:
            return MALFORMED_PACKET
    return 0


cdef uint8_t publish_decode(const uint8_t* data, uint32_t length, uint8_t first_byte, bint has_properties,
                            uint16_t alias_max, Publish* out) noexcept nogil:
    """Take a PUBLISH apart; `data` begins behind the fixed header. Returns 0 or a Reason Code.

    The Topic Name is not checked here but when it is first matched: a name in the match cache has
    passed the check already, which is what makes it affordable per message.
    """
    cdef Reader reader
    cdef Reader properties
    cdef uint8_t reason
    reader_init(&reader, data, length)
    out.dup = (first_byte >> 3) & 1
    out.qos = (first_byte >> 1) & 3
    out.retain = first_byte & 1
    out.packet_id = 0
    out.topic_alias = 0
    out.has_expiry = 0
    out.expiry_s = 0
    out.hop_bytes = 0
    out.properties = NULL
    out.properties_len = 0
    if out.qos == 3:
        return MALFORMED_PACKET         # [MQTT-3.3.1-4]
    if out.dup and not out.qos:
        return PROTOCOL_ERROR           # [MQTT-3.3.1-2]
    out.topic_len = read_u16(&reader)
    out.topic = read_bytes(&reader, out.topic_len)
    if out.qos:
        out.packet_id = read_u16(&reader)
        if not reader.bad and out.packet_id == 0:
            return PROTOCOL_ERROR       # [MQTT-2.2.1-3]
    if has_properties:
        out.properties_len = read_varint(&reader)
        out.properties = read_bytes(&reader, out.properties_len)
        if reader.bad:
            return MALFORMED_PACKET
        if out.properties_len:
            reader_init(&properties, out.properties, out.properties_len)
            reason = decode_properties(&properties, alias_max, out)
            if reason:
                return reason
    if reader.bad:
        return MALFORMED_PACKET
    if out.topic_len == 0 and out.topic_alias == 0:
        # [MQTT-4.7.3-1]; in 5.0 a zero-length Topic Name without an alias is a Protocol Error.
        return PROTOCOL_ERROR if has_properties else MALFORMED_PACKET
    out.payload_len = reader_left(&reader)
    out.payload = data + reader.position
    return 0


cdef void publish_forwarded(const Publish* publish, uint8_t* out) noexcept nogil:
    """Copy the properties that travel on, in their order [MQTT-3.3.2-18]: properties_len - hop_bytes."""
    cdef Reader reader
    cdef uint32_t start
    cdef uint8_t identifier
    reader_init(&reader, publish.properties, publish.properties_len)
    while reader_left(&reader):
        start = reader.position
        identifier = read_u8(&reader)
        if identifier == MESSAGE_EXPIRY_INTERVAL:
            read_bytes(&reader, 4)
            continue
        if identifier == TOPIC_ALIAS:
            read_bytes(&reader, 2)
            continue
        if identifier == PAYLOAD_FORMAT_INDICATOR:
            read_u8(&reader)
        elif identifier == USER_PROPERTY:
            read_bytes(&reader, read_u16(&reader))
            read_bytes(&reader, read_u16(&reader))
        else:
            read_bytes(&reader, read_u16(&reader))
        if reader.bad:
            return
        memcpy(out, publish.properties + start, reader.position - start)
        out += reader.position - start


cdef void message_from_body(Message* message, Body* body) noexcept nogil:
    message.topic = body.data
    message.topic_len = body.topic_len
    message.properties = body.data + body.topic_len
    message.properties_len = body.properties_len
    message.payload = message.properties + body.properties_len
    message.payload_len = body.payload_len
    message.body = body
    message.expires_ms = body.expires_ms


cdef inline uint32_t varint_len(uint32_t value) noexcept nogil:
    if value < 128:
        return 1
    if value < 16384:
        return 2
    if value < 2097152:
        return 3
    return 4


cdef inline uint8_t* put_varint(uint8_t* out, uint32_t value) noexcept nogil:
    while value >= 128:
        out[0] = <uint8_t>(value & 0x7F) | 0x80
        value >>= 7
        out += 1
    out[0] = <uint8_t>value
    return out + 1


cdef inline uint8_t* put_u16(uint8_t* out, uint16_t value) noexcept nogil:
    out[0] = <uint8_t>(value >> 8)
    out[1] = <uint8_t>(value & 0xFF)
    return out + 2


cdef bint publish_encode(EngineState* state, Connection* connection, const Message* message, uint8_t qos,
                         uint8_t retain, uint8_t dup, uint16_t packet_id, SubIds* subids) noexcept nogil:
    """Put one PUBLISH into the connection's output.

    Returns False and writes nothing when the packet would be larger than the client's Maximum
    Packet Size [MQTT-3.1.2-24], or is of another mount point.
    """
    cdef const uint8_t* topic = message.topic
    cdef uint32_t topic_len = message.topic_len
    cdef uint32_t properties_len = 0
    cdef uint32_t remaining
    cdef uint32_t shared_len = message.payload_len
    cdef uint32_t copied_len
    cdef uint32_t expiry_s = 0
    cdef uint16_t alias = 0
    cdef bint alias_is_new = False
    cdef bint share
    cdef int64_t left_ms
    cdef uint8_t* start
    cdef uint8_t* out
    if connection.mount_len:
        if topic_len <= connection.mount_len or memcmp(topic, connection.mount, connection.mount_len) != 0:
            return False
        topic += connection.mount_len
        topic_len -= connection.mount_len
    if connection.protocol_version == 5:
        properties_len = message.properties_len
        if message.expires_ms:
            # What is left of the interval, rounded up [MQTT-3.3.2-6].
            left_ms = message.expires_ms - state.now_ms
            expiry_s = <uint32_t>((left_ms + 999) / 1000) if left_ms > 0 else 0
            properties_len += 5
        if subids != NULL:
            properties_len += subids.len
        if connection.alias_out_max:
            alias = alias_find(connection, topic, <uint16_t>topic_len)
            if alias:
                topic_len = 0
            elif connection.alias_out_count < connection.alias_out_max and not output_over_budget(state, 64 * topic_len):
                alias = connection.alias_out_count + 1
                alias_is_new = True
            if alias:
                properties_len += 3
    remaining = 2 + topic_len + (2 if qos else 0) + message.payload_len
    if connection.protocol_version == 5:
        remaining += varint_len(properties_len) + properties_len
        # Properties that travel on stand right before the payload, in a Body as in the packet.
        shared_len += message.properties_len
    if (remaining > REMAINING_LENGTH_MAX
            or 1 + varint_len(remaining) + remaining > connection.client_packet_bytes_max):
        return False
    if alias_is_new:
        alias_register(connection, topic, <uint16_t>topic_len)
    share = message.body != NULL and shared_len >= SHARE_BYTES_MIN
    copied_len = 1 + varint_len(remaining) + remaining
    if share:
        copied_len -= shared_len
    start = output_reserve(state, connection, copied_len)
    out = start
    out[0] = 0x30 | (dup << 3) | (qos << 1) | retain
    out = put_varint(out + 1, remaining)
    out = put_u16(out, <uint16_t>topic_len)
    memcpy(out, topic, topic_len)
    out += topic_len
    if qos:
        out = put_u16(out, packet_id)
    if connection.protocol_version == 5:
        out = put_varint(out, properties_len)
        if alias:
            out[0] = TOPIC_ALIAS
            out = put_u16(out + 1, alias)
        if message.expires_ms:
            out[0] = MESSAGE_EXPIRY_INTERVAL
            out = put_u16(out + 1, <uint16_t>(expiry_s >> 16))
            out = put_u16(out, <uint16_t>(expiry_s & 0xFFFF))
        if subids != NULL:
            memcpy(out, subids.data, subids.len)
            out += subids.len
        if message.properties_len and not share:
            memcpy(out, message.properties, message.properties_len)
            out += message.properties_len
    if share:
        output_commit(state, connection, <uint32_t>(out - start))
        output_share(state, connection, message.body,
                     <uint32_t>(message.payload + message.payload_len - shared_len - message.body.data), shared_len)
    else:
        memcpy(out, message.payload, message.payload_len)
        output_commit(state, connection, <uint32_t>(out - start) + message.payload_len)
    return True


cdef uint8_t ack_properties_check(const uint8_t* data, uint32_t length) noexcept nogil:
    """Check the property section of PUBACK, PUBREC, PUBREL or PUBCOMP: 0 or a Reason Code.

    Only Reason String, once, and User Property may stand there.
    """
    cdef Reader reader
    cdef uint32_t properties_len
    cdef bint seen_reason = False
    cdef uint8_t identifier
    reader_init(&reader, data, length)
    properties_len = read_varint(&reader)
    if reader.bad or properties_len != reader_left(&reader):
        return MALFORMED_PACKET
    while reader_left(&reader):
        identifier = read_u8(&reader)
        if identifier == REASON_STRING:
            if seen_reason:
                return PROTOCOL_ERROR
            seen_reason = True
            if not read_text(&reader):
                return MALFORMED_PACKET
        elif identifier == USER_PROPERTY:
            if not read_text(&reader) or not read_text(&reader):
                return MALFORMED_PACKET
        else:
            return MALFORMED_PACKET
    return 0
