# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Incoming PUBLISH; see ingress.pxd."""

from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memcmp, memcpy
from edge.engine.acl cimport acl_allows
from edge.engine.alias cimport alias_in_get, alias_in_set
from edge.engine.connection cimport connection_fail
from edge.engine.inbound cimport inbound_add, inbound_has
from edge.engine.mailbox cimport (
    EventNode, KIND_DELAYED, KIND_TOPIC, PROTOCOL_BROKEN, QUOTA_PASSED, event_new, mailbox_post,
)
from edge.engine.match cimport match_is_current, match_lookup
from edge.engine.memory cimport mem_calloc
from edge.engine.output cimport SHARE_BYTES_MIN, output_over_budget
from edge.engine.poll cimport connection_handle
from edge.engine.publish cimport Publish, publish_decode, publish_forwarded
from edge.engine.reader cimport topic_name_is_valid, utf8_is_valid
from edge.engine.route cimport Routing, retain_message, route, routing_done
from edge.engine.topic_map cimport mapping_find, mapping_is_wanted
from edge.engine.types cimport ACL_RETAIN, ACL_WRITE, MatchEntry, TopicMapping, WriteVerdict
from edge.engine.window cimport put_ack

cdef enum:
    PUBACK = 0x40
    PUBREC = 0x50
    VERDICTS = 64                   # a power of two

cdef enum ReasonCode:
    SUCCESS = 0x00
    NO_MATCHING_SUBSCRIBERS = 0x10
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    NOT_AUTHORIZED = 0x87
    TOPIC_NAME_INVALID = 0x90
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    QUOTA_EXCEEDED = 0x97
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B


cdef void acknowledge(EngineState* state, Connection* connection, const Publish* publish, uint8_t reason_code) noexcept nogil:
    """Answer a PUBLISH by its QoS. At QoS 2 a success is remembered until PUBREL [MQTT-4.3.3-8]."""
    if publish.qos == 1:
        put_ack(state, connection, PUBACK, publish.packet_id, reason_code)
    elif publish.qos == 2:
        # MQTT 3.x is not told of a failure: for such a client the exchange goes on.
        if reason_code < 0x80 or connection.protocol_version != 5:
            inbound_add(connection.session, publish.packet_id)
        put_ack(state, connection, PUBREC, publish.packet_id, reason_code)


cdef bint may_write(EngineState* state, Connection* connection, const Publish* publish, const uint8_t* topic,
                    uint16_t topic_len, MatchEntry* entry) noexcept nogil:
    """The ACL's answer, remembered per connection and topic as long as rules and match cache live."""
    cdef WriteVerdict* verdict
    cdef uint8_t bit
    if connection.session.acl == NULL or not connection.session.acl.restricts_write:
        return True
    if connection.verdicts == NULL:
        connection.verdicts = <WriteVerdict*>mem_calloc(VERDICTS, sizeof(WriteVerdict))
    verdict = &connection.verdicts[entry.hash & (VERDICTS - 1)]
    if (verdict.entry != entry or verdict.generation != state.trie.cache_generation
            or verdict.acl_epoch != state.acl_epoch):
        verdict.entry = entry
        verdict.generation = state.trie.cache_generation
        verdict.acl_epoch = state.acl_epoch
        verdict.known = verdict.allowed = 0
    bit = <uint8_t>(1 << (publish.qos + 3 * publish.retain))
    if not verdict.known & bit:
        verdict.known |= bit
        if acl_allows(connection.session.acl, ACL_WRITE | (ACL_RETAIN if publish.retain else 0), publish.qos,
                      topic, topic_len):
            verdict.allowed |= bit
    return verdict.allowed & bit != 0


cdef inline bint begins_with(const uint8_t* topic, uint32_t topic_len, const char* prefix, uint32_t prefix_len) noexcept nogil:
    return topic_len >= prefix_len and memcmp(topic, prefix, prefix_len) == 0


