# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Compute and cache what a Topic Name matches."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from edge.engine.hashing cimport hash_bytes
from edge.engine.levels cimport level_end, level_find
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free, mem_realloc, mem_size
from edge.engine.trie cimport subids_ref, subids_unref
from edge.engine.types cimport (
    SUB_NO_LOCAL, SUB_RETAIN_AS_PUBLISHED,
    MatchEntry, Session, ShareGroup, Sub, SubIds, Trie, TrieNode,
)

cdef enum:
    CACHE_CAPACITY_MIN = 256            # slots; half of them may be used
    CACHE_ENTRIES_MAX = 16384
    CACHE_BYTES_MAX = 4 * 1024 * 1024
    ARRAY_CAPACITY_MIN = 2
    WALK_FRAMES_LOCAL = 64              # waiting branches that need no allocation
    SUBIDS_CAPACITY_MIN = 16

# Session.match_index of a session that may not read the topic; no target ever gets that far.
cdef enum:
    MATCH_INDEX_DENIED = 0x7FFFFFFF

ctypedef struct WalkFrame:
    TrieNode* node
    uint32_t offset                     # of the first level not yet consumed; beyond the end: none


# ---------------------------------------------------------------- targets

cdef void target_merge_subids(Sub* target, SubIds* added) noexcept nogil:
    """Append the identifiers of another matching subscription [MQTT-3.3.4-4].

    Repeated identifiers stay, as section 3.3.4 has it.  A merged list belongs to the target alone,
    which shows in its count of 1, since a Sub in the trie holds the others.  Its capacity is the
    next power of two above its length, so that a session with thousands of overlapping filters
    does not make this quadratic.
    """
    cdef SubIds* merged = target.subids
    cdef uint32_t capacity = SUBIDS_CAPACITY_MIN
    cdef uint32_t wanted_len
    if added == NULL:
        return
    if merged == NULL:
        subids_ref(added)
        target.subids = added
        return
    wanted_len = merged.len + added.len
    while capacity < wanted_len:
        capacity *= 2
    if merged.refs > 1:
        merged = <SubIds*>mem_alloc(sizeof(SubIds) + capacity)
        merged.refs = 1
        merged.len = target.subids.len
        memcpy(merged.data, target.subids.data, merged.len)
        subids_unref(target.subids)
    elif merged.len <= capacity // 2:
        merged = <SubIds*>mem_realloc(merged, sizeof(SubIds) + capacity)
    memcpy(merged.data + merged.len, added.data, added.len)
    merged.len = wanted_len
    target.subids = merged


cdef void target_add(Trie* trie, MatchEntry* entry, Sub* sub) noexcept nogil:
    """Add a matching subscription: a new target, or merged into the session's earlier one.

    One copy goes out, at the highest QoS of all matching subscriptions [MQTT-3.3.4-2] and with
    all their Subscription Identifiers [MQTT-3.3.4-3].
    """
    cdef Session* session = sub.session
    cdef Sub* target
    if session.match_stamp != trie.stamp:
        session.match_stamp = trie.stamp
        if not match_may_read(session, entry.topic, entry.topic_len):
            session.match_index = MATCH_INDEX_DENIED
            return
        if entry.target_count == entry.target_capacity:
            entry.target_capacity = entry.target_capacity * 2 or ARRAY_CAPACITY_MIN
            entry.targets = <Sub*>mem_realloc(
                entry.targets, entry.target_capacity * sizeof(Sub))
        session.match_index = entry.target_count
        entry.targets[entry.target_count] = sub[0]
        entry.target_count += 1
        subids_ref(sub.subids)
        return
    if session.match_index == MATCH_INDEX_DENIED:
        return
    target = &entry.targets[session.match_index]
    if sub.qos > target.qos:
        target.qos = sub.qos
    # A subscription without No Local wants the session's own messages too; one with
    # Retain As Published wants to see the flag.
    target.options = ((target.options & sub.options & SUB_NO_LOCAL)
                      | ((target.options | sub.options) & SUB_RETAIN_AS_PUBLISHED))
    target_merge_subids(target, sub.subids)


