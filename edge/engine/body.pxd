# The message body: encoded once, shared by reference count among whatever has still to send it.
#
# `data` holds topic | properties | payload without gaps.  Reference counts are plain integers:
# a Body belongs to the engine thread alone.  A reference is taken for each place that keeps the
# pointer (a queue, an in-flight slot, an output segment, the retained store).

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from edge.engine.memory cimport mem_free
from edge.engine.types cimport Body


cdef Body* body_new(const uint8_t* topic, uint16_t topic_len,
                    const uint8_t* properties, uint32_t properties_len,
                    const uint8_t* payload, uint32_t payload_len) noexcept nogil


cdef inline void body_ref(Body* body) noexcept nogil:
    """Count one more holder."""
    body.refs += 1


cdef inline void body_unref(Body* body) noexcept nogil:
    """Give one reference back; the last one frees the body."""
    body.refs -= 1
    if body.refs == 0:
        mem_free(body)
