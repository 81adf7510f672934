"""The native load generator: build it, run it, read what it says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from tools.bench.errors import BenchError
from tools.bench.processes import pinned, run_quietly, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tools.bench.credentials import Logins

SOURCE_FOLDER: Final = Path(__file__).parent / "loadgen"
COMPILE_TIMEOUT_S: Final = 120.0
COMPILER: Final = (
    "cc",
    "-std=gnu11",
    "-O2",
    "-flto",
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wconversion",
)
LIBRARIES: Final = ("-lssl", "-lcrypto", "-lm")

Mode = Literal["closed", "paced", "idle"]
Pattern = Literal["pairs", "fan-in", "fan-out", "flat", "deep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the generator does; the fields are its options, see loadgen/options.h."""

    mode: Mode = "closed"
    pattern: Pattern = "pairs"
    protocol: Literal[4, 5] = 4
    qos: Literal[0, 1, 2] = 0
    publishers: int = 16
    subscribers: int = 16
    payload_bytes: int = 64
    window: int = 256  # messages of one publisher on their way, end to end
    filters: int = 10_000  # of all subscribers, in the flat and deep patterns
    rate_per_s: float = 1000.0  # of all publishers, in a paced run
    spin: bool = False  # poll without sleeping, see loadgen/loop.c
    idle: int = 0  # connections, in an idle run
    storm: int = 0  # clients that log in during a paced run

    def arguments(self) -> list[str]:
        """Return the command line options."""
        options: dict[str, object] = {
            "mode": self.mode,
            "pattern": self.pattern,
            "protocol": self.protocol,
            "qos": self.qos,
            "publishers": self.publishers,
            "subscribers": self.subscribers,
            "payload": self.payload_bytes,
            "window": self.window,
            "rate": self.rate_per_s,
        }
        if self.spin:
            options["spin"] = 1
        if self.pattern in {"flat", "deep"}:
            options["filters"] = self.filters
        if self.mode == "idle":
            options["idle"] = self.idle
        if self.storm:
            options["storm"] = self.storm
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long each part of a run takes."""

    warmup_s: float
    duration_s: float
    setup_s: float = 60.0
    drain_s: float = 3.0

    def arguments(self) -> list[str]:
        """Return the command line options."""
        return [
            "--warmup",
            str(self.warmup_s),
            "--duration",
            str(self.duration_s),
            "--setup",
            str(self.setup_s),
            "--drain",
            str(self.drain_s),
        ]

    def longest_s(self) -> float:
        """Return after how many seconds the generator hangs for certain."""
        return self.setup_s + self.warmup_s + self.duration_s + self.drain_s + 10.0


class Generator:
    """The compiled program and the CPU it runs on."""

    def __init__(self, binary: Path, cpu: int) -> None:
        self._binary = binary
        self.cpu = cpu

    @classmethod
    def build(cls, cache: Path, cpu: int) -> Generator:
        """Compile the sources, unless this very version is in the cache."""
        sources = sorted(SOURCE_FOLDER.glob("*.[ch]"))
        digest = hashlib.sha256(repr(COMPILER).encode())
        for source in sources:
            digest.update(source.read_bytes())
        binary = cache / f"loadgen-{digest.hexdigest()[:16]}"
        if not binary.exists():
            files = [str(source) for source in sources if source.suffix == ".c"]
            partial = binary.with_suffix(".partial")
            run_quietly(
                [*COMPILER, "-o", str(partial), *files, *LIBRARIES], timeout_s=COMPILE_TIMEOUT_S
            )
            partial.rename(binary)
        return cls(binary, cpu)

    def run(
        self,
        load: Load,
        timing: Timing,
        *,
        port: int,
        ca_file: Path | None = None,
        logins: Logins | None = None,
        on_event: Callable[[str], None] = lambda _event: None,
    ) -> dict[str, Any]:
        """Run to the end and return the result; `on_event` hears "ready", "measure", "measured".

        Raises:
            BenchError: the generator could not do what it was told.
        """
        argv = [str(self._binary), "--port", str(port), *load.arguments(), *timing.arguments()]
        if ca_file is not None:
            argv += ["--ca", str(ca_file)]
        if logins is not None:
            argv += ["--storm-prefix", logins.prefix, "--password", logins.password]
        limit = ["timeout", "-s", "KILL", str(timing.longest_s())]
        with _piped([*limit, *argv], self.cpu) as process:
            for event in _events(process):
                if event["event"] == "result":
                    return event
                on_event(event["event"])
                if event["event"] == "ready" and load.mode == "idle":
                    _end_input(process)
            raise BenchError(_complaint(process))


@contextmanager
def _piped(argv: Sequence[str], cpu: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        pinned(argv, cpu),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            stop(process)


def _events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines of the generator as they come."""
    for line in process.stdout or ():
        yield json.loads(line)


def _end_input(process: subprocess.Popen[str]) -> None:
    """Tell an idle run that it may end."""
    if process.stdin is not None:
        process.stdin.close()


def _complaint(process: subprocess.Popen[str]) -> str:
    """Return what the generator wrote on standard error before it ended."""
    text = process.stderr.read().strip() if process.stderr is not None else ""
    return text or f"the load generator ended with status {process.poll()}"
