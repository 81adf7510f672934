"""Counting the system calls of a running broker.

`perf` counts in the kernel and hardly slows the broker. `strace` stops it at every call; a slower
broker finds more messages per call, so its count per message is too low rather than too high.
"""

from __future__ import annotations

import re
import shutil
import time
from typing import TYPE_CHECKING, Final

from tools.bench.errors import BenchError
from tools.bench.processes import run_quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_MARGIN_S: Final = 10.0
PERF_EVENT: Final = "raw_syscalls:sys_enter"


def count_syscalls(pids: Sequence[int], seconds: float) -> tuple[float, str]:
    """Return the system calls a second over the next `seconds`, and the tool that counted."""
    if shutil.which("perf"):
        try:
            return _with_perf(pids, seconds), "perf"
        except BenchError:
            if not shutil.which("strace"):
                raise
    return _with_strace(pids, seconds), "strace"


def _with_perf(pids: Sequence[int], seconds: float) -> float:
    output = run_quietly(
        [
            "perf",
            "stat",
            "-x",
            ",",
            "-e",
            PERF_EVENT,
            "-p",
            ",".join(map(str, pids)),
            "--",
            "sleep",
            str(seconds),
        ],
        timeout_s=seconds + TIMEOUT_MARGIN_S,
    )
    match = re.search(rf"^(\d+),[^,]*,{PERF_EVENT}", output, re.MULTILINE)
    if match is None:
        raise BenchError(f"perf counted nothing: {output.strip()}")
    return int(match.group(1)) / seconds


def _with_strace(pids: Sequence[int], seconds: float) -> float:
    attach = [word for pid in pids for word in ("-p", str(pid))]
    begin_mono_s = time.monotonic()
    # `timeout -s INT` is how strace is told to detach and to print its table.
    output = run_quietly(
        [
            "timeout",
            "--preserve-status",
            "-s",
            "INT",
            str(seconds),
            "strace",
            "-c",
            "-f",
            "-U",
            "calls",
            *attach,
        ],
        timeout_s=seconds + TIMEOUT_MARGIN_S,
    )
    elapsed_s = min(time.monotonic() - begin_mono_s, seconds)
    counts = [int(line) for line in output.split() if line.isdigit()]
    if not counts:
        raise BenchError(f"strace counted nothing: {output.strip()}")
    return counts[-1] / elapsed_s  # the last line is the total
