"""Section 2.1, the fixed header: packet types, reserved flags, and packets in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.packets import MQTT_3_1_1, MQTT_5, Connack, Connect, Ping, Publish, Subscribe
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import PacketType, frame, u16, utf8

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

T = PacketType


def body_of(packet_type: PacketType, version: int) -> bytes:
    """A body that would be right, so that only the flags are wrong."""
    none = b"\x00" if version == MQTT_5 else b""
    match packet_type:
        case T.SUBSCRIBE:
            return u16(1) + none + utf8("a") + b"\x00"
        case T.UNSUBSCRIBE:
            return u16(1) + none + utf8("a")
        case T.PUBACK | T.PUBREC | T.PUBREL | T.PUBCOMP:
            return u16(1)
        case T.AUTH:
            return b"\x19\x00"
    return b""


ALLOWED_FLAGS: Final = {T.PUBREL: 2, T.SUBSCRIBE: 2, T.UNSUBSCRIBE: 2}
FROM_CLIENTS: Final = (
    *(T.PUBACK, T.PUBREC, T.PUBREL, T.PUBCOMP),
    *(T.SUBSCRIBE, T.UNSUBSCRIBE, T.PINGREQ, T.DISCONNECT),
)
WRONG_FLAGS: Final = [
    pytest.param(packet_type, flags, id=f"{packet_type.name}-{flags:04b}")
    for packet_type in FROM_CLIENTS
    for flags in (0, 1, 2, 4, 8, 15)
    if flags != ALLOWED_FLAGS.get(packet_type, 0)
]


@pytest.mark.spec(
    "MQTT-2.1.3-1",
    "MQTT-3.6.1-1",
    "MQTT-3.8.1-1",
    "MQTT-3.10.1-1",
    "MQTT-3.14.1-1",
    "MQTT311-2.2.2-1",
    "MQTT311-2.2.2-2",
    "MQTT311-3.6.1-1",
    "MQTT311-3.8.1-1",
    "MQTT311-3.10.1-1",
)
@both_versions
@pytest.mark.parametrize(("packet_type", "flags"), WRONG_FLAGS)
def test_wrong_reserved_flags_end_the_connection(
    mqtt: Mqtt, version: int, packet_type: PacketType, flags: int
) -> None:
    """Goal: each packet with other flags than the listed ones is malformed."""
    client = mqtt.connect(version=version)
    client.send(frame(packet_type << 4 | flags, body_of(packet_type, version)))
    client.expect_disconnect(MALFORMED)


@pytest.mark.spec("MQTT-3.15.1-1", "MQTT-2.1.3-1")
@pytest.mark.parametrize("flags", [1, 2, 4, 8, 15])
def test_auth_with_flags_ends_the_connection(mqtt: Mqtt, flags: int) -> None:
    """Goal: AUTH with flags is refused; without a method in CONNECT it is so in any case."""
    client = mqtt.connect()
    client.send(frame(0xF0 | flags, b"\x18\x00"))
    client.expect_disconnect({MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT-2.1.3-1", "MQTT311-2.2.2-1", "MQTT311-2.2.2-2")
@both_versions
@pytest.mark.parametrize("flags", [1, 2, 4, 8])
def test_connect_with_fixed_header_flags_is_refused(mqtt: Mqtt, version: int, flags: int) -> None:
    """Goal: the reserved bits of CONNECT's fixed header are checked."""
    data = Connect(version=version, client_id=mqtt.new_client_id()).encode()
    client = mqtt.open(version)
    client.send(bytes([data[0] | flags]) + data[1:])
    if version == MQTT_5:
        client.expect_refusal({MALFORMED, PROTOCOL_ERROR}, may_be_silent=True)
    else:
        client.expect_close()


NOT_FOR_SERVERS: Final = {
    "reserved type 0": frame(0x00),
    "CONNACK": frame(0x20, b"\x00\x00"),
    "SUBACK": frame(0x90, u16(1) + b"\x00"),
    "UNSUBACK": frame(0xB0, u16(1)),
    "PINGRESP": frame(0xD0),
}


