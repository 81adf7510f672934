# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The retained store: set, remove, match by filter, expire."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from edge.engine.body cimport body_ref, body_unref
from edge.engine.levels cimport (
    level_end, level_find, level_first, level_insert, level_new, level_next, level_remove,
)
from edge.engine.memory cimport mem_alloc, mem_free, mem_realloc
from edge.engine.types cimport Body, LevelNode, RetainedNode, RetainedStore

cdef enum:
    HEAP_CAPACITY_MIN = 8
    FILTER_LEVELS_LOCAL = 32            # filters up to this depth need no allocation

ctypedef struct FilterLevel:
    const uint8_t* level
    uint16_t level_len
    uint8_t wildcard                    # `+`, `#` or 0


# ---------------------------------------------------------------- expiry heap

cdef inline int64_t heap_expiry(RetainedStore* store, uint32_t index) noexcept nogil:
    """Return the expiry of the node at a place counted from 1."""
    return store.expiry_heap[index - 1].body.expires_ms


cdef inline void heap_put(RetainedStore* store, RetainedNode* node, uint32_t index) noexcept nogil:
    store.expiry_heap[index - 1] = node
    node.expiry_index = index


cdef void heap_settle(RetainedStore* store, RetainedNode* node, uint32_t index) noexcept nogil:
    """Put a node where it belongs, starting at a place that is free for it."""
    cdef int64_t expires_ms = node.body.expires_ms
    cdef uint32_t child
    while index > 1 and heap_expiry(store, index // 2) > expires_ms:
        heap_put(store, store.expiry_heap[index // 2 - 1], index)
        index //= 2
    while index * 2 <= store.expiry_count:
        child = index * 2
        if child < store.expiry_count and heap_expiry(store, child + 1) < heap_expiry(store, child):
            child += 1
        if heap_expiry(store, child) >= expires_ms:
            break
        heap_put(store, store.expiry_heap[child - 1], index)
        index = child
    heap_put(store, node, index)


cdef void heap_resize(RetainedStore* store, uint32_t capacity) noexcept nogil:
    store.expiry_capacity = capacity
    store.expiry_heap = <RetainedNode**>mem_realloc(
        store.expiry_heap, capacity * sizeof(RetainedNode*))


cdef void heap_remove(RetainedStore* store, RetainedNode* node) noexcept nogil:
    """Forget a node's expiry; its body is still the one that it was put in with."""
    cdef uint32_t index = node.expiry_index
    cdef RetainedNode* last
    if index == 0:
        return
    last = store.expiry_heap[store.expiry_count - 1]
    store.expiry_count -= 1
    node.expiry_index = 0
    if last != node:
        heap_settle(store, last, index)
    if store.expiry_count == 0:
        mem_free(store.expiry_heap)
        store.expiry_heap = NULL
        store.expiry_capacity = 0
    elif (store.expiry_capacity > HEAP_CAPACITY_MIN
            and store.expiry_count <= store.expiry_capacity // 4):
        heap_resize(store, store.expiry_capacity // 2)


cdef void heap_add(RetainedStore* store, RetainedNode* node) noexcept nogil:
    """Note a node's expiry, if its body has one."""
    if node.body.expires_ms == 0:
        return
    if store.expiry_count == store.expiry_capacity:
        heap_resize(store, store.expiry_capacity * 2 or HEAP_CAPACITY_MIN)
    store.expiry_count += 1
    heap_settle(store, node, store.expiry_count)


cdef inline void next_expiry_update(RetainedStore* store) noexcept nogil:
    store.next_expiry_ms = heap_expiry(store, 1) if store.expiry_count else 0


# ---------------------------------------------------------------- nodes

cdef inline uint64_t node_bytes(size_t level_len) noexcept nogil:
    """Return what a node is charged: itself, its level and its share of the parent's table."""
    return sizeof(RetainedNode) + level_len + 2 * sizeof(LevelNode*)


cdef RetainedNode* node_locate(RetainedStore* store, const uint8_t** level,
                               const uint8_t* end) noexcept nogil:
    """Walk a Topic Name as far as nodes exist.

    Afterwards `level` is the first level without a node, or NULL when the topic has its own.
    """
    cdef RetainedNode* node = store.root
    cdef const uint8_t* slash
    cdef LevelNode* child
    while True:
        slash = level_end(level[0], end)
        child = level_find(&node.node, level[0], <uint16_t>(slash - level[0]))
        if child == NULL:
            return node
        node = <RetainedNode*>child
        if slash == end:
            level[0] = NULL
            return node
        level[0] = slash + 1


cdef RetainedNode* node_find(RetainedStore* store, const uint8_t* topic,
                             uint16_t topic_len) noexcept nogil:
    """Return the node that holds this topic's message, or NULL."""
    cdef const uint8_t* level = topic
    cdef RetainedNode* node = node_locate(store, &level, topic + topic_len)
    return node if level == NULL and node.body != NULL else NULL


cdef uint64_t branch_bytes(const uint8_t* level, const uint8_t* end) noexcept nogil:
    """Return the cost of the nodes that node_grow() would create."""
    cdef uint64_t total_bytes = 0
    cdef const uint8_t* slash
    while level != NULL:
        slash = level_end(level, end)
        total_bytes += node_bytes(slash - level)
        level = slash + 1 if slash < end else NULL
    return total_bytes


cdef RetainedNode* node_grow(RetainedStore* store, RetainedNode* node, const uint8_t* level,
                             const uint8_t* end) noexcept nogil:
    """Create the nodes for the levels from `level` on; return the last."""
    cdef const uint8_t* slash
    cdef LevelNode* child
    while level != NULL:
        slash = level_end(level, end)
        child = level_new(sizeof(RetainedNode), &node.node, level, <uint16_t>(slash - level))
        level_insert(child)
        store.bytes += node_bytes(slash - level)
        node = <RetainedNode*>child
        level = slash + 1 if slash < end else NULL
    return node


cdef void node_empty(RetainedStore* store, RetainedNode* node) noexcept nogil:
    """Drop a node's message, then the node and its ancestors as far as they lead nowhere."""
    cdef RetainedNode* parent
    heap_remove(store, node)
    store.count -= 1
    store.bytes -= node.body.size_bytes
    body_unref(node.body)
    node.body = NULL
    while node != store.root and node.body == NULL and node.node.table_count == 0:
        parent = <RetainedNode*>node.node.parent
        level_remove(&node.node)
        store.bytes -= node_bytes(node.node.level_len)
        mem_free(node)
        node = parent


# ---------------------------------------------------------------- the store

cdef void retained_init(RetainedStore* store) noexcept nogil:
    """Make an empty store without bounds out of uninitialized memory."""
    memset(store, 0, sizeof(RetainedStore))
    store.root = <RetainedNode*>level_new(sizeof(RetainedNode), NULL, NULL, 0)


cdef bint retained_set(RetainedStore* store, Body* body) noexcept nogil:
    """Keep a message for its topic instead of the earlier one [MQTT-3.3.1-5]; takes a reference.

    Returns False and changes nothing when a new topic, or a larger message, would pass a bound.
    A message that is not larger always replaces, even after a bound was lowered.  An empty
    payload means removal [MQTT-3.3.1-6], which is the caller's to ask for.
    """
    cdef const uint8_t* level = body.data
    cdef const uint8_t* end = body.data + body.topic_len
    cdef RetainedNode* node = node_locate(store, &level, end)
    cdef Body* before = node.body if level == NULL else NULL
    cdef uint64_t bytes_after = store.bytes + branch_bytes(level, end) + body.size_bytes
    if before != NULL:
        bytes_after -= before.size_bytes
    elif store.count_max and store.count >= store.count_max:
        return False
    if store.bytes_max and bytes_after > store.bytes_max and bytes_after > store.bytes:
        return False
    node = node_grow(store, node, level, end)
    body_ref(body)                      # first, since it may be the very body that is replaced
    if before != NULL:
        heap_remove(store, node)
        body_unref(before)
    else:
        store.count += 1
    node.body = body
    store.bytes = bytes_after
    heap_add(store, node)
    next_expiry_update(store)
    return True


cdef bint retained_remove(RetainedStore* store, const uint8_t* topic,
                          uint16_t topic_len) noexcept nogil:
    """Remove a topic's message; return whether there was one [MQTT-3.3.1-6]."""
    cdef RetainedNode* node = node_find(store, topic, topic_len)
    if node == NULL:
        return False
    node_empty(store, node)
    next_expiry_update(store)
    return True


cdef Body* retained_get(RetainedStore* store, const uint8_t* topic,
                        uint16_t topic_len) noexcept nogil:
    """Return a topic's message, borrowed from the store, or NULL."""
    cdef RetainedNode* node = node_find(store, topic, topic_len)
    return NULL if node == NULL else node.body


cdef uint32_t retained_expire(RetainedStore* store, int64_t now_ms) noexcept nogil:
    """Remove every message whose time is up at `now_ms` [MQTT-3.3.2-5]; return how many."""
    cdef uint32_t expired_count = 0
    while store.expiry_count and heap_expiry(store, 1) <= now_ms:
        node_empty(store, store.expiry_heap[0])
        expired_count += 1
    next_expiry_update(store)
    return expired_count


cdef void retained_clear(RetainedStore* store) noexcept nogil:
    """Free everything; retained_init() may follow.

    The nodes yet to free form a list through `chain`, so that depth costs no stack.
    """
    cdef LevelNode* waiting = &store.root.node
    cdef LevelNode* child
    cdef LevelNode* following
    cdef RetainedNode* node
    while waiting != NULL:
        node = <RetainedNode*>waiting
        waiting = waiting.chain
        child = level_first(&node.node)
        while child != NULL:
            following = level_next(child)
            child.chain = waiting
            waiting = child
            child = following
        if node.body != NULL:
            body_unref(node.body)
        mem_free(node.node.table)
        mem_free(node)
    mem_free(store.expiry_heap)
    memset(store, 0, sizeof(RetainedStore))


# ---------------------------------------------------------------- match by filter

cdef LevelNode* skip_hidden(LevelNode* child, bint hide) noexcept nogil:
    """Return this sibling or the first after it that a first-level wildcard may see.

    Wildcards in the first level do not match names that begin with `$` [MQTT-4.7.2-1].
    """
    while hide and child != NULL and child.level_len and child.level[0] == c'$':
        child = level_next(child)
    return child


cdef uint32_t visit_subtree(RetainedStore* store, RetainedNode* top,
                            retained_visitor visit, void* context) noexcept nogil:
    """Visit the messages of a node and of everything below it, for `#`."""
    cdef bint is_root = top == store.root
    cdef LevelNode* node = &top.node
    cdef LevelNode* step
    cdef uint32_t visited_count = 0
    while True:
        if (<RetainedNode*>node).body != NULL:
            visit(context, (<RetainedNode*>node).body)
            visited_count += 1
        step = skip_hidden(level_first(node), is_root and node == &top.node)
        while step == NULL:
            # The branch is done: go on with the next sibling, else with the parent's.
            if node == &top.node:
                return visited_count
            step = skip_hidden(level_next(node), is_root and node.parent == &top.node)
            node = node.parent
        node = step


cdef uint32_t filter_split(const uint8_t* topic_filter, uint16_t filter_len,
                           FilterLevel* levels) noexcept nogil:
    """Split a Topic Filter into levels; return their count.  `levels` NULL: only count."""
    cdef const uint8_t* level = topic_filter
    cdef const uint8_t* end = topic_filter + filter_len
    cdef const uint8_t* slash
    cdef uint32_t level_count = 0
    while True:
        slash = level_end(level, end)
        if levels != NULL:
            levels[level_count].level = level
            levels[level_count].level_len = <uint16_t>(slash - level)
            levels[level_count].wildcard = 0
            if slash - level == 1 and (level[0] == c'+' or level[0] == c'#'):
                levels[level_count].wildcard = level[0]
        level_count += 1
        if slash == end:
            return level_count
        level = slash + 1


cdef uint32_t visit_levels(RetainedStore* store, const FilterLevel* levels, uint32_t level_count,
                           retained_visitor visit, void* context) noexcept nogil:
    """Visit what the filter matches: down level by level, back to the last `+` with a sibling.

    `node` is always the node that the first `depth` levels of the filter led to.  Parent and
    sibling links replace a stack.
    """
    cdef LevelNode* node = &store.root.node
    cdef LevelNode* step
    cdef uint32_t depth = 0
    cdef uint32_t visited_count = 0
    while True:
        step = NULL
        if depth == level_count:
            if (<RetainedNode*>node).body != NULL:
                visit(context, (<RetainedNode*>node).body)
                visited_count += 1
        elif levels[depth].wildcard == c'#':
            visited_count += visit_subtree(store, <RetainedNode*>node, visit, context)
        elif levels[depth].wildcard == c'+':
            step = skip_hidden(level_first(node), depth == 0)
        else:
            step = level_find(node, levels[depth].level, levels[depth].level_len)
        while step == NULL:
            if depth == 0:
                return visited_count
            depth -= 1
            if levels[depth].wildcard == c'+':
                step = skip_hidden(level_next(node), depth == 0)
            node = node.parent
        node = step
        depth += 1


cdef uint32_t retained_match(RetainedStore* store, const uint8_t* topic_filter, uint16_t filter_len,
                             retained_visitor visit, void* context) noexcept nogil:
    """Call `visit` for each message whose topic matches; return how many.

    The visitor must not change the store.  Messages whose time is up but that nobody has swept
    yet are visited too: the visitor knows what time it is.
    """
    cdef FilterLevel[FILTER_LEVELS_LOCAL] local
    cdef FilterLevel* levels = &local[0]
    cdef uint32_t level_count = filter_split(topic_filter, filter_len, NULL)
    cdef uint32_t visited_count
    if level_count > FILTER_LEVELS_LOCAL:
        levels = <FilterLevel*>mem_alloc(level_count * sizeof(FilterLevel))
    filter_split(topic_filter, filter_len, levels)
    visited_count = visit_levels(store, levels, level_count, visit, context)
    if levels != &local[0]:
        mem_free(levels)
    return visited_count
