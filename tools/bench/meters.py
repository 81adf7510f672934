"""What a broker costs, read from /proc: CPU time, memory, wake-ups, bytes written.

Every function takes the process ids of the broker's whole tree and returns the sum.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PROC: Final = Path("/proc")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")

# The kernel numbers the CPU clock of process `pid` as the complement of the id, then three bits
# that say "scheduler time". Unlike /proc/PID/stat, which counts ticks of 10 ms, it has nanoseconds,
# and unlike /proc/PID/schedstat it includes threads that have ended. It is utime + stime.
CPU_CLOCK_SCHEDULER: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The running totals of a broker at one moment."""

    cpu_s: float
    switch_count: int
    written_bytes: int


def process_tree(pid: int) -> list[int]:
    """Return a process id and the ids of all its descendants."""
    found = [pid]
    for parent in found:
        for task in _tasks(parent):
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def read_meter(pids: Iterable[int]) -> Meter:
    """Read all running totals at once."""
    pids = list(pids)
    return Meter(
        cpu_s=sum(_cpu_s(pid) for pid in pids),
        switch_count=sum(_switch_count(pid) for pid in pids),
        written_bytes=sum(_field(PROC / str(pid) / "io", "write_bytes") for pid in pids),
    )


def cpu_busy_s(cpu: int) -> float:
    """Return how long one CPU has been busy, with whatever; what a hypervisor took counts too."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{cpu}":
            user, nice, system, _idle, _wait, *other = map(int, ticks[:8])
            return (user + nice + system + sum(other)) / TICKS_PER_S
    return 0.0


def _tasks(pid: int) -> list[Path]:
    try:
        return list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def _cpu_s(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | CPU_CLOCK_SCHEDULER)
    except OSError:
        return 0.0


def _switch_count(pid: int) -> int:
    """Count the times that threads of the process were put on a CPU, by their own wish or not."""
    return sum(
        _field(task / "status", name)
        for task in _tasks(pid)
        for name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
    )


def _field(path: Path, name: str) -> int:
    """Return the number after `name:`, or 0 if the process or the line is gone."""
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0])
    return 0
