# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Home of the accounting allocator's one counter; the functions are inline in memory.pxd."""

mem_total_bytes = 0
