"""A broker on its stage: started fresh, alone on its CPU, in a folder of its own."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.bench.brokers.base import Broker, Setting
from tools.bench.errors import BenchError
from tools.bench.meters import process_tree
from tools.bench.network import free_port, wait_for_listener
from tools.bench.processes import log_tail, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tools.bench.credentials import Logins, TlsFiles
    from tools.bench.generator import Generator
    from tools.bench.profiles import Profile
    from tools.bench.scenarios import Scenario

START_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every measurement of a session shares."""

    generator: Generator
    profile: Profile
    broker_cpu: int
    tls: TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A broker that accepts connections."""

    process: subprocess.Popen[bytes]
    port: int
    setting: Setting

    def pids(self) -> list[int]:
        """Return the process ids of the broker and its helpers."""
        return process_tree(self.process.pid)


@contextlib.contextmanager
def started(
    bench: Bench,
    broker: Broker,
    scenario: Scenario,
    *,
    logins: Logins | None = None,
    hog_ms: int = 0,
) -> Iterator[Running]:
    """Start a broker for a scenario, yield it when it listens, and end it.

    Raises:
        BenchError: anything failed in between; the message ends with the broker's last words.
    """
    with tempfile.TemporaryDirectory(prefix=f"bench-{broker.name}-") as name:
        setting = Setting(
            folder=Path(name),
            port=free_port(),
            tls=bench.tls if scenario.tls else None,
            logins=logins,
            hog_ms=hog_ms,
        )
        log_path = setting.folder / "broker.log"
        with running(broker.command(setting), cpu=bench.broker_cpu, log_path=log_path) as process:
            try:
                wait_for_listener(setting.port, process, START_TIMEOUT_S)
                yield Running(process=process, port=setting.port, setting=setting)
            except BenchError as error:
                raise BenchError(
                    f"{error}; {broker.name} says: {log_tail(log_path) or 'nothing'}"
                ) from error
