# Timer wheel: every Connection has one entry, filed under its next deadline.
#
# A wheel of 1024 buckets of 256 ms. An entry whose deadline lies further away than one rotation just
# stays in its bucket and is looked at once per rotation (262 s). Deadlines only move later while
# packets arrive, so the hot path never touches the wheel: when an entry comes up, its owner
# computes the real deadline and files it again.

from libc.stdint cimport int64_t
from edge.engine.state cimport Wheel
from edge.engine.types cimport WheelEntry

cdef void wheel_init(Wheel* wheel, int64_t now_ms) noexcept nogil
cdef void wheel_set(Wheel* wheel, WheelEntry* entry, int64_t deadline_ms) noexcept nogil
cdef void wheel_remove(Wheel* wheel, WheelEntry* entry) noexcept nogil
cdef WheelEntry* wheel_pop_due(Wheel* wheel, int64_t now_ms) noexcept nogil
