# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Topic Aliases; see alias.pxd."""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy
from edge.engine.hashing cimport hash_bytes
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free
from edge.engine.types cimport AliasOut


cdef uint16_t alias_find(Connection* connection, const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """The alias that this topic has towards the client; 0: none."""
    cdef uint32_t i
    cdef uint32_t wanted
    if connection.alias_out_count == 0:
        return 0
    wanted = hash_bytes(topic, topic_len)
    for i in range(connection.alias_out_count):
        if (connection.alias_out[i].hash == wanted and connection.alias_out[i].topic_len == topic_len
                and memcmp(connection.alias_out[i].topic, topic, topic_len) == 0):
            return <uint16_t>(i + 1)
    return 0


cdef void alias_register(Connection* connection, const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Give the next free alias to a topic; the caller has checked that one is free."""
    cdef AliasOut* entry
    if connection.alias_out == NULL:
        connection.alias_out = <AliasOut*>mem_calloc(connection.alias_out_max, sizeof(AliasOut))
    entry = &connection.alias_out[connection.alias_out_count]
    entry.hash = hash_bytes(topic, topic_len)
    entry.topic_len = topic_len
    entry.topic = <uint8_t*>mem_alloc(topic_len)
    memcpy(entry.topic, topic, topic_len)
    connection.alias_out_count += 1


cdef void alias_in_set(Connection* connection, uint16_t alias, const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Remember, or replace, what a client's alias stands for."""
    cdef uint8_t* stored
    if connection.alias_in == NULL:
        connection.alias_in = <uint8_t**>mem_calloc(connection.alias_in_max, sizeof(uint8_t*))
    stored = connection.alias_in[alias - 1]
    if stored != NULL:
        if (<uint16_t*>stored)[0] == topic_len and memcmp(stored + 2, topic, topic_len) == 0:
            return
        mem_free(stored)
    stored = <uint8_t*>mem_alloc(<size_t>topic_len + 2)
    (<uint16_t*>stored)[0] = topic_len
    memcpy(stored + 2, topic, topic_len)
    connection.alias_in[alias - 1] = stored


cdef bint alias_in_get(Connection* connection, uint16_t alias, const uint8_t** topic, uint16_t* topic_len) noexcept nogil:
    """Look up a client's alias; False if it was never set [MQTT-3.3.2-12]."""
    cdef uint8_t* stored
    if connection.alias_in == NULL:
        return False
    stored = connection.alias_in[alias - 1]
    if stored == NULL:
        return False
    topic_len[0] = (<uint16_t*>stored)[0]
    topic[0] = stored + 2
    return True


cdef void alias_release(Connection* connection) noexcept nogil:
    """Forget all of them: aliases end with the Network Connection [MQTT-3.3.2-7]."""
    cdef uint32_t i
    if connection.alias_in != NULL:
        for i in range(connection.alias_in_max):
            mem_free(connection.alias_in[i])
        mem_free(connection.alias_in)
        connection.alias_in = NULL
    if connection.alias_out != NULL:
        for i in range(connection.alias_out_count):
            mem_free(connection.alias_out[i].topic)
        mem_free(connection.alias_out)
        connection.alias_out = NULL
        connection.alias_out_count = 0
