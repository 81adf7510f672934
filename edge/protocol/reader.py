"""The checked cursor over the bytes of one Control Packet: sections 1.5.1 to 1.5.7.

Nothing else in this package indexes into bytes that a stranger has sent. Every read is bounded by
`end`; a field that reaches over it raises MalformedPacket.
"""

from __future__ import annotations

from edge.errors import MalformedPacket, ProtocolViolation


class Reader:
    """A position in `data`, which nothing may pass beyond `end`."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        """Start at `position`; `end` is exclusive and at most the length of `data`."""
        self.data = data
        self.position = position
        self.end = len(data) if end is None or end > len(data) else end

    def left(self) -> int:
        """Return how many bytes are still to be read."""
        return self.end - self.position

    def u8(self) -> int:
        """Read one byte."""
        position = self.position
        if position >= self.end:
            raise _too_short()
        self.position = position + 1
        return self.data[position]

    def u16(self) -> int:
        """Read a Two Byte Integer."""
        position = self.position
        if position + 2 > self.end:
            raise _too_short()
        self.position = position + 2
        return self.data[position] << 8 | self.data[position + 1]

    def u32(self) -> int:
        """Read a Four Byte Integer."""
        position = self.position
        if position + 4 > self.end:
            raise _too_short()
        self.position = position + 4
        return int.from_bytes(self.data[position : position + 4], "big")

    def varint(self) -> int:
        """Read a Variable Byte Integer, 0 to 268,435,455.

        Raises:
            MalformedPacket: it is longer than four bytes, or than it needs to be [MQTT-1.5.5-1].
        """
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    message = "Variable Byte Integer is longer than needed"
                    raise MalformedPacket(message, statement="MQTT-1.5.5-1")
                return value
        message = "Variable Byte Integer has more than four bytes"
        raise MalformedPacket(message, statement="MQTT-1.5.5-1")

    def take(self, count_bytes: int) -> bytes:
        """Read exactly `count_bytes` bytes."""
        start = self.position
        if start + count_bytes > self.end:
            raise _too_short()
        self.position = start + count_bytes
        return self.data[start : start + count_bytes]

    def binary(self) -> bytes:
        """Read Binary Data: a Two Byte Integer and as many bytes."""
        return self.take(self.u16())

    def text(self) -> str:
        """Read a UTF-8 Encoded String; U+FEFF is kept wherever it stands [MQTT-1.5.4-3].

        Raises:
            MalformedPacket: the bytes are not well-formed UTF-8, surrogates included
                [MQTT-1.5.4-1], or hold U+0000 [MQTT-1.5.4-2].
        """
        raw = self.take(self.u16())
        if 0 in raw:
            message = "string holds U+0000"
            raise MalformedPacket(message, statement="MQTT-1.5.4-2")
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError:
            # The broken bytes themselves stay out of the message and its chain: they may be long.
            pass
        message = "string is not well-formed UTF-8"
        raise MalformedPacket(message, statement="MQTT-1.5.4-1")

    def part(self, length_bytes: int) -> Reader:
        """Split off a reader for the next `length_bytes` bytes and step over them."""
        start = self.position
        if start + length_bytes > self.end:
            raise _too_short()
        self.position = start + length_bytes
        return Reader(self.data, start, start + length_bytes)

    def finish(self) -> None:
        """Check that nothing is left."""
        if self.position != self.end:
            message = f"{self.end - self.position} bytes behind the last field"
            raise MalformedPacket(message)


def _too_short() -> MalformedPacket:
    return MalformedPacket("packet ends inside a field")


def open_packet(packet: bytes, kind: int, flags: int, statement: str, *, ignore: int = 0) -> Reader:
    """Check the fixed header of a whole Control Packet and return a reader of what follows it.

    Args:
        packet: one Control Packet with its fixed header.
        kind: the PacketKind it must have.
        flags: the value bits 3 to 0 of the first byte must have.
        statement: the normative statement about these flags.
        ignore: bits of the flags that are not looked at.

    Raises:
        MalformedPacket: flags, Remaining Length or the length of `packet` are wrong.
        ProtocolViolation: it is another kind of packet.
    """
    reader = Reader(packet)
    first = reader.u8()
    if first >> 4 != kind:
        message = f"packet type {first >> 4} where {int(kind)} is expected"
        raise ProtocolViolation(message)
    if (first ^ flags) & 0x0F & ~ignore:
        message = "reserved flags of the fixed header are wrong"
        raise MalformedPacket(message, statement=statement)
    if reader.varint() != reader.left():
        message = "Remaining Length does not fit the packet"
        raise MalformedPacket(message)
    return reader
