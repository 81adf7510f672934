# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False, auto_pickle=False
"""Thin Python handles on the routing structures, for tests only: the broker never imports this.

Sessions are named by small integers.  Each probe frees everything when its `close` is called, so
that a test can compare memory before and after.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from edge.engine.acl cimport (
    acl_allows, acl_profile_parse, acl_profile_ref, acl_profile_unref, filter_matches,
)
from edge.engine.body cimport body_new, body_unref
from edge.engine.match cimport match_cache_clear, match_is_current, match_lookup, match_may_read
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free, mem_used
from edge.engine.retained cimport (
    retained_clear, retained_expire, retained_get, retained_init, retained_match, retained_remove,
    retained_set,
)
from edge.engine.trie cimport (
    share_next, trie_clear, trie_drop_session, trie_init, trie_subscribe, trie_touch,
    trie_unsubscribe,
)
from edge.engine.types cimport AclProfile, Body, MatchEntry, RetainedStore, Session, Sub, Trie


def memory_used_bytes():
    """Return what the accounting allocator holds."""
    return mem_used()


def allocate(size_t size_bytes):
    """Allocate and free a block: with an impossible size, this shows how exhaustion ends."""
    mem_free(mem_alloc(size_bytes))


def does_filter_match(bytes topic_filter, bytes topic):
    """Return filter_matches() of acl.pxd."""
    return bool(filter_matches(
        topic_filter, <uint16_t>len(topic_filter), topic, <uint16_t>len(topic)))


@cython.final
cdef class TrieProbe:
    """A trie with its match cache, and the sessions that were named so far."""

    cdef Trie trie
    cdef dict sessions

    def __cinit__(self):
        trie_init(&self.trie)
        self.sessions = {}

    def __dealloc__(self):
        self._free()

    cdef void _free(self):
        cdef Session* session
        if self.trie.root == NULL:
            return
        match_cache_clear(&self.trie)
        trie_clear(&self.trie)
        for address in self.sessions.values():
            session = <Session*><size_t>address
            acl_profile_unref(session.acl)
            mem_free(session)
        self.sessions = {}

    cdef Session* _session(self, int session_id) except NULL:
        cdef Session* session
        address = self.sessions.get(session_id)
        if address is not None:
            return <Session*><size_t>address
        session = <Session*>mem_calloc(1, sizeof(Session))
        session.id = session_id
        self.sessions[session_id] = <size_t>session
        return session

    def close(self):
        """Free everything; the probe is of no use afterwards."""
        self._free()

    def subscribe(self, int session_id, bytes topic_filter, int qos=0, int options=0,
                  unsigned int subscription_id=0, bytes group=None):
        """Subscribe; returns whether a subscription was replaced."""
        cdef const uint8_t* name = NULL
        cdef uint16_t name_len = 0
        if group is not None:
            name = group
            name_len = <uint16_t>len(group)
        return bool(trie_subscribe(
            &self.trie, self._session(session_id), topic_filter, <uint16_t>len(topic_filter),
            <uint8_t>qos, <uint8_t>options, subscription_id, name, name_len))

    def unsubscribe(self, int session_id, bytes topic_filter, bytes group=None):
        """Unsubscribe; returns whether the subscription existed."""
        cdef const uint8_t* name = NULL
        cdef uint16_t name_len = 0
        if group is not None:
            name = group
            name_len = <uint16_t>len(group)
        return bool(trie_unsubscribe(
            &self.trie, self._session(session_id), topic_filter, <uint16_t>len(topic_filter),
            name, name_len))

    def drop(self, int session_id):
        """Remove all subscriptions of a session and free it."""
        cdef Session* session = self._session(session_id)
        trie_drop_session(&self.trie, session)
        acl_profile_unref(session.acl)
        mem_free(session)
        del self.sessions[session_id]

    def restrict(self, int session_id, AclProbe acl):
        """Give a session an access profile, or none, as the router does."""
        cdef Session* session = self._session(session_id)
        cdef AclProfile* profile = NULL if acl is None else acl.profile
        acl_profile_ref(profile)
        acl_profile_unref(session.acl)
        session.acl = profile
        trie_touch(&self.trie)

    def match(self, bytes topic):
        """Return {session id: (qos, options, subscription identifiers as on the wire)}."""
        cdef MatchEntry* entry = match_lookup(&self.trie, topic, <uint16_t>len(topic))
        cdef Sub* target
        cdef dict found = {}
        if not match_is_current(&self.trie, entry, self.trie.cache_generation,
                                topic, <uint16_t>len(topic)):
            raise AssertionError("a look-up returned an entry that is not current")
        for index in range(entry.target_count):
            target = &entry.targets[index]
            if target.session.id in found:
                raise AssertionError("a session is among the targets twice")
            wire = b""
            if target.subids != NULL:
                wire = (<char*>target.subids.data)[:target.subids.len]
            found[target.session.id] = (target.qos, target.options, wire)
        return found

    def match_groups(self, bytes topic):
        """Return [(group name, {session id: qos})] of the share groups that match."""
        cdef MatchEntry* entry = match_lookup(&self.trie, topic, <uint16_t>len(topic))
        cdef list found = []
        for index in range(entry.group_count):
            group = entry.groups[index]
            members = {
                group.members[i].session.id: group.members[i].qos for i in range(group.count)
            }
            found.append(((<char*>group.name)[:group.name_len], members))
        return found

    def take_turn(self, bytes topic):
        """Pass the turn of the one share group that matches; returns the session served."""
        cdef MatchEntry* entry = match_lookup(&self.trie, topic, <uint16_t>len(topic))
        if entry.group_count != 1:
            raise AssertionError("exactly one group should match")
        return share_next(entry.groups[0]).session.id

    def may_read(self, int session_id, bytes topic):
        """Return match_may_read() for a session."""
        return bool(match_may_read(self._session(session_id), topic, <uint16_t>len(topic)))

    def places_are_sound(self):
        """Return whether places and subscriptions point at each other, one to one."""
        cdef Session* session
        cdef Sub* sub
        cdef uint32_t index
        total = 0
        for address in self.sessions.values():
            session = <Session*><size_t>address
            for index in range(session.place_count):
                place = &session.places[index]
                if place.group != NULL:
                    if place.index >= place.group.count:
                        return False
                    sub = &place.group.members[place.index]
                else:
                    if place.index >= place.node.sub_count:
                        return False
                    sub = &place.node.subs[place.index]
                if sub.session != session or sub.place_index != index:
                    return False
            total += session.place_count
        return total == self.trie.sub_count

    @property
    def sub_count(self):
        return self.trie.sub_count

    @property
    def node_count(self):
        return self.trie.node_count

    @property
    def miss_count(self):
        return self.trie.miss_count

    @property
    def cache_count(self):
        return self.trie.cache_count

    @property
    def cache_bytes(self):
        return self.trie.cache_bytes

    @property
    def cache_generation(self):
        return self.trie.cache_generation


cdef void note_body(void* context, Body* body) noexcept nogil:
    with gil:
        topic = (<char*>body.data)[:body.topic_len]
        payload = (<char*>body.data + body.topic_len + body.properties_len)[:body.payload_len]
        (<list>context).append((topic, payload))


@cython.final
cdef class RetainedProbe:
    """A retained store."""

    cdef RetainedStore store

    def __cinit__(self, int count_max=0, int bytes_max=0):
        retained_init(&self.store)
        self.store.count_max = count_max
        self.store.bytes_max = bytes_max

    def __dealloc__(self):
        self.close()

    def close(self):
        """Free everything; the probe is of no use afterwards."""
        if self.store.root != NULL:
            retained_clear(&self.store)

    def set(self, bytes topic, bytes payload, long long expires_ms=0):
        """Store a message; returns False when a bound refused it."""
        cdef Body* body = body_new(
            topic, <uint16_t>len(topic), NULL, 0, payload, <uint32_t>len(payload))
        body.expires_ms = expires_ms
        stored = retained_set(&self.store, body)
        body_unref(body)
        return bool(stored)

    def remove(self, bytes topic):
        """Remove a topic's message; returns whether there was one."""
        return bool(retained_remove(&self.store, topic, <uint16_t>len(topic)))

    def get(self, bytes topic):
        """Return a topic's payload, or None."""
        cdef Body* body = retained_get(&self.store, topic, <uint16_t>len(topic))
        if body == NULL:
            return None
        return (<char*>body.data + body.topic_len + body.properties_len)[:body.payload_len]

    def match(self, bytes topic_filter):
        """Return [(topic, payload)] in the order of the visits."""
        cdef list found = []
        visited_count = retained_match(
            &self.store, topic_filter, <uint16_t>len(topic_filter), note_body, <void*>found)
        if visited_count != len(found):
            raise AssertionError("retained_match counted something that it did not visit")
        return found

    def expire(self, long long now_ms):
        """Remove what has expired; returns how many."""
        return retained_expire(&self.store, now_ms)

    @property
    def count(self):
        return self.store.count

    @property
    def size_bytes(self):
        return self.store.bytes

    @property
    def next_expiry_ms(self):
        return self.store.next_expiry_ms


@cython.final
cdef class AclProbe:
    """An access profile."""

    cdef AclProfile* profile

    def __cinit__(self, bytes blob):
        self.profile = acl_profile_parse(blob, <uint32_t>len(blob))
        if self.profile == NULL:
            raise ValueError("malformed access profile")

    def __dealloc__(self):
        acl_profile_unref(self.profile)

    def allows(self, int access, int qos, bytes topic):
        """Return acl_allows()."""
        return bool(acl_allows(
            self.profile, <uint8_t>access, <uint8_t>qos, topic, <uint16_t>len(topic)))

    @property
    def restricts_read(self):
        return bool(self.profile.restricts_read)

    @property
    def restricts_write(self):
        return bool(self.profile.restricts_write)
