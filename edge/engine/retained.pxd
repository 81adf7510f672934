# The retained store: the last retained message of each topic, as a tree of topic levels.
#
# The tree is walked by filter when somebody subscribes.  A heap over the messages that expire
# gives the next expiry exactly, so that the engine's timer costs nothing while nothing is due and
# an expiry never sweeps the tree.  Nothing here knows Will, ACL or delivery: the visitor decides.
#
# Two bounds: count_max messages and bytes_max of bodies together with the nodes that lead to them
# (a topic of many short levels costs far more than its bytes).  0 means no bound.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from edge.engine.types cimport Body, RetainedStore

ctypedef void (*retained_visitor)(void* context, Body* body) noexcept nogil


cdef void retained_init(RetainedStore* store) noexcept nogil
cdef void retained_clear(RetainedStore* store) noexcept nogil
cdef bint retained_set(RetainedStore* store, Body* body) noexcept nogil
cdef bint retained_remove(RetainedStore* store, const uint8_t* topic,
                          uint16_t topic_len) noexcept nogil
cdef Body* retained_get(RetainedStore* store, const uint8_t* topic,
                        uint16_t topic_len) noexcept nogil
cdef uint32_t retained_match(RetainedStore* store, const uint8_t* topic_filter, uint16_t filter_len,
                             retained_visitor visit, void* context) noexcept nogil
cdef uint32_t retained_expire(RetainedStore* store, int64_t now_ms) noexcept nogil
