# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The outbound window; see window.pxd."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport qsort
from edge.engine.body cimport body_ref
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free
from edge.engine.output cimport output_commit, output_over_budget, output_reserve
from edge.engine.publish cimport Message, message_from_body, publish_encode
from edge.engine.queue cimport delivery_release, queue_pop, queue_push
from edge.engine.trie cimport subids_ref
from edge.engine.types cimport (
    CONNECTION_LIVE, Delivery, INFLIGHT_AWAIT_PUBACK, INFLIGHT_AWAIT_PUBCOMP, INFLIGHT_AWAIT_PUBREC,
    INFLIGHT_FREE, Inflight, SESSION_ENDS_WITH_CONNECTION,
)

cdef enum:
    CAPACITY_MIN = 4
    CAPACITY_KEPT = 128             # a ring up to this size stays for the next burst
    PUBREL = 0x62
    PACKET_IDENTIFIER_NOT_FOUND = 0x92


cdef void put_ack(EngineState* state, Connection* connection, uint8_t first_byte, uint16_t packet_id,
                  uint8_t reason_code) noexcept nogil:
    """PUBACK, PUBREC, PUBREL or PUBCOMP; the Reason Code is left out when it is 0 or the client speaks 3.x."""
    cdef uint8_t* out = output_reserve(state, connection, 5)
    out[0] = first_byte
    out[1] = 2
    out[2] = <uint8_t>(packet_id >> 8)
    out[3] = <uint8_t>(packet_id & 0xFF)
    if reason_code and connection.protocol_version == 5:
        out[1] = 3
        out[4] = reason_code
        output_commit(state, connection, 5)
    else:
        output_commit(state, connection, 4)


# ---------------------------------------------------------------- slots

cdef inline uint64_t weight(const Body* body) noexcept nogil:
    return <uint64_t>body.topic_len + body.properties_len + body.payload_len


cdef inline Inflight* slot_find(Session* session, uint16_t packet_id) noexcept nogil:
    cdef Inflight* slot
    if session.inflight == NULL:
        return NULL
    slot = &session.inflight[packet_id & (session.inflight_capacity - 1)]
    if slot.state == INFLIGHT_FREE or slot.packet_id != packet_id:
        return NULL
    return slot


cdef void ring_grow(Session* session) noexcept nogil:
    cdef uint32_t capacity = session.inflight_capacity * 2 if session.inflight_capacity else CAPACITY_MIN
    cdef Inflight* ring = <Inflight*>mem_calloc(capacity, sizeof(Inflight))
    cdef uint32_t i
    for i in range(session.inflight_capacity):
        if session.inflight[i].state != INFLIGHT_FREE:
            ring[session.inflight[i].packet_id & (capacity - 1)] = session.inflight[i]
    mem_free(session.inflight)
    session.inflight = ring
    session.inflight_capacity = capacity


cdef Inflight* slot_take(Session* session) noexcept nogil:
    """A free slot with the next Packet Identifier; the caller has checked that the window has room."""
    cdef Inflight* slot
    cdef uint16_t packet_id
    if session.inflight == NULL:
        ring_grow(session)
    while True:
        packet_id = session.packet_id_next
        slot = &session.inflight[packet_id & (session.inflight_capacity - 1)]
        if slot.state != INFLIGHT_FREE and session.inflight_capacity < 2 * <uint32_t>session.inflight_max:
            ring_grow(session)
            continue
        session.packet_id_next = packet_id + 1 if packet_id != 65535 else 1
        if slot.state == INFLIGHT_FREE:
            slot.packet_id = packet_id
            slot.order = session.order_next
            session.order_next += 1
            session.inflight_count += 1
            return slot


cdef void slot_free(Session* session, Inflight* slot) noexcept nogil:
    if slot.delivery.body != NULL:
        session.inflight_bytes -= weight(slot.delivery.body)
    if slot.resend:
        session.resend_count -= 1
    delivery_release(&slot.delivery)
    slot.state = INFLIGHT_FREE
    slot.resend = 0
    session.inflight_count -= 1
    if session.inflight_count == 0 and session.inflight_capacity > CAPACITY_KEPT:
        mem_free(session.inflight)
        session.inflight = NULL
        session.inflight_capacity = 0

# ---------------------------------------------------------------- sending

