# A keyed hash for Topic Names, levels and whatever else strangers may choose.
#
# Topic Names come from strangers, so a fixed hash would let one client build thousands of names
# that fall into one bucket and turn every look-up into a scan.  The keys are drawn once per
# process.  Each step folds a full 64 x 64 -> 128 bit product of two keyed words: unlike
# xor-and-multiply mixes it has no collisions that hold for every key.  A short topic costs two
# multiplications.  The values differ in each process: they never go to disk or onto the wire.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from * nogil:
    """
    #include <stdint.h>

    #ifndef EDGE_HASHING_H
    #define EDGE_HASHING_H
    static inline uint64_t edge_fold_multiply(uint64_t a, uint64_t b)
    {
    #ifdef __SIZEOF_INT128__
        unsigned __int128 product = (unsigned __int128) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    #else
        /* 32-bit boards have no 128-bit type: the same product from four parts. */
        uint64_t a_low = (uint32_t) a, a_high = a >> 32, b_low = (uint32_t) b, b_high = b >> 32;
        uint64_t low = a_low * b_low, cross = a_high * b_low + (low >> 32);
        uint64_t other = a_low * b_high + (uint32_t) cross;
        uint64_t high = a_high * b_high + (cross >> 32) + (other >> 32);
        return ((other << 32) | (uint32_t) low) ^ high;
    #endif
    }
    #endif
    """
    uint64_t edge_fold_multiply(uint64_t, uint64_t)


cdef uint64_t[4] hash_keys          # random, set when hashing.pyx is imported


cdef inline uint32_t hash_bytes(const uint8_t* p, uint32_t n) noexcept nogil:
    """Return the hash of `n` bytes; all 32 bits are good, so that any mask may be taken."""
    cdef uint64_t state = hash_keys[0] ^ n
    cdef uint64_t first = 0
    cdef uint64_t second = 0
    while n > 16:
        memcpy(&first, p, 8)
        memcpy(&second, p + 8, 8)
        state = edge_fold_multiply(first ^ hash_keys[1], second ^ state)
        p += 16
        n -= 16
    # The last 1 to 16 bytes: two words that overlap instead of a loop over single bytes.
    first = 0
    second = 0
    if n >= 8:
        memcpy(&first, p, 8)
        memcpy(&second, p + n - 8, 8)
    elif n >= 4:
        memcpy(&first, p, 4)
        memcpy(&second, p + n - 4, 4)
    elif n:
        first = (<uint64_t>p[0] << 16) | (<uint64_t>p[n >> 1] << 8) | p[n - 1]
    state = edge_fold_multiply(first ^ hash_keys[2], second ^ state)
    state = edge_fold_multiply(state ^ hash_keys[3], hash_keys[1])
    return <uint32_t>(state ^ (state >> 32))
