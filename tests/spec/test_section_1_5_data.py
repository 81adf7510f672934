"""Section 1.5, data representation: strings, string pairs and Variable Byte Integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.packets import MQTT_5, Connect, Publish, Subscribe, Unsubscribe, Will
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import P, frame, pair, properties, u16, utf8, vbi

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt

ILL_FORMED: Final = {
    "byte FF": b"a\xff",
    "lone continuation": b"\x80a",
    "cut sequence": b"a\xc3",
    "overlong slash": b"\xc0\xaf",
    "overlong three bytes": b"\xe0\x80\x80",
    "high surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf",
    "surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "above 10FFFF": b"\xf4\x90\x80\x80",
}
NULL: Final = {"null": b"a\x00b"}
FULL_STOP: Final = pytest.mark.parametrize(
    "text", [pytest.param(text, id=name) for name, text in (ILL_FORMED | NULL).items()]
)


def connect_with(place: str, text: bytes, version: int) -> Connect:
    """A CONNECT that holds the bytes where a string must be."""
    match place:
        case "client id":
            return Connect(version=version, client_id=text)
        case "user name":
            return Connect(version=version, client_id="x", user_name=text)
        case "will topic":
            return Connect(version=version, client_id="x", will=Will(topic_name=text))
    raise ValueError(place)


@pytest.mark.spec(
    "MQTT-1.5.4-1",
    "MQTT-1.5.4-2",
    "MQTT-3.1.3-4",
    "MQTT-3.1.3-11",
    "MQTT-3.1.3-12",
    "MQTT-4.7.3-2",
    "MQTT311-1.5.3-1",
    "MQTT311-1.5.3-2",
    "MQTT311-3.1.3-4",
    "MQTT311-3.1.3-10",
    "MQTT311-3.1.3-11",
    "MQTT311-4.7.3-2",
)
@both_versions
@pytest.mark.parametrize("place", ["client id", "user name", "will topic"])
@FULL_STOP
def test_connect_with_a_bad_string_is_refused(
    mqtt: Mqtt, version: int, place: str, text: bytes
) -> None:
    """Goal: no CONNECT with ill-formed UTF-8 or U+0000 is accepted."""
    client = mqtt.open(version)
    client.send(connect_with(place, text, version))
    if version == MQTT_5:
        client.expect_refusal({MALFORMED, 0x85}, may_be_silent=True)
    else:
        client.expect_close()


@pytest.mark.spec(
    "MQTT-1.5.4-1",
    "MQTT-1.5.4-2",
    "MQTT-3.3.2-1",
    "MQTT-3.8.3-1",
    "MQTT-3.10.3-1",
    "MQTT-4.7.3-2",
    "MQTT311-1.5.3-1",
    "MQTT311-1.5.3-2",
    "MQTT311-3.3.2-1",
    "MQTT311-3.8.3-1",
    "MQTT311-3.10.3-1",
    "MQTT311-4.7.3-2",
)
@both_versions
@pytest.mark.parametrize("place", ["publish", "subscribe", "unsubscribe"])
@FULL_STOP
def test_topic_with_a_bad_string_ends_the_connection(
    mqtt: Mqtt, version: int, place: str, text: bytes
) -> None:
    """Goal: Topic Names and Topic Filters that are not proper strings are malformed."""
    client = mqtt.connect(version=version)
    packets: dict[str, Publish | Subscribe | Unsubscribe] = {
        "publish": Publish(topic_name=text),
        "subscribe": Subscribe(1, [(text, 0)]),
        "unsubscribe": Unsubscribe(1, [text]),
    }
    client.send(packets[place])
    client.expect_disconnect(MALFORMED)


PROPERTY_PLACES: Final = {
    "content type": lambda text: bytes([P.CONTENT_TYPE]) + utf8(text),
    "response topic": lambda text: bytes([P.RESPONSE_TOPIC]) + utf8(text),
    "user property name": lambda text: bytes([P.USER_PROPERTY]) + pair(text, "value"),
    "user property value": lambda text: bytes([P.USER_PROPERTY]) + pair("name", text),
}


@pytest.mark.spec("MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-1.5.7-1", "MQTT-3.3.2-13", "MQTT-3.3.2-19")
@pytest.mark.parametrize("place", PROPERTY_PLACES)
@FULL_STOP
def test_publish_property_with_a_bad_string_ends_the_connection(
    mqtt: Mqtt, place: str, text: bytes
) -> None:
    """Goal: strings inside the properties of PUBLISH are checked before they are forwarded."""
    client = mqtt.connect()
    client.send(Publish(topic_name=mqtt.topic(), properties=PROPERTY_PLACES[place](text)))
    client.expect_disconnect(MALFORMED)


@pytest.mark.spec("MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-1.5.7-1")
@pytest.mark.parametrize("place", PROPERTY_PLACES)
@FULL_STOP
def test_will_property_with_a_bad_string_is_refused(mqtt: Mqtt, place: str, text: bytes) -> None:
    """Goal: strings inside the Will Properties are checked at CONNECT."""
    client = mqtt.open()
    will = Will(topic_name=mqtt.topic(), properties=PROPERTY_PLACES[place](text))
    client.send(Connect(client_id=mqtt.new_client_id(), will=will))
    client.expect_refusal(MALFORMED, may_be_silent=True)


@pytest.mark.spec("MQTT-1.5.4-1", "MQTT-1.5.7-1")
@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\x82", id="subscribe"),
        pytest.param(b"\xa2", id="unsubscribe"),
    ],
)
@FULL_STOP
def test_request_with_a_bad_user_property_ends_the_connection(
    mqtt: Mqtt, head: bytes, text: bytes
) -> None:
    """Goal: User Properties of SUBSCRIBE and UNSUBSCRIBE are checked too."""
    client = mqtt.connect()
    body = u16(1) + properties(bytes([P.USER_PROPERTY]) + pair("name", text))
    body += utf8(mqtt.topic()) + (b"\x00" if head == b"\x82" else b"")
    client.send(frame(head[0], body))
    client.expect_disconnect(MALFORMED)


@pytest.mark.spec("MQTT-1.5.4-3", "MQTT311-1.5.3-3", "MQTT-4.7.3-4", "MQTT311-4.7.3-4")
@both_versions
def test_byte_order_mark_in_a_topic_is_kept_and_distinguishes(mqtt: Mqtt, version: int) -> None:
    """Goal: EF BB BF is a character like others, in front and in the middle of a topic."""
    marked = "\ufeff" + mqtt.topic("a\ufeffb")
    plain = marked.replace("\ufeff", "")
    subscriber = mqtt.connect(version=version)
    subscriber.subscribe(marked, plain)
    mqtt.connect(version=version).publish(marked, b"marked")
    message = subscriber.take()
    assert (message.topic_name, message.payload) == (marked, b"marked")
    mqtt.connect(version=version).publish(plain, b"plain")
    assert subscriber.take().topic_name == plain
    subscriber.expect_nothing()


@pytest.mark.spec("MQTT-1.5.4-3")
def test_byte_order_mark_in_properties_is_forwarded(mqtt: Mqtt) -> None:
    """Goal: the mark is not stripped from strings that are only passed on."""
    subscriber = mqtt.connect()
    subscriber.subscribe(mqtt.topic())
    sent = {P.CONTENT_TYPE: "\ufefftext", P.USER_PROPERTY: [("\ufeffname", "\ufeffvalue")]}
    mqtt.connect().publish(mqtt.topic(), b"x", properties=sent)
    assert subscriber.take().properties == sent


@pytest.mark.spec("MQTT-1.5.5-1")
@pytest.mark.parametrize("size", [127, 128, 16_383, 16_384, 200_000])
def test_packet_of_any_size_has_the_shortest_remaining_length(mqtt: Mqtt, size: int) -> None:
    """Goal: around each step of the encoding the length is minimal; the client checks it."""
    topic_name = mqtt.topic()
    payload = bytes(size - len(utf8(topic_name)) - 1)
    subscriber = mqtt.connect()
    subscriber.subscribe(topic_name)
    mqtt.connect().publish(topic_name, payload)
    assert subscriber.take().payload == payload
    assert subscriber.packet_bytes_seen_max == 1 + len(vbi(size)) + size


@pytest.mark.spec("MQTT-1.5.5-1")
@pytest.mark.parametrize("count", [127, 128, 16_383, 16_384])
def test_properties_of_any_size_have_the_shortest_length(mqtt: Mqtt, count: int) -> None:
    """Goal: the Property Length is minimal; the client checks it."""
    subscriber = mqtt.connect()
    subscriber.subscribe(mqtt.topic())
    sent = {P.CORRELATION_DATA: bytes(count - 3)}
    mqtt.connect().publish(mqtt.topic(), b"x", properties=sent)
    assert subscriber.take().properties == sent


OVERLONG: Final = {
    "remaining length of PINGREQ": b"\xc0\x80\x00",
    "remaining length in five bytes": b"\x30\xff\xff\xff\xff\x01",
    "remaining length never ends": b"\x30\x80\x80\x80\x80\x80",
    "property length": frame(0x30, utf8("a") + b"\x80\x00"),
    "subscription identifier": frame(0x82, u16(1) + b"\x03\x0b\x81\x00" + utf8("a") + b"\x00"),
}


@pytest.mark.spec("MQTT-1.5.5-1", "MQTT-4.13.1-1")
@pytest.mark.parametrize("data", OVERLONG.values(), ids=OVERLONG.keys())
def test_variable_byte_integer_that_is_too_long_ends_the_connection(
    mqtt: Mqtt, data: bytes
) -> None:
    """Goal: what is not the shortest form, or never ends, is malformed."""
    client = mqtt.connect()
    client.send(data)
    client.expect_disconnect({MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT311-4.8.0-1")
def test_remaining_length_of_five_bytes_ends_the_connection_in_3_1_1(mqtt: Mqtt) -> None:
    """Goal: a Remaining Length above its maximum is a violation in 3.1.1 too."""
    client = mqtt.connect(version=4)
    client.send(b"\x30\xff\xff\xff\xff\x01")
    client.expect_close()
