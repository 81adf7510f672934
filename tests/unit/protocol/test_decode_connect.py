"""CONNECT, section 3.1: each check names its statement and Reason Code."""

from __future__ import annotations

import pytest

from edge.errors import MalformedPacket, ProtocolError, ProtocolViolation
from edge.protocol.client import encode_connect
from edge.protocol.decode import (
    UnsupportedProtocolVersion,
    decode_connect,
    peek_protocol_version,
)
from edge.protocol.packets import Connect, Will
from edge.protocol.properties import USER_PROPERTIES_MAX, Properties, decode_forwarded

# An MQTT 5.0 CONNECT as in figure 3-6 of the specification, with client id "a".
HEAD_V5 = "00044d515454 05"
HEAD_V4 = "00044d515454 04"
HEAD_V3 = "00064d514973 6470 03"


def packet(body: str) -> bytes:
    data = bytes.fromhex(body)
    assert len(data) < 128
    return bytes((0x10, len(data))) + data


def failure(body: str) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode_connect(packet(body))
    return caught.value


def test_connect_of_mqtt_3_1_1_decodes() -> None:
    # clean session, keep alive 10, client id "id", user "u", password "p"
    body = f"{HEAD_V4} c2 000a 0002 6964 0001 75 0001 70"
    assert decode_connect(packet(body)) == Connect(4, True, 10, "id", "u", b"p")


def test_connect_of_mqtt_3_1_decodes_and_its_reserved_flag_is_ignored() -> None:
    body = f"{HEAD_V3} 03 000a 0002 6964"
    assert decode_connect(packet(body)) == Connect(3, True, 10, "id")


def test_connect_of_mqtt_5_decodes_with_will_and_properties() -> None:
    body = (
        f"{HEAD_V5} 2e 003c 05 11 0000000a 0001 61"
        " 17 18 00000005 02 00000007 01 01 03 0001 74 26 0001 6b 0001 76"
        " 0003 612f62 0002 6869"
    )
    connect = decode_connect(packet(body))
    assert connect.properties == Properties(session_expiry_interval_s=10)
    will = connect.will
    assert will == Will("a/b", b"hi", 1, True, 5, 7, bytes.fromhex("0101 03000174 260001 6b000176"))
    assert decode_forwarded(will.forwarded) == Properties(
        payload_format_indicator=1, content_type="t", user_properties=[("k", "v")]
    )


@pytest.mark.spec("MQTT-3.1.2-3", "MQTT311-3.1.2-3")
@pytest.mark.parametrize("head", [HEAD_V4, HEAD_V5])
def test_reserved_connect_flag_is_malformed(head: str) -> None:
    error = failure(f"{head} 03 000a 00 0001 61")
    assert isinstance(error, MalformedPacket)
    assert error.statement == "MQTT-3.1.2-3"


@pytest.mark.spec("MQTT-3.1.2-11", "MQTT-3.1.2-12", "MQTT-3.1.2-13")
@pytest.mark.parametrize(
    ("flags", "statement"),
    [
        ("1e", "MQTT-3.1.2-12"),  # Will QoS 3
        ("0a", "MQTT-3.1.2-11"),  # Will QoS without Will Flag
        ("22", "MQTT-3.1.2-13"),  # Will Retain without Will Flag
    ],
)
def test_impossible_will_flags_are_malformed(flags: str, statement: str) -> None:
    error = failure(f"{HEAD_V5} {flags} 000a 00 0001 61")
    assert isinstance(error, MalformedPacket)
    assert error.statement == statement


@pytest.mark.spec("MQTT311-3.1.2-22")
def test_password_without_user_name_is_a_violation_before_5_and_fine_in_5() -> None:
    assert failure(f"{HEAD_V4} 42 000a 0001 61 0001 70").statement == "MQTT311-3.1.2-22"
    connect = decode_connect(packet(f"{HEAD_V5} 42 000a 00 0001 61 0001 70"))
    assert (connect.username, connect.password) == (None, b"p")


@pytest.mark.spec("MQTT311-3.1.3-8")
@pytest.mark.parametrize("head", [f"{HEAD_V3} 02", f"{HEAD_V3} 00", f"{HEAD_V4} 00"])
def test_empty_client_id_is_refused_with_0x85_where_the_version_does_not_allow_it(
    head: str,
) -> None:
    assert failure(f"{head} 000a 0000").reason_code == 0x85


@pytest.mark.parametrize("head", [f"{HEAD_V4} 02 000a", f"{HEAD_V5} 00 000a 00"])
def test_empty_client_id_decodes_where_the_version_allows_it(head: str) -> None:
    assert decode_connect(packet(f"{head} 0000")).client_id == ""


@pytest.mark.spec("MQTT-4.7.0-1", "MQTT-4.7.3-1")
@pytest.mark.parametrize("topic", ["0000", "0003 612f23", "0001 2b"])
def test_will_topic_that_is_no_topic_name_is_refused_with_0x90(topic: str) -> None:
    assert failure(f"{HEAD_V5} 06 000a 00 0001 61 00 {topic} 0000").reason_code == 0x90


