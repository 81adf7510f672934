"""Section 2.2.2: which properties a packet may have, how often, and with which values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.packets import Ack, Connect, Farewell, Publish, Subscribe, Unsubscribe, Will
from tests.support.versions import MALFORMED, PROTOCOL_ERROR
from tests.support.wire import (
    PROPERTY_RULES,
    P,
    PacketType,
    Properties,
    frame,
    properties,
    u16,
    u32,
    utf8,
)

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt

T = PacketType
BAD: Final = {MALFORMED, PROTOCOL_ERROR}

VALUES: Final[dict[str, object]] = {
    "flag": 0,
    "u16": 1,
    "u32": 1,
    "vbi": 1,
    "utf8": "text",
    "binary": b"data",
    "pair": [("name", "value")],
}
SAMPLES: Final[dict[P, bytes]] = {
    key: properties({key: VALUES[rule.form.rstrip("*+")]})[1:]
    for key, rule in PROPERTY_RULES.items()
}


def packet_with(packet_type: PacketType, block: Properties | bytes, topic: str) -> bytes:
    """A packet of this type with this property block."""
    match packet_type:
        case T.PUBLISH:
            return Publish(topic_name=topic, properties=block).encode(5)
        case T.SUBSCRIBE:
            return Subscribe(1, [(topic, 0)], block).encode(5)
        case T.UNSUBSCRIBE:
            return Unsubscribe(1, [topic], block).encode(5)
        case T.DISCONNECT:
            return Farewell(T.DISCONNECT, 4, block).encode(5)
        case T.CONNECT:
            return Connect(client_id="props", properties=block).encode()
        case T.WILL:
            return Connect(
                client_id="props", will=Will(topic_name=topic, properties=block)
            ).encode()
    return Ack(packet_type, 1, 0, block).encode(5)


AFTER_CONNECT: Final = (
    *(T.PUBLISH, T.PUBACK, T.PUBREC, T.PUBREL, T.PUBCOMP),
    *(T.SUBSCRIBE, T.UNSUBSCRIBE, T.DISCONNECT),
)
IN_CONNECT: Final = (T.CONNECT, T.WILL)


def misplaced(*packet_types: PacketType) -> list[object]:
    """Each property in each packet that may not have it."""
    return [
        pytest.param(packet_type, key, id=f"{packet_type.name}-{key.name}")
        for packet_type in packet_types
        for key, rule in PROPERTY_RULES.items()
        if packet_type not in rule.packets
    ]


def twice(*packet_types: PacketType) -> list[object]:
    """Each property that may come once, in each packet that may have it."""
    return [
        pytest.param(packet_type, key, id=f"{packet_type.name}-{key.name}")
        for packet_type in packet_types
        for key, rule in PROPERTY_RULES.items()
        if packet_type in rule.packets
        and (not rule.form.endswith("*") or (packet_type, key.name[:4]) == (T.SUBSCRIBE, "SUBS"))
    ]


@pytest.mark.spec("MQTT-4.13.1-1")
@pytest.mark.parametrize(("packet_type", "key"), misplaced(*AFTER_CONNECT))
def test_property_of_another_packet_ends_the_connection(
    mqtt: Mqtt, packet_type: PacketType, key: P
) -> None:
    """Goal: a property that is not listed for the packet makes it malformed."""
    client = mqtt.connect()
    client.send(packet_with(packet_type, SAMPLES[key], mqtt.topic()))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-3.1.4-1", "MQTT-4.13.1-1")
@pytest.mark.parametrize(("packet_type", "key"), misplaced(*IN_CONNECT))
def test_property_of_another_packet_refuses_the_connect(
    mqtt: Mqtt, packet_type: PacketType, key: P
) -> None:
    """Goal: the same holds for the properties of CONNECT and of the Will."""
    client = mqtt.open()
    client.send(packet_with(packet_type, SAMPLES[key], mqtt.topic()))
    client.expect_refusal(BAD, may_be_silent=True)


@pytest.mark.spec("MQTT-4.13.1-1")
@pytest.mark.parametrize(("packet_type", "key"), twice(*AFTER_CONNECT))
def test_property_that_comes_twice_ends_the_connection(
    mqtt: Mqtt, packet_type: PacketType, key: P
) -> None:
    """Goal: only User Property may be repeated by a client."""
    client = mqtt.connect(properties={P.SESSION_EXPIRY_INTERVAL: 1})
    client.send(packet_with(packet_type, SAMPLES[key] * 2, mqtt.topic()))
    client.expect_disconnect(PROTOCOL_ERROR)


@pytest.mark.spec("MQTT-3.1.4-1", "MQTT-4.13.1-1")
@pytest.mark.parametrize(("packet_type", "key"), twice(*IN_CONNECT))
def test_property_that_comes_twice_refuses_the_connect(
    mqtt: Mqtt, packet_type: PacketType, key: P
) -> None:
    """Goal: the same holds for the properties of CONNECT and of the Will."""
    client = mqtt.open()
    client.send(packet_with(packet_type, SAMPLES[key] * 2, mqtt.topic()))
    client.expect_refusal(PROTOCOL_ERROR, may_be_silent=True)


BROKEN_BLOCKS: Final = {
    "unknown identifier": properties(b"\x7f\x00"),
    "identifier 0": properties(b"\x00\x00"),
    "identifier in two bytes": properties(b"\x81\x00\x00"),
    "value ends early": properties(bytes([P.MESSAGE_EXPIRY_INTERVAL]) + u16(1)),
    "string ends early": properties(bytes([P.CONTENT_TYPE]) + u16(9) + b"abc"),
    "pair without value": properties(bytes([P.USER_PROPERTY]) + utf8("name")),
    "length beyond the packet": b"\x70" + SAMPLES[P.USER_PROPERTY],
    "length cuts a property": b"\x03" + SAMPLES[P.USER_PROPERTY],
}


@pytest.mark.spec("MQTT-4.13.1-1")
@pytest.mark.parametrize("block", BROKEN_BLOCKS.values(), ids=BROKEN_BLOCKS.keys())
@pytest.mark.parametrize(
    ("head", "before"),
    [
        pytest.param(0x30, utf8("a"), id="PUBLISH"),
        pytest.param(0x82, u16(1), id="SUBSCRIBE"),
        pytest.param(0xA2, u16(1), id="UNSUBSCRIBE"),
        pytest.param(0x40, u16(1) + b"\x00", id="PUBACK"),
        pytest.param(0xE0, b"\x04", id="DISCONNECT"),
    ],
)
def test_broken_property_block_ends_the_connection(
    mqtt: Mqtt, head: int, before: bytes, block: bytes
) -> None:
    """Goal: a property block that cannot be read is malformed, wherever it stands."""
    client = mqtt.connect()
    client.send(frame(head, before + block))
    client.expect_disconnect(MALFORMED)


@pytest.mark.spec("MQTT-3.1.4-1", "MQTT-4.13.1-1")
@pytest.mark.parametrize("block", BROKEN_BLOCKS.values(), ids=BROKEN_BLOCKS.keys())
def test_broken_property_block_refuses_the_connect(mqtt: Mqtt, block: bytes) -> None:
    """Goal: the same holds for CONNECT."""
    client = mqtt.open()
    client.send(frame(0x10, utf8("MQTT") + b"\x05\x02\x00\x00" + block + utf8("a")))
    client.expect_refusal(MALFORMED, may_be_silent=True)


WRONG_VALUES: Final = [
    pytest.param(T.PUBLISH, P.PAYLOAD_FORMAT_INDICATOR, b"\x02", {0x82}, id="payload format 2"),
    pytest.param(T.PUBLISH, P.TOPIC_ALIAS, u16(0), {0x82, 0x94}, id="topic alias 0"),
    pytest.param(T.SUBSCRIBE, P.SUBSCRIPTION_IDENTIFIER, b"\x00", {0x82}, id="subscription id 0"),
]


@pytest.mark.spec("MQTT-3.3.2-8", "MQTT-4.13.1-1")
@pytest.mark.parametrize(("packet_type", "key", "value", "codes"), WRONG_VALUES)
def test_property_value_out_of_range_ends_the_connection(
    mqtt: Mqtt, packet_type: PacketType, key: P, value: bytes, codes: set[int]
) -> None:
    """Goal: values that the specification excludes are Protocol Errors."""
    client = mqtt.connect()
    client.send(packet_with(packet_type, bytes([key]) + value, mqtt.topic()))
    client.expect_disconnect(codes)


@pytest.mark.spec("MQTT-3.1.4-1", "MQTT-4.13.1-1")
@pytest.mark.parametrize(
    ("packet_type", "key", "value"),
    [
        pytest.param(T.CONNECT, P.RECEIVE_MAXIMUM, u16(0), id="receive maximum 0"),
        pytest.param(T.CONNECT, P.MAXIMUM_PACKET_SIZE, u32(0), id="maximum packet size 0"),
        pytest.param(T.CONNECT, P.REQUEST_PROBLEM_INFORMATION, b"\x02", id="request problem 2"),
        pytest.param(T.CONNECT, P.REQUEST_RESPONSE_INFORMATION, b"\x02", id="request response 2"),
        pytest.param(T.CONNECT, P.AUTHENTICATION_DATA, u16(0), id="data without a method"),
        pytest.param(T.WILL, P.PAYLOAD_FORMAT_INDICATOR, b"\x02", id="will payload format 2"),
    ],
)
def test_property_value_out_of_range_refuses_the_connect(
    mqtt: Mqtt, packet_type: PacketType, key: P, value: bytes
) -> None:
    """Goal: the same holds for the properties of CONNECT and of the Will."""
    client = mqtt.open()
    client.send(packet_with(packet_type, bytes([key]) + value, mqtt.topic()))
    client.expect_refusal(PROTOCOL_ERROR, may_be_silent=True)


@pytest.mark.spec("MQTT-2.2.2-1")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(0x30, utf8("a")), id="PUBLISH"),
        pytest.param(frame(0x82, u16(1)), id="SUBSCRIBE"),
        pytest.param(frame(0xA2, u16(1)), id="UNSUBSCRIBE"),
    ],
)
def test_packet_without_property_length_ends_the_connection(mqtt: Mqtt, data: bytes) -> None:
    """Goal: even no properties have a length, 0."""
    client = mqtt.connect()
    client.send(data)
    client.expect_disconnect(MALFORMED)


@pytest.mark.spec("MQTT-2.2.2-1")
def test_server_packets_without_properties_say_length_0(mqtt: Mqtt) -> None:
    """Goal: the strict client can read SUBACK, UNSUBACK and PUBLISH that have none."""
    client = mqtt.connect()
    assert client.subscribe(mqtt.topic(), qos=1) == [1]
    client.publish(mqtt.topic(), b"\x05not properties", qos=1)
    assert client.take().payload == b"\x05not properties"
    assert client.unsubscribe(mqtt.topic()) == [0]


@pytest.mark.parametrize("packet_type", [T.PUBACK, T.PUBREC, T.PUBREL, T.PUBCOMP])
@pytest.mark.parametrize("form", ["short", "code", "full"])
def test_each_length_of_an_acknowledgement_is_accepted(
    mqtt: Mqtt, packet_type: PacketType, form: str
) -> None:
    """Goal: Reason Code and properties may be left out at the end (sections 3.4 to 3.7)."""
    client = mqtt.connect()
    body = {"short": u16(9), "code": u16(9) + b"\x00", "full": u16(9) + b"\x00\x00"}[form]
    client.send(frame(packet_type << 4 | (2 if packet_type is T.PUBREL else 0), body))
    answers = client.collect()
    if packet_type is T.PUBREL:
        assert [getattr(each, "type", None) for each in answers] == [T.PUBCOMP]
    elif packet_type is T.PUBREC:
        assert [getattr(each, "type", None) for each in answers] == [T.PUBREL]
    else:
        assert not answers


@pytest.mark.spec("MQTT-3.4.2-1", "MQTT-3.5.2-1", "MQTT-3.6.2-1", "MQTT-3.7.2-1")
@pytest.mark.parametrize("packet_type", [T.PUBACK, T.PUBREC, T.PUBREL, T.PUBCOMP])
@pytest.mark.parametrize("code", [0x01, 0x11, 0x7F, 0xFF])
def test_acknowledgement_with_an_unknown_reason_code_ends_the_connection(
    mqtt: Mqtt, packet_type: PacketType, code: int
) -> None:
    """Goal: a Reason Code that is not listed for the packet is an error."""
    client = mqtt.connect()
    client.send(Ack(packet_type, 1, code))
    client.expect_disconnect(BAD)
