# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Nodes of a tree of topic levels: making them, and their place in the parent's table."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from edge.engine.hashing cimport hash_bytes
from edge.engine.memory cimport mem_calloc, mem_free
from edge.engine.types cimport LevelNode

# Most inner nodes have one child, so a table starts as small as the heap's smallest block.
cdef enum:
    TABLE_CAPACITY_MIN = 2


cdef LevelNode* level_new(size_t node_bytes, LevelNode* parent, const uint8_t* level,
                          uint16_t level_len) noexcept nogil:
    """Return a zeroed node of `node_bytes`, which begins with a LevelNode; it is in no table yet.

    The level is copied behind the node: one allocation, and usually the same cache line.
    """
    cdef LevelNode* child = <LevelNode*>mem_calloc(1, node_bytes + level_len)
    child.parent = parent
    child.level = <uint8_t*>child + node_bytes
    child.level_len = level_len
    child.hash = hash_bytes(level, level_len)
    if level_len:
        memcpy(child.level, level, level_len)
    return child


cdef void table_resize(LevelNode* parent, uint32_t capacity) noexcept nogil:
    """Move all children to a table of `capacity` buckets; 0 when there are none."""
    cdef LevelNode** table = NULL
    cdef LevelNode* child
    cdef LevelNode* following
    cdef uint32_t bucket_index
    cdef uint32_t target_index
    if capacity:
        table = <LevelNode**>mem_calloc(capacity, sizeof(LevelNode*))
    for bucket_index in range(parent.table_capacity):
        child = parent.table[bucket_index]
        while child != NULL:
            following = child.chain
            target_index = child.hash & (capacity - 1)
            child.chain = table[target_index]
            table[target_index] = child
            child = following
    mem_free(parent.table)
    parent.table = table
    parent.table_capacity = capacity


cdef void level_insert(LevelNode* child) noexcept nogil:
    """Put a new node into its parent's table."""
    cdef LevelNode* parent = child.parent
    cdef LevelNode** bucket
    if parent.table_count == parent.table_capacity:
        table_resize(parent, parent.table_capacity * 2 or TABLE_CAPACITY_MIN)
    bucket = &parent.table[child.hash & (parent.table_capacity - 1)]
    child.chain = bucket[0]
    bucket[0] = child
    parent.table_count += 1


cdef void level_remove(LevelNode* child) noexcept nogil:
    """Take a node out of its parent's table; the node itself stays."""
    cdef LevelNode* parent = child.parent
    cdef LevelNode** link = &parent.table[child.hash & (parent.table_capacity - 1)]
    while link[0] != child:
        link = &link[0].chain
    link[0] = child.chain
    child.chain = NULL
    parent.table_count -= 1
    if parent.table_count == 0:
        table_resize(parent, 0)
    elif (parent.table_capacity > TABLE_CAPACITY_MIN
            and parent.table_count <= parent.table_capacity // 4):
        # A quarter, not a half: a child that comes and goes must not resize each time.
        table_resize(parent, parent.table_capacity // 2)


cdef LevelNode* level_from_bucket(LevelNode* parent, uint32_t bucket_index) noexcept nogil:
    """Return the first child in this bucket or a later one, or NULL."""
    while bucket_index < parent.table_capacity:
        if parent.table[bucket_index] != NULL:
            return parent.table[bucket_index]
        bucket_index += 1
    return NULL


cdef LevelNode* level_first(LevelNode* parent) noexcept nogil:
    """Return some first child, or NULL; valid until the parent's table changes."""
    return level_from_bucket(parent, 0)


cdef LevelNode* level_next(LevelNode* child) noexcept nogil:
    """Return the sibling after `child`, or NULL; all siblings come once from level_first()."""
    if child.chain != NULL:
        return child.chain
    return level_from_bucket(child.parent, (child.hash & (child.parent.table_capacity - 1)) + 1)