cdef bint on_dollar_topic(EngineState* state, Connection* connection, const Publish* publish,
                          const uint8_t* topic, uint32_t topic_len) noexcept nogil:
    """Topics of the broker itself. True: the packet is dealt with.

    `$delayed/{seconds}/{topic}` goes to the control plane. Clients do not publish to $SYS, and the
    prefixes of subscriptions are no topics [section 4.7.2].
    """
    cdef EventNode* event
    cdef uint32_t properties_len
    if state.limits.delayed_enabled and begins_with(topic, topic_len, b"$delayed/", 9):
        properties_len = publish.properties_len - publish.hop_bytes
        event = event_new(KIND_DELAYED, topic, topic_len, NULL, properties_len, publish.payload, publish.payload_len)
        publish_forwarded(publish, event.data + topic_len)
        event.connection = connection_handle(connection)
        event.session = connection.session.id
        event.qos = publish.qos
        event.flag = publish.retain
        event.signed_number = publish.expiry_s if publish.has_expiry else -1
        mailbox_post(&state.mailbox, event)
        # One at a time, like any packet that the control plane handles: a client that delays messages faster
        # than they are taken must not fill the mailbox.
        connection.paused = 1
        acknowledge(state, connection, publish, SUCCESS)
        return True
    if begins_with(topic, topic_len, b"$SYS/", 5):
        state.stats.acl_denied += 1
        acknowledge(state, connection, publish, NOT_AUTHORIZED if connection.protocol_version == 5 else SUCCESS)
        return True
    if (begins_with(topic, topic_len, b"$share/", 7) or begins_with(topic, topic_len, b"$queue/", 7)
            or begins_with(topic, topic_len, b"$exclusive/", 11) or begins_with(topic, topic_len, b"$delayed/", 9)):
        acknowledge(state, connection, publish, TOPIC_NAME_INVALID if connection.protocol_version == 5 else SUCCESS)
        return True
    return False


cdef int64_t expiry_deadline(EngineState* state, const Publish* publish) noexcept nogil:
    """When a message expires, by its own interval and by our limits; 0: never."""
    cdef uint64_t expiry_s
    if publish.has_expiry:
        expiry_s = publish.expiry_s
        if state.limits.expiry_s_max and expiry_s > state.limits.expiry_s_max:
            expiry_s = state.limits.expiry_s_max
    elif state.limits.expiry_s_default:
        expiry_s = state.limits.expiry_s_default
    elif state.limits.expiry_s_max:
        expiry_s = state.limits.expiry_s_max
    else:
        return 0
    return state.now_ms + <int64_t>(expiry_s * 1000)


