# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Answers for the control plane; see queries.pxd."""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy, memset
from edge.engine.body cimport body_ref, body_unref
from edge.engine.mailbox cimport EventNode, KIND_REPLY, event_new, mailbox_post
from edge.engine.memory cimport mem_alloc, mem_free, mem_realloc, mem_used
from edge.engine.poll cimport connection_handle
from edge.engine.retained cimport retained_match, retained_remove
from edge.engine.session cimport session_find
from edge.engine.types cimport Body, Connection, Session


cdef void reply(EngineState* state, const Command* command, const void* data, size_t length) noexcept nogil:
    cdef EventNode* event = event_new(KIND_REPLY, <const uint8_t*>data, <uint32_t>length, NULL, 0, NULL, 0)
    event.number = command.number
    event.reply_kind = command.kind
    mailbox_post(&state.mailbox, event)


cdef void query_stats(EngineState* state, const Command* command) noexcept nogil:
    cdef StatsReply answer
    memset(&answer, 0, sizeof(answer))
    answer.counters = state.stats
    answer.connections = state.connection_count
    answer.sessions = state.session_count
    answer.subscriptions = state.trie.sub_count
    answer.retained = state.retained.count
    answer.retained_bytes = state.retained.bytes
    answer.queued = state.queued_count_total
    answer.queued_bytes = state.queued_bytes_total
    answer.memory_bytes = mem_used()
    answer.memory_bytes_max = state.limits.memory_bytes_max
    answer.match_misses = state.trie.miss_count
    answer.match_entries = state.trie.cache_count
    reply(state, command, &answer, sizeof(answer))


cdef void describe(const Session* session, SessionReply* out) noexcept nogil:
    cdef const Connection* connection = session.connection
    memset(out, 0, sizeof(SessionReply))
    out.session = session.id
    out.queued = session.queue_count
    out.queued_bytes = session.queue_bytes
    out.inflight = session.inflight_count
    out.received = session.received_count
    out.sent = session.sent_count
    out.dropped = session.dropped_count
    if connection != NULL:
        out.connection = connection_handle(connection)
        out.bytes_in = connection.bytes_in
        out.bytes_out = connection.bytes_out


cdef void query_sessions(EngineState* state, const Command* command) noexcept nogil:
    cdef SessionReply* answers
    cdef Session* session
    cdef uint32_t i
    cdef uint32_t count = 0
    if command.session:
        session = session_find(state, command.session)
        answers = <SessionReply*>mem_alloc(sizeof(SessionReply))
        if session != NULL:
            describe(session, answers)
            count = 1
    else:
        answers = <SessionReply*>mem_alloc(state.session_count * sizeof(SessionReply))
        for i in range(state.session_capacity):
            session = state.sessions[i]
            while session != NULL:
                describe(session, &answers[count])
                count += 1
                session = session.hash_next
    reply(state, command, answers, count * sizeof(SessionReply))
    mem_free(answers)


ctypedef struct RetainedAnswer:
    EngineState* state
    uint8_t* data
    size_t length
    size_t capacity
    uint32_t left

ctypedef struct BodyList:
    Body** bodies
    uint32_t count
    uint32_t capacity


cdef void describe_retained(void* context, Body* body) noexcept nogil:
    cdef RetainedAnswer* answer = <RetainedAnswer*>context
    cdef RetainedReply row
    cdef int64_t left_ms
    if answer.left == 0:
        return
    answer.left -= 1
    memset(&row, 0, sizeof(row))
    row.topic_len = body.topic_len
    row.payload_len = body.payload_len
    row.qos = body.qos
    row.expiry_s = -1
    if body.expires_ms:
        left_ms = body.expires_ms - answer.state.now_ms
        row.expiry_s = (left_ms + 999) / 1000 if left_ms > 0 else 0
    if answer.length + sizeof(row) + body.topic_len > answer.capacity:
        answer.capacity = (answer.length + sizeof(row) + body.topic_len) * 2
        answer.data = <uint8_t*>mem_realloc(answer.data, answer.capacity)
    memcpy(answer.data + answer.length, &row, sizeof(row))
    memcpy(answer.data + answer.length + sizeof(row), body.data, body.topic_len)
    answer.length += sizeof(row) + body.topic_len


cdef void query_retained(EngineState* state, const Command* command) noexcept nogil:
    cdef RetainedAnswer answer
    memset(&answer, 0, sizeof(answer))
    answer.state = state
    answer.left = command.flags
    retained_match(&state.retained, command.data, <uint16_t>command.lengths[0], describe_retained, &answer)
    reply(state, command, answer.data, answer.length)
    mem_free(answer.data)


cdef void collect_body(void* context, Body* body) noexcept nogil:
    cdef BodyList* found = <BodyList*>context
    if found.count == found.capacity:
        found.capacity = found.capacity * 2 if found.capacity else 64
        found.bodies = <Body**>mem_realloc(found.bodies, found.capacity * sizeof(Body*))
    body_ref(body)
    found.bodies[found.count] = body
    found.count += 1


cdef void delete_retained(EngineState* state, const Command* command) noexcept nogil:
    """Collect first, delete then: a visitor may not change the store."""
    cdef BodyList found
    cdef uint64_t count
    cdef uint32_t i
    memset(&found, 0, sizeof(found))
    retained_match(&state.retained, command.data, <uint16_t>command.lengths[0], collect_body, &found)
    for i in range(found.count):
        retained_remove(&state.retained, found.bodies[i].data, found.bodies[i].topic_len)
        body_unref(found.bodies[i])
    mem_free(found.bodies)
    count = found.count
    reply(state, command, &count, sizeof(count))
