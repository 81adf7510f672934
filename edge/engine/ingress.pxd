# A client's PUBLISH, from the packet to the acknowledgement.
#
# The order of checks: form (publish.pyx), what this connection may use at all (QoS, RETAIN, quota),
# the Topic Name, rewriting, `$` topics, access, then routing.  The acknowledgement is written behind
# the routing, in the order of the PUBLISH packets [MQTT-4.6.0-2], [MQTT-4.6.0-3].

from libc.stdint cimport uint8_t, uint32_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Connection

cdef bint on_publish(EngineState* state, Connection* connection, const uint8_t* packet, uint32_t packet_len,
                     uint32_t header_len) noexcept nogil
