# Shared subscriptions: who of a group gets a message.  Section 4.8.2.
#
# Members take turns.  A member that is online and has room is preferred, then one that is online,
# then an offline session that keeps messages: a group never loses what one of it could take.

from libc.stdint cimport uint8_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Session, ShareGroup, Sub

cdef Sub* share_choose(EngineState* state, ShareGroup* group, uint8_t qos, const uint8_t* topic,
                       unsigned int topic_len, const Session* excluded) noexcept nogil
cdef void share_redistribute(EngineState* state, Session* session) noexcept nogil
