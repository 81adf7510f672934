# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Routing of messages; see route.pxd."""

from libc.stdint cimport uint16_t
from libc.string cimport memcpy
from edge.engine.acl cimport acl_allows
from edge.engine.body cimport body_new, body_unref
from edge.engine.match cimport match_may_read
from edge.engine.memory cimport mem_alloc, mem_used
from edge.engine.output cimport SHARE_BYTES_MIN, output_commit, output_over_budget, output_reserve
from edge.engine.profiles cimport profile_find
from edge.engine.publish cimport message_from_body, publish_encode, publish_forwarded
from edge.engine.retained cimport retained_match, retained_remove, retained_set
from edge.engine.share cimport share_choose
from edge.engine.trie cimport subids_unref
from edge.engine.types cimport (
    ACL_RETAIN, ACL_WRITE, AclProfile, CONNECTION_LIVE, SESSION_ENDS_WITH_CONNECTION,
    SUB_NO_LOCAL, SUB_RETAIN_AS_PUBLISHED, Sub, SubIds,
)
from edge.engine.window cimport session_deliver

cdef enum:
    SUBSCRIPTION_IDENTIFIER = 0x0B


cdef Body* body_of(Routing* routing) noexcept nogil:
    """The message as a Body, made on first need; the routing holds one reference."""
    cdef Message* message = &routing.message
    cdef Body* body
    cdef uint32_t properties_len
    if message.body != NULL:
        return message.body
    if routing.publish != NULL and routing.publish.hop_bytes:
        properties_len = routing.publish.properties_len - routing.publish.hop_bytes
        # The raw bytes only fill the space: publish_forwarded() writes what belongs there.
        body = body_new(message.topic, message.topic_len, routing.publish.properties, properties_len,
                        message.payload, message.payload_len)
        publish_forwarded(routing.publish, body.data + message.topic_len)
    else:
        body = body_new(message.topic, message.topic_len, message.properties, message.properties_len,
                        message.payload, message.payload_len)
    body.expires_ms = message.expires_ms
    body.origin_session_id = routing.origin_session_id
    body.acl_profile_id = routing.acl_profile_id
    body.qos = routing.qos
    body.retain = routing.retain
    message_from_body(message, body)
    # From here on the message points into the body: the packet's own bytes are not needed any more.
    return body


cdef inline bint over_output(EngineState* state, Connection* connection, uint32_t topic_len) noexcept nogil:
    """Whether a receiver is too slow to be given more QoS 0 output. A topic is copied for each receiver."""
    return (connection.out_bytes > state.limits.output_bytes_max
            or output_over_budget(state, connection.out_bytes + topic_len))


cdef void send_qos0(EngineState* state, Routing* routing, Session* session, uint8_t retain, SubIds* subids) noexcept nogil:
    cdef Connection* connection = session.connection
    cdef uint8_t* out
    if connection == NULL or connection.state != CONNECTION_LIVE:
        if state.limits.queue_qos0_offline and not session.flags & SESSION_ENDS_WITH_CONNECTION:
            session_deliver(state, session, body_of(routing), 0, retain, subids, False)
        return
    if session.queue_qos0_count:
        # It may not overtake an older message of its topic that still waits [MQTT-4.6.0-5].
        session_deliver(state, session, body_of(routing), 0, retain, subids, False)
        return
    if over_output(state, connection, routing.message.topic_len):
        session.dropped_count += 1
        state.stats.dropped_slow += 1
        return
    if (routing.packet != NULL and subids == NULL and connection.plain
            and routing.packet_version5 == (connection.protocol_version == 5)
            and routing.packet_len <= connection.client_packet_bytes_max):
        out = output_reserve(state, connection, routing.packet_len)
        memcpy(out, routing.packet, routing.packet_len)
        out[0] = 0x30 | retain
        output_commit(state, connection, routing.packet_len)
    else:
        if routing.message.body == NULL and (
                routing.message.payload_len + routing.message.properties_len >= SHARE_BYTES_MIN
                or (routing.publish != NULL and routing.publish.hop_bytes)):
            body_of(routing)
        if not publish_encode(state, connection, &routing.message, 0, retain, 0, 0, subids):
            session.dropped_count += 1
            state.stats.dropped_too_large += 1
            return
    session.sent_count += 1
    state.stats.publish_sent += 1
    state.stats.publish_sent_qos0 += 1


