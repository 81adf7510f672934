# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Build message bodies; sharing them is inline in body.pxd."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from edge.engine.memory cimport mem_alloc, mem_size
from edge.engine.types cimport Body

cdef extern from *:
    """
    #include <stddef.h>
    #define edge_data_offset(body) offsetof(__typeof__(*(body)), data)
    """
    size_t edge_data_offset(Body*) nogil


cdef Body* body_new(const uint8_t* topic, uint16_t topic_len,
                    const uint8_t* properties, uint32_t properties_len,
                    const uint8_t* payload, uint32_t payload_len) noexcept nogil:
    """Return a body with one reference, which the caller holds; all other fields are 0.

    A part of length 0 may be NULL.
    """
    cdef Body* body = NULL
    # `data` ends the struct, but padding may follow it: its offset, not sizeof(Body), counts.
    cdef size_t n = edge_data_offset(body) + topic_len + properties_len + payload_len
    if n < sizeof(Body):
        n = sizeof(Body)            # so that every field may be touched, whatever the lengths
    body = <Body*>mem_alloc(n)
    memset(body, 0, sizeof(Body))
    body.refs = 1
    body.size_bytes = <uint32_t>mem_size(body)
    body.topic_len = topic_len
    body.properties_len = properties_len
    body.payload_len = payload_len
    # memcpy from NULL is undefined even for 0 bytes.
    if topic_len:
        memcpy(body.data, topic, topic_len)
    if properties_len:
        memcpy(body.data + topic_len, properties, properties_len)
    if payload_len:
        memcpy(body.data + topic_len + properties_len, payload, payload_len)
    return body
