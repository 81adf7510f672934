"""Section 3.3.4: overlapping subscriptions, Subscription Identifiers and Receive Maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import configs
from tests.support.packets import Ack, Ping, Publish
from tests.support.versions import both_versions
from tests.support.wire import P, PacketType

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.mqtt import Mqtt

SUB_ID = P.SUBSCRIPTION_IDENTIFIER
RECEIVE_MAXIMUM_EXCEEDED = 0x93


@pytest.mark.spec("MQTT-3.3.4-2", "MQTT311-3.3.5-1")
@both_versions
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_overlapping_subscriptions_deliver_at_the_highest_qos(
    mqtt: Mqtt, version: int, published: int, order: tuple[int, int, int]
) -> None:
    """Goal: one message, at the highest granted QoS, bounded by the published one."""
    client = mqtt.connect(version=version)
    filters = [mqtt.topic("a/b"), mqtt.topic("a/+"), mqtt.topic("#")]
    for topic_filter, qos in zip(filters, order, strict=True):
        client.subscribe(topic_filter, qos=qos)
    mqtt.connect(version=version).publish(mqtt.topic("a/b"), b"x", published)
    assert client.take().qos == published
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.3.4-3", "MQTT-3.3.4-4")
def test_subscription_identifiers_of_all_matches_are_sent(mqtt: Mqtt) -> None:
    """Goal: the single copy carries the identifier of each matching subscription that has one."""
    client = mqtt.connect()
    client.subscribe(mqtt.topic("a/b"), properties={SUB_ID: [1]})
    client.subscribe(mqtt.topic("a/+"), properties={SUB_ID: [268_435_455]})
    client.subscribe(mqtt.topic("a/#"))
    client.subscribe(mqtt.topic("other"), properties={SUB_ID: [3]})
    mqtt.connect().publish(mqtt.topic("a/b"), b"x")
    found = client.take().properties[SUB_ID]
    assert isinstance(found, list)
    assert set(found) == {1, 268_435_455}
    mqtt.connect().publish(mqtt.topic("a/c"), b"x")
    assert client.take().properties == {SUB_ID: [268_435_455]}
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.3.4-3")
def test_subscription_identifier_holds_for_each_filter_of_a_subscribe(mqtt: Mqtt) -> None:
    """Goal: one SUBSCRIBE gives all its filters the same identifier."""
    client = mqtt.connect()
    client.subscribe(mqtt.topic("a"), mqtt.topic("b"), properties={SUB_ID: [7]})
    for name in "ab":
        mqtt.connect().publish(mqtt.topic(name), b"x")
        assert client.take().properties == {SUB_ID: [7]}


@pytest.mark.spec("MQTT-3.3.4-3", "MQTT-3.8.4-3")
def test_subscription_identifier_is_replaced_with_its_subscription(mqtt: Mqtt) -> None:
    """Goal: subscribing again changes the identifier, or takes it away."""
    client = mqtt.connect()
    publisher = mqtt.connect()
    for properties in ({SUB_ID: [1]}, {SUB_ID: [2]}, {}):
        client.subscribe(mqtt.topic(), properties=properties)
        publisher.publish(mqtt.topic(), b"x")
        assert client.take().properties == properties


@pytest.mark.spec("MQTT-3.3.4-3")
def test_retained_and_queued_messages_carry_the_identifier(mqtt: Mqtt) -> None:
    """Goal: stored messages are sent because of a subscription too, so they carry it."""
    publisher = mqtt.connect()
    publisher.publish(mqtt.topic(), b"kept", qos=1, retain=True)
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic(), qos=1, properties={SUB_ID: [9]})
    assert first.take().properties == {SUB_ID: [9]}
    first.disconnect()
    publisher.publish(mqtt.topic(), b"queued", qos=1)
    assert mqtt.resume(first).take().properties == {SUB_ID: [9]}
    publisher.publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT-3.3.4-3", "MQTT-4.8.2-3")
def test_shared_subscription_carries_its_identifier(mqtt: Mqtt) -> None:
    """Goal: Subscription Identifiers work for shared subscriptions."""
    client = mqtt.connect()
    shared = f"$share/group/{mqtt.topic()}"
    client.subscribe(shared, properties={SUB_ID: [5]})
    mqtt.connect().publish(mqtt.topic(), b"x")
    assert client.take().properties == {SUB_ID: [5]}


@pytest.mark.spec("MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2")
@pytest.mark.parametrize("maximum", [1, 3, 10])
@pytest.mark.parametrize("qos", [1, 2])
def test_server_keeps_to_the_receive_maximum(mqtt: Mqtt, maximum: int, qos: int) -> None:
    """Goal: never more unacknowledged messages than the client allows; one ack lets one in."""
    client = mqtt.connect(properties={P.RECEIVE_MAXIMUM: maximum})
    client.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect()
    total = maximum + 3
    for index in range(total):
        publisher.publish(mqtt.topic(), b"%d" % index, qos)
    window = [client.expect(Publish) for _ in range(maximum)]
    client.expect_nothing()
    for index in range(total):
        message = window.pop(0)
        assert message.payload == b"%d" % index
        client.acknowledge(message)
        if index + maximum < total:
            window.append(client.expect(Publish))
        client.expect_nothing()


@pytest.mark.spec("MQTT-3.3.4-9", "MQTT-4.9.0-2")
def test_pubrec_alone_does_not_free_the_window(mqtt: Mqtt) -> None:
    """Goal: at QoS 2 a message counts until PUBCOMP."""
    client = mqtt.connect(properties={P.RECEIVE_MAXIMUM: 1})
    client.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect()
    for payload in (b"one", b"two"):
        publisher.publish(mqtt.topic(), payload, qos=2)
    packet_id = client.expect(Publish).packet_id or 0
    client.send(Ack(PacketType.PUBREC, packet_id))
    client.expect_ack(PacketType.PUBREL, packet_id)
    client.expect_nothing()
    client.send(Ack(PacketType.PUBCOMP, packet_id))
    assert client.take().payload == b"two"


@pytest.mark.spec("MQTT-3.3.4-9", "MQTT-4.4.0-2")
@pytest.mark.parametrize("packet_type", [PacketType.PUBACK, PacketType.PUBREC])
def test_refused_delivery_frees_the_window(mqtt: Mqtt, packet_type: PacketType) -> None:
    """Goal: PUBACK or PUBREC with 0x80 or above ends the exchange and lets the next one in."""
    client = mqtt.connect(properties={P.RECEIVE_MAXIMUM: 1})
    client.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect()
    qos = 1 if packet_type is PacketType.PUBACK else 2
    for payload in (b"one", b"two"):
        publisher.publish(mqtt.topic(), payload, qos)
    client.send(Ack(packet_type, client.expect(Publish).packet_id or 0, 0x83))
    assert client.take().payload == b"two"
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.3.4-10", "MQTT-4.9.0-3")
def test_full_window_delays_nothing_but_messages_above_qos_0(mqtt: Mqtt) -> None:
    """Goal: PINGRESP, SUBACK, PUBACK and QoS 0 messages come although the window is full."""
    client = mqtt.connect(properties={P.RECEIVE_MAXIMUM: 1})
    client.subscribe(mqtt.topic(), qos=1)
    publisher = mqtt.connect()
    for _ in range(3):
        publisher.publish(mqtt.topic(), b"window", qos=1)
    client.expect(Publish)
    client.expect_nothing()
    client.send(Ping(PacketType.PINGREQ))
    assert client.expect(Ping).type is PacketType.PINGRESP
    assert client.subscribe(mqtt.topic("other")) == [0]
    answer = client.publish(mqtt.topic("other"), b"qos 0 passes", qos=1)
    assert answer is not None
    assert client.take().payload == b"qos 0 passes"
    assert client.unsubscribe(mqtt.topic("other")) == [0]


@pytest.mark.spec("MQTT-3.3.4-7")
@pytest.mark.parametrize("count", [3, 4])
def test_client_above_the_servers_receive_maximum_gets_0x93(
    mqtt_with: MqttFactory, count: int
) -> None:
    """Goal: Receive Maximum is told; that many QoS 2 exchanges may be open, one more may not."""
    mqtt = mqtt_with(configs.FEW_INFLIGHT)
    client = mqtt.connect()
    assert client.connack.properties[P.RECEIVE_MAXIMUM] == 3
    for packet_id in range(1, count + 1):
        client.send(Publish(topic_name=mqtt.topic(), qos=2, packet_id=packet_id))
        if packet_id <= 3:
            client.expect_ack(PacketType.PUBREC, packet_id)
    if count > 3:
        client.expect_disconnect(RECEIVE_MAXIMUM_EXCEEDED)
    else:
        client.expect_nothing()


@pytest.mark.spec("MQTT-3.3.4-8", "MQTT-4.9.0-3")
def test_server_answers_other_packets_while_the_clients_window_is_full(
    mqtt_with: MqttFactory,
) -> None:
    """Goal: with all QoS 2 exchanges open, PINGREQ, SUBSCRIBE and QoS 0 go on."""
    mqtt = mqtt_with(configs.FEW_INFLIGHT)
    client = mqtt.connect()
    for packet_id in (1, 2, 3):
        client.send(Publish(topic_name=mqtt.topic(), qos=2, packet_id=packet_id))
        client.expect_ack(PacketType.PUBREC, packet_id)
    client.expect_nothing()
    assert client.subscribe(mqtt.topic("other")) == [0]
    client.publish(mqtt.topic("other"), b"x")
    assert client.take().payload == b"x"
    for packet_id in (1, 2, 3):
        client.send(Ack(PacketType.PUBREL, packet_id))
        client.expect_ack(PacketType.PUBCOMP, packet_id)


@pytest.mark.spec("MQTT-4.9.0-2")
def test_servers_own_window_bounds_clients_of_3_1_1(mqtt_with: MqttFactory) -> None:
    """Goal: 3.1.1 names no Receive Maximum, so the configured window holds."""
    mqtt = mqtt_with(configs.FEW_INFLIGHT)
    client = mqtt.connect(version=4)
    client.subscribe(mqtt.topic(), qos=1)
    publisher = mqtt.connect()
    for index in range(6):
        publisher.publish(mqtt.topic(), b"%d" % index, qos=1)
    assert len(client.collect()) == 4


@pytest.mark.spec("MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2", "MQTT-4.4.0-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_repetition_on_resume_keeps_to_a_smaller_receive_maximum(mqtt: Mqtt, qos: int) -> None:
    """Goal: what is sent again counts too; the new connection's maximum holds from the start."""
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect()
    for index in range(10):
        publisher.publish(mqtt.topic(), b"%d" % index, qos)
    sent = [first.expect(Publish) for _ in range(10)]
    first.drop()
    second = mqtt.resume(first, properties={P.RECEIVE_MAXIMUM: 3})
    window = [second.expect(Publish) for _ in range(3)]
    second.expect_nothing()
    for index in range(10):
        message = window.pop(0)
        assert (message.payload, message.dup) == (b"%d" % index, True)
        assert message.packet_id == sent[index].packet_id
        second.acknowledge(message)
        if index + 3 < 10:
            window.append(second.expect(Publish))
        second.expect_nothing()
