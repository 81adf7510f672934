"""Section 4.6: messages keep the order in which a publisher sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import Ack, Publish
from tests.support.versions import both_versions
from tests.support.wire import PacketType

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

COUNT = 100
WINDOW = 20  # within the Receive Maximum of any broker


def publish_all(client: Client, topic_name: str, qos: int, first: int, count: int) -> None:
    """Send numbered messages in one segment."""
    client.send(
        *(
            Publish(
                topic_name=topic_name,
                payload=b"%d" % number,
                qos=qos,
                packet_id=number + 1 if qos else None,
            )
            for number in range(first, first + count)
        )
    )


@pytest.mark.spec("MQTT-4.6.0-5", "MQTT-4.6.0-6", "MQTT311-4.6.0-5", "MQTT311-4.6.0-6")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_arrive_in_the_order_they_were_sent(mqtt: Mqtt, version: int, qos: int) -> None:
    """Goal: a burst keeps its order for each subscriber, at its own QoS."""
    watchers = [mqtt.connect(version=version) for _ in range(3)]
    for granted, watcher in enumerate(watchers):
        watcher.subscribe(mqtt.topic(), qos=granted)
    publisher = mqtt.connect(version=version)
    for start in range(0, COUNT, WINDOW):
        publish_all(publisher, mqtt.topic(), qos, start, WINDOW)
        for number in range(start, start + WINDOW if qos == 2 else start):
            publisher.wait_for(PacketType.PUBREC, number + 1)
            publisher.send(Ack(PacketType.PUBREL, number + 1))
            publisher.wait_for(PacketType.PUBCOMP, number + 1)
    for watcher in watchers:
        assert [watcher.take().payload for _ in range(COUNT)] == [
            b"%d" % number for number in range(COUNT)
        ]


@pytest.mark.spec("MQTT-4.6.0-5", "MQTT311-4.6.0-6")
@both_versions
def test_order_holds_across_the_offline_queue_and_the_window(mqtt: Mqtt, version: int) -> None:
    """Goal: in flight, then queued, then live: one sequence without holes."""
    first = mqtt.connect_persistent(version=version)
    first.subscribe(mqtt.topic(), qos=1)
    publisher = mqtt.connect(version=version)
    publish_all(publisher, mqtt.topic(), 1, 0, 5)
    for _ in range(5):
        first.expect(Publish)
    first.drop()
    for start in range(5, 5 + COUNT, WINDOW):
        publish_all(publisher, mqtt.topic(), 1, start, WINDOW)
        for number in range(start, start + WINDOW):
            publisher.wait_for(PacketType.PUBACK, number + 1)
    second = mqtt.resume(first)
    publish_all(publisher, mqtt.topic(), 1, 5 + COUNT, 5)
    received = [second.take().payload for _ in range(10 + COUNT)]
    assert received == [b"%d" % number for number in range(10 + COUNT)]


@pytest.mark.spec("MQTT-4.6.0-5", "MQTT311-4.6.0-6")
@both_versions
def test_order_of_each_publisher_holds_among_several(mqtt: Mqtt, version: int) -> None:
    """Goal: publishers mix, but none overtakes itself."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=1)
    publishers = [mqtt.connect(version=version) for _ in range(4)]
    for part in range(5):
        for index, publisher in enumerate(publishers):
            publisher.send(
                *(
                    Publish(
                        topic_name=mqtt.topic(),
                        payload=b"%d:%d" % (index, part * 10 + number),
                        qos=1,
                        packet_id=part * 10 + number + 1,
                    )
                    for number in range(10)
                )
            )
    seen: dict[bytes, list[int]] = {}
    for _ in range(4 * 50):
        name, _, number = watcher.take().payload.partition(b":")
        seen.setdefault(name, []).append(int(number))
    assert seen == {b"%d" % index: list(range(50)) for index in range(4)}


@pytest.mark.spec("MQTT311-4.6.0-2", "MQTT311-4.6.0-3", "MQTT311-4.6.0-4")
@both_versions
def test_acknowledgements_come_in_the_order_of_the_packets(mqtt: Mqtt, version: int) -> None:
    """Goal: PUBACKs among themselves, and PUBRECs, PUBRELs and PUBCOMPs, keep the order."""
    client = mqtt.connect(version=version)
    publish_all(client, mqtt.topic("qos1"), 1, 0, 20)
    pubacks = [client.expect_ack(PacketType.PUBACK).packet_id for _ in range(20)]
    assert pubacks == list(range(1, 21))
    publish_all(client, mqtt.topic("qos2"), 2, 0, 20)
    pubrecs = [client.expect_ack(PacketType.PUBREC).packet_id for _ in range(20)]
    assert pubrecs == list(range(1, 21))
    client.send(*(Ack(PacketType.PUBREL, packet_id) for packet_id in pubrecs))
    pubcomps = [client.expect_ack(PacketType.PUBCOMP).packet_id for _ in range(20)]
    assert pubcomps == list(range(1, 21))


@pytest.mark.spec("MQTT311-4.6.0-4", "MQTT-4.3.3-4")
@both_versions
def test_pubrels_come_in_the_order_of_the_pubrecs(mqtt: Mqtt, version: int) -> None:
    """Goal: as a sender, the server answers PUBREC after PUBREC."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect(version=version)
    for number in range(10):
        publisher.publish(mqtt.topic(), b"%d" % number, qos=2)
    ids = [client.expect(Publish).packet_id or 0 for _ in range(10)]
    shuffled = ids[5:] + ids[:5]
    client.send(*(Ack(PacketType.PUBREC, packet_id) for packet_id in shuffled))
    assert [client.expect_ack(PacketType.PUBREL).packet_id for _ in range(10)] == shuffled
