"""Everything the control plane does later: one heap of deadlines and one sleeping task.

The task sleeps until the earliest deadline and is moved, not woken, when that changes, so an idle
broker with a million pending deadlines has no wake-ups. Deadlines are trio's monotonic clock.
Equal deadlines run in the order in which they were made.
"""

from __future__ import annotations

import heapq
from math import inf
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

# Cancelled timers stay in the heap until they come up or until they are most of it.
_COMPACT_COUNT_MIN: Final = 64


class Timer:
    """One callback at one moment; `cancel()` makes it never happen."""

    __slots__ = ("_callback", "_owner", "deadline_mono_s")

    def __init__(self, owner: Timers, deadline_mono_s: float, callback: Callable[[], None]) -> None:
        """Made by `Timers.call_at`."""
        self._owner = owner
        self._callback: Callable[[], None] | None = callback
        self.deadline_mono_s = deadline_mono_s

    @property
    def is_pending(self) -> bool:
        """Whether the callback is still to come."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the callback; does nothing once it has run."""
        if self._callback is not None:
            self._callback = None
            self._owner.note_cancelled()

    def take(self) -> Callable[[], None] | None:
        """Return the callback and forget it."""
        callback, self._callback = self._callback, None
        return callback


class Timers:
    """The heap. `run()` is its task; all other methods are called from the same thread."""

    def __init__(self, *, on_fault: Callable[[BaseException], None] | None = None) -> None:
        """Start empty.

        Args:
            on_fault: gets what a callback raised; without it, the exception ends `run()`.
        """
        self._heap: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._cancelled_count = 0
        self._scope: trio.CancelScope | None = None
        self._on_fault = on_fault

    def __len__(self) -> int:
        """Return how many callbacks are to come."""
        return len(self._heap) - self._cancelled_count

    def call_at(self, deadline_mono_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` at the deadline, or as soon as possible if that has passed."""
        timer = Timer(self, deadline_mono_s, callback)
        self._serial += 1
        heapq.heappush(self._heap, (deadline_mono_s, self._serial, timer))
        self._aim()
        return timer

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` in `delay_s` seconds."""
        return self.call_at(trio.current_time() + delay_s, callback)

    def note_cancelled(self) -> None:
        """Count a cancelled timer; drop them all once they are most of the heap."""
        self._cancelled_count += 1
        if self._cancelled_count > max(_COMPACT_COUNT_MIN, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._cancelled_count = 0
        self._aim()

    def run_due(self, now_mono_s: float) -> int:
        """Run every callback whose deadline has come; return how many ran."""
        ran_count = 0
        while self._heap and self._heap[0][0] <= now_mono_s:
            callback = heapq.heappop(self._heap)[2].take()
            if callback is None:
                self._cancelled_count -= 1
                continue
            ran_count += 1
            try:
                callback()
            except Exception as error:
                if self._on_fault is None:
                    raise
                self._on_fault(error)
        return ran_count

    async def run(self, *, after: Callable[[], None] = lambda: None) -> None:
        """Sleep and run what is due, for ever.

        Args:
            after: called once after each round of callbacks, e.g. to flush the engine.
        """
        while True:
            with trio.CancelScope() as scope:
                self._scope = scope
                self._aim()
                await trio.sleep_forever()
            self._scope = None
            if self.run_due(trio.current_time()):
                after()

    def _aim(self) -> None:
        """Let the task sleep until the head of the heap."""
        heap = self._heap
        while heap and not heap[0][2].is_pending:
            heapq.heappop(heap)
            self._cancelled_count -= 1
        deadline = heap[0][0] if heap else inf
        if self._scope is not None and self._scope.deadline != deadline:
            self._scope.deadline = deadline
