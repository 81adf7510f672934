# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Changes to the filter trie: subscribe, unsubscribe, drop a session.  Matching is in match.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from edge.engine.levels cimport (
    level_end, level_find, level_first, level_insert, level_new, level_next, level_remove,
)
from edge.engine.memory cimport mem_calloc, mem_free, mem_realloc
from edge.engine.types cimport (
    LevelNode, Session, ShareGroup, Sub, SubIds, SubPlace, Trie, TrieNode,
)

cdef enum:
    CAPACITY_MIN = 2
    PROPERTY_SUBSCRIPTION_IDENTIFIER = 0x0B


cdef void trie_init(Trie* trie) noexcept nogil:
    """Make an empty trie out of uninitialized memory."""
    memset(trie, 0, sizeof(Trie))
    trie.root = <TrieNode*>level_new(sizeof(TrieNode), NULL, NULL, 0)
    trie.node_count = 1
    # Both start at 1, so that a zeroed MatchEntry or Connection never looks up to date.
    trie.epoch = 1
    trie.cache_generation = 1


# ---------------------------------------------------------------- arrays that breathe

cdef inline uint32_t capacity_for(uint32_t capacity, uint32_t count) noexcept nogil:
    """Return the capacity that `count` items deserve: doubled when full, halved at a quarter."""
    if count == 0:
        return 0
    if count > capacity:
        return capacity * 2 or CAPACITY_MIN
    if capacity > CAPACITY_MIN and count <= capacity // 4:
        return capacity // 2
    return capacity


cdef void* array_resize(void* items, uint32_t* capacity, uint32_t count,
                        size_t item_bytes) noexcept nogil:
    """Return the array with room for `count` items, which is one more or one less than before."""
    cdef uint32_t wanted = capacity_for(capacity[0], count)
    if wanted == capacity[0]:
        return items
    capacity[0] = wanted
    if wanted == 0:
        mem_free(items)
        return NULL
    return mem_realloc(items, wanted * item_bytes)


cdef inline Sub* sub_at(SubPlace* place) noexcept nogil:
    """Return the subscription that a session's place stands for."""
    if place.group != NULL:
        return &place.group.members[place.index]
    return &place.node.subs[place.index]


cdef inline void sub_move(Sub* subs, uint32_t source_index, uint32_t target_index) noexcept nogil:
    """Copy a subscription to another slot of its array and tell its session."""
    cdef Sub* moved = &subs[target_index]
    if source_index == target_index:
        return
    moved[0] = subs[source_index]
    moved.session.places[moved.place_index].index = target_index


# ---------------------------------------------------------------- nodes

cdef inline bint is_wildcard(const uint8_t* level, size_t level_len,
                             uint8_t wildcard) noexcept nogil:
    return level_len == 1 and level[0] == wildcard


cdef TrieNode* node_find(TrieNode* parent, const uint8_t* level, uint16_t level_len) noexcept nogil:
    """Return the child for one level of a Topic Filter, or NULL."""
    if is_wildcard(level, level_len, c'+'):
        return parent.plus
    if is_wildcard(level, level_len, c'#'):
        return parent.pound
    return <TrieNode*>level_find(&parent.node, level, level_len)


cdef TrieNode* node_add(Trie* trie, TrieNode* parent, const uint8_t* level,
                        uint16_t level_len) noexcept nogil:
    """Create the child that node_find() did not find."""
    cdef TrieNode* child = <TrieNode*>level_new(sizeof(TrieNode), &parent.node, level, level_len)
    trie.node_count += 1
    if is_wildcard(level, level_len, c'+'):
        parent.plus = child
    elif is_wildcard(level, level_len, c'#'):
        parent.pound = child
    else:
        level_insert(&child.node)
    return child


cdef TrieNode* node_locate(Trie* trie, const uint8_t* topic_filter, uint16_t filter_len,
                           bint create) noexcept nogil:
    """Walk a filter level by level; without `create` NULL means that nobody subscribed there."""
    cdef const uint8_t* level = topic_filter
    cdef const uint8_t* end = topic_filter + filter_len
    cdef const uint8_t* slash
    cdef TrieNode* node = trie.root
    cdef TrieNode* child
    while True:
        slash = level_end(level, end)
        child = node_find(node, level, <uint16_t>(slash - level))
        if child == NULL:
            if not create:
                return NULL
            child = node_add(trie, node, level, <uint16_t>(slash - level))
        node = child
        if slash == end:
            return node
        level = slash + 1


cdef void node_prune(Trie* trie, TrieNode* node) noexcept nogil:
    """Free this node and its ancestors as far as nothing hangs on them any more."""
    cdef TrieNode* parent
    while (node != trie.root and node.sub_count == 0 and node.groups == NULL
            and node.plus == NULL and node.pound == NULL and node.node.table_count == 0):
        parent = <TrieNode*>node.node.parent
        if parent.plus == node:
            parent.plus = NULL
        elif parent.pound == node:
            parent.pound = NULL
        else:
            level_remove(&node.node)
        mem_free(node)
        trie.node_count -= 1
        node = parent


