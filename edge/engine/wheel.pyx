# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The timer wheel of the engine; see wheel.pxd."""

from libc.stdint cimport INT64_MAX, uint32_t, uint64_t
from edge.engine.state cimport WHEEL_BUCKETS, WHEEL_TICK_MS


cdef enum:
    DUE = 0xFFFF                    # in place of a bucket: taken out and not yet handled


cdef inline void link(WheelEntry* head, WheelEntry* entry) noexcept nogil:
    entry.next = head
    entry.previous = head.previous
    head.previous.next = entry
    head.previous = entry


cdef void wheel_init(Wheel* wheel, int64_t now_ms) noexcept nogil:
    cdef uint32_t i
    for i in range(WHEEL_BUCKETS):
        wheel.heads[i].next = &wheel.heads[i]
        wheel.heads[i].previous = &wheel.heads[i]
    wheel.due.next = wheel.due.previous = &wheel.due
    for i in range(WHEEL_BUCKETS / 64):
        wheel.occupied[i] = 0
    wheel.tick = now_ms / WHEEL_TICK_MS
    wheel.next_ms = INT64_MAX


cdef void wheel_remove(Wheel* wheel, WheelEntry* entry) noexcept nogil:
    """Take an entry out; one that is not filed is left alone."""
    cdef WheelEntry* head
    if entry.next == NULL:
        return
    entry.previous.next = entry.next
    entry.next.previous = entry.previous
    entry.next = entry.previous = NULL
    if entry.bucket == DUE:
        return
    head = &wheel.heads[entry.bucket]
    if head.next == head:
        wheel.occupied[entry.bucket >> 6] &= ~(<uint64_t>1 << (entry.bucket & 63))


cdef void wheel_set(Wheel* wheel, WheelEntry* entry, int64_t deadline_ms) noexcept nogil:
    """File an entry under its deadline, wherever it was before."""
    cdef int64_t tick = (deadline_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS
    cdef WheelEntry* head
    wheel_remove(wheel, entry)
    if tick <= wheel.tick:
        tick = wheel.tick + 1
    entry.deadline_ms = deadline_ms
    entry.bucket = <uint32_t>(tick & (WHEEL_BUCKETS - 1))
    head = &wheel.heads[entry.bucket]
    link(head, entry)
    wheel.occupied[entry.bucket >> 6] |= <uint64_t>1 << (entry.bucket & 63)
    if tick * WHEEL_TICK_MS < wheel.next_ms:
        wheel.next_ms = tick * WHEEL_TICK_MS


cdef int64_t next_due_ms(Wheel* wheel) noexcept nogil:
    """When the next occupied bucket comes up; at most one rotation from now."""
    cdef int64_t tick
    cdef uint32_t bucket
    for tick in range(wheel.tick + 1, wheel.tick + 1 + WHEEL_BUCKETS):
        bucket = <uint32_t>(tick & (WHEEL_BUCKETS - 1))
        if wheel.occupied[bucket >> 6] & (<uint64_t>1 << (bucket & 63)):
            return tick * WHEEL_TICK_MS
    return INT64_MAX


cdef void collect_due(Wheel* wheel, int64_t now_ms) noexcept nogil:
    """Move every entry that is due to the list of due ones."""
    cdef int64_t last = now_ms / WHEEL_TICK_MS
    cdef int64_t tick
    cdef uint32_t bucket
    cdef WheelEntry* head
    cdef WheelEntry* entry
    cdef WheelEntry* following
    # After a long sleep one rotation visits every bucket; more would visit them again.
    tick = wheel.tick + 1
    if last - tick >= WHEEL_BUCKETS:
        tick = last - WHEEL_BUCKETS + 1
    while tick <= last:
        bucket = <uint32_t>(tick & (WHEEL_BUCKETS - 1))
        if wheel.occupied[bucket >> 6] & (<uint64_t>1 << (bucket & 63)):
            head = &wheel.heads[bucket]
            entry = head.next
            while entry != head:
                following = entry.next
                if entry.deadline_ms <= now_ms:
                    wheel_remove(wheel, entry)
                    entry.bucket = DUE
                    link(&wheel.due, entry)
                entry = following
        tick += 1
    if last > wheel.tick:
        wheel.tick = last
    wheel.next_ms = next_due_ms(wheel)


cdef WheelEntry* wheel_pop_due(Wheel* wheel, int64_t now_ms) noexcept nogil:
    """Take one entry that is due out of the wheel; NULL: none is. Others may be set or removed in between."""
    cdef WheelEntry* entry
    if now_ms >= wheel.next_ms:
        collect_due(wheel, now_ms)
    entry = wheel.due.next
    if entry == &wheel.due:
        return NULL
    wheel_remove(wheel, entry)
    return entry