cdef void collect(Trie* trie, MatchEntry* entry, TrieNode* node) noexcept nogil:
    """Add all subscriptions and share groups of a node that matches."""
    cdef ShareGroup* group = node.groups
    cdef uint32_t index
    for index in range(node.sub_count):
        target_add(trie, entry, &node.subs[index])
    while group != NULL:
        if entry.group_count == entry.group_capacity:
            entry.group_capacity = entry.group_capacity * 2 or ARRAY_CAPACITY_MIN
            entry.groups = <ShareGroup**>mem_realloc(
                entry.groups, entry.group_capacity * sizeof(ShareGroup*))
        entry.groups[entry.group_count] = group
        entry.group_count += 1
        group = group.next


# ---------------------------------------------------------------- the walk

cdef void walk(Trie* trie, MatchEntry* entry) noexcept nogil:
    """Visit every node whose filter matches entry.topic.

    Each level leads to at most two nodes, its own and `+`, so at most one branch a level waits
    in the stack.  It begins in local memory and moves to the heap for very deep topics.
    """
    cdef WalkFrame[WALK_FRAMES_LOCAL] local
    cdef WalkFrame* stack = &local[0]
    cdef WalkFrame* grown
    cdef uint32_t capacity = WALK_FRAMES_LOCAL
    cdef uint32_t depth = 1
    cdef uint32_t offset
    cdef const uint8_t* level
    cdef const uint8_t* slash
    cdef const uint8_t* end = entry.topic + entry.topic_len
    cdef TrieNode* node
    cdef TrieNode* child
    # Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
    cdef bint hides_from_wildcards = entry.topic_len > 0 and entry.topic[0] == c'$'
    stack[0].node = trie.root
    stack[0].offset = 0
    while depth:
        depth -= 1
        node = stack[depth].node
        offset = stack[depth].offset
        if node.pound != NULL and not (hides_from_wildcards and offset == 0):
            # Also when no level is left: `a/#` matches `a`.
            collect(trie, entry, node.pound)
        if offset > entry.topic_len:
            collect(trie, entry, node)
            continue
        level = entry.topic + offset
        slash = level_end(level, end)
        if depth + 2 > capacity:
            capacity *= 2
            grown = <WalkFrame*>mem_realloc(
                NULL if stack == &local[0] else stack, capacity * sizeof(WalkFrame))
            if stack == &local[0]:
                memcpy(grown, stack, depth * sizeof(WalkFrame))
            stack = grown
        offset = <uint32_t>(slash + 1 - entry.topic)
        if node.plus != NULL and not (hides_from_wildcards and level == entry.topic):
            stack[depth].node = node.plus
            stack[depth].offset = offset
            depth += 1
        child = <TrieNode*>level_find(&node.node, level, <uint16_t>(slash - level))
        if child != NULL:
            stack[depth].node = child
            stack[depth].offset = offset
            depth += 1
    if stack != &local[0]:
        mem_free(stack)


# ---------------------------------------------------------------- the cache

cdef void entry_empty(MatchEntry* entry) noexcept nogil:
    """Give back what the targets hold, and keep the arrays for the next computation."""
    cdef uint32_t index
    for index in range(entry.target_count):
        subids_unref(entry.targets[index].subids)
    entry.target_count = 0
    entry.group_count = 0


cdef uint64_t entry_size(MatchEntry* entry) noexcept nogil:
    """Return the memory of an entry, merged identifiers included."""
    cdef uint64_t size_bytes = (
        mem_size(entry) + mem_size(entry.targets) + mem_size(entry.groups))
    cdef SubIds* subids
    cdef uint32_t index
    for index in range(entry.target_count):
        subids = entry.targets[index].subids
        if subids != NULL and subids.refs == 1:
            size_bytes += mem_size(subids)
    return size_bytes


