"""Child processes: where they run, how they end, and that none of them outlives the harness.

Every process is started through here, so that "end only what you started" holds in one place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tools.bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

STOP_TIMEOUT_S: Final = 5.0
LOG_TAIL_BYTES: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run: arguments, working folder, and what to add to the environment."""

    argv: Sequence[str]
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def pinned(argv: Sequence[str], cpu: int) -> list[str]:
    """Return the arguments that run `argv` on one CPU and end it with the harness.

    Both helpers replace themselves with the program, so the process id is the program's own.
    """
    prefix = ["taskset", "-c", str(cpu)]
    if shutil.which("setpriv"):
        prefix = ["setpriv", "--pdeathsig", "KILL", *prefix]
    return [*prefix, *argv]


def run_quietly(
    argv: Sequence[str], *, timeout_s: float, folder: Path | None = None, text_in: str = ""
) -> str:
    """Run a helper to its end and return what it printed.

    Raises:
        BenchError: it is missing, failed or took too long.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            input=text_in,
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout_s,
        )
    except subprocess.CalledProcessError as error:
        raise BenchError(
            f"{argv[0]} failed: {(error.stderr or error.stdout)[-LOG_TAIL_BYTES:].strip()}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{argv[0]} failed: {error}") from error
    return done.stdout + done.stderr


@contextlib.contextmanager
def running(command: Command, *, cpu: int, log_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the background, its output in a file, and end it on the way out."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            pinned(command.argv, cpu),
            cwd=command.folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a process: politely, and after STOP_TIMEOUT_S by force."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def log_tail(log_path: Path) -> str:
    """Return the end of a log, for an error message."""
    text = log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
    return " | ".join(text.strip().splitlines())
