# The filter trie: which sessions subscribed to which Topic Filters.
#
# Invariants:
#  - Each Sub in node.subs or group.members has exactly one SubPlace in its session, and the two
#    point at each other by index.  So a session that ends is removed in time proportional to its
#    own subscriptions, even when ten thousand others share the filter.
#  - A node other than the root carries a subscription, a share group or a child: the last one to
#    leave prunes the branch.
#  - `epoch` grows whenever the answer to a match could change; match.pyx caches answers by it.
#
# Filters arrive validated: `#` is the last level, `$share/{name}/` is already split off.  A filter
# that is not would only sit in the trie and match nothing.  Each level costs a node of about 150
# bytes, so whoever admits filters must bound their levels.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from edge.engine.memory cimport mem_free
from edge.engine.types cimport Session, ShareGroup, Sub, SubIds, Trie


cdef void trie_init(Trie* trie) noexcept nogil
cdef void trie_clear(Trie* trie) noexcept nogil
cdef bint trie_subscribe(Trie* trie, Session* session,
                         const uint8_t* topic_filter, uint16_t filter_len,
                         uint8_t qos, uint8_t options, uint32_t subscription_id,
                         const uint8_t* group_name, uint16_t group_len) noexcept nogil
cdef bint trie_unsubscribe(Trie* trie, Session* session,
                           const uint8_t* topic_filter, uint16_t filter_len,
                           const uint8_t* group_name, uint16_t group_len) noexcept nogil
cdef void trie_drop_session(Trie* trie, Session* session) noexcept nogil


cdef inline void trie_touch(Trie* trie) noexcept nogil:
    """Make every cached match stale: call it when a session's access profile changes."""
    trie.epoch += 1


cdef inline void subids_ref(SubIds* subids) noexcept nogil:
    """Count one more holder; NULL (no identifiers) is allowed."""
    if subids != NULL:
        subids.refs += 1


cdef inline void subids_unref(SubIds* subids) noexcept nogil:
    """Give one reference back, the last one frees; NULL is allowed."""
    if subids != NULL:
        subids.refs -= 1
        if subids.refs == 0:
            mem_free(subids)


cdef inline Sub* share_next(ShareGroup* group) noexcept nogil:
    """Return the member whose turn it is, and pass the turn on.

    A group always has a member.  To skip one that cannot take the message, call again, at most
    `group.count` times.
    """
    if group.cursor >= group.count:
        group.cursor = 0
    cdef Sub* member = &group.members[group.cursor]
    group.cursor += 1
    return member