@pytest.mark.spec("MQTT-3.1.2-2", "MQTT311-3.1.2-2")
@pytest.mark.parametrize(
    ("name_and_level", "answered_as"),
    [
        ("00044d515454 03", 4),
        ("00044d515454 84", 4),  # a mosquitto bridge tries this first
        ("00044d515454 85", 5),
        ("00044d515454 06", 5),
        ("00064d5149736470 04", 4),
    ],
)
def test_unsupported_version_says_which_connack_the_peer_reads(
    name_and_level: str, answered_as: int
) -> None:
    error = failure(f"{name_and_level} 02 000a 0001 61")
    assert isinstance(error, UnsupportedProtocolVersion)
    assert error.reason_code == 0x84
    assert error.statement == "MQTT-3.1.2-2"
    assert error.protocol_version == answered_as


@pytest.mark.spec("MQTT-3.1.2-1", "MQTT311-3.1.2-1")
def test_other_protocol_name_is_a_violation_of_an_unknown_peer() -> None:
    body = "0004 68747470 05 02 000a 0001 61"
    error = failure(body)
    assert not isinstance(error, UnsupportedProtocolVersion)
    assert error.statement == "MQTT-3.1.2-1"
    assert peek_protocol_version(packet(body)) == 0


def test_version_of_a_broken_connect_can_be_peeked() -> None:
    assert peek_protocol_version(packet(f"{HEAD_V5} ff")) == 5
    assert peek_protocol_version(packet(f"{HEAD_V4} ff")) == 4
    assert peek_protocol_version(packet(f"{HEAD_V3} ff")) == 3
    assert peek_protocol_version(b"") == 0
    assert peek_protocol_version(b"\x20\x02\x00\x00") == 0


def test_bytes_behind_the_last_field_are_malformed() -> None:
    assert isinstance(failure(f"{HEAD_V4} 02 000a 0001 61 00"), MalformedPacket)


@pytest.mark.spec("MQTT-2.1.3-1", "MQTT311-2.2.2-1")
def test_fixed_header_flags_are_malformed() -> None:
    data = bytearray(packet(f"{HEAD_V4} 02 000a 0001 61"))
    data[0] = 0x11
    with pytest.raises(MalformedPacket) as caught:
        decode_connect(bytes(data))
    assert caught.value.statement == "MQTT-2.1.3-1"


@pytest.mark.spec("MQTT-1.5.5-1")
def test_remaining_length_that_is_not_minimal_is_malformed() -> None:
    body = bytes.fromhex(f"{HEAD_V4} 02 000a 0001 61")
    with pytest.raises(MalformedPacket) as caught:
        decode_connect(bytes((0x10, len(body) | 0x80, 0x00)) + body)
    assert caught.value.statement == "MQTT-1.5.5-1"


@pytest.mark.spec(
    "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-3.1.3-4", "MQTT311-1.5.3-1", "MQTT311-1.5.3-2"
)
@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("0001 00", "MQTT-1.5.4-2"),
        ("0003 eda080", "MQTT-1.5.4-1"),  # the surrogate U+D800
        ("0002 c080", "MQTT-1.5.4-1"),  # an overlong form
        ("0001 ff", "MQTT-1.5.4-1"),
    ],
)
def test_client_id_that_is_no_proper_string_is_malformed(text: str, statement: str) -> None:
    error = failure(f"{HEAD_V4} 02 000a {text}")
    assert isinstance(error, MalformedPacket)
    assert error.statement == statement


@pytest.mark.spec("MQTT-1.5.4-3", "MQTT311-1.5.3-3")
def test_byte_order_mark_is_kept() -> None:
    # [MQTT-1.5.4-3]
    connect = decode_connect(packet(f"{HEAD_V4} 02 000a 0004 efbbbf61"))
    assert connect.client_id == "\ufeffa"


def test_authentication_data_without_method_is_a_violation() -> None:
    assert isinstance(failure(f"{HEAD_V5} 02 000a 04 16 0001 61 0001 61"), ProtocolViolation)


@pytest.mark.parametrize(
    ("properties", "error"),
    [
        ("0a 11 00000001 11 00000001", ProtocolViolation),  # Session Expiry Interval twice
        ("03 21 0000", ProtocolViolation),  # Receive Maximum 0
        ("05 27 00000000", ProtocolViolation),  # Maximum Packet Size 0
        ("02 17 02", ProtocolViolation),  # Request Problem Information 2
        ("02 19 02", ProtocolViolation),  # Request Response Information 2
        ("02 01 01", MalformedPacket),  # Payload Format Indicator is none of CONNECT's
        ("02 7f 01", MalformedPacket),  # unknown
        ("03 ff7f 01", MalformedPacket),  # unknown, two bytes long
        ("05 11 000001", MalformedPacket),  # reaches over the end
        ("7f", MalformedPacket),
    ],
)
def test_bad_connect_properties_are_told_apart(properties: str, error: type[ProtocolError]) -> None:
    assert type(failure(f"{HEAD_V5} 02 000a {properties} 0001 61")) is error


@pytest.mark.spec("MQTT-3.3.2-14")
def test_response_topic_of_a_will_with_a_wildcard_is_a_violation() -> None:
    error = failure(f"{HEAD_V5} 06 000a 00 0001 61 04 08 0001 23 0001 61 0000")
    assert error.statement == "MQTT-3.3.2-14"


def test_number_of_user_properties_is_bounded() -> None:
    # Decoding what a stranger sends must not stop the control plane.
    properties = Properties(user_properties=[("", "")] * USER_PROPERTIES_MAX)
    connect = Connect(5, True, 0, "a", properties=properties)
    assert decode_connect(encode_connect(connect)) == connect
    properties.user_properties.append(("", ""))
    with pytest.raises(ProtocolViolation) as caught:
        decode_connect(encode_connect(connect))
    assert caught.value.reason_code == 0x97
