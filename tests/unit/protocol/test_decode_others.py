"""SUBSCRIBE, UNSUBSCRIBE, DISCONNECT and AUTH: each check names its statement."""

from __future__ import annotations

import pytest

from edge.errors import MalformedPacket, ProtocolError, ProtocolViolation
from edge.protocol.decode import (
    decode_auth,
    decode_disconnect,
    decode_subscribe,
    decode_unsubscribe,
)
from edge.protocol.packets import Auth, Disconnect, Subscribe, Subscription, Unsubscribe
from edge.protocol.properties import Properties


def packet(first: int, body: str) -> bytes:
    data = bytes.fromhex(body)
    return bytes((first, len(data))) + data


def test_subscribe_of_mqtt_5_decodes_with_all_options() -> None:
    data = packet(0x82, "000a 02 0b 07 0003 612f62 2e 0001 23 01")
    assert decode_subscribe(data, 5) == Subscribe(
        10,
        [Subscription("a/b", 2, True, True, 2), Subscription("#", 1)],
        Properties(subscription_identifiers=[7]),
    )


def test_subscribe_of_mqtt_3_1_1_decodes() -> None:
    assert decode_subscribe(packet(0x82, "000a 0003 612f62 02"), 4) == Subscribe(
        10, [Subscription("a/b", 2)]
    )


def test_subscribe_sent_again_has_dup_only_in_mqtt_3_1() -> None:
    data = packet(0x8A, "000a 0001 61 00")
    assert decode_subscribe(data, 3).packet_id == 10
    for version in (4, 5):
        with pytest.raises(MalformedPacket):
            decode_subscribe(data, version)


@pytest.mark.spec(
    "MQTT-3.8.1-1",
    "MQTT-3.8.3-2",
    "MQTT-3.8.3-4",
    "MQTT-3.8.3-5",
    "MQTT311-3.8.3-3",
    "MQTT311-3.8.3-4",
)
@pytest.mark.parametrize(
    ("first", "body", "version", "error", "statement"),
    [
        (0x80, "000a 00 0001 61 00", 5, MalformedPacket, "MQTT-3.8.1-1"),
        (0x82, "0000 00 0001 61 00", 5, ProtocolViolation, "MQTT-2.2.1-3"),
        (0x82, "0000 0001 61 00", 4, ProtocolViolation, "MQTT311-2.3.1-1"),
        (0x82, "000a 00", 5, ProtocolViolation, "MQTT-3.8.3-2"),
        (0x82, "000a", 4, ProtocolViolation, "MQTT311-3.8.3-3"),
        (0x82, "000a 00 0001 61 40", 5, MalformedPacket, "MQTT-3.8.3-5"),
        (0x82, "000a 00 0001 61 03", 5, ProtocolViolation, ""),
        (0x82, "000a 00 0001 61 30", 5, ProtocolViolation, ""),
        (0x82, "000a 00 000a 2473686172652f672f61 04", 5, ProtocolViolation, "MQTT-3.8.3-4"),
        (0x82, "000a 0001 61 03", 4, MalformedPacket, "MQTT311-3.8.3-4"),
        (0x82, "000a 0001 61 04", 4, MalformedPacket, "MQTT311-3.8.3-4"),
        (0x82, "000a 0001 61", 4, MalformedPacket, ""),
        (0x82, "000a 04 0b01 0b02 0001 61 00", 5, ProtocolViolation, ""),
        (0x82, "000a 02 0b00 0001 61 00", 5, ProtocolViolation, ""),
    ],
)
def test_bad_subscribe_is_refused(
    first: int, body: str, version: int, error: type[ProtocolError], statement: str
) -> None:
    with pytest.raises(error) as caught:
        decode_subscribe(packet(first, body), version)
    assert type(caught.value) is error
    assert caught.value.statement == statement


