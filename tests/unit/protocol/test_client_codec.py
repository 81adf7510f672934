"""The client's side: framing, and reading what a server says."""

from __future__ import annotations

import pytest

from edge.errors import MalformedPacket, ProtocolViolation
from edge.protocol.client import (
    Ack,
    Publish,
    decode_ack,
    decode_connack,
    decode_publish,
    encode_ack,
    encode_publish,
    packet_kind,
    take_packet,
)
from edge.protocol.kinds import PacketKind
from edge.protocol.packets import Connack


def test_packets_are_taken_one_by_one_and_only_when_whole() -> None:
    stream = b"\xd0\x00" + b"\x90\x03\x00\x0a\x01"
    buffer = bytearray()
    taken = []
    for byte in stream:
        buffer.append(byte)
        while (packet := take_packet(buffer)) is not None:
            taken.append(packet)
    assert taken == [b"\xd0\x00", b"\x90\x03\x00\x0a\x01"]
    assert not buffer


def test_remaining_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(MalformedPacket):
        take_packet(bytearray(b"\x30\xff\xff\xff\xff\x01"))


def test_packet_above_the_limit_is_refused_before_it_arrives() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        take_packet(bytearray(b"\x30\xff\x7f"), packet_bytes_max=1000)
    assert caught.value.reason_code == 0x95


def test_publish_at_qos_1_has_the_bytes_of_the_specification() -> None:
    publish = Publish("a/b", b"x", 1, True, False, 10)
    assert encode_publish(publish, 4).hex() == "3308" + "0003612f62" + "000a" + "78"
    assert encode_publish(publish, 5).hex() == "3309" + "0003612f62" + "000a" + "00" + "78"


def test_acknowledgements_are_as_short_as_they_can_be() -> None:
    assert encode_ack(Ack(PacketKind.PUBACK, 10), 5).hex() == "4002000a"
    assert encode_ack(Ack(PacketKind.PUBREL, 10), 5).hex() == "6202000a"
    assert encode_ack(Ack(PacketKind.PUBACK, 10, 0x87), 5).hex() == "4003000a87"
    assert decode_ack(bytes.fromhex("4003000a87"), 5) == Ack(PacketKind.PUBACK, 10, 0x87)


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        ("3605 0001 61 000a", MalformedPacket),  # QoS 3
        ("3803 0001 61", ProtocolViolation),  # DUP at QoS 0
        ("3205 0001 61 0000", ProtocolViolation),  # Packet Identifier 0
        ("", MalformedPacket),
    ],
)
def test_bad_publish_is_refused(packet: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode_publish(bytes.fromhex(packet), 4)


def test_connack_of_an_old_server_is_understood_by_a_client_of_5() -> None:
    assert decode_connack(bytes.fromhex("20020001"), 5) == Connack(False, 1)


def test_reserved_packet_type_is_malformed() -> None:
    with pytest.raises(MalformedPacket):
        packet_kind(b"\x00\x00")
    with pytest.raises(MalformedPacket):
        packet_kind(b"")