cdef bint session_has_room(EngineState* state, const Session* session) noexcept nogil:
    """Whether one more QoS 1 or 2 message may go out now."""
    if session.inflight_count - session.resend_count >= session.inflight_max:
        return False
    if session.inflight_capacity and session.inflight_count * 2 > 65535:
        return False
    if state.limits.inflight_bytes_max and session.inflight_bytes >= state.limits.inflight_bytes_max:
        return False
    # What is not acknowledged is held as surely as what is not sent.
    return (session.connection.out_bytes < state.limits.output_bytes_max
            and not output_over_budget(state, session.connection.out_bytes + session.inflight_bytes))


cdef inline bint is_expired(EngineState* state, const Body* body) noexcept nogil:
    return body.expires_ms != 0 and state.now_ms > body.expires_ms


cdef void count_sent(EngineState* state, Session* session, uint8_t qos) noexcept nogil:
    session.sent_count += 1
    state.stats.publish_sent += 1
    if qos == 0:
        state.stats.publish_sent_qos0 += 1
    elif qos == 1:
        state.stats.publish_sent_qos1 += 1
    else:
        state.stats.publish_sent_qos2 += 1


cdef void send_now(EngineState* state, Session* session, Body* body, uint8_t qos, uint8_t retain,
                   SubIds* subids, bint shared) noexcept nogil:
    """Send a message that has room; takes its own references where it keeps something."""
    cdef Message message
    cdef Inflight* slot
    if is_expired(state, body):
        session.dropped_count += 1
        state.stats.dropped_expired += 1        # [MQTT-3.3.2-5]
        return
    message_from_body(&message, body)
    if qos == 0:
        if publish_encode(state, session.connection, &message, 0, retain, 0, 0, subids):
            count_sent(state, session, 0)
        else:
            session.dropped_count += 1
            state.stats.dropped_too_large += 1
        return
    slot = slot_take(session)
    if not publish_encode(state, session.connection, &message, qos, retain, 0, slot.packet_id, subids):
        # Too large for this client: as if it had been delivered [MQTT-3.1.2-25].
        slot_free(session, slot)
        session.dropped_count += 1
        state.stats.dropped_too_large += 1
        return
    body_ref(body)
    subids_ref(subids)
    slot.delivery.body = body
    slot.delivery.subids = subids
    slot.delivery.qos = qos
    slot.delivery.retain = retain
    slot.delivery.shared = shared
    slot.state = INFLIGHT_AWAIT_PUBACK if qos == 1 else INFLIGHT_AWAIT_PUBREC
    slot.resend = 0
    session.inflight_bytes += weight(body)
    count_sent(state, session, qos)


cdef void session_deliver(EngineState* state, Session* session, Body* body, uint8_t qos, uint8_t retain,
                          SubIds* subids, bint shared) noexcept nogil:
    """Send a message now if the window allows, else queue it; never overtakes what is queued."""
    cdef Connection* connection = session.connection
    if connection == NULL or connection.state != CONNECTION_LIVE:
        if not session.flags & SESSION_ENDS_WITH_CONNECTION:
            queue_push(state, session, body, qos, retain, subids, shared)
        return
    if session.queue_count == 0 and session.resend_count == 0 and (
            connection.out_bytes < state.limits.output_bytes_max if qos == 0
            else session_has_room(state, session)):
        send_now(state, session, body, qos, retain, subids, shared)
        return
    queue_push(state, session, body, qos, retain, subids, shared)


cdef void session_pump(EngineState* state, Session* session) noexcept nogil:
    """Send from the queue as long as there is room."""
    cdef Delivery delivery
    cdef Delivery* head
    if session.connection == NULL or session.connection.state != CONNECTION_LIVE:
        return
    if session.resend_count:
        session_resend(state, session)
        if session.resend_count:
            return
    while session.queue_count:
        head = &session.queue[session.queue_head]
        if head.qos == 0:
            if session.connection.out_bytes >= state.limits.output_bytes_max:
                return
        elif not session_has_room(state, session):
            return
        queue_pop(state, session, &delivery)
        send_now(state, session, delivery.body, delivery.qos, delivery.retain, delivery.subids, delivery.shared)
        delivery_release(&delivery)


# ---------------------------------------------------------------- acknowledgements

cdef void on_puback(EngineState* state, Connection* connection, uint16_t packet_id) noexcept nogil:
    cdef Session* session = connection.session
    cdef Inflight* slot = slot_find(session, packet_id)
    if slot == NULL or slot.state != INFLIGHT_AWAIT_PUBACK:
        return
    # Whatever its Reason Code, a PUBACK ends the exchange [MQTT-4.3.2-3].
    slot_free(session, slot)
    if session.queue_count or session.resend_count:
        session_pump(state, session)


