"""Fuzz target of the engine: hostile clients, and two innocent ones that must not notice.

The bytes are a program: connect, send packets that are valid, nearly valid or nonsense, in
pieces, close. After each program the engine answers a query, the innocent pair exchanges a
message at every QoS, and nothing is left behind once the hostile clients are gone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.support.engine_rig import Rig

if TYPE_CHECKING:
    import socket

TOPICS: Final = (
    b"a",
    b"a/b",
    b"a/b/c",
    b"$SYS/x",
    b"$delayed/1/a",
    b"\xff",
    b"a/+",
    b"",
    b"/",
    b"a" * 300,
)
FILTERS: Final = (b"#", b"a/#", b"+/b", b"a", b"$share/g/a/#", b"+/+/+", b"/", b"$SYS/#", b"a//b")
LEAK_BYTES_MAX: Final = 512 * 1024


class EngineDisturbedError(AssertionError):
    """Somebody innocent was hurt, or memory stayed behind."""


class Program:
    """Reads numbers and pieces off the input; zeros when it has ended."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        """A number from 0 to below - 1."""
        value = self._data[self._at] if self else 0
        self._at += 1
        return value % below

    def piece(self) -> bytes:
        """Some raw bytes."""
        length = self.number(64)
        piece = self._data[self._at : self._at + length]
        self._at += length
        return piece


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _packet(first: int, body: bytes) -> bytes:
    length, header = len(body), bytearray((first,))
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


def _connect(program: Program, version: int) -> bytes:
    properties = b""
    if version == 5:
        rows = (b"", b"\x22\0\5", b"\x21\0\2", b"\x27\0\0\0\x20", b"\x22\xff\xff\x21\xff\xff")
        chosen = rows[program.number(len(rows))]
        properties = bytes((len(chosen),)) + chosen
    name = b"MQIsdp" if version == 3 else b"MQTT"
    body = _string(name) + bytes((version, 2, 0, program.number(3))) + properties
    return _packet(0x10, body + _string(b"hostile%d" % program.number(4)))


def _publish(program: Program, version: int) -> bytes:
    qos, retain, dup = program.number(4), program.number(2), program.number(2)
    body = _string(TOPICS[program.number(len(TOPICS))])
    if qos:
        body += program.number(5).to_bytes(2, "big")
    if version == 5:
        rows = (
            b"",
            b"\x23\0\1",
            b"\x02\0\0\0\1",
            b"\x26\0\1a\0\1b",
            b"\x23\0\0",
            b"\x08\0\1a\x09\0\2xy",
            b"\x01\2",
            b"\x0b\1",
        )
        chosen = rows[program.number(len(rows))] + rows[program.number(len(rows))]
        body += bytes((len(chosen),)) + chosen
    return _packet(
        0x30 | dup << 3 | qos << 1 | retain, body + program.piece() * (1 + program.number(40))
    )


def _subscribe(program: Program, version: int) -> bytes:
    body = b"\0\1" + ((b"\0", b"\2\x0b\5")[program.number(2)] if version == 5 else b"")
    for _ in range(1 + program.number(3)):
        body += _string(FILTERS[program.number(len(FILTERS))]) + bytes(
            (program.number(3) | program.number(8) << 2 if version == 5 else program.number(3),)
        )
    return _packet(0x82, body)


def _acknowledgement(program: Program, version: int) -> bytes:
    first = (0x40, 0x50, 0x62, 0x70, 0xC0, 0xE0, 0xF0, 0x90, 0x00)[program.number(9)]
    body = program.number(6).to_bytes(2, "big") if first < 0xC0 else b""
    if version == 5 and program.number(3) == 0:
        body += bytes((program.number(256),)) + (b"\0", b"\5\x1f\0\2ab", b"\xff")[program.number(3)]
    return _packet(first, body)


def _mutated(program: Program, packet: bytes) -> bytes:
    changed = bytearray(packet)
    for _ in range(program.number(3)):
        if changed:
            changed[program.number(len(changed))] ^= 1 << program.number(8)
    return bytes(changed[: len(changed) - program.number(3)])


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
        self.receiver.sendall(_packet(0x82, b"\0\1" + _string(b"innocent/only") + b"\2"))
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
        self.sender.sendall(_packet(0x30, _string(b"innocent/only") + b"\0" + payload))
        self.rig.settle()
        self._expect(_packet(0x30, _string(b"innocent/only") + payload))
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
                    _mutated(program, _connect(program, version))
                    if program.number(4) == 0
                    else _connect(program, version),
                )
            continue
        link, version = links[program.number(len(links))]
        if action in {1, 2}:
            packet = _publish(program, version)
        elif action == 3:
            packet = _subscribe(program, version)
        elif action == 4:
            packet = _acknowledgement(program, version)
        elif action == 5:
            packet = program.piece()
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
            packet = _mutated(program, packet)
        cut = program.number(len(packet) + 1)
        _send(link, packet[:cut])
        if program.number(2):
            rig.settle(1)
        _send(link, packet[cut:])
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