@pytest.mark.spec("MQTT-4.13.1-1", "MQTT311-4.8.0-1")
@both_versions
@pytest.mark.parametrize("data", NOT_FOR_SERVERS.values(), ids=NOT_FOR_SERVERS.keys())
def test_packet_that_only_servers_send_ends_the_connection(
    mqtt: Mqtt, version: int, data: bytes
) -> None:
    """Goal: types that a client may not send are violations."""
    client = mqtt.connect(version=version)
    client.send(data)
    client.expect_disconnect({MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT311-4.8.0-1")
def test_auth_in_3_1_1_ends_the_connection(mqtt: Mqtt) -> None:
    """Goal: packet type 15 is reserved in 3.1.1."""
    client = mqtt.connect(version=MQTT_3_1_1)
    client.send(frame(0xF0))
    client.expect_close()


TRUNCATED: Final = {
    "PUBLISH without topic": frame(0x30),
    "PUBLISH with half a topic": frame(0x30, u16(10) + b"abc"),
    "PUBLISH without identifier": frame(0x32, utf8("a")),
    "PUBLISH with half an identifier": frame(0x32, utf8("a") + b"\x00"),
    "PUBACK without identifier": frame(0x40),
    "PUBREC with half an identifier": frame(0x50, b"\x01"),
    "PUBREL without identifier": frame(0x62),
    "PUBCOMP without identifier": frame(0x70),
    "SUBSCRIBE without identifier": frame(0x82),
    "UNSUBSCRIBE without identifier": frame(0xA2),
    "PINGREQ with a body": frame(0xC0, b"\x00"),
}


@pytest.mark.spec("MQTT-4.13.1-1", "MQTT311-4.8.0-1")
@both_versions
@pytest.mark.parametrize("data", TRUNCATED.values(), ids=TRUNCATED.keys())
def test_packet_that_ends_early_ends_the_connection(mqtt: Mqtt, version: int, data: bytes) -> None:
    """Goal: a body that is shorter or longer than its fields is malformed."""
    client = mqtt.connect(version=version)
    client.send(data)
    client.expect_disconnect({MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT-4.2-1", "MQTT311-7.1.1-1")
@both_versions
def test_packets_byte_by_byte_and_all_at_once_mean_the_same(mqtt: Mqtt, version: int) -> None:
    """Goal: the transport is a stream of bytes; how it is cut does not matter."""
    packets = [
        Subscribe(1, [(mqtt.topic(), 1)]).encode(version),
        Publish(topic_name=mqtt.topic(), payload=b"x" * 300, qos=1, packet_id=2).encode(version),
        Ping(T.PINGREQ).encode(),
    ]
    data = Connect(version=version, client_id=mqtt.new_client_id()).encode() + b"".join(packets)
    at_once, in_pieces = mqtt.open(version), mqtt.open(version)
    at_once.send(data)
    seen = _types_until_pingresp(at_once)
    at_once.disconnect()
    for index in range(len(data)):
        in_pieces.send(data[index : index + 1])
    assert _types_until_pingresp(in_pieces) == seen
    assert seen == {"Connack", "Suback", "Publish", "PUBACK", "Ping"}


def _types_until_pingresp(client: Client) -> set[str]:
    names: set[str] = set()
    while len(names) < 5:
        packet = client.receive()
        assert packet is not None, names
        names.add("PUBACK" if getattr(packet, "type", None) is T.PUBACK else type(packet).__name__)
    return names


@pytest.mark.spec("MQTT-4.2-1")
def test_a_large_packet_among_small_ones_arrives_whole(mqtt: Mqtt) -> None:
    """Goal: a packet larger than any read buffer keeps its place in the stream."""
    subscriber, publisher = mqtt.connect(), mqtt.connect()
    subscriber.subscribe(mqtt.topic())
    large = bytes(range(256)) * 2000
    payloads = [b"first", large, b"last"]
    publisher.send(*(Publish(topic_name=mqtt.topic(), payload=each) for each in payloads))
    assert [subscriber.take().payload for _ in payloads] == payloads


@pytest.mark.spec("MQTT-3.1.0-1", "MQTT311-3.1.0-1")
@both_versions
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(0x30, utf8("a") + b"\x00"), id="PUBLISH"),
        pytest.param(frame(0x82, u16(1) + utf8("a") + b"\x00"), id="SUBSCRIBE"),
        pytest.param(frame(0xC0), id="PINGREQ"),
        pytest.param(frame(0xE0), id="DISCONNECT"),
        pytest.param(frame(0xF0), id="AUTH"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
    ],
)
def test_first_packet_other_than_connect_is_closed_in_silence(
    mqtt: Mqtt, version: int, data: bytes
) -> None:
    """Goal: who does not begin with CONNECT gets no answer at all [MQTT-3.2.0-1]."""
    client = mqtt.open(version)
    client.send(data)
    client.expect_close()


@pytest.mark.spec("MQTT-3.1.0-2", "MQTT311-3.1.0-2", "MQTT-3.2.0-2")
@both_versions
def test_second_connect_ends_the_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: CONNECT comes once; a second one is a Protocol Error and gets no CONNACK."""
    client = mqtt.connect(version=version)
    client.send(Connect(version=version, client_id=client.client_id))
    client.expect_disconnect(PROTOCOL_ERROR)


@pytest.mark.spec("MQTT-3.2.0-2", "MQTT-3.1.0-2")
def test_two_connects_in_one_segment_get_one_connack(mqtt: Mqtt) -> None:
    """Goal: the second CONNECT waits for the first and is then a Protocol Error."""
    client = mqtt.open()
    connect = Connect(client_id=mqtt.new_client_id())
    client.send(connect, connect)
    assert client.expect(Connack).reason_code == 0
    client.expect_disconnect(PROTOCOL_ERROR)
