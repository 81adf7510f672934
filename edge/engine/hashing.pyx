# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Draw the process-wide hash keys; the hash itself is inline in hashing.pxd."""

from libc.stdint cimport uint64_t

cdef extern from "<sys/random.h>" nogil:
    ssize_t getrandom(void*, size_t, unsigned int)


cdef void draw_keys() except *:
    """Fill `hash_keys`; a freshly booted board may wait for the kernel's random pool here."""
    cdef uint64_t[4] drawn
    if getrandom(&drawn[0], sizeof(drawn), 0) != <ssize_t>sizeof(drawn):
        raise OSError("the kernel gave no random bytes for the hash keys")
    for index in range(4):
        # Odd keys are never 0, which would make a multiplication forget its other operand.
        hash_keys[index] = drawn[index] | 1


draw_keys()
