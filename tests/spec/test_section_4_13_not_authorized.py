"""Sections 3.4.2.1, 3.5.2.1, 3.9.3 and 5.4.2: what a client gets that is not authorized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support import configs
from tests.support.packets import MQTT_5, Ack, Publish, Suback, Subscribe
from tests.support.versions import both_versions
from tests.support.wire import PacketType

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.mqtt import Mqtt

NOT_AUTHORIZED: Final = 0x87
ACL: Final = "deny all secret/#\ndefault allow\n"


@pytest.fixture
def mqtt(mqtt_with: MqttFactory) -> Mqtt:
    """A broker where nobody may touch secret/#."""
    return mqtt_with(configs.ACL, {"acl": ACL})


@pytest.mark.spec("MQTT311-3.3.5-2", "MQTT-3.4.2-1", "MQTT-3.5.2-1")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_that_is_not_allowed_is_answered_and_not_stored(
    mqtt: Mqtt, version: int, qos: int
) -> None:
    """Goal: 5.0 is told 0x87; 3.1.1 gets the usual answer; nothing is retained."""
    client = mqtt.connect(version=version)
    answer = client.publish("secret/a", b"x", qos, retain=True)
    if answer is not None:
        assert answer.reason_code == (NOT_AUTHORIZED if version == MQTT_5 else 0)
    client.expect_nothing()
    assert not mqtt.get_retained("#", version)


@pytest.mark.spec("MQTT311-3.3.5-2", "MQTT-4.13.2-1")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_that_is_not_allowed_can_end_the_connection(
    mqtt_with: MqttFactory, version: int, qos: int
) -> None:
    """Goal: the operator's other choice: DISCONNECT 0x87, in 3.1.1 the close."""
    mqtt = mqtt_with(configs.ACL_THAT_DISCONNECTS, {"acl": ACL})
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name="secret/a", qos=qos, packet_id=1 if qos else None))
    client.expect_disconnect(NOT_AUTHORIZED)


@pytest.mark.spec("MQTT-4.3.3-9", "MQTT-3.5.2-1")
def test_identifier_after_a_refusing_pubrec_is_a_new_message(mqtt: Mqtt) -> None:
    """Goal: PUBREC 0x87 frees the identifier at once; no PUBREL is needed."""
    watcher, client = mqtt.connect(), mqtt.connect()
    watcher.subscribe(mqtt.topic(), qos=2)
    for _ in range(2):
        client.send(Publish(topic_name="secret/a", qos=2, packet_id=5))
        assert client.expect_ack(PacketType.PUBREC, 5).reason_code == NOT_AUTHORIZED
    client.send(Publish(topic_name=mqtt.topic(), payload=b"new", qos=2, packet_id=5))
    assert client.expect_ack(PacketType.PUBREC, 5).reason_code == 0
    client.send(Ack(PacketType.PUBREL, 5))
    assert client.expect_ack(PacketType.PUBCOMP, 5).reason_code == 0
    assert watcher.take().payload == b"new"
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-3.8.4-7", "MQTT-3.9.3-1", "MQTT311-3.8.4-5", "MQTT311-3.9.3-2")
@both_versions
def test_subscription_that_is_not_allowed_fails_alone(mqtt: Mqtt, version: int) -> None:
    """Goal: SUBACK says 0x87 (0x80 in 3.1.1) for one filter and grants the others."""
    client = mqtt.connect(version=version)
    client.send(Subscribe(1, [(mqtt.topic("a"), 1), ("secret/#", 1), (mqtt.topic("b"), 2)]))
    refused = NOT_AUTHORIZED if version == MQTT_5 else 0x80
    assert client.expect(Suback).reason_codes == [1, refused, 2]


def test_wildcard_subscription_does_not_lead_around_the_acl(mqtt: Mqtt) -> None:
    """Goal: a filter that covers more than is allowed gets only what is allowed."""
    watcher = mqtt.connect()
    assert watcher.subscribe("#") == [0]
    client = mqtt.connect()
    client.publish("secret/a", b"hidden", qos=1)
    client.publish(mqtt.topic(), b"seen", qos=1)
    assert [getattr(packet, "payload", None) for packet in watcher.collect()] == [b"seen"]
