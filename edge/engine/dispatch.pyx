# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Framing and dispatch of Control Packets; see dispatch.pxd."""

from libc.stdint cimport int64_t, uint16_t
from edge.engine.connection cimport connection_fail, connection_kill, connection_schedule
from edge.engine.inbound cimport inbound_remove
from edge.engine.ingress cimport on_publish
from edge.engine.mailbox cimport (
    EventNode, KIND_PACKET, PROTOCOL_BROKEN, QUOTA_PASSED, event_new, mailbox_post,
)
from edge.engine.memory cimport mem_free
from edge.engine.output cimport output_commit, output_reserve
from edge.engine.poll cimport connection_handle
from edge.engine.publish cimport ack_properties_check
from edge.engine.rate cimport rate_is_limited, rate_wait_ms
from edge.engine.types cimport (
    CONNECTION_CONNECTING, CONNECTION_LIVE, CONNECTION_NEW,
)
from edge.engine.window cimport on_puback, on_pubcomp, on_pubrec, put_ack

cdef enum PacketType:
    CONNECT = 1
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    UNSUBSCRIBE = 10
    PINGREQ = 12
    DISCONNECT = 14
    AUTH = 15

cdef enum ReasonCode:
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    PACKET_TOO_LARGE = 0x95


cdef void to_control_plane(EngineState* state, Connection* connection, const uint8_t* packet, uint32_t length) noexcept nogil:
    """Post a slow packet; what comes after it waits until the answer."""
    cdef EventNode* event
    if connection.peer != NULL and connection.state == CONNECTION_NEW:
        event = event_new(KIND_PACKET, packet, length, connection.peer, connection.peer_len, NULL, 0)
        mem_free(connection.peer)
        connection.peer = NULL
        connection.peer_len = 0
    else:
        event = event_new(KIND_PACKET, packet, length, NULL, 0, NULL, 0)
    event.connection = connection_handle(connection)
    event.session = connection.session.id if connection.session != NULL else 0
    event.number = connection.listener_index
    mailbox_post(&state.mailbox, event)
    connection.paused = 1


cdef bint over_rate(EngineState* state, Connection* connection, uint32_t packet_bytes) noexcept nogil:
    """True: this PUBLISH has to wait, and reading with it."""
    cdef int64_t wait_ms = rate_wait_ms(state, connection, packet_bytes)
    if wait_ms == 0:
        return False
    connection.throttled = 1
    connection.throttled_until_ms = state.now_ms + wait_ms
    state.stats.throttled += 1
    connection_schedule(state, connection)
    return True


cdef void on_acknowledgement(EngineState* state, Connection* connection, uint8_t packet_type, const uint8_t* body,
                             uint32_t length) noexcept nogil:
    """PUBACK, PUBREC, PUBREL and PUBCOMP: Packet Identifier, then in 5.0 an optional Reason Code and properties."""
    cdef uint16_t packet_id
    cdef uint8_t reason_code = 0
    cdef uint8_t problem = 0
    if length < 2 or (length > 2 and connection.protocol_version != 5):
        connection_fail(state, connection, MALFORMED_PACKET, PROTOCOL_BROKEN)
        return
    packet_id = <uint16_t>((body[0] << 8) | body[1])
    if length > 2:
        reason_code = body[2]
        if length > 3:
            problem = ack_properties_check(body + 3, length - 3)
    if packet_id == 0:
        problem = PROTOCOL_ERROR
    if not problem:
        # The Reason Codes that tables 3-4 to 3-7 list [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1].
        if packet_type == PUBACK or packet_type == PUBREC:
            if not (reason_code == 0x00 or reason_code == 0x10 or reason_code == 0x80 or reason_code == 0x83
                    or reason_code == 0x87 or reason_code == 0x90 or reason_code == 0x91
                    or reason_code == 0x97 or reason_code == 0x99):
                problem = MALFORMED_PACKET
        elif reason_code != 0x00 and reason_code != 0x92:
            problem = MALFORMED_PACKET
    if problem:
        connection_fail(state, connection, problem, PROTOCOL_BROKEN)
        return
    if packet_type == PUBACK:
        on_puback(state, connection, packet_id)
    elif packet_type == PUBREC:
        on_pubrec(state, connection, packet_id, reason_code)
    elif packet_type == PUBCOMP:
        on_pubcomp(state, connection, packet_id)
    else:
        # The identifier is free again whether it was known or not [MQTT-4.3.3-11].
        put_ack(state, connection, 0x70, packet_id,
                0 if inbound_remove(connection.session, packet_id) else PACKET_IDENTIFIER_NOT_FOUND)


