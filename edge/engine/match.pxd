# Which sessions receive a message on a Topic Name, and a cache of the answers.
#
# A device publishes to the same few topics for years, so the common look-up is one hash and one
# memcmp.  An entry is valid while its epoch equals the trie's; a stale one is computed afresh in
# place.  When the cache is full, in entries or in bytes, it is emptied as a whole: a bound that
# costs nothing per hit.  cache_generation then grows and all entry pointers are dead.
#
# An entry that match_lookup() returns stays valid until the next call on the same trie of
# match_lookup(), match_cache_clear() or anything that changes subscriptions or frees a session.
# Whoever walks its targets must put such calls off until the walk is over.

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcmp

from edge.engine.acl cimport acl_allows
from edge.engine.types cimport ACL_READ, MatchEntry, Session, Trie


cdef MatchEntry* match_lookup(Trie* trie, const uint8_t* topic, uint16_t topic_len) noexcept nogil
cdef void match_cache_clear(Trie* trie) noexcept nogil


cdef inline bint match_is_current(const Trie* trie, const MatchEntry* entry, uint64_t generation,
                                  const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Return whether a remembered entry still answers this topic, so that no look-up is needed.

    `generation` is trie.cache_generation when the entry was remembered; 0 never fits, and then
    `entry` may be NULL.
    """
    return (generation == trie.cache_generation and entry.epoch == trie.epoch
            and entry.topic_len == topic_len and memcmp(entry.topic, topic, topic_len) == 0)


cdef inline bint match_may_read(const Session* session,
                                const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Return whether a session may receive messages on this topic.

    Targets of a MatchEntry have been asked already; members of share groups have not.
    """
    return (session.acl == NULL or not session.acl.restricts_read
            or acl_allows(session.acl, ACL_READ, 0, topic, topic_len))
