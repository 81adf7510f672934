"""What the control plane sends, byte by byte, and what it leaves out for small clients."""

from __future__ import annotations

import pytest

from edge.protocol.encode import (
    encode_auth,
    encode_connack,
    encode_disconnect,
    encode_suback,
    encode_unsuback,
)
from edge.protocol.packets import Auth, Connack, Disconnect, Suback, Unsuback
from edge.protocol.properties import Properties, encode_varint
from edge.protocol.reason import NO_RETURN_CODE, ReasonCode, connack_v311, reason_name

EXPLAINED = Properties(reason_string="because", user_properties=[("k", "v")])


def test_connack_of_each_version() -> None:
    connack = Connack(True, 0, Properties(receive_maximum=10))
    assert encode_connack(connack, 5).hex() == "2006010003" + "21000a"
    assert encode_connack(connack, 4).hex() == "20020100"
    # Session Present does not exist in MQTT 3.1.
    assert encode_connack(connack, 3).hex() == "20020000"


@pytest.mark.spec("MQTT-3.2.2-6", "MQTT311-3.2.2-4")
def test_refusing_connack_has_no_session_present() -> None:
    # [MQTT-3.2.2-6], [MQTT311-3.2.2-4]
    assert encode_connack(Connack(True, 0x87), 5).hex() == "2003008700"
    assert encode_connack(Connack(True, 0x87), 4).hex() == "20020005"


@pytest.mark.parametrize(
    ("reason", "return_code"),
    [
        (ReasonCode.SUCCESS, 0),
        (ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, 1),
        (ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, 2),
        (ReasonCode.SERVER_BUSY, 3),
        (ReasonCode.BAD_USER_NAME_OR_PASSWORD, 4),
        (ReasonCode.BANNED, 5),
        (ReasonCode.MALFORMED_PACKET, NO_RETURN_CODE),
        (ReasonCode.TOPIC_NAME_INVALID, NO_RETURN_CODE),
    ],
)
def test_reason_codes_have_return_codes_where_one_fits(
    reason: ReasonCode, return_code: int
) -> None:
    assert connack_v311(reason) == return_code


@pytest.mark.spec("MQTT311-3.2.2-6")
def test_refusal_without_return_code_is_no_connack() -> None:
    # [MQTT311-3.2.2-6]
    assert encode_connack(Connack(False, ReasonCode.MALFORMED_PACKET), 4) == b""


@pytest.mark.spec("MQTT-3.9.3-1", "MQTT311-3.9.3-1", "MQTT311-3.9.3-2")
def test_suback_of_each_version() -> None:
    suback = Suback(10, [1, 0x87, 0x8F])
    assert encode_suback(suback, 5).hex() == "9006000a0001878f"
    assert encode_suback(suback, 4).hex() == "9005000a018080"


@pytest.mark.spec("MQTT-3.11.3-1")
def test_unsuback_of_each_version() -> None:
    unsuback = Unsuback(10, [0, 0x11])
    assert encode_unsuback(unsuback, 5).hex() == "b005000a000011"
    assert encode_unsuback(unsuback, 4).hex() == "b002000a"


def test_disconnect_is_as_short_as_it_can_be() -> None:
    assert encode_disconnect(Disconnect(), 5).hex() == "e000"
    assert encode_disconnect(Disconnect(0x8B), 5).hex() == "e0018b"
    explained = Disconnect(0x8B, Properties(server_reference="x"))
    assert encode_disconnect(explained, 5).hex() == "e0068b041c000178"
    assert encode_disconnect(Disconnect(0x8B), 4) == b""


def test_auth() -> None:
    auth = Auth(0x18, Properties(authentication_method="m", authentication_data=b"x"))
    assert encode_auth(auth).hex() == "f00a180815000" + "16d16000178"


@pytest.mark.spec("MQTT-3.9.2-1", "MQTT-3.9.2-2")
def test_user_properties_go_before_the_reason_string_when_a_client_takes_little() -> None:
    # [MQTT-3.9.2-1], [MQTT-3.9.2-2]
    suback = Suback(10, [0x80], EXPLAINED)
    full = encode_suback(suback, 5)
    assert encode_suback(suback, 5, len(full)) == full
    shorter = encode_suback(suback, 5, len(full) - 1)
    assert b"because" in shorter
    assert b"\x26" not in shorter
    shortest = encode_suback(suback, 5, len(shorter) - 1)
    assert shortest == encode_suback(Suback(10, [0x80]), 5)
    assert encode_suback(suback, 5, len(shortest) - 1) == b""


@pytest.mark.spec("MQTT-3.1.2-29")
def test_without_problem_information_only_connack_and_disconnect_explain() -> None:
    # [MQTT-3.1.2-29]
    quiet_suback = encode_suback(Suback(10, [0x80], EXPLAINED), 5, problem_information=False)
    assert quiet_suback == encode_suback(Suback(10, [0x80]), 5)
    quiet_unsuback = encode_unsuback(Unsuback(10, [0x80], EXPLAINED), 5, problem_information=False)
    assert quiet_unsuback == encode_unsuback(Unsuback(10, [0x80]), 5)
    quiet_auth = encode_auth(Auth(0x18, EXPLAINED), problem_information=False)
    assert quiet_auth == encode_auth(Auth(0x18))
    assert b"because" in encode_connack(Connack(False, 0x80, EXPLAINED), 5)
    assert b"because" in encode_disconnect(Disconnect(0x80, EXPLAINED), 5)


def test_leaving_out_does_not_change_the_packet_that_was_given() -> None:
    encode_suback(Suback(10, [0x80], EXPLAINED), 5, 8, problem_information=False)
    assert EXPLAINED.reason_string == "because"
    assert EXPLAINED.user_properties == [("k", "v")]


@pytest.mark.spec("MQTT-1.5.5-1")
@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_variable_byte_integers_have_the_form_of_table_1_1(number: int, encoded: str) -> None:
    assert encode_varint(number).hex() == encoded


@pytest.mark.parametrize("number", [-1, 268_435_456])
def test_variable_byte_integer_out_of_range_is_an_error_of_the_caller(number: int) -> None:
    with pytest.raises(OverflowError):
        encode_varint(number)


def test_reason_codes_have_names_for_people() -> None:
    assert reason_name(0x87) == "not authorized"
    assert reason_name(0xFE) == "0xfe"
