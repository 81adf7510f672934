# Routing: one incoming message to every session that subscribed to it.
#
# The fast way: a QoS 0 message whose bytes suit the receiver as they are is copied from the receive
# buffer into the receiver's output, first byte aside.  A Body is made only when somebody has to keep
# the message (QoS 1 and 2, offline queues, retained) or when it is large enough to share.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from edge.engine.publish cimport Message, Publish
from edge.engine.state cimport EngineState
from edge.engine.types cimport Body, Connection, MatchEntry, Session

# A message to be routed, from a client's packet or from the control plane.
ctypedef struct Routing:
    Message message                 # full Topic Name; properties are set once needed
    const Publish* publish          # NULL: from the control plane
    const uint8_t* packet           # the packet's own bytes if they may be passed on, else NULL
    uint32_t packet_len
    uint8_t packet_version5         # has a property section
    uint8_t qos
    uint8_t retain
    uint64_t origin_session_id
    uint32_t acl_profile_id

cdef uint32_t route(EngineState* state, Routing* routing, MatchEntry* entry) noexcept nogil
cdef void routing_done(Routing* routing) noexcept nogil
cdef bint retain_message(EngineState* state, Routing* routing) noexcept nogil
cdef void send_retained(EngineState* state, Session* session, const uint8_t* topic_filter, uint32_t filter_len,
                        uint8_t qos, uint32_t subscription_id) noexcept nogil
