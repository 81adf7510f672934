"""The accounting allocator."""

from __future__ import annotations

import signal
import subprocess
import sys

from edge.engine.testing import allocate, memory_used_bytes


def test_block_that_is_freed_leaves_the_account_as_it_was() -> None:
    """The account is what the global budget is measured with."""
    used_before_bytes = memory_used_bytes()
    for size_bytes in (0, 1, 100, 1_000_000):
        allocate(size_bytes)
    assert memory_used_bytes() == used_before_bytes


def test_exhausted_memory_says_so_and_aborts() -> None:
    """A supervised restart is better than half a routing change."""
    code = "from edge.engine.testing import allocate; allocate(1 << 62)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == -signal.SIGABRT
    assert result.stderr.startswith("robustmq-edge: out of memory: 4611686018427387904 bytes")
    assert result.stderr.count("\n") == 1
