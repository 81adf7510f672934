"""Does the generator notice faults? A broker that commits a known number of them answers.

`python -m tools.bench.selftest` ends with status 0 if the generator counted each loss, each double
and each reordering exactly, and measured a known delay within a few milliseconds.
"""

from __future__ import annotations

import socketserver
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tools.bench.generator import Generator, Load, Timing
from tools.bench.network import LOOPBACK

if TYPE_CHECKING:
    import socket

LOST_EVERY: Final = 100  # of each hundred messages one is lost, one doubled, two swapped
LOST_INDEX: Final = 10
DOUBLED_INDEX: Final = 20
SWAPPED_INDEX: Final = 30
DELAY_S: Final = 0.005
DELAY_ERROR_US_MAX: Final = 5000

CONNACK: Final = b"\x20\x02\x00\x00"
CONNECT_TYPE, PUBLISH_TYPE, SUBSCRIBE_TYPE = 1, 3, 8


class FaultyBroker(socketserver.ThreadingTCPServer):
    """Serves one publisher and one subscriber at QoS 0, badly."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *, delay_s: float, with_faults: bool) -> None:
        super().__init__((LOOPBACK, 0), Client)
        self.delay_s = delay_s
        self.with_faults = with_faults
        self.subscriber: socket.socket | None = None
        self.published = 0
        self.held = b""
        self.committed = {"lost": 0, "doubled": 0, "reordered": 0}

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self.server_address[1])

    def deliver(self, packet: bytes) -> None:
        """Pass one PUBLISH on, or commit the fault whose turn it is."""
        index = self.published % LOST_EVERY if self.with_faults else -1
        self.published += 1
        if self.delay_s:
            time.sleep(self.delay_s)
        if index == LOST_INDEX:
            self.committed["lost"] += 1
        elif index == DOUBLED_INDEX:
            self.committed["doubled"] += 1
            self._send(packet + packet)
        elif index == SWAPPED_INDEX:
            self.held = packet
        elif self.held:
            self.committed["reordered"] += 1
            self._send(packet + self.held)
            self.held = b""
        else:
            self._send(packet)

    def _send(self, data: bytes) -> None:
        if self.subscriber is not None:
            self.subscriber.sendall(data)


class Client(socketserver.StreamRequestHandler):
    """One connection; reads packets shorter than 128 bytes."""

    server: FaultyBroker

    def handle(self) -> None:
        """Answer until the client is gone."""
        while len(header := self.rfile.read(2)) == 2:
            packet = header + self.rfile.read(header[1])
            packet_type = header[0] >> 4
            if packet_type == CONNECT_TYPE:
                self.request.sendall(CONNACK)
            elif packet_type == SUBSCRIBE_TYPE:
                self.server.subscriber = self.request
                self.request.sendall(b"\x90\x03" + packet[2:4] + b"\x00")
            elif packet_type == PUBLISH_TYPE:
                self.server.deliver(packet)


def _run(generator: Generator, broker: FaultyBroker, load: Load) -> dict[str, Any]:
    with broker:
        threading.Thread(target=broker.serve_forever, daemon=True).start()
        try:
            return generator.run(load, Timing(warmup_s=0.1, duration_s=0.5), port=broker.port)
        finally:
            broker.shutdown()


def _check_faults(generator: Generator) -> str:
    """Return what is wrong with the account of a faulty run, or nothing."""
    broker = FaultyBroker(delay_s=0, with_faults=True)
    result = _run(generator, broker, Load(publishers=1, subscribers=1, window=8))
    counted = {name: result[name] for name in broker.committed}
    # The run may end between the two messages of a swap; then the first one is lost.
    broker.committed["lost"] += bool(broker.held)
    if counted != broker.committed or min(counted.values()) == 0:
        return f"the broker committed {broker.committed}, the generator counted {counted}"
    return ""


def _check_delay(generator: Generator) -> str:
    """Return what is wrong with the latency of a delayed run, or nothing."""
    broker = FaultyBroker(delay_s=DELAY_S, with_faults=False)
    load = Load(mode="paced", publishers=1, subscribers=1, rate_per_s=50)
    p50_us = _run(generator, broker, load)["latency_us"]["p50"]
    excess_us = p50_us - DELAY_S * 1e6
    if not 0 <= excess_us <= DELAY_ERROR_US_MAX:
        return f"a delay of {DELAY_S * 1e6:.0f} us was measured as {p50_us:.0f} us"
    return ""


def main() -> int:
    """Run both checks and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="bench-selftest-") as folder:
        generator = Generator.build(Path(folder), cpu=0)
        complaints = [text for check in (_check_faults, _check_delay) if (text := check(generator))]
    for complaint in complaints:
        print(f"selftest: {complaint}")
    print("selftest: failed" if complaints else "selftest: every fault was counted")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
