# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Home of the accounting allocator's one counter; the functions are inline in memory.pxd."""

cdef extern from "<malloc.h>" nogil:
    int malloc_trim(size_t)

mem_total_bytes = 0


def give_back():
    """Return free heap pages to the system; see memory.pyi."""
    with nogil:
        malloc_trim(0)
