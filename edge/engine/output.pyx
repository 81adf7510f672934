# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Output buffers and flushing; see output.pxd."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memmove, memset
from edge.engine.body cimport body_ref, body_unref
from edge.engine.memory cimport mem_free, mem_realloc, mem_used
from edge.engine.poll cimport connection_poll
from edge.engine.types cimport Segment

cdef extern from "<sys/socket.h>" nogil:
    ssize_t send(int, const void*, size_t, int)
    int MSG_NOSIGNAL
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    ssize_t sendmsg(int, const msghdr*, int)

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef enum:
    BUFFER_BYTES_MIN = 4096
    POOL_BUFFER_BYTES_MAX = 262144  # a larger buffer was a burst: given back to the system
    POOL_COUNT_MAX = 64
    SEGMENTS_KEPT = 8
    SLOW_BYTES = 65536              # over the memory budget, a receiver may still have this much pending ...
    SLOW_BYTES_HARD = 4096          # ... and this much well over it


cdef void output_list_dirty(EngineState* state, Connection* connection) noexcept nogil:
    """Remember that this connection is to be flushed at the end of the turn."""
    connection.dirty = 1
    if state.dirty_count == state.dirty_capacity:
        state.dirty_capacity = state.dirty_capacity * 2 if state.dirty_capacity else 256
        state.dirty = <Connection**>mem_realloc(state.dirty, state.dirty_capacity * sizeof(Connection*))
    state.dirty[state.dirty_count] = connection
    state.dirty_count += 1


cdef void compact(Connection* connection) noexcept nogil:
    """Drop from the front what was sent, so that a reader that is always a little late costs no more."""
    cdef uint32_t i
    cdef uint32_t sent = connection.out_offset
    if connection.segment_count:
        sent = connection.out_len
        for i in range(connection.segment_head, connection.segment_count):
            if connection.segments[i].body == NULL:
                sent = connection.segments[i].offset
                break
    if sent == 0:
        return
    memmove(connection.out, connection.out + sent, connection.out_len - sent)
    connection.out_len -= sent
    connection.out_offset = 0
    for i in range(connection.segment_head, connection.segment_count):
        if connection.segments[i].body == NULL:
            connection.segments[i].offset -= sent


cdef bint output_is_clogged(EngineState* state, Connection* connection, uint64_t bytes_max) noexcept nogil:
    """Whether more than `bytes_max` of the connection's own bytes wait although its socket is full.

    Shared bodies do not count: they are what others sent, and their bounds are kept where they are given out. What
    is left are mostly the answers to what this client sends.
    """
    if not connection.want_out or connection.out_len <= bytes_max:
        return False
    compact(connection)
    return connection.out_len > bytes_max


cdef bint output_over_budget(EngineState* state, uint64_t pending_bytes) noexcept nogil:
    """Whether the memory budget is used up and a receiver with so much pending may not be given more."""
    cdef uint64_t used_bytes
    if state.limits.memory_bytes_max == 0 or pending_bytes <= SLOW_BYTES_HARD:
        return False
    used_bytes = mem_used()
    if used_bytes <= state.limits.memory_bytes_max:
        return False
    return pending_bytes > SLOW_BYTES or used_bytes - state.limits.memory_bytes_max > state.limits.memory_bytes_max / 16


cdef void output_grow(EngineState* state, Connection* connection, uint32_t count_bytes) noexcept nogil:
    cdef uint32_t need = connection.out_len + count_bytes
    cdef uint32_t capacity
    if connection.out == NULL and state.pool_count:
        state.pool_count -= 1
        connection.out = state.pool[state.pool_count].data
        connection.out_capacity = state.pool[state.pool_count].capacity
        if connection.out_capacity >= need:
            return
    compact(connection)
    need = connection.out_len + count_bytes
    if connection.out_capacity >= need and connection.out_capacity >= 2 * connection.out_len:
        return
    capacity = connection.out_capacity * 2
    if capacity < need:
        capacity = need
    if capacity < BUFFER_BYTES_MIN:
        capacity = BUFFER_BYTES_MIN
    connection.out = <uint8_t*>mem_realloc(connection.out, capacity)
    connection.out_capacity = capacity


cdef void output_segment(Connection* connection, Body* body, uint32_t offset, uint32_t length) noexcept nogil:
    cdef Segment* segment
    if connection.segment_count == connection.segment_capacity and connection.segment_head * 2 > connection.segment_count:
        connection.segment_count -= connection.segment_head
        memmove(connection.segments, connection.segments + connection.segment_head,
                connection.segment_count * sizeof(Segment))
        connection.segment_head = 0
    if connection.segment_count == connection.segment_capacity:
        connection.segment_capacity = connection.segment_capacity * 2 if connection.segment_capacity else 8
        connection.segments = <Segment*>mem_realloc(connection.segments, connection.segment_capacity * sizeof(Segment))
    segment = &connection.segments[connection.segment_count]
    segment.body = body
    segment.offset = offset
    segment.len = length
    connection.segment_count += 1