cdef uint32_t dispatch(EngineState* state, Connection* connection, const uint8_t* data, uint32_t length) noexcept nogil:
    """Handle the complete packets at the start of `data`; returns how many bytes are dealt with.

    Stops at an incomplete packet, at one that the control plane has to answer, over the publish
    rate, and when the connection ends.
    """
    cdef uint32_t offset = 0
    cdef uint32_t remaining
    cdef uint32_t header_len
    cdef uint32_t shift
    cdef uint32_t packet_len
    cdef const uint8_t* packet
    cdef uint8_t packet_type
    cdef uint8_t flags
    cdef uint8_t* out
    connection.stash_need = 0
    while length - offset >= 2 and dispatch_may_go_on(connection):
        packet = data + offset
        # Remaining Length: a Variable Byte Integer of at most four bytes [MQTT-2.1.4-1].
        remaining = packet[1] & 0x7F
        header_len = 2
        shift = 7
        while packet[header_len - 1] & 0x80:
            if header_len > 4:
                connection_fail(state, connection, MALFORMED_PACKET, PROTOCOL_BROKEN)
                return offset
            if offset + header_len >= length:
                return offset
            remaining |= <uint32_t>(packet[header_len] & 0x7F) << shift
            shift += 7
            header_len += 1
        if header_len > 2 and packet[header_len - 1] == 0:
            connection_fail(state, connection, MALFORMED_PACKET, PROTOCOL_BROKEN)   # [MQTT-1.5.5-1]
            return offset
        packet_type = packet[0] >> 4
        flags = packet[0] & 0x0F
        packet_len = header_len + remaining
        if connection.state == CONNECTION_NEW and packet_type != CONNECT:
            # The first packet is a CONNECT [MQTT-3.1.0-1]; strangers who send other things get no answer.
            connection_kill(state, connection, PROTOCOL_BROKEN)
            return offset
        if packet_len > connection.packet_bytes_max:
            connection_fail(state, connection, PACKET_TOO_LARGE, QUOTA_PASSED)      # [MQTT-3.2.2-15]
            return offset
        if length - offset < packet_len:
            connection.stash_need = packet_len
            return offset
        if packet_type == PUBLISH and connection.state == CONNECTION_LIVE:
            if rate_is_limited(connection) and over_rate(state, connection, packet_len):
                return offset
            if not on_publish(state, connection, packet, packet_len, header_len):
                return offset
        elif flags != (2 if packet_type == PUBREL or packet_type == SUBSCRIBE or packet_type == UNSUBSCRIBE else 0):
            connection_fail(state, connection, MALFORMED_PACKET, PROTOCOL_BROKEN)   # [MQTT-2.1.3-1]
            return offset
        elif packet_type == CONNECT:
            # A second one is a Protocol Error that the control plane answers [MQTT-3.1.0-2].
            to_control_plane(state, connection, packet, packet_len)
            if connection.state == CONNECTION_NEW:
                connection.state = CONNECTION_CONNECTING
                connection_schedule(state, connection)
        elif packet_type == AUTH or packet_type == DISCONNECT:
            to_control_plane(state, connection, packet, packet_len)
        elif connection.state != CONNECTION_LIVE:
            connection_fail(state, connection, PROTOCOL_ERROR, PROTOCOL_BROKEN)
            return offset
        elif PUBACK <= packet_type <= PUBCOMP:
            on_acknowledgement(state, connection, packet_type, packet + header_len, remaining)
        elif packet_type == SUBSCRIBE or packet_type == UNSUBSCRIBE:
            to_control_plane(state, connection, packet, packet_len)
        elif packet_type == PINGREQ:
            if remaining:
                connection_fail(state, connection, MALFORMED_PACKET, PROTOCOL_BROKEN)
                return offset
            out = output_reserve(state, connection, 2)
            out[0] = 0xD0
            out[1] = 0
            output_commit(state, connection, 2)     # [MQTT-3.12.4-1]
        else:
            # Reserved, or a packet that only a server sends.
            connection_fail(state, connection, MALFORMED_PACKET if packet_type == 0 else PROTOCOL_ERROR, PROTOCOL_BROKEN)
            return offset
        offset += packet_len
        connection.last_packet_ms = state.now_ms
        state.stats.packets_received += 1
    return offset
