"""Ports on the loopback interface."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Final

from tools.bench.errors import BenchError

if TYPE_CHECKING:
    import subprocess

LOOPBACK: Final = "127.0.0.1"
POLL_S: Final = 0.02


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_listener(port: int, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Return once the port accepts a connection.

    Raises:
        BenchError: the process ended before, or the time is over.
    """
    deadline_mono_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_mono_s:
        if process.poll() is not None:
            raise BenchError(f"ended at once with status {process.returncode}")
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return
        except OSError:
            time.sleep(POLL_S)
    raise BenchError(f"does not listen after {timeout_s:g} s")