cdef void match_cache_clear(Trie* trie) noexcept nogil:
    """Empty the cache: all MatchEntry pointers die.  Call it before trie_clear()."""
    cdef MatchEntry* entry
    cdef uint32_t slot
    for slot in range(trie.cache_capacity):
        entry = trie.cache[slot]
        if entry != NULL:
            entry_empty(entry)
            mem_free(entry.targets)
            mem_free(entry.groups)
            mem_free(entry)
    mem_free(trie.cache)
    trie.cache = NULL
    trie.cache_capacity = 0
    trie.cache_count = 0
    trie.cache_bytes = 0
    trie.cache_generation += 1


cdef void cache_insert(Trie* trie, MatchEntry* entry) noexcept nogil:
    """Put an entry into the first free slot of its probe sequence; there always is one."""
    cdef uint32_t slot = entry.hash & (trie.cache_capacity - 1)
    while trie.cache[slot] != NULL:
        slot = (slot + 1) & (trie.cache_capacity - 1)
    trie.cache[slot] = entry


cdef void cache_grow(Trie* trie) noexcept nogil:
    """Double the table, or make the first one."""
    cdef MatchEntry** before = trie.cache
    cdef uint32_t before_capacity = trie.cache_capacity
    cdef uint32_t slot
    trie.cache_capacity = before_capacity * 2 or CACHE_CAPACITY_MIN
    trie.cache = <MatchEntry**>mem_calloc(trie.cache_capacity, sizeof(MatchEntry*))
    trie.cache_bytes += (trie.cache_capacity - before_capacity) * sizeof(MatchEntry*)
    for slot in range(before_capacity):
        if before[slot] != NULL:
            cache_insert(trie, before[slot])
    mem_free(before)


cdef MatchEntry* cache_add(Trie* trie, uint32_t hash,
                           const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Return a new, empty entry for a topic that the cache does not hold."""
    cdef MatchEntry* entry = <MatchEntry*>mem_calloc(1, sizeof(MatchEntry) + topic_len)
    entry.hash = hash
    entry.topic_len = topic_len
    memcpy(entry.topic, topic, topic_len)
    if trie.cache_count * 2 >= trie.cache_capacity:
        cache_grow(trie)
    cache_insert(trie, entry)
    trie.cache_count += 1
    return entry


cdef MatchEntry* match_compute(Trie* trie, MatchEntry* stale, uint32_t hash,
                               const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Answer a miss, in a new entry or in the stale one, and account for it.

    The bounds are checked before, so the entry that passes one is still returned intact, even one
    that is larger than the whole cache may be.
    """
    cdef MatchEntry* entry = stale
    trie.miss_count += 1
    if (trie.cache_bytes > CACHE_BYTES_MAX
            or (stale == NULL and trie.cache_count >= CACHE_ENTRIES_MAX)):
        match_cache_clear(trie)
        entry = NULL
    if entry == NULL:
        entry = cache_add(trie, hash, topic, topic_len)
    else:
        trie.cache_bytes -= entry.size_bytes
        entry_empty(entry)
    trie.stamp += 1
    walk(trie, entry)
    entry.epoch = trie.epoch
    entry.size_bytes = entry_size(entry)
    trie.cache_bytes += entry.size_bytes
    return entry


cdef MatchEntry* match_lookup(Trie* trie, const uint8_t* topic, uint16_t topic_len) noexcept nogil:
    """Return what this Topic Name matches; see match.pxd for how long the entry lives.

    `topic` must not point into an entry, which may be freed here.
    """
    cdef uint32_t hash = hash_bytes(topic, topic_len)
    cdef uint32_t slot
    cdef MatchEntry* entry = NULL
    if trie.cache != NULL:
        slot = hash & (trie.cache_capacity - 1)
        entry = trie.cache[slot]
        while entry != NULL:
            if (entry.hash == hash and entry.topic_len == topic_len
                    and memcmp(entry.topic, topic, topic_len) == 0):
                if entry.epoch == trie.epoch:
                    return entry
                break
            slot = (slot + 1) & (trie.cache_capacity - 1)
            entry = trie.cache[slot]
    return match_compute(trie, entry, hash, topic, topic_len)
