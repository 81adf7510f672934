# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The bounded queue of a session; see queue.pxd."""

from libc.stdint cimport uint32_t, uint64_t
from edge.engine.body cimport body_ref, body_unref
from edge.engine.match cimport match_may_read
from edge.engine.memory cimport mem_alloc, mem_free, mem_used
from edge.engine.trie cimport subids_ref, subids_unref

cdef enum:
    QUEUE_CAPACITY_MIN = 8


cdef void delivery_release(Delivery* delivery) noexcept nogil:
    if delivery.body != NULL:
        body_unref(delivery.body)
        delivery.body = NULL
    subids_unref(delivery.subids)
    delivery.subids = NULL


cdef inline uint64_t charged(const Body* body) noexcept nogil:
    """What a queued message counts against the byte bounds: all of it, even where a body is shared."""
    return <uint64_t>body.topic_len + body.properties_len + body.payload_len + sizeof(Delivery)


cdef bint is_full(EngineState* state, Session* session, uint64_t bytes) noexcept nogil:
    if state.limits.queued_messages_max and session.queue_count >= state.limits.queued_messages_max:
        return True
    return state.limits.queued_bytes_max != 0 and session.queue_bytes + bytes > state.limits.queued_bytes_max


cdef bint all_are_full(EngineState* state, uint64_t bytes) noexcept nogil:
    """Whether what waits for everybody together leaves no room; the newest goes, whose ever it is."""
    if (state.limits.queued_messages_total_max
            and state.queued_count_total >= state.limits.queued_messages_total_max):
        return True
    return (state.limits.queued_bytes_total_max != 0
            and state.queued_bytes_total + bytes > state.limits.queued_bytes_total_max)


cdef void grow(Session* session) noexcept nogil:
    cdef uint32_t capacity = session.queue_capacity * 2 if session.queue_capacity else QUEUE_CAPACITY_MIN
    cdef Delivery* ring = <Delivery*>mem_alloc(capacity * sizeof(Delivery))
    cdef uint32_t i
    for i in range(session.queue_count):
        ring[i] = session.queue[(session.queue_head + i) & (session.queue_capacity - 1)]
    mem_free(session.queue)
    session.queue = ring
    session.queue_capacity = capacity
    session.queue_head = 0


cdef bint queue_push(EngineState* state, Session* session, Body* body, uint8_t qos, uint8_t retain,
                     SubIds* subids, bint shared) noexcept nogil:
    """Queue a message, taking references; False (and counted) if a bound refused it."""
    cdef uint64_t bytes = charged(body)
    cdef Delivery oldest
    cdef Delivery* slot
    if state.limits.drop_oldest and is_full(state, session, bytes) and (
            state.limits.queued_bytes_max == 0 or bytes <= state.limits.queued_bytes_max):
        # One that fits into no queue at all pushes nothing out.
        while session.queue_count and is_full(state, session, bytes):
            queue_pop(state, session, &oldest)
            delivery_release(&oldest)
            session.dropped_count += 1
            state.stats.dropped_queue_full += 1
    if is_full(state, session, bytes) or all_are_full(state, bytes):
        session.dropped_count += 1
        state.stats.dropped_queue_full += 1
        return False
    if state.limits.memory_bytes_max and mem_used() > state.limits.memory_bytes_max:
        session.dropped_count += 1
        state.stats.dropped_memory += 1
        return False
    if session.queue_count == session.queue_capacity:
        grow(session)
    slot = &session.queue[(session.queue_head + session.queue_count) & (session.queue_capacity - 1)]
    body_ref(body)
    subids_ref(subids)
    slot.body = body
    slot.subids = subids
    slot.qos = qos
    slot.retain = retain
    slot.shared = shared
    session.queue_count += 1
    if qos == 0:
        session.queue_qos0_count += 1
    session.queue_bytes += bytes
    state.queued_bytes_total += bytes
    state.queued_count_total += 1
    return True


cdef inline void uncount(EngineState* state, Session* session, const Delivery* delivery) noexcept nogil:
    """Take a message off the accounts; its place is the caller's business."""
    cdef uint64_t bytes = charged(delivery.body)
    session.queue_count -= 1
    if delivery.qos == 0:
        session.queue_qos0_count -= 1
    session.queue_bytes -= bytes
    state.queued_bytes_total -= bytes
    state.queued_count_total -= 1
    if session.queue_count == 0:
        mem_free(session.queue)
        session.queue = NULL
        session.queue_capacity = session.queue_head = 0


cdef void queue_pop(EngineState* state, Session* session, Delivery* out) noexcept nogil:
    """Take the oldest message with its references; there must be one."""
    out[0] = session.queue[session.queue_head]
    session.queue_head = (session.queue_head + 1) & (session.queue_capacity - 1)
    uncount(state, session, out)


cdef void queue_filter_forbidden(EngineState* state, Session* session) noexcept nogil:
    """Drop what the session may no longer receive; called when its access profile changed.

    In place: what stays was let in once, so no bound is asked again.
    """
    cdef Delivery delivery
    cdef uint32_t mask = session.queue_capacity - 1
    cdef uint32_t i
    cdef uint32_t count = session.queue_count
    cdef uint32_t kept = 0
    for i in range(count):
        delivery = session.queue[(session.queue_head + i) & mask]
        if match_may_read(session, delivery.body.data, delivery.body.topic_len):
            session.queue[(session.queue_head + kept) & mask] = delivery
            kept += 1
        else:
            uncount(state, session, &delivery)
            delivery_release(&delivery)
            session.dropped_count += 1
            state.stats.dropped_denied += 1


cdef void queue_release(EngineState* state, Session* session) noexcept nogil:
    cdef Delivery delivery
    while session.queue_count:
        queue_pop(state, session, &delivery)
        delivery_release(&delivery)
