# Topics that the control plane rewrites, remembered per connection: the answer may depend on who publishes.

from libc.stdint cimport uint8_t, uint16_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Connection, TopicMapping

cdef bint mapping_is_wanted(EngineState* state, const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef TopicMapping* mapping_find(Connection* connection, const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef void mapping_set(Connection* connection, const uint8_t* topic, uint16_t topic_len,
                      const uint8_t* target, uint16_t target_len) noexcept nogil
cdef void mapping_release(Connection* connection) noexcept nogil
