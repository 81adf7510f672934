# A tree whose edges are the levels of a topic: what the filter trie and the retained store share.
#
# A node keeps its children in a small chained hash table, which grows and shrinks with them, so
# that devices coming and going leave nothing behind.  Nothing here recurses: a topic of 65,535
# slashes has 65,536 levels, and the C stack must not depend on what a stranger sends.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcmp

from edge.engine.hashing cimport hash_bytes
from edge.engine.types cimport LevelNode


cdef LevelNode* level_new(size_t node_bytes, LevelNode* parent, const uint8_t* level,
                          uint16_t level_len) noexcept nogil
cdef void level_insert(LevelNode* child) noexcept nogil
cdef void level_remove(LevelNode* child) noexcept nogil
cdef LevelNode* level_first(LevelNode* parent) noexcept nogil
cdef LevelNode* level_next(LevelNode* child) noexcept nogil


cdef inline const uint8_t* level_end(const uint8_t* level, const uint8_t* end) noexcept nogil:
    """Return the slash that ends this level, or `end` when it is the last one."""
    cdef const uint8_t* slash = NULL
    if level < end:
        slash = <const uint8_t*>memchr(level, c'/', end - level)
    return end if slash == NULL else slash


cdef inline LevelNode* level_find(LevelNode* parent, const uint8_t* level,
                                  uint16_t level_len) noexcept nogil:
    """Return the child of that level, or NULL."""
    if parent.table_count == 0:
        return NULL
    cdef uint32_t hash = hash_bytes(level, level_len)
    cdef LevelNode* child = parent.table[hash & (parent.table_capacity - 1)]
    while child != NULL:
        if (child.hash == hash and child.level_len == level_len
                and memcmp(child.level, level, level_len) == 0):
            return child
        child = child.chain
    return NULL
