# Topic Aliases of one Network Connection, both directions.  Section 3.3.2.3.4.
#
# Outbound, the first topics that are sent get the aliases, and keep them: telemetry repeats the
# same few topics, so a replacement policy would cost more than it saves.

from libc.stdint cimport uint8_t, uint16_t
from edge.engine.types cimport Connection

cdef uint16_t alias_find(Connection* connection, const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef void alias_register(Connection* connection, const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef void alias_in_set(Connection* connection, uint16_t alias, const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef bint alias_in_get(Connection* connection, uint16_t alias, const uint8_t** topic, uint16_t* topic_len) noexcept nogil
cdef void alias_release(Connection* connection) noexcept nogil
