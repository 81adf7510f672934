"""Starts the real broker as a subprocess, the way systemd would, and ends it.

Readiness is the READY=1 datagram on NOTIFY_SOCKET, so nothing waits by sleeping. With
EDGE_TEST_BROKER=HOST:PORT the suite aims at a broker that already runs; tests that need a
configuration of their own are skipped then.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
START_DEADLINE_S: Final = 20.0
STOP_DEADLINE_S: Final = 10.0
EXTERNAL_BROKER: Final = os.environ.get("EDGE_TEST_BROKER")

DEFAULT_CONFIG: Final = """
[[listener]]
name = "test"
address = "{address}"
anonymous = true
"""


class BrokerFailedError(AssertionError):
    """The broker did not start, died or did not stop; the message has what it wrote."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One running broker.

    `config` is the text of edge.toml; it may say {address} for the listener's address,
    {port_2} for a second free port and {dir} for the broker's own temporary folder.
    `files` are written into that folder first.
    """

    def __init__(
        self,
        config: str = DEFAULT_CONFIG,
        files: dict[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-test-"))
        self.address = ("127.0.0.1", free_port())
        self.address_2 = ("127.0.0.1", free_port())
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        (self.folder / "edge.toml").write_text(
            config.replace("{address}", f"127.0.0.1:{self.address[1]}")
            .replace("{port_2}", str(self.address_2[1]))
            .replace("{dir}", str(self.folder))
        )

    @property
    def stderr(self) -> str:
        """What the broker has written to its log so far."""
        log = self.folder / "stderr"
        return log.read_text(errors="replace") if log.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def check_running(self) -> None:
        """The process lives; if not, say what it wrote last."""
        if not self.is_running:
            raise BrokerFailedError(f"the broker has died:\n{self.stderr[-10_000:]}")

    @property
    def pid(self) -> int:
        """The process identifier of the running broker."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and return once the broker says READY=1."""
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            with (self.folder / "stderr").open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "edge", "run"),
                        *("--config", str(self.folder / "edge.toml")),
                        *("--data-dir", str(self.folder / "data")),
                        *self._arguments,
                    ],
                    cwd=ROOT,
                    env=os.environ | {"NOTIFY_SOCKET": str(path)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            try:
                self._wait_until_ready(notify)
            finally:
                path.unlink(missing_ok=True)

    def _wait_until_ready(self, notify: socket.socket) -> None:
        deadline_mono_s = time.monotonic() + START_DEADLINE_S
        notify.settimeout(0.1)  # how soon an early death is seen, not how long we wait
        while time.monotonic() < deadline_mono_s:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                if not self.is_running:
                    break
        self.kill()
        raise BrokerFailedError(f"the broker did not get ready:\n{self.stderr}")

    def reload(self) -> None:
        """Ask for a reload of the configuration."""
        self._signal(signal.SIGHUP)

    def stop(self) -> int:
        """End with SIGTERM and return the exit status."""
        assert self._process is not None
        self._signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailedError(f"the broker did not stop:\n{self.stderr}") from None

    def kill(self) -> None:
        """End at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def remove(self) -> None:
        """Remove what the broker left behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self.is_running:
            self._process.send_signal(number)


class BrokerPool:
    """Brokers by configuration, each started once in a test run and ended with it."""

    def __init__(self) -> None:
        self._brokers: dict[tuple[str, str], Broker] = {}

    def get(self, config: str, files: dict[str, str] | None = None) -> Broker:
        """The running broker with this configuration."""
        key = (config, repr(files))
        broker = self._brokers.get(key)
        if broker is None or not broker.is_running:
            broker = Broker(config, files)
            self._brokers[key] = broker
            broker.start()
        return broker

    def close(self) -> None:
        """Stop all; each must end in an orderly way."""
        failures: list[str] = []
        for broker in self._brokers.values():
            try:
                status = broker.stop() if broker.is_running else 0
                if status:
                    failures.append(f"exit status {status}:\n{broker.stderr}")
            except BrokerFailedError as error:
                failures.append(str(error))
            broker.remove()
        if failures:
            raise BrokerFailedError("\n".join(failures))


def external_address() -> tuple[str, int] | None:
    """The broker that EDGE_TEST_BROKER names."""
    if EXTERNAL_BROKER is None:
        return None
    host, _, port = EXTERNAL_BROKER.rpartition(":")
    return host, int(port)