cdef void on_pubrec(EngineState* state, Connection* connection, uint16_t packet_id, uint8_t reason_code) noexcept nogil:
    cdef Session* session = connection.session
    cdef Inflight* slot = slot_find(session, packet_id)
    if slot == NULL or slot.state == INFLIGHT_AWAIT_PUBACK:
        # Nothing known of it: a PUBREL lets the client forget it too [MQTT-4.3.3-4].
        if reason_code < 0x80:
            put_ack(state, connection, PUBREL, packet_id, PACKET_IDENTIFIER_NOT_FOUND)
        return
    if reason_code >= 0x80:
        slot_free(session, slot)
        if session.queue_count or session.resend_count:
            session_pump(state, session)
        return
    if slot.state == INFLIGHT_AWAIT_PUBREC:
        session.inflight_bytes -= weight(slot.delivery.body)
        delivery_release(&slot.delivery)
        slot.state = INFLIGHT_AWAIT_PUBCOMP
    put_ack(state, connection, PUBREL, packet_id, 0)


cdef void on_pubcomp(EngineState* state, Connection* connection, uint16_t packet_id) noexcept nogil:
    cdef Session* session = connection.session
    cdef Inflight* slot = slot_find(session, packet_id)
    if slot == NULL or slot.state != INFLIGHT_AWAIT_PUBCOMP:
        return
    slot_free(session, slot)
    if session.queue_count or session.resend_count:
        session_pump(state, session)


# ---------------------------------------------------------------- resending

cdef int compare_keys(const void* first, const void* second) noexcept nogil:
    cdef uint64_t a = (<const uint64_t*>first)[0]
    cdef uint64_t b = (<const uint64_t*>second)[0]
    return (a > b) - (a < b)


cdef void window_resume(Session* session) noexcept nogil:
    """On a new connection: everything in flight is to be sent again, in the order of the first sending."""
    cdef uint64_t* keys
    cdef Inflight* slot
    cdef uint32_t count = 0
    cdef uint32_t i
    mem_free(session.resend_ids)
    session.resend_ids = NULL
    session.resend_count = session.inflight_count
    if session.inflight_count == 0:
        return
    keys = <uint64_t*>mem_alloc(session.inflight_count * sizeof(uint64_t))
    for i in range(session.inflight_capacity):
        slot = &session.inflight[i]
        if slot.state != INFLIGHT_FREE:
            slot.resend = 1
            # `order` may wrap: seen from the next one, the oldest is the smallest.
            keys[count] = (<uint64_t><uint32_t>(slot.order - session.order_next) << 16) | slot.packet_id
            count += 1
    qsort(keys, count, sizeof(uint64_t), compare_keys)
    session.resend_ids = <uint16_t*>mem_alloc(count * sizeof(uint16_t))
    session.resend_ids_count = count
    session.resend_cursor = 0
    for i in range(count):
        session.resend_ids[i] = <uint16_t>keys[i]
    mem_free(keys)


cdef void session_resend(EngineState* state, Session* session) noexcept nogil:
    """Send unacknowledged PUBLISH (with DUP 1) and PUBREL packets again, oldest first [MQTT-4.4.0-1].

    Stops where the client's new Receive Maximum stops it; each acknowledgement goes on from there.
    """
    cdef Inflight* slot
    cdef Message message
    while session.resend_count and session.inflight_count - session.resend_count < session.inflight_max:
        slot = slot_find(session, session.resend_ids[session.resend_cursor])
        session.resend_cursor += 1
        if slot == NULL or not slot.resend:
            continue                # acknowledged meanwhile
        slot.resend = 0
        session.resend_count -= 1
        if slot.state == INFLIGHT_AWAIT_PUBCOMP:
            put_ack(state, session.connection, PUBREL, slot.packet_id, 0)
            continue
        message_from_body(&message, slot.delivery.body)
        if not publish_encode(state, session.connection, &message, slot.delivery.qos, slot.delivery.retain, 1,
                              slot.packet_id, slot.delivery.subids):
            slot_free(session, slot)
            session.dropped_count += 1
            state.stats.dropped_too_large += 1
    if session.resend_count == 0:
        mem_free(session.resend_ids)
        session.resend_ids = NULL


cdef void window_release(Session* session) noexcept nogil:
    cdef uint32_t i
    for i in range(session.inflight_capacity):
        if session.inflight[i].state != INFLIGHT_FREE:
            delivery_release(&session.inflight[i].delivery)
    mem_free(session.inflight)
    mem_free(session.resend_ids)
    session.resend_ids = NULL
    session.inflight = NULL
    session.inflight_capacity = session.inflight_count = session.inflight_bytes = session.resend_count = 0