cdef bint on_publish(EngineState* state, Connection* connection, const uint8_t* packet, uint32_t packet_len,
                     uint32_t header_len) noexcept nogil:
    """Handle one complete PUBLISH. False: not consumed, its topic is with the control plane."""
    cdef Publish publish
    cdef Routing routing
    cdef MatchEntry* entry
    cdef TopicMapping* mapping
    cdef const uint8_t* topic
    cdef uint32_t topic_len
    cdef EventNode* event
    cdef uint8_t reason
    cdef uint32_t matched
    cdef bint rewritten = False
    reason = publish_decode(packet + header_len, packet_len - header_len, packet[0],
                            connection.protocol_version == 5, connection.alias_in_max, &publish)
    if reason:
        connection_fail(state, connection, reason, PROTOCOL_BROKEN)
        return True
    if publish.qos:
        if publish.qos > connection.qos_max:
            connection_fail(state, connection, QOS_NOT_SUPPORTED, PROTOCOL_BROKEN)      # [MQTT-3.2.2-11]
            return True
        if publish.qos == 2 and inbound_has(connection.session, publish.packet_id):
            # Received before and not yet released: acknowledged again, not routed again [MQTT-4.3.3-10].
            put_ack(state, connection, PUBREC, publish.packet_id, SUCCESS)
            return True
        if publish.qos == 2 and connection.session.inbound_count >= connection.receive_max:
            connection_fail(state, connection, RECEIVE_MAXIMUM_EXCEEDED, PROTOCOL_BROKEN)   # [MQTT-3.3.4-7]
            return True
    if publish.retain and not connection.retain_available:
        connection_fail(state, connection, RETAIN_NOT_SUPPORTED, PROTOCOL_BROKEN)       # [MQTT-3.2.2-14]
        return True

    # -- the Topic Name
    topic = publish.topic
    topic_len = publish.topic_len
    if publish.topic_alias and topic_len == 0:
        if not alias_in_get(connection, publish.topic_alias, &topic, &publish.topic_len):
            connection_fail(state, connection, PROTOCOL_ERROR, PROTOCOL_BROKEN)         # [MQTT-3.3.2-12]
            return True
        topic_len = publish.topic_len
        rewritten = True
    if connection.last_entry != NULL and match_is_current(
            &state.trie, connection.last_entry, connection.last_generation, topic, <uint16_t>topic_len
            ) and connection.mount_len == 0 and not connection.needs_map and topic[0] != c"$":
        # The name was checked when it was matched first.
        entry = connection.last_entry
    else:
        if not topic_name_is_valid(topic, topic_len, state.limits.topic_levels_max):
            connection_fail(state, connection, TOPIC_NAME_INVALID if utf8_is_valid(topic, topic_len)
                            else MALFORMED_PACKET, PROTOCOL_BROKEN)     # [MQTT-1.5.4-1], [MQTT-3.3.2-2]
            return True
        entry = NULL
    if publish.topic_alias and not rewritten:
        if output_over_budget(state, 64 * topic_len):
            # Aliases of long topics are memory that a client makes us hold.
            connection_fail(state, connection, QUOTA_EXCEEDED, QUOTA_PASSED)
            return True
        alias_in_set(connection, publish.topic_alias, topic, <uint16_t>topic_len)
    if entry == NULL:
        if connection.needs_map and mapping_is_wanted(state, topic, <uint16_t>topic_len):
            mapping = mapping_find(connection, topic, <uint16_t>topic_len)
            if mapping == NULL:
                event = event_new(KIND_TOPIC, topic, topic_len, NULL, 0, NULL, 0)
                event.connection = connection_handle(connection)
                event.session = connection.session.id
                event.qos = publish.qos
                event.flag = publish.retain
                mailbox_post(&state.mailbox, event)
                connection.paused = 1
                return False
            if mapping.target_len == 0:
                acknowledge(state, connection, &publish,
                            TOPIC_NAME_INVALID if connection.protocol_version == 5 else SUCCESS)
                return True
            topic = mapping.data + mapping.topic_len
            topic_len = mapping.target_len
            rewritten = True
        if topic[0] == c"$" and on_dollar_topic(state, connection, &publish, topic, topic_len):
            state.stats.publish_received += 1
            return True
        if connection.mount_len:
            if connection.mount_len + topic_len > 65535:
                connection_fail(state, connection, TOPIC_NAME_INVALID, PROTOCOL_BROKEN)
                return True
            memcpy(state.topic_scratch, connection.mount, connection.mount_len)
            memcpy(state.topic_scratch + connection.mount_len, topic, topic_len)
            topic = state.topic_scratch
            topic_len += connection.mount_len
            rewritten = True
        entry = match_lookup(&state.trie, topic, <uint16_t>topic_len)
        connection.last_entry = entry
        connection.last_generation = state.trie.cache_generation

    # -- counters, access
    connection.session.received_count += 1
    state.stats.publish_received += 1
    if publish.qos == 0:
        state.stats.publish_received_qos0 += 1
    elif publish.qos == 1:
        state.stats.publish_received_qos1 += 1
    else:
        state.stats.publish_received_qos2 += 1
    if not may_write(state, connection, &publish, topic, <uint16_t>topic_len, entry):
        state.stats.acl_denied += 1
        if state.limits.deny_disconnects:
            connection_fail(state, connection, NOT_AUTHORIZED, PROTOCOL_BROKEN)
        else:
            # MQTT 3.x has no way to say no: a positive acknowledgement, nothing routed [MQTT311-3.3.5-2].
            acknowledge(state, connection, &publish, NOT_AUTHORIZED if connection.protocol_version == 5 else SUCCESS)
        return True

    # -- routing
    routing.message.topic = topic
    routing.message.topic_len = <uint16_t>topic_len
    routing.message.properties = publish.properties
    routing.message.properties_len = publish.properties_len
    routing.message.payload = publish.payload
    routing.message.payload_len = publish.payload_len
    routing.message.body = NULL
    routing.message.expires_ms = expiry_deadline(state, &publish)
    routing.publish = &publish
    routing.qos = publish.qos
    routing.retain = publish.retain
    routing.origin_session_id = connection.session.id
    routing.acl_profile_id = connection.session.acl.id if connection.session.acl != NULL else 0
    routing.packet = NULL
    if (publish.qos == 0 and publish.hop_bytes == 0 and not rewritten
            and publish.payload_len + publish.properties_len < SHARE_BYTES_MIN and routing.message.expires_ms == 0):
        routing.packet = packet
        routing.packet_len = packet_len
        routing.packet_version5 = connection.protocol_version == 5
    reason = SUCCESS
    if publish.retain and not retain_message(state, &routing):
        reason = QUOTA_EXCEEDED
    matched = route(state, &routing, entry)
    routing_done(&routing)
    if publish.qos:
        if matched == 0 and reason == SUCCESS:
            reason = NO_MATCHING_SUBSCRIBERS
        acknowledge(state, connection, &publish, reason)
    return True