# ---------------------------------------------------------------- share groups

cdef ShareGroup* group_find(TrieNode* node, const uint8_t* name, uint16_t name_len) noexcept nogil:
    """Return the share group of that name at this node, or NULL."""
    cdef ShareGroup* group = node.groups
    while group != NULL:
        if group.name_len == name_len and memcmp(group.name, name, name_len) == 0:
            return group
        group = group.next
    return NULL


cdef ShareGroup* group_add(TrieNode* node, const uint8_t* name, uint16_t name_len) noexcept nogil:
    """Create an empty share group, which the caller gives its first member at once."""
    cdef ShareGroup* group = <ShareGroup*>mem_calloc(1, sizeof(ShareGroup) + name_len)
    memcpy(group.name, name, name_len)
    group.name_len = name_len
    group.next = node.groups
    node.groups = group
    return group


cdef void group_free(TrieNode* node, ShareGroup* group) noexcept nogil:
    """Unlink and free a group that lost its last member."""
    cdef ShareGroup** link = &node.groups
    while link[0] != group:
        link = &link[0].next
    link[0] = group.next
    mem_free(group.members)
    mem_free(group)


cdef void group_remove_member(ShareGroup* group, uint32_t index) noexcept nogil:
    """Close the gap of a member that leaves, without giving anybody a second turn in this round.

    Members before the cursor were served, the others were not.  A served member's slot is filled by
    the last served one, whose slot then goes to the last of those who still wait.
    """
    cdef uint32_t last_index = group.count - 1
    if index < group.cursor:
        group.cursor -= 1
        sub_move(group.members, group.cursor, index)
        index = group.cursor
    sub_move(group.members, last_index, index)
    group.count = last_index
    group.members = <Sub*>array_resize(group.members, &group.capacity, group.count, sizeof(Sub))


# ---------------------------------------------------------------- subscriptions

cdef SubIds* subids_new(uint32_t subscription_id) noexcept nogil:
    """Return one Subscription Identifier in wire form, or NULL for 0, which means none."""
    cdef SubIds* subids
    if subscription_id == 0:
        return NULL
    subids = <SubIds*>mem_calloc(1, sizeof(SubIds))
    subids.refs = 1
    subids.data[0] = PROPERTY_SUBSCRIPTION_IDENTIFIER
    subids.len = 1
    # A Variable Byte Integer: seven bits a byte, least significant first [MQTT-1.5.5-1].
    while True:
        subids.data[subids.len] = subscription_id & 0x7F
        subscription_id >>= 7
        if subscription_id:
            subids.data[subids.len] |= 0x80
        subids.len += 1
        if subscription_id == 0:
            return subids


cdef bint subids_equal(const SubIds* first, const SubIds* second) noexcept nogil:
    if first == NULL or second == NULL:
        return first == second
    return first.len == second.len and memcmp(first.data, second.data, first.len) == 0


cdef Sub* sub_find(Session* session, TrieNode* node, ShareGroup* group) noexcept nogil:
    """Return the session's subscription at this node or in this group, or NULL.

    It searches the shorter list: a filter may have ten thousand sessions, or a session ten
    thousand filters, but hardly both.
    """
    cdef Sub* subs = node.subs if group == NULL else group.members
    cdef uint32_t sub_count = node.sub_count if group == NULL else group.count
    cdef uint32_t index
    if session.place_count <= sub_count:
        for index in range(session.place_count):
            if session.places[index].node == node and session.places[index].group == group:
                return &subs[session.places[index].index]
    else:
        for index in range(sub_count):
            if subs[index].session == session:
                return &subs[index]
    return NULL


cdef Sub* sub_add(Trie* trie, Session* session, TrieNode* node, ShareGroup* group) noexcept nogil:
    """Append a blank subscription to the node or group, and its place to the session."""
    cdef Sub* sub
    cdef SubPlace* place
    session.places = <SubPlace*>array_resize(
        session.places, &session.place_capacity, session.place_count + 1, sizeof(SubPlace))
    place = &session.places[session.place_count]
    place.node = node
    place.group = group
    if group == NULL:
        node.subs = <Sub*>array_resize(
            node.subs, &node.sub_capacity, node.sub_count + 1, sizeof(Sub))
        place.index = node.sub_count
        node.sub_count += 1
    else:
        group.members = <Sub*>array_resize(
            group.members, &group.capacity, group.count + 1, sizeof(Sub))
        place.index = group.count
        group.count += 1
    sub = sub_at(place)
    memset(sub, 0, sizeof(Sub))
    sub.session = session
    sub.place_index = session.place_count
    session.place_count += 1
    trie.sub_count += 1
    return sub


