# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Token buckets for publish rates; see rate.pxd."""

from libc.string cimport memcmp, memcpy
from edge.engine.hashing cimport hash_bytes
from edge.engine.memory cimport mem_calloc, mem_free
from edge.engine.state cimport RATE_BUCKETS
from edge.engine.types cimport RateGroup

cdef enum:
    ELAPSED_MS_MAX = 1000000000     # so that no product with a rate overflows


cdef void bucket_init(TokenBucket* bucket, uint32_t messages_s, uint32_t bytes_s, int64_t now_ms) noexcept nogil:
    """A full bucket; 0: no limit."""
    bucket.messages_s = messages_s
    bucket.bytes_s = bytes_s
    bucket.message_tokens_x1000 = <int64_t>messages_s * 1000
    bucket.byte_tokens_x1000 = <int64_t>bytes_s * 1000
    bucket.refilled_ms = now_ms


cdef int64_t bucket_wait_ms(TokenBucket* bucket, int64_t now_ms) noexcept nogil:
    """Refill by the time that passed; how long until one more message may pass, 0: now."""
    cdef int64_t elapsed_ms = now_ms - bucket.refilled_ms
    cdef int64_t wait_ms = 0
    cdef int64_t bytes_wait_ms
    if elapsed_ms > 0:
        bucket.refilled_ms = now_ms
        if elapsed_ms > ELAPSED_MS_MAX:
            elapsed_ms = ELAPSED_MS_MAX
        bucket.message_tokens_x1000 += elapsed_ms * bucket.messages_s
        if bucket.message_tokens_x1000 > <int64_t>bucket.messages_s * 1000:
            bucket.message_tokens_x1000 = <int64_t>bucket.messages_s * 1000
        bucket.byte_tokens_x1000 += elapsed_ms * bucket.bytes_s
        if bucket.byte_tokens_x1000 > <int64_t>bucket.bytes_s * 1000:
            bucket.byte_tokens_x1000 = <int64_t>bucket.bytes_s * 1000
    if bucket.messages_s and bucket.message_tokens_x1000 < 1000:
        wait_ms = (1000 - bucket.message_tokens_x1000) / bucket.messages_s + 1
    if bucket.bytes_s and bucket.byte_tokens_x1000 <= 0:
        bytes_wait_ms = -bucket.byte_tokens_x1000 / bucket.bytes_s + 1
        if bytes_wait_ms > wait_ms:
            wait_ms = bytes_wait_ms
    return wait_ms


cdef void bucket_take(TokenBucket* bucket, uint32_t packet_bytes) noexcept nogil:
    bucket.message_tokens_x1000 -= 1000
    bucket.byte_tokens_x1000 -= <int64_t>packet_bytes * 1000


cdef int64_t rate_wait_ms(EngineState* state, Connection* connection, uint32_t packet_bytes) noexcept nogil:
    """Take a PUBLISH from the connection's buckets; how long it has to wait, 0: it was taken."""
    cdef int64_t wait_ms = bucket_wait_ms(&connection.rate, state.now_ms)
    cdef int64_t group_wait_ms = 0
    if connection.rate_group != NULL:
        group_wait_ms = bucket_wait_ms(&connection.rate_group.bucket, state.now_ms)
    if wait_ms or group_wait_ms:
        return wait_ms if wait_ms > group_wait_ms else group_wait_ms
    bucket_take(&connection.rate, packet_bytes)
    if connection.rate_group != NULL:
        bucket_take(&connection.rate_group.bucket, packet_bytes)
    return 0


cdef void rate_join(EngineState* state, Connection* connection, const uint8_t* key, uint32_t key_len,
                    uint32_t messages_s, uint32_t bytes_s) noexcept nogil:
    """Share a bucket with everybody who has the same key; made by the first, gone with the last."""
    cdef uint32_t wanted = hash_bytes(key, key_len)
    cdef RateGroup** head = &state.rate_groups[wanted & (RATE_BUCKETS - 1)]
    cdef RateGroup* group = head[0]
    while group != NULL:
        if group.hash == wanted and group.key_len == key_len and memcmp(group.key, key, key_len) == 0:
            break
        group = group.next
    if group == NULL:
        group = <RateGroup*>mem_calloc(1, sizeof(RateGroup) + key_len)
        group.hash = wanted
        group.key_len = key_len
        memcpy(group.key, key, key_len)
        bucket_init(&group.bucket, messages_s, bytes_s, state.now_ms)
        group.next = head[0]
        head[0] = group
    group.refs += 1
    connection.rate_group = group


cdef void rate_leave(EngineState* state, Connection* connection) noexcept nogil:
    cdef RateGroup* group = connection.rate_group
    cdef RateGroup** link
    connection.rate_group = NULL
    if group == NULL:
        return
    group.refs -= 1
    if group.refs:
        return
    link = &state.rate_groups[group.hash & (RATE_BUCKETS - 1)]
    while link[0] != group:
        link = &link[0].next
    link[0] = group.next
    mem_free(group)
