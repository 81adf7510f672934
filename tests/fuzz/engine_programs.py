"""From fuzz bytes to MQTT packets: valid, nearly valid and broken ones."""

from __future__ import annotations

from typing import Final

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


def string(text: bytes) -> bytes:
    """A two-byte length and the text."""
    return len(text).to_bytes(2, "big") + text


def packet(first: int, body: bytes) -> bytes:
    """A Control Packet: first byte, Remaining Length, body."""
    length, header = len(body), bytearray((first,))
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


def connect(program: Program, version: int) -> bytes:
    """CONNECT with properties that limit us."""
    properties = b""
    if version == 5:
        rows = (b"", b"\x22\0\5", b"\x21\0\2", b"\x27\0\0\0\x20", b"\x22\xff\xff\x21\xff\xff")
        chosen = rows[program.number(len(rows))]
        properties = bytes((len(chosen),)) + chosen
    name = b"MQIsdp" if version == 3 else b"MQTT"
    body = string(name) + bytes((version, 2, 0, program.number(3))) + properties
    return packet(0x10, body + string(b"hostile%d" % program.number(4)))


def publish(program: Program, version: int) -> bytes:
    """PUBLISH, valid or nearly."""
    qos, retain, dup = program.number(4), program.number(2), program.number(2)
    body = string(TOPICS[program.number(len(TOPICS))])
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
    return packet(
        0x30 | dup << 3 | qos << 1 | retain, body + program.piece() * (1 + program.number(40))
    )


def subscribe(program: Program, version: int) -> bytes:
    """SUBSCRIBE to one to three filters."""
    body = b"\0\1" + ((b"\0", b"\2\x0b\5")[program.number(2)] if version == 5 else b"")
    for _ in range(1 + program.number(3)):
        body += string(FILTERS[program.number(len(FILTERS))]) + bytes(
            (program.number(3) | program.number(8) << 2 if version == 5 else program.number(3),)
        )
    return packet(0x82, body)


def acknowledgement(program: Program, version: int) -> bytes:
    """PUBACK and its kin, and packets without a body."""
    first = (0x40, 0x50, 0x62, 0x70, 0xC0, 0xE0, 0xF0, 0x90, 0x00)[program.number(9)]
    body = program.number(6).to_bytes(2, "big") if first < 0xC0 else b""
    if version == 5 and program.number(3) == 0:
        body += bytes((program.number(256),)) + (b"\0", b"\5\x1f\0\2ab", b"\xff")[program.number(3)]
    return packet(first, body)


def mutated(program: Program, packet: bytes) -> bytes:
    """The packet with flipped bits, or without its end."""
    changed = bytearray(packet)
    for _ in range(program.number(3)):
        if changed:
            changed[program.number(len(changed))] ^= 1 << program.number(8)
    return bytes(changed[: len(changed) - program.number(3)])