cdef inline void deliver(EngineState* state, Routing* routing, Sub* sub, bint shared) noexcept nogil:
    cdef uint8_t qos = sub.qos if sub.qos < routing.qos else routing.qos       # [MQTT-3.8.4-8]
    cdef uint8_t retain = routing.retain if sub.options & SUB_RETAIN_AS_PUBLISHED else 0   # [MQTT-3.3.1-12]
    if qos == 0:
        send_qos0(state, routing, sub.session, retain, sub.subids)
    else:
        session_deliver(state, sub.session, body_of(routing), qos, retain, sub.subids, shared)


cdef uint32_t route(EngineState* state, Routing* routing, MatchEntry* entry) noexcept nogil:
    """Give a message to everybody in `entry`; returns how many subscriptions it met."""
    cdef uint32_t i
    cdef uint32_t matched = 0
    cdef Sub* sub
    for i in range(entry.target_count):
        sub = &entry.targets[i]
        if sub.options & SUB_NO_LOCAL and sub.session.id == routing.origin_session_id:
            continue        # [MQTT-3.8.3-3]
        matched += 1
        deliver(state, routing, sub, False)
    for i in range(entry.group_count):
        sub = share_choose(state, entry.groups[i], routing.qos, routing.message.topic, routing.message.topic_len, NULL)
        if sub != NULL:
            matched += 1
            deliver(state, routing, sub, True)
    if matched == 0:
        state.stats.dropped_no_subscriber += 1
    return matched


cdef void routing_done(Routing* routing) noexcept nogil:
    if routing.message.body != NULL:
        body_unref(routing.message.body)
        routing.message.body = NULL


# ---------------------------------------------------------------- retained messages

cdef bint retain_message(EngineState* state, Routing* routing) noexcept nogil:
    """Store, replace or clear the retained message of a topic; False if a limit refused it."""
    if routing.message.payload_len == 0:
        # An empty payload clears and is never stored [MQTT-3.3.1-6], [MQTT-3.3.1-7].
        retained_remove(&state.retained, routing.message.topic, routing.message.topic_len)
        return True
    if (state.limits.memory_bytes_max and mem_used() > state.limits.memory_bytes_max) or not retained_set(
            &state.retained, body_of(routing)):
        state.stats.dropped_retained_full += 1
        return False
    return True


ctypedef struct RetainedSending:
    EngineState* state
    Session* session
    SubIds* subids
    uint8_t qos


cdef void visit_retained(void* context, Body* body) noexcept nogil:
    cdef RetainedSending* sending = <RetainedSending*>context
    cdef EngineState* state = sending.state
    cdef AclProfile* source
    cdef uint8_t qos = body.qos if body.qos < sending.qos else sending.qos
    if body.expires_ms and state.now_ms > body.expires_ms:
        return
    if not match_may_read(sending.session, body.data, body.topic_len):
        return
    if state.limits.retained_check_source and body.acl_profile_id:
        source = profile_find(state, body.acl_profile_id)
        if source != NULL and not acl_allows(source, ACL_WRITE | ACL_RETAIN, body.qos, body.data, body.topic_len):
            state.stats.dropped_denied += 1
            return
    session_deliver(state, sending.session, body, qos, 1, sending.subids, False)    # [MQTT-3.3.1-8]


cdef void send_retained(EngineState* state, Session* session, const uint8_t* topic_filter, uint32_t filter_len,
                        uint8_t qos, uint32_t subscription_id) noexcept nogil:
    """Queue the retained messages that match a new subscription [MQTT-3.3.1-9]."""
    cdef RetainedSending sending
    cdef uint32_t i = 1
    sending.state = state
    sending.session = session
    sending.qos = qos
    sending.subids = NULL
    if subscription_id:
        sending.subids = <SubIds*>mem_alloc(sizeof(SubIds))
        sending.subids.refs = 1
        sending.subids.data[0] = SUBSCRIPTION_IDENTIFIER
        while subscription_id >= 128:
            sending.subids.data[i] = <uint8_t>(subscription_id & 0x7F) | 0x80
            subscription_id >>= 7
            i += 1
        sending.subids.data[i] = <uint8_t>subscription_id
        sending.subids.len = i + 1
    retained_match(&state.retained, topic_filter, <uint16_t>filter_len, visit_retained, &sending)
    subids_unref(sending.subids)
