# Output of one connection: bytes and shared bodies in the order they go on the wire.
#
# Small packets are copied into one buffer; bodies from SHARE_BYTES_MIN on are referenced, so that a
# large message to many subscribers is copied once.  As long as nothing is shared there are no
# segments at all and a flush is a single send().  Buffers come from a pool and go back to it when
# everything is sent: an idle connection holds none, a busy one never meets malloc.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Body, Connection

cdef enum:
    SHARE_BYTES_MIN = 1024          # copying less is cheaper than a segment (measured)
    SHARE_SEGMENTS_MAX = 256        # one sendmsg

cdef void output_grow(EngineState* state, Connection* connection, uint32_t count_bytes) noexcept nogil
cdef void output_share(EngineState* state, Connection* connection, Body* body, uint32_t offset, uint32_t length) noexcept nogil
cdef void output_segment(Connection* connection, Body* body, uint32_t offset, uint32_t length) noexcept nogil
cdef void output_flush(EngineState* state, Connection* connection) noexcept nogil
cdef void output_release(EngineState* state, Connection* connection) noexcept nogil
cdef bint output_is_clogged(EngineState* state, Connection* connection, uint64_t bytes_max) noexcept nogil
cdef bint output_over_budget(EngineState* state, uint64_t pending_bytes) noexcept nogil
cdef void output_list_dirty(EngineState* state, Connection* connection) noexcept nogil


cdef inline uint8_t* output_reserve(EngineState* state, Connection* connection, uint32_t count_bytes) noexcept nogil:
    """Room for `count_bytes` at the end of the buffer; output_commit() says how much was used."""
    if connection.out_capacity - connection.out_len < count_bytes:
        output_grow(state, connection, count_bytes)
    return connection.out + connection.out_len


cdef inline void output_commit(EngineState* state, Connection* connection, uint32_t count_bytes) noexcept nogil:
    if connection.segment_count:
        if connection.segments[connection.segment_count - 1].body == NULL:
            connection.segments[connection.segment_count - 1].len += count_bytes
        else:
            output_segment(connection, NULL, connection.out_len, count_bytes)
    connection.out_len += count_bytes
    connection.out_bytes += count_bytes
    if not connection.dirty:
        output_list_dirty(state, connection)