cdef void output_share(EngineState* state, Connection* connection, Body* body, uint32_t offset, uint32_t length) noexcept nogil:
    """Put a stretch of a shared body behind what is already queued; takes a reference."""
    if connection.segment_count == 0 and connection.out_len > connection.out_offset:
        output_segment(connection, NULL, connection.out_offset, connection.out_len - connection.out_offset)
    body_ref(body)
    output_segment(connection, body, offset, length)
    connection.out_bytes += length
    if not connection.dirty:
        output_list_dirty(state, connection)


cdef void recycle(EngineState* state, Connection* connection) noexcept nogil:
    """Everything is sent: the buffer goes back to the pool, the segment table if it grew large."""
    connection.out_len = connection.out_offset = 0
    connection.out_bytes = 0
    connection.segment_count = connection.segment_head = 0
    if connection.segment_capacity > SEGMENTS_KEPT:
        mem_free(connection.segments)
        connection.segments = NULL
        connection.segment_capacity = 0
    if connection.out != NULL:
        if state.pool_count < POOL_COUNT_MAX and connection.out_capacity <= POOL_BUFFER_BYTES_MAX:
            state.pool[state.pool_count].data = connection.out
            state.pool[state.pool_count].capacity = connection.out_capacity
            state.pool_count += 1
        else:
            mem_free(connection.out)
        connection.out = NULL
        connection.out_capacity = 0


cdef void output_release(EngineState* state, Connection* connection) noexcept nogil:
    """Drop whatever was not sent."""
    cdef uint32_t i
    for i in range(connection.segment_head, connection.segment_count):
        if connection.segments[i].body != NULL:
            body_unref(connection.segments[i].body)
    recycle(state, connection)


cdef void consume_segments(Connection* connection, size_t sent) noexcept nogil:
    cdef Segment* segment
    connection.out_bytes -= sent
    while sent:
        segment = &connection.segments[connection.segment_head]
        if sent < segment.len:
            segment.offset += <uint32_t>sent
            segment.len -= <uint32_t>sent
            return
        sent -= segment.len
        if segment.body != NULL:
            body_unref(segment.body)
        connection.segment_head += 1


cdef ssize_t send_segments(Connection* connection) noexcept nogil:
    cdef iovec vectors[256]
    cdef msghdr message
    cdef Segment* segment
    cdef uint32_t i
    cdef uint32_t count = 0
    for i in range(connection.segment_head, connection.segment_count):
        segment = &connection.segments[i]
        if segment.body != NULL:
            vectors[count].iov_base = segment.body.data + segment.offset
        else:
            vectors[count].iov_base = connection.out + segment.offset
        vectors[count].iov_len = segment.len
        count += 1
        if count == SHARE_SEGMENTS_MAX:
            break
    memset(&message, 0, sizeof(message))
    message.msg_iov = vectors
    message.msg_iovlen = count
    return sendmsg(connection.fd, &message, MSG_NOSIGNAL)


cdef void output_flush(EngineState* state, Connection* connection) noexcept nogil:
    """Send until all is out or the socket is full. What cannot be sent any more is dropped: see connection_flush()."""
    cdef ssize_t sent
    cdef bint moved = False
    while connection.out_bytes:
        if connection.segment_count:
            sent = send_segments(connection)
        else:
            sent = send(connection.fd, connection.out + connection.out_offset,
                        connection.out_len - connection.out_offset, MSG_NOSIGNAL)
        state.stats.sends += 1
        if sent > 0:
            state.stats.bytes_sent += sent
            connection.bytes_out += sent
            moved = True
            if connection.segment_count:
                consume_segments(connection, sent)
            else:
                connection.out_offset += <uint32_t>sent
                connection.out_bytes -= sent
            continue
        if errno == EINTR:
            continue
        if errno == EAGAIN:
            if moved or not connection.want_out:
                connection.output_moved_ms = state.now_ms
            if not connection.want_out:
                connection.want_out = 1
                connection_poll(state, connection)
            return
        # Broken: nothing more can be sent; the caller sees write_failed.
        output_release(state, connection)
        connection.write_failed = 1
        break
    if connection.out != NULL:
        recycle(state, connection)
    if connection.want_out:
        connection.want_out = 0
        connection_poll(state, connection)
