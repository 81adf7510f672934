"""Sections 3.10 to 3.12: UNSUBSCRIBE, UNSUBACK and PINGREQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import MQTT_5, Ack, Ping, Publish, Suback, Unsubscribe
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, all_versions, both_versions
from tests.support.wire import PacketType, frame, u16

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt

BAD = {MALFORMED, PROTOCOL_ERROR}
NO_SUBSCRIPTION_EXISTED = 0x11


@pytest.mark.spec("MQTT-3.10.3-2", "MQTT311-3.10.3-2")
@both_versions
@pytest.mark.parametrize("rest", [b"", u16(9) + b"abc"], ids=["nothing", "half a filter"])
def test_unsubscribe_without_a_filter_ends_the_connection(
    mqtt: Mqtt, version: int, rest: bytes
) -> None:
    """Goal: an UNSUBSCRIBE names at least one filter."""
    client = mqtt.connect(version=version)
    client.send(frame(0xA2, u16(1) + (b"\x00" if version == MQTT_5 else b"") + rest))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-3.10.4-1", "MQTT-3.10.4-2", "MQTT311-3.10.4-1", "MQTT311-3.10.4-2")
@both_versions
@pytest.mark.parametrize("name", ["a/b", "a/+", "a/#", "+/b", "#"])
def test_exact_filter_is_unsubscribed(mqtt: Mqtt, version: int, name: str) -> None:
    """Goal: after UNSUBACK no message comes for the filter any more."""
    client, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    client.subscribe(mqtt.topic(name))
    publisher.publish(mqtt.topic("a/b"), b"before")
    assert client.take().payload == b"before"
    assert client.unsubscribe(mqtt.topic(name)) == ([0] if version == MQTT_5 else [])
    publisher.publish(mqtt.topic("a/b"), b"after")
    client.expect_nothing()


@pytest.mark.spec(
    "MQTT-3.10.4-1", "MQTT-3.10.4-5", "MQTT-3.11.3-2", "MQTT311-3.10.4-1", "MQTT311-3.10.4-5"
)
@both_versions
@pytest.mark.parametrize("other", ["A/b", "a/b/", "/a/b", "a/+", "a/#", "#", "a"])
def test_filter_that_only_resembles_is_not_unsubscribed(
    mqtt: Mqtt, version: int, other: str
) -> None:
    """Goal: filters are compared, not matched; UNSUBACK comes all the same, with 0x11."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic("a/b"))
    codes = client.unsubscribe(mqtt.topic(other))
    assert codes == ([NO_SUBSCRIPTION_EXISTED] if version == MQTT_5 else [])
    mqtt.connect(version=version).publish(mqtt.topic("a/b"), b"x")
    assert client.take().payload == b"x"


@pytest.mark.spec(
    "MQTT-3.10.4-4",
    "MQTT-3.10.4-5",
    "MQTT-3.10.4-6",
    "MQTT-3.11.3-1",
    "MQTT-3.11.3-2",
    "MQTT311-3.10.4-4",
    "MQTT311-3.10.4-6",
)
@both_versions
def test_several_filters_get_one_unsuback_in_order(mqtt: Mqtt, version: int) -> None:
    """Goal: each filter is dealt with, each has its code at its place."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic("a"), mqtt.topic("c"))
    client.send(Unsubscribe(99, [mqtt.topic(name) for name in "abcda"]))
    unsuback = client.expect(Suback)
    assert (unsuback.type, unsuback.packet_id) == (PacketType.UNSUBACK, 99)
    assert unsuback.reason_codes == ([0, 0x11, 0, 0x11, 0x11] if version == MQTT_5 else [])
    for name in "ac":
        mqtt.connect(version=version).publish(mqtt.topic(name), b"x")
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.10.4-3", "MQTT311-3.10.4-3")
@both_versions
@pytest.mark.parametrize("qos", [1, 2])
def test_delivery_that_has_begun_is_completed(mqtt: Mqtt, version: int, qos: int) -> None:
    """Goal: the handshake of a message in flight goes on after UNSUBSCRIBE."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic(), qos=2)
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", qos)
    message = client.expect(Publish)
    client.unsubscribe(mqtt.topic())
    assert message.packet_id is not None
    if qos == 2:
        client.send(Ack(PacketType.PUBREC, message.packet_id))
        client.expect_ack(PacketType.PUBREL, message.packet_id)
        client.send(Ack(PacketType.PUBCOMP, message.packet_id))
    else:
        client.send(Ack(PacketType.PUBACK, message.packet_id))
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.10.4-3", "MQTT-4.4.0-1", "MQTT311-3.10.4-3")
@both_versions
def test_delivery_that_has_begun_is_repeated_on_resume(mqtt: Mqtt, version: int) -> None:
    """Goal: an unacknowledged message outlives its subscription."""
    first = mqtt.connect_persistent(version=version)
    first.subscribe(mqtt.topic(), qos=1)
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", qos=1)
    message = first.expect(Publish)
    first.unsubscribe(mqtt.topic())
    first.drop()
    again = mqtt.resume(first).take()
    assert (again.payload, again.packet_id, again.dup) == (b"x", message.packet_id, True)


@pytest.mark.spec("MQTT-3.10.4-1")
def test_shared_and_plain_subscription_are_unsubscribed_apart(mqtt: Mqtt) -> None:
    """Goal: $share/g/t and t are different filters."""
    client = mqtt.connect()
    shared = f"$share/g/{mqtt.topic()}"
    client.subscribe(shared, mqtt.topic())
    assert client.unsubscribe(mqtt.topic()) == [0]
    mqtt.connect().publish(mqtt.topic(), b"x")
    assert client.take().payload == b"x"
    assert client.unsubscribe(shared) == [0]
    mqtt.connect().publish(mqtt.topic(), b"x")
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.12.4-1", "MQTT311-3.12.4-1")
@all_versions
def test_each_pingreq_gets_a_pingresp(mqtt: Mqtt, version: int) -> None:
    """Goal: as many answers as questions, also when they come in one segment."""
    client = mqtt.connect(version=version)
    client.send(*[Ping(PacketType.PINGREQ)] * 20)
    for _ in range(20):
        assert client.expect(Ping).type is PacketType.PINGRESP
    client.expect_nothing()
