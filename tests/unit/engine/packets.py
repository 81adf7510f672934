"""The few packets that engine tests build by hand, and a reader for what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


def string(text: bytes) -> bytes:
    """A two-byte length and the text."""
    return len(text).to_bytes(2, "big") + text


def packet(first: int, body: bytes) -> bytes:
    """A Control Packet: first byte, Remaining Length, body."""
    header, length = bytearray((first,)), len(body)
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


def publish(
    topic: bytes,
    payload: bytes,
    *,
    qos: int = 0,
    packet_id: int = 0,
    retain: bool = False,
    dup: bool = False,
    properties: bytes | None = None,
) -> bytes:
    """PUBLISH; `properties` None: MQTT 3.1.1."""
    body = string(topic) + (packet_id.to_bytes(2, "big") if qos else b"")
    if properties is not None:
        body += bytes((len(properties),)) + properties
    return packet(0x30 | dup << 3 | qos << 1 | retain, body + payload)


def subscribe(topic_filter: bytes, options: int = 0, *, v5: bool = False) -> bytes:
    """SUBSCRIBE with Packet Identifier 1."""
    return packet(0x82, b"\0\1" + (b"\0" if v5 else b"") + string(topic_filter) + bytes((options,)))


def acknowledge(first: int, packet_id: int) -> bytes:
    """PUBACK (0x40), PUBREC (0x50), PUBREL (0x62) or PUBCOMP (0x70)."""
    return packet(first, packet_id.to_bytes(2, "big"))


def read_packet(link: socket.socket) -> tuple[int, bytes]:
    """First byte and body of the next packet; (0, b"") at the end of the stream."""
    first = link.recv(1)
    if not first:
        return 0, b""
    length = shift = 0
    while True:
        byte = link.recv(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    body = b""
    while len(body) < length:
        body += link.recv(length - len(body))
    return first[0], body


def subscribed(
    link: socket.socket, topic_filter: bytes, options: int = 0, *, v5: bool = False
) -> None:
    """Subscribe; the SUBACK has to be read by whoever serves the rig."""
    link.sendall(subscribe(topic_filter, options, v5=v5))
