"""Section 3.3.2.3.4: Topic Aliases, from clients and to clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import configs
from tests.support.packets import Publish
from tests.support.wire import P

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

ALIAS_INVALID = 0x94


def alias(value: int) -> dict[P, int]:
    """The property."""
    return {P.TOPIC_ALIAS: value}


def alias_max(client: Client) -> int:
    """How many aliases the server lets this client use."""
    maximum = client.connack.properties.get(P.TOPIC_ALIAS_MAXIMUM, 0)
    assert isinstance(maximum, int)
    return maximum


@pytest.mark.spec("MQTT-3.3.2-12")
def test_every_alias_up_to_the_maximum_is_accepted(mqtt: Mqtt) -> None:
    """Goal: each alias can be set and then used without a Topic Name."""
    client = mqtt.connect()
    client.subscribe(f"{mqtt.prefix}/#")
    numbers = range(1, alias_max(client) + 1)
    assert numbers
    for number in numbers:
        client.send(Publish(topic_name=mqtt.topic(str(number)), properties=alias(number)))
        assert client.take().topic_name == mqtt.topic(str(number))
    for number in numbers:
        client.send(Publish(topic_name="", payload=b"again", properties=alias(number)))
        message = client.take()
        assert (message.topic_name, message.payload) == (mqtt.topic(str(number)), b"again")
        assert P.TOPIC_ALIAS not in message.properties


@pytest.mark.spec("MQTT-3.3.2-12")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_alias_can_be_given_a_new_topic(mqtt: Mqtt, qos: int) -> None:
    """Goal: a Topic Name beside a known alias replaces what it stands for."""
    client = mqtt.connect()
    watcher = mqtt.connect()
    watcher.subscribe(f"{mqtt.prefix}/#", qos=2)
    for name in ("a", "b"):
        client.publish(mqtt.topic(name), b"set", qos, properties=alias(1))
        client.publish("", b"use", qos, properties=alias(1))
    topics = [watcher.take().topic_name for _ in range(4)]
    assert topics == [mqtt.topic(name) for name in "aabb"]


@pytest.mark.spec("MQTT-3.3.2-8")
def test_alias_0_ends_the_connection(mqtt: Mqtt) -> None:
    """Goal: alias 0 is never valid."""
    client = mqtt.connect()
    client.send(Publish(topic_name=mqtt.topic(), properties=alias(0)))
    client.expect_disconnect({ALIAS_INVALID, 0x82})


@pytest.mark.spec("MQTT-3.3.2-9", "MQTT-3.2.2-17")
def test_alias_above_the_maximum_ends_the_connection(mqtt: Mqtt) -> None:
    """Goal: one more than the maximum is too much."""
    client = mqtt.connect()
    client.send(Publish(topic_name=mqtt.topic(), properties=alias(alias_max(client) + 1)))
    client.expect_disconnect(ALIAS_INVALID)


@pytest.mark.spec("MQTT-3.2.2-18")
def test_alias_where_none_is_allowed_ends_the_connection(mqtt_with: MqttFactory) -> None:
    """Goal: Topic Alias Maximum 0, or none, forbids aliases."""
    mqtt = mqtt_with(configs.NO_ALIASES)
    client = mqtt.connect()
    assert alias_max(client) == 0
    client.send(Publish(topic_name=mqtt.topic(), properties=alias(1)))
    client.expect_disconnect(ALIAS_INVALID)


@pytest.mark.spec("MQTT-4.13.1-1")
def test_alias_that_stands_for_nothing_ends_the_connection(mqtt: Mqtt) -> None:
    """Goal: an empty Topic Name with an alias that was never set is a Protocol Error."""
    client = mqtt.connect()
    client.send(Publish(topic_name="", properties=alias(1)))
    client.expect_disconnect({0x82, ALIAS_INVALID})


@pytest.mark.spec("MQTT-3.3.2-7")
def test_aliases_of_a_client_end_with_the_connection(mqtt: Mqtt) -> None:
    """Goal: a resumed Session has no aliases of the connection before."""
    first = mqtt.connect_persistent()
    first.publish(mqtt.topic(), b"set", qos=1, properties=alias(1))
    first.drop()
    second = mqtt.resume(first)
    assert second.connack.session_present
    second.send(Publish(topic_name="", properties=alias(1)))
    second.expect_disconnect({0x82, ALIAS_INVALID})


@pytest.mark.spec("MQTT-3.1.2-27")
@pytest.mark.parametrize("properties", [{}, {P.TOPIC_ALIAS_MAXIMUM: 0}], ids=["absent", "0"])
def test_client_without_alias_maximum_gets_no_alias(mqtt: Mqtt, properties: dict[P, int]) -> None:
    """Goal: the server uses no alias unless it may."""
    client = mqtt.connect(properties=properties)
    client.subscribe(mqtt.topic())
    publisher = mqtt.connect()
    for _ in range(10):
        publisher.publish(mqtt.topic(), b"x")
        message = client.take()
        assert (message.topic_name, message.properties) == (mqtt.topic(), {})


def resolve(message: Publish, known: dict[int, str], maximum: int) -> str:
    """The Topic Name that a message with or without alias stands for."""
    number = message.properties.get(P.TOPIC_ALIAS)  # type: ignore[union-attr]
    name = message.topic_name
    assert isinstance(name, str)
    if number is None:
        return name
    assert isinstance(number, int)
    assert 1 <= number <= maximum
    if name:
        known[number] = name
    return known[number]


@pytest.mark.spec("MQTT-3.1.2-26", "MQTT-3.3.2-11")
@pytest.mark.parametrize("maximum", [1, 3, 65_535])
@pytest.mark.parametrize("qos", [0, 1])
def test_server_aliases_keep_to_the_clients_maximum(mqtt: Mqtt, maximum: int, qos: int) -> None:
    """Goal: whatever aliases the server picks, they are in range and lead to the topic."""
    client = mqtt.connect(properties={P.TOPIC_ALIAS_MAXIMUM: maximum})
    client.subscribe(f"{mqtt.prefix}/#", qos=qos)
    publisher = mqtt.connect()
    known: dict[int, str] = {}
    for turn in range(4):
        for index in range(6):
            name = mqtt.topic(f"{index}/{'x' * 20}")
            publisher.publish(name, b"%d" % turn, qos)
            assert resolve(client.take(), known, maximum) == name


def test_server_does_use_aliases_for_a_repeated_topic(mqtt: Mqtt) -> None:
    """Goal: aliases to clients exist: a topic that comes often is sent once."""
    client = mqtt.connect(properties={P.TOPIC_ALIAS_MAXIMUM: 10})
    client.subscribe(mqtt.topic())
    publisher = mqtt.connect()
    names = []
    for _ in range(10):
        publisher.publish(mqtt.topic(), b"x")
        names.append(client.take().topic_name)
    assert "" in names


@pytest.mark.spec("MQTT-3.3.2-7")
def test_server_aliases_begin_anew_with_each_connection(mqtt: Mqtt) -> None:
    """Goal: after a return the first use of an alias carries the Topic Name again."""
    properties = {P.TOPIC_ALIAS_MAXIMUM: 10}
    first = mqtt.connect_persistent(properties=properties)
    first.subscribe(mqtt.topic(), qos=1)
    publisher = mqtt.connect()
    for _ in range(5):
        publisher.publish(mqtt.topic(), b"x", qos=1)
        first.take()
    publisher.publish(mqtt.topic(), b"unacknowledged", qos=1)
    first.expect(Publish)
    first.drop()
    publisher.publish(mqtt.topic(), b"queued", qos=1)
    second = mqtt.resume(first, properties=properties)
    known: dict[int, str] = {}
    for _ in range(2):
        assert resolve(second.take(), known, 10) == mqtt.topic()


@pytest.mark.spec("MQTT-3.1.2-24", "MQTT-3.3.2-11")
def test_message_too_large_for_the_client_does_not_set_an_alias(mqtt: Mqtt) -> None:
    """Goal: an alias that was only in a discarded packet is not used afterwards."""
    client = mqtt.connect(properties={P.TOPIC_ALIAS_MAXIMUM: 10, P.MAXIMUM_PACKET_SIZE: 100})
    client.subscribe(mqtt.topic())
    publisher = mqtt.connect()
    publisher.publish(mqtt.topic(), bytes(100))
    known: dict[int, str] = {}
    for _ in range(3):
        publisher.publish(mqtt.topic(), b"small")
        assert resolve(client.take(), known, 10) == mqtt.topic()
