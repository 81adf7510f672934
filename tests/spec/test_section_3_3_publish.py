"""Sections 3.3.1 and 3.3.2.1: the flags of PUBLISH and its Topic Name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import MQTT_5, Ack, Publish
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import PacketType, frame, u16, utf8

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt

TOPIC_NAME_INVALID = 0x90


@pytest.mark.spec("MQTT-3.3.1-4", "MQTT311-3.3.1-4")
@both_versions
def test_publish_at_qos_3_ends_the_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: both QoS bits set is malformed."""
    client = mqtt.connect(version=version)
    none = b"\x00" if version == MQTT_5 else b""
    client.send(frame(0x36, utf8(mqtt.topic()) + u16(1) + none + b"x"))
    client.expect_disconnect(MALFORMED)


@pytest.mark.spec("MQTT-3.3.1-2", "MQTT311-3.3.1-2")
@both_versions
def test_publish_with_dup_at_qos_0_ends_the_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: a message at QoS 0 cannot be a duplicate."""
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name=mqtt.topic(), payload=b"x", dup=True))
    client.expect_disconnect({MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT-3.3.1-3", "MQTT-4.3.2-2", "MQTT-4.3.3-2", "MQTT-4.3.1-1", "MQTT311-3.3.1-3")
@both_versions
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_incoming_dup_is_not_passed_on(mqtt: Mqtt, version: int, qos: int, granted: int) -> None:
    """Goal: a first delivery has DUP 0 although the publisher sent DUP 1."""
    watcher, client = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=granted)
    client.send(Publish(topic_name=mqtt.topic(), payload=b"x", qos=qos, dup=True, packet_id=1))
    client.expect_ack(PacketType.PUBACK if qos == 1 else PacketType.PUBREC, 1)
    if qos == 2:
        client.send(Ack(PacketType.PUBREL, 1))
        client.expect_ack(PacketType.PUBCOMP, 1)
    message = watcher.take()
    assert (message.dup, message.qos) == (False, min(qos, granted))


@pytest.mark.spec("MQTT-3.3.2-2", "MQTT-4.7.0-1", "MQTT311-3.3.2-2", "MQTT311-4.7.1-1")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("topic_name", ["#", "+", "a/#", "a/+/b", "a+", "#a"])
def test_wildcard_in_a_topic_name_ends_the_connection(
    mqtt: Mqtt, version: int, topic_name: str, qos: int
) -> None:
    """Goal: + and # are for filters only."""
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name=topic_name, qos=qos, packet_id=1 if qos else None))
    client.expect_disconnect({TOPIC_NAME_INVALID, MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT-4.7.3-1", "MQTT311-4.7.3-1")
@both_versions
def test_empty_topic_name_ends_the_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: a Topic Name has at least one character, unless an alias stands for it."""
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name="", payload=b"x"))
    client.expect_disconnect({TOPIC_NAME_INVALID, MALFORMED, PROTOCOL_ERROR})


@pytest.mark.spec("MQTT-3.3.2-1", "MQTT-3.3.2-3", "MQTT311-3.3.2-1", "MQTT311-3.3.2-3")
@both_versions
@pytest.mark.parametrize(
    "name", ["/", "//", "a b", "/lead", "trail/", "Ünïcode/日本/😀", "a" * 1000, " "]
)
def test_topic_name_arrives_as_it_was_sent(mqtt: Mqtt, version: int, name: str) -> None:
    """Goal: unusual but legal names reach exactly the subscription that matches them."""
    client = mqtt.connect(version=version)
    topic_name = mqtt.topic(name)
    client.subscribe(topic_name)
    mqtt.connect(version=version).publish(topic_name, b"x")
    assert client.take().topic_name == topic_name


@pytest.mark.spec("MQTT-3.3.4-1", "MQTT311-3.3.4-1", "MQTT-3.4.2-1", "MQTT-3.5.2-1")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_publish_is_answered_as_its_qos_asks(mqtt: Mqtt, version: int, qos: int, size: int) -> None:
    """Goal: nothing, PUBACK, or PUBREC and PUBCOMP; and nothing else."""
    client, watcher = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    answer = client.publish(mqtt.topic(), bytes(size), qos)
    assert answer is None or answer.reason_code == 0
    assert watcher.take().payload == bytes(size)
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.4.2-1", "MQTT-3.5.2-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_publish_that_nobody_wants_gets_0x10(mqtt: Mqtt, qos: int) -> None:
    """Goal: No matching subscribers is told, and the handshake goes on as usual."""
    client = mqtt.connect()
    answer = client.publish(mqtt.topic(), b"x", qos)
    assert answer is not None
    assert answer.reason_code == 0x10
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.4.2-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_publish_that_an_offline_session_wants_gets_0x00(mqtt: Mqtt, qos: int) -> None:
    """Goal: a Session that is not connected counts as a subscriber."""
    sleeper = mqtt.connect_persistent()
    sleeper.subscribe(mqtt.topic(), qos=1)
    sleeper.disconnect()
    answer = mqtt.connect().publish(mqtt.topic(), b"x", qos)
    assert answer is not None
    assert answer.reason_code == 0