cdef void sub_remove(Trie* trie, Session* session, uint32_t place_index) noexcept nogil:
    """Remove the subscription at one of the session's places, and whatever node carried only it."""
    cdef SubPlace place = session.places[place_index]
    cdef uint32_t last_index = session.place_count - 1
    subids_unref(sub_at(&place).subids)
    if place.group != NULL:
        group_remove_member(place.group, place.index)
        if place.group.count == 0:
            group_free(place.node, place.group)
    else:
        sub_move(place.node.subs, place.node.sub_count - 1, place.index)
        place.node.sub_count -= 1
        place.node.subs = <Sub*>array_resize(
            place.node.subs, &place.node.sub_capacity, place.node.sub_count, sizeof(Sub))
    if place_index != last_index:
        session.places[place_index] = session.places[last_index]
        sub_at(&session.places[place_index]).place_index = place_index
    session.place_count = last_index
    session.places = <SubPlace*>array_resize(
        session.places, &session.place_capacity, session.place_count, sizeof(SubPlace))
    trie.sub_count -= 1
    node_prune(trie, place.node)


cdef bint trie_subscribe(Trie* trie, Session* session,
                         const uint8_t* topic_filter, uint16_t filter_len,
                         uint8_t qos, uint8_t options, uint32_t subscription_id,
                         const uint8_t* group_name, uint16_t group_len) noexcept nogil:
    """Subscribe, and return whether that replaced a subscription [MQTT-3.8.4-3].

    `group_name` NULL means not shared.  The same filter in another group is another subscription.
    """
    cdef TrieNode* node = node_locate(trie, topic_filter, filter_len, True)
    cdef ShareGroup* group = NULL
    cdef SubIds* subids = subids_new(subscription_id)
    cdef Sub* sub
    cdef bint existed
    if group_name != NULL:
        group = group_find(node, group_name, group_len)
        if group == NULL:
            group = group_add(node, group_name, group_len)
    sub = sub_find(session, node, group)
    existed = sub != NULL
    if existed and sub.qos == qos and sub.options == options and subids_equal(sub.subids, subids):
        # Devices repeat their subscriptions at each reconnect: cached matches may stay.
        subids_unref(subids)
        return True
    if not existed:
        sub = sub_add(trie, session, node, group)
    subids_unref(sub.subids)
    sub.subids = subids
    sub.qos = qos
    sub.options = options
    trie.epoch += 1
    return existed


cdef bint trie_unsubscribe(Trie* trie, Session* session,
                           const uint8_t* topic_filter, uint16_t filter_len,
                           const uint8_t* group_name, uint16_t group_len) noexcept nogil:
    """Remove a subscription; the filter is compared byte by byte [MQTT-3.10.4-1].

    Returns whether it existed: Reason Code 0x00 or 0x11 (No subscription existed).
    """
    cdef TrieNode* node = node_locate(trie, topic_filter, filter_len, False)
    cdef ShareGroup* group = NULL
    cdef Sub* sub
    if node == NULL:
        return False
    if group_name != NULL:
        group = group_find(node, group_name, group_len)
        if group == NULL:
            return False
    sub = sub_find(session, node, group)
    if sub == NULL:
        return False
    sub_remove(trie, session, sub.place_index)
    trie.epoch += 1
    return True


cdef void trie_drop_session(Trie* trie, Session* session) noexcept nogil:
    """Remove all subscriptions of a session; call it before the session is freed."""
    if session.place_count == 0:
        return
    while session.place_count:
        sub_remove(trie, session, session.place_count - 1)
    trie.epoch += 1


# ---------------------------------------------------------------- the end

cdef void subs_free(Sub* subs, uint32_t sub_count) noexcept nogil:
    """Free a list of subscriptions and the places of their sessions, which must still exist."""
    cdef uint32_t index
    cdef Session* session
    for index in range(sub_count):
        session = subs[index].session
        subids_unref(subs[index].subids)
        mem_free(session.places)
        session.places = NULL
        session.place_count = 0
        session.place_capacity = 0
    mem_free(subs)


cdef void trie_clear(Trie* trie) noexcept nogil:
    """Free everything; trie_init() may follow.  The match cache must have been cleared before.

    The nodes yet to free form a list through `chain`, so that depth costs no stack.
    """
    cdef LevelNode* waiting = &trie.root.node
    cdef LevelNode* child
    cdef LevelNode* following
    cdef TrieNode* node
    cdef ShareGroup* group
    while waiting != NULL:
        node = <TrieNode*>waiting
        waiting = waiting.chain
        child = level_first(&node.node)
        while child != NULL:
            following = level_next(child)
            child.chain = waiting
            waiting = child
            child = following
        if node.plus != NULL:
            node.plus.node.chain = waiting
            waiting = &node.plus.node
        if node.pound != NULL:
            node.pound.node.chain = waiting
            waiting = &node.pound.node
        while node.groups != NULL:
            group = node.groups
            node.groups = group.next
            subs_free(group.members, group.count)
            mem_free(group)
        subs_free(node.subs, node.sub_count)
        mem_free(node.node.table)
        mem_free(node)
    memset(trie, 0, sizeof(Trie))
