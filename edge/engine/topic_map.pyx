# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Rewritten topics of one connection; see topic_map.pxd."""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy
from edge.engine.acl cimport filter_matches
from edge.engine.hashing cimport hash_bytes
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free

cdef enum:
    BUCKETS = 64
    MAPPINGS_MAX = 1024             # then all are forgotten and asked for again ...
    MAPPINGS_BYTES_MAX = 262144     # ... as they are when their texts get longer than this


cdef bint mapping_is_wanted(EngineState* state, const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Whether a rewrite rule may speak of this topic."""
    cdef uint32_t i
    for i in range(state.map_filter_count):
        if filter_matches(state.map_filters[i].filter, state.map_filters[i].len, topic, topic_len):
            return True
    return False


cdef TopicMapping* mapping_find(Connection* connection, const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    cdef uint32_t wanted
    cdef TopicMapping* mapping
    if connection.mappings == NULL:
        return NULL
    wanted = hash_bytes(topic, topic_len)
    mapping = connection.mappings[wanted & (BUCKETS - 1)]
    while mapping != NULL:
        if mapping.hash == wanted and mapping.topic_len == topic_len and memcmp(mapping.data, topic, topic_len) == 0:
            return mapping
        mapping = mapping.next
    return NULL


cdef void mapping_set(Connection* connection, const uint8_t* topic, uint16_t topic_len,
                      const uint8_t* target, uint16_t target_len) noexcept nogil:
    """Remember an answer that is not yet there."""
    cdef TopicMapping* mapping
    if connection.mapping_count >= MAPPINGS_MAX or connection.mapping_bytes >= MAPPINGS_BYTES_MAX:
        mapping_release(connection)
    if connection.mappings == NULL:
        connection.mappings = <TopicMapping**>mem_calloc(BUCKETS, sizeof(TopicMapping*))
    mapping = <TopicMapping*>mem_alloc(sizeof(TopicMapping) + <size_t>topic_len + target_len)
    mapping.hash = hash_bytes(topic, topic_len)
    mapping.topic_len = topic_len
    mapping.target_len = target_len
    memcpy(mapping.data, topic, topic_len)
    memcpy(mapping.data + topic_len, target, target_len)
    mapping.next = connection.mappings[mapping.hash & (BUCKETS - 1)]
    connection.mappings[mapping.hash & (BUCKETS - 1)] = mapping
    connection.mapping_count += 1
    connection.mapping_bytes += topic_len + target_len


cdef void mapping_release(Connection* connection) noexcept nogil:
    cdef TopicMapping* mapping
    cdef TopicMapping* following
    cdef uint32_t i
    if connection.mappings == NULL:
        return
    for i in range(BUCKETS):
        mapping = connection.mappings[i]
        while mapping != NULL:
            following = mapping.next
            mem_free(mapping)
            mapping = following
    mem_free(connection.mappings)
    connection.mappings = NULL
    connection.mapping_count = connection.mapping_bytes = 0
