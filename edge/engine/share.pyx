# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Turns within a share group; see share.pxd."""

from libc.stdint cimport uint16_t, uint32_t
from edge.engine.match cimport match_lookup, match_may_read
from edge.engine.trie cimport share_next
from edge.engine.types cimport (
    Body, CONNECTION_LIVE, Delivery, INFLIGHT_AWAIT_PUBACK, MatchEntry, SESSION_ENDS_WITH_CONNECTION,
)
from edge.engine.window cimport session_deliver, session_has_room

cdef enum:
    READY = 3                       # online, with room
    ONLINE = 2
    OFFLINE = 1                     # keeps messages
    UNFIT = 0


cdef int fitness(EngineState* state, Session* session, uint8_t qos) noexcept nogil:
    if session.connection == NULL or session.connection.state != CONNECTION_LIVE:
        if session.flags & SESSION_ENDS_WITH_CONNECTION:
            return UNFIT
        return OFFLINE if qos or state.limits.queue_qos0_offline else UNFIT
    if session.queue_count == 0 and (session.connection.out_bytes < state.limits.output_bytes_max if qos == 0
                                     else session_has_room(state, session)):
        return READY
    return ONLINE


cdef Sub* share_choose(EngineState* state, ShareGroup* group, uint8_t qos, const uint8_t* topic,
                       unsigned int topic_len, const Session* excluded) noexcept nogil:
    """The member that gets this message; NULL: none can."""
    cdef Sub* best = NULL
    cdef Sub* member
    cdef int best_fitness = UNFIT
    cdef int this_fitness
    cdef uint32_t best_turn = 0
    cdef uint32_t _i
    for _i in range(group.count):
        member = share_next(group)
        if member.session == excluded:
            continue
        this_fitness = fitness(state, member.session, qos if qos < member.qos else member.qos)
        if this_fitness > best_fitness and match_may_read(member.session, topic, <uint16_t>topic_len):
            best = member
            best_fitness = this_fitness
            best_turn = group.cursor
            if best_fitness == READY:
                break
    if best != NULL:
        # The turn passes on from whoever was served, not from whoever was asked last.
        group.cursor = best_turn
    return best


cdef void hand_over(EngineState* state, Session* session, Delivery* delivery) noexcept nogil:
    """Give one message of a session that ends to another member of a group that it was in."""
    cdef MatchEntry* entry
    cdef Sub* member
    cdef Body* body = delivery.body
    cdef uint32_t i
    cdef uint32_t k
    entry = match_lookup(&state.trie, body.data, body.topic_len)
    for i in range(entry.group_count):
        for k in range(session.place_count):
            if session.places[k].group == entry.groups[i]:
                member = share_choose(state, entry.groups[i], body.qos, body.data, body.topic_len, session)
                if member != NULL:
                    session_deliver(state, member.session, body, body.qos if body.qos < member.qos else member.qos,
                                    delivery.retain, member.subids, True)
                return


cdef void share_redistribute(EngineState* state, Session* session) noexcept nogil:
    """Before a session goes: its unacknowledged QoS 1 and queued shared messages go to others.

    QoS 2 messages that were sent stay with it: they must go to nobody else [MQTT-4.8.2-5].
    """
    cdef Delivery* delivery
    cdef uint32_t i
    cdef bint member = False
    for i in range(session.place_count):
        if session.places[i].group != NULL:
            member = True
            break
    if not member:
        return
    for i in range(session.inflight_capacity):
        if session.inflight[i].state == INFLIGHT_AWAIT_PUBACK and session.inflight[i].delivery.shared:
            hand_over(state, session, &session.inflight[i].delivery)
    for i in range(session.queue_count):
        delivery = &session.queue[(session.queue_head + i) & (session.queue_capacity - 1)]
        if delivery.shared:
            hand_over(state, session, delivery)
