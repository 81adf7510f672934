# The accounting allocator: every byte that the engine holds goes through here.
#
# The total is what the global memory budget is compared with, so it counts what the heap really
# set aside (malloc_usable_size), not what was asked for.  It is one relaxed atomic counter for the
# process: the engine thread and the control plane both allocate, and nobody orders anything by it.
# The counter has the width of a pointer, so that 32-bit boards need no libatomic; it cannot
# overflow, because the address space would be exhausted first.
#
# No function returns NULL.  When the heap is exhausted the process says so in one line and
# aborts: a half-applied routing change would lose messages silently, while a supervised restart
# recovers from the journal.  The global budget, which refuses work long before, is what normally
# prevents it.
#
# The functions are inline because each is a handful of instructions around malloc; the counter
# itself lives in memory.pyx, and other modules fetch a pointer to it once, at their import.

from libc.stdint cimport uint64_t

cdef extern from * nogil:
    """
    #include <malloc.h>
    #include <stdio.h>
    #include <stdlib.h>

    #ifndef EDGE_MEMORY_H
    #define EDGE_MEMORY_H
    #define edge_account_add(total, bytes) \
        ((void) __atomic_fetch_add((total), (size_t) (bytes), __ATOMIC_RELAXED))
    #define edge_account_subtract(total, bytes) \
        ((void) __atomic_fetch_sub((total), (size_t) (bytes), __ATOMIC_RELAXED))
    #define edge_account_read(total) __atomic_load_n((total), __ATOMIC_RELAXED)
    #define edge_unlikely(condition) __builtin_expect(!!(condition), 0)

    __attribute__((noreturn, cold, noinline, unused))
    static void edge_memory_exhausted(size_t asked_bytes, size_t used_bytes)
    {
        fprintf(stderr, "robustmq-edge: out of memory: %zu bytes refused by the system "
                "while the engine holds %zu; aborting for a supervised restart\\n",
                asked_bytes, used_bytes);
        abort();
    }
    #endif
    """
    void* _malloc "malloc"(size_t)
    void* _calloc "calloc"(size_t, size_t)
    void* _realloc "realloc"(void*, size_t)
    void _free "free"(void*)
    size_t _malloc_usable_size "malloc_usable_size"(void*)
    void edge_account_add(size_t*, size_t)
    void edge_account_subtract(size_t*, size_t)
    size_t edge_account_read(size_t*)
    bint edge_unlikely(bint)
    void edge_memory_exhausted(size_t, size_t)


cdef size_t mem_total_bytes


cdef inline size_t mem_size(void* p) noexcept nogil:
    """Return what `p` was charged, which is at least what was asked for."""
    return _malloc_usable_size(p)


cdef inline void* mem_alloc(size_t n) noexcept nogil:
    """Return `n` bytes, not zeroed.  Never NULL, not even for 0 bytes."""
    cdef void* p = _malloc(n if n else 1)
    if edge_unlikely(p == NULL):
        edge_memory_exhausted(n, edge_account_read(&mem_total_bytes))
    edge_account_add(&mem_total_bytes, _malloc_usable_size(p))
    return p


cdef inline void* mem_calloc(size_t count, size_t size) noexcept nogil:
    """Return `count` zeroed items of `size` bytes; the product is checked for overflow."""
    cdef void* p = _calloc(count if count else 1, size if size else 1)
    if edge_unlikely(p == NULL):
        edge_memory_exhausted(count * size, edge_account_read(&mem_total_bytes))
    edge_account_add(&mem_total_bytes, _malloc_usable_size(p))
    return p


cdef inline void* mem_realloc(void* p, size_t n) noexcept nogil:
    """Resize `p` (NULL: a new block) to `n` bytes; 0 keeps a minimal block, it never frees."""
    cdef size_t before_bytes = _malloc_usable_size(p)
    p = _realloc(p, n if n else 1)
    if edge_unlikely(p == NULL):
        edge_memory_exhausted(n, edge_account_read(&mem_total_bytes))
    # One modular addition, so that another thread never reads a total without this block.
    edge_account_add(&mem_total_bytes, _malloc_usable_size(p) - before_bytes)
    return p


cdef inline void mem_free(void* p) noexcept nogil:
    """Give `p` back; NULL is allowed.  Only for blocks that came from this file."""
    if p != NULL:
        edge_account_subtract(&mem_total_bytes, _malloc_usable_size(p))
        _free(p)


cdef inline uint64_t mem_used() noexcept nogil:
    """Return the bytes that the engine holds now, over all threads."""
    return edge_account_read(&mem_total_bytes)
