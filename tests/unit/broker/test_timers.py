"""The heap of deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from edge.broker.timers import Timers

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_callbacks_run_in_order_of_time_and_then_of_making(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers = Timers()
    ran: list[tuple[str, float]] = []
    flushes: list[float] = []
    start = trio.current_time()

    def note(name: str) -> None:
        ran.append((name, trio.current_time() - start))

    nursery.start_soon(lambda: timers.run(after=lambda: flushes.append(trio.current_time())))
    await trio.testing.wait_all_tasks_blocked()
    timers.call_after(5, lambda: note("late"))
    timers.call_after(2, lambda: note("first"))
    timers.call_after(2, lambda: note("second"))
    await trio.sleep(3)
    timers.call_after(-1, lambda: note("overdue"))
    await trio.sleep(10)
    assert ran == [("first", 2), ("second", 2), ("overdue", 3), ("late", 5)]
    assert len(flushes) == 3
    assert len(timers) == 0


async def test_cancelled_timer_never_runs_and_leaves_no_wake_up(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    timers = Timers()
    nursery.start_soon(timers.run)
    await trio.testing.wait_all_tasks_blocked()
    timer = timers.call_after(1, lambda: pytest.fail("it was cancelled"))
    assert timer.is_pending
    timer.cancel()
    timer.cancel()
    assert not timer.is_pending
    assert len(timers) == 0
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline > 1e9
    await trio.sleep(2)


async def test_many_cancelled_timers_are_thrown_away() -> None:
    timers = Timers()
    keep = timers.call_at(1e9, lambda: None)
    for _ in range(10_000):
        timers.call_at(1e6, lambda: None).cancel()
    assert len(timers) == 1
    assert len(timers._heap) < 200
    assert keep.is_pending


async def test_callback_that_makes_and_cancels_timers_is_safe() -> None:
    timers = Timers()
    ran: list[str] = []
    victim = timers.call_at(1, lambda: ran.append("victim"))

    def act() -> None:
        victim.cancel()
        timers.call_at(0, lambda: ran.append("made"))

    timers.call_at(0, act)
    assert timers.run_due(5) == 2
    assert ran == ["made"]
    assert len(timers) == 0


async def test_fault_in_a_callback_is_told_and_the_others_run() -> None:
    faults: list[BaseException] = []
    ran: list[int] = []
    timers = Timers(on_fault=faults.append)
    timers.call_at(0, lambda: {}["missing"])
    timers.call_at(0, lambda: ran.append(1))
    timers.run_due(1)
    assert ran == [1]
    assert [type(fault) for fault in faults] == [KeyError]
