"""Fuzz target of the engine: hostile clients, and two innocent ones that must not notice.

The bytes are a program: connect, send packets that are valid, nearly valid or nonsense, in
pieces, close. After each program the engine answers a query, the innocent pair exchanges a
message at every QoS, and nothing is left behind once the hostile clients are gone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.fuzz.engine_programs import (
    Program,
    acknowledgement,
    connect,
    mutated,
    packet,
    publish,
    string,
    subscribe,
)
from tests.support.engine_rig import Rig

if TYPE_CHECKING:
    import socket

LEAK_BYTES_MAX: Final = 512 * 1024


class EngineDisturbedError(AssertionError):
    """Somebody innocent was hurt, or memory stayed behind."""


class _Innocents:
    """A rig that lives for the whole run, with a pair of well-behaved clients."""

    def __init__(self) -> None:
        self.rig = Rig(
            settings={
                "memory_bytes_max": 64 << 20,
                "output_bytes_max": 65536,
                "queued_messages_max": 50,
                "queued_bytes_max": 1 << 18,
                "retained_messages_max": 20,
                "retained_bytes_max": 1 << 18,
                "topic_levels_max": 16,
            }
        )
        self.receiver = self.rig.connect(4, "innocent-r")
        self.sender = self.rig.connect(5, "innocent-s")
        self.receiver.sendall(packet(0x82, b"\0\1" + string(b"innocent/only") + b"\2"))
        self.rig.settle()
        self._expect(b"\x90\3\0\1\2")
        self.packet_id = 0
        self.baseline_bytes = 0
        self.runs = 0

    def _expect(self, wanted: bytes) -> None:
        got = b""
        while len(got) < len(wanted):
            more = self.receiver.recv(len(wanted) - len(got))
            if not more:
                break
            got += more
        if got != wanted:
            raise EngineDisturbedError(f"expected {wanted!r}, got {got!r}")

    def check(self) -> None:
        """Exchange one message and see that memory is back where it was."""
        self.runs += 1
        payload = b"run %d" % self.runs
        self.sender.sendall(packet(0x30, string(b"innocent/only") + b"\0" + payload))
        self.rig.settle()
        self._expect(packet(0x30, string(b"innocent/only") + payload))
        used_bytes = self.rig.stats()["memory_bytes"]
        if self.runs == 20:
            self.baseline_bytes = used_bytes
        if self.runs > 20 and used_bytes > self.baseline_bytes + LEAK_BYTES_MAX:
            raise EngineDisturbedError(f"{used_bytes - self.baseline_bytes} bytes stayed behind")


_innocents: _Innocents | None = None


def target_engine(data: bytes) -> None:
    """Run a program of hostile clients."""
    global _innocents  # noqa: PLW0603  (one engine for the whole run: starting one costs more than a program)
    if _innocents is None:
        _innocents = _Innocents()
    rig = _innocents.rig
    program = Program(data)
    links: list[tuple[socket.socket, int]] = []
    while program:
        action = program.number(8)
        if action == 0 or not links:
            if len(links) < 6:
                version = (3, 4, 5)[program.number(3)]
                link = rig.connect_raw()
                link.settimeout(1)
                links.append((link, version))
                _send(
                    link,
                    mutated(program, connect(program, version))
                    if program.number(4) == 0
                    else connect(program, version),
                )
            continue
        link, version = links[program.number(len(links))]
        if action in {1, 2}:
            sent = publish(program, version)
        elif action == 3:
            sent = subscribe(program, version)
        elif action == 4:
            sent = acknowledgement(program, version)
        elif action == 5:
            sent = program.piece()
        elif action == 6:
            rig.settle(1)
            continue
        else:
            if program.number(3) == 0:
                link.close()
                links.remove((link, version))
            else:
                _drain(link)
            continue
        if program.number(4) == 0:
            sent = mutated(program, sent)
        cut = program.number(len(sent) + 1)
        _send(link, sent[:cut])
        if program.number(2):
            rig.settle(1)
        _send(link, sent[cut:])
    rig.settle()
    for link, _ in links:
        link.close()
    rig.settle()
    rig.reply(rig.engine.delete_retained(b"#"))
    rig.events.clear()
    rig.by_client_id.clear()
    del rig.links[2:]  # all but the innocent
    _innocents.check()


def _send(link: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # the engine has closed it, as it may
        link.sendall(data)


def _drain(link: socket.socket) -> None:
    link.setblocking(False)
    try:
        while link.recv(65536):
            pass
    except OSError:
        pass
    link.settimeout(1)


TARGETS = {"engine": target_engine}