def test_unsubscribe_decodes() -> None:
    expected = Unsubscribe(10, ["a", "b/#"])
    assert decode_unsubscribe(packet(0xA2, "000a 0001 61 0003 622f23"), 4) == expected
    assert decode_unsubscribe(packet(0xA2, "000a 00 0001 61 0003 622f23"), 5) == expected


@pytest.mark.spec("MQTT-3.10.1-1", "MQTT-3.10.3-2")
@pytest.mark.parametrize(
    ("first", "body", "statement"),
    [
        (0xA0, "000a 00 0001 61", "MQTT-3.10.1-1"),
        (0xA2, "000a 00", "MQTT-3.10.3-2"),
        (0xA2, "0000 00 0001 61", "MQTT-2.2.1-3"),
    ],
)
def test_bad_unsubscribe_is_refused(first: int, body: str, statement: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_unsubscribe(packet(first, body), 5)
    assert caught.value.statement == statement


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", Disconnect()),
        ("04", Disconnect(4)),
        ("04 00", Disconnect(4)),
        ("00 05 11 00000001", Disconnect(0, Properties(session_expiry_interval_s=1))),
    ],
)
def test_disconnect_of_mqtt_5_decodes_in_each_length(body: str, expected: Disconnect) -> None:
    assert decode_disconnect(packet(0xE0, body), 5) == expected


def test_disconnect_of_mqtt_3_1_1_is_empty() -> None:
    assert decode_disconnect(b"\xe0\x00", 4) == Disconnect()
    with pytest.raises(MalformedPacket):
        decode_disconnect(b"\xe0\x01\x00", 4)


@pytest.mark.spec("MQTT-3.14.1-1", "MQTT-3.14.2-1")
@pytest.mark.parametrize(
    ("first", "body", "statement"),
    [
        (0xE1, "", "MQTT-3.14.1-1"),
        (0xE0, "8e", "MQTT-3.14.2-1"),  # Session taken over: only servers say so
        (0xE0, "05", "MQTT-3.14.2-1"),
        (0xE0, "00 00 00", ""),
    ],
)
def test_bad_disconnect_is_refused(first: int, body: str, statement: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_disconnect(packet(first, body), 5)
    assert caught.value.statement == statement


def test_auth_decodes() -> None:
    assert decode_auth(packet(0xF0, "18 08 15 0001 6d 16 0001 78")) == Auth(
        0x18, Properties(authentication_method="m", authentication_data=b"x")
    )


@pytest.mark.spec("MQTT-3.15.1-1", "MQTT-3.15.2-1")
@pytest.mark.parametrize(
    ("first", "body", "statement"),
    [
        (0xF1, "18 04 15 0001 6d", "MQTT-3.15.1-1"),
        (0xF0, "", "MQTT-3.15.2-1"),  # Success: only servers say so
        (0xF0, "1a 04 15 0001 6d", "MQTT-3.15.2-1"),
        (0xF0, "18", ""),  # no Authentication Method
        (0xF0, "18 00", ""),
    ],
)
def test_bad_auth_is_refused(first: int, body: str, statement: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_auth(packet(first, body))
    assert caught.value.statement == statement


def test_another_kind_of_packet_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        decode_subscribe(packet(0xA2, "000a 00 0001 61"), 5)


def test_number_of_topic_filters_is_bounded() -> None:
    pairs = "0001 61 00" * 3
    data = packet(0x82, "000a 00" + pairs)
    assert len(decode_subscribe(data, 5, filters_max=3).subscriptions) == 3
    with pytest.raises(ProtocolViolation) as caught:
        decode_subscribe(data, 5, filters_max=2)
    assert caught.value.reason_code == 0x97
    data = packet(0xA2, "000a" + "0001 61" * 3)
    assert len(decode_unsubscribe(data, 4, filters_max=3).topic_filters) == 3
    with pytest.raises(ProtocolViolation):
        decode_unsubscribe(data, 4, filters_max=2)
