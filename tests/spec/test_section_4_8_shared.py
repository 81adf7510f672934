"""Section 4.8.2: shared subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import Ack, Publish, Suback, Subscribe
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import PacketType

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

BAD = {MALFORMED, PROTOCOL_ERROR}


def find_chosen(first: Client, second: Client) -> tuple[Client, Client, Publish]:
    """Which of two members got the one message, which did not, and the message."""
    for chosen, other in ((first, second), (second, first)):
        packets = chosen.collect()
        if packets:
            (message,) = packets
            assert isinstance(message, Publish)
            return chosen, other, message
    raise AssertionError("no member got the message")


def members(mqtt: Mqtt, count: int, qos: int = 1, group: str = "group") -> list[Client]:
    """Clients that share one subscription."""
    clients = [mqtt.connect_persistent() for _ in range(count)]
    for client in clients:
        assert client.subscribe(f"$share/{group}/{mqtt.topic()}", qos=qos) == [qos]
    return clients


@pytest.mark.spec("MQTT-4.8.2-1", "MQTT-4.8.2-2")
@pytest.mark.parametrize(
    "topic_filter",
    [
        "$share/",
        "$share/group",
        "$share/group/",
        "$share//topic",
        "$share/gr+up/topic",
        "$share/gr#up/topic",
        "$share/+/topic",
        "$share/#",
        "$share/group/a#",
        "$share/group/#/a",
        "$share/group/a+",
    ],
)
def test_malformed_shared_filter_is_refused(mqtt: Mqtt, topic_filter: str) -> None:
    """Goal: ShareName and Topic Filter must both be there and valid."""
    client = mqtt.connect()
    client.send(Subscribe(1, [(topic_filter, 0)]))
    packet = client.receive()
    if isinstance(packet, Suback):
        assert packet.reason_codes == [0x8F]
    else:
        assert getattr(packet, "reason_code", None) in {*BAD, 0x8F}, packet
        client.expect_close()


@pytest.mark.spec("MQTT-4.8.2-1", "MQTT-4.8.2-2")
@pytest.mark.parametrize("group", ["g", "a b", "ü", "$share", "x" * 200, "share.name-1"])
def test_any_share_name_without_separators_works(mqtt: Mqtt, group: str) -> None:
    """Goal: legal ShareNames are accepted and lead to the topic."""
    (client,) = members(mqtt, 1, group=group)
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1)
    assert client.take().topic_name == mqtt.topic()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_goes_to_one_member_in_turn(mqtt: Mqtt, qos: int) -> None:
    """Goal: nothing is lost or doubled, and the members take turns."""
    clients = members(mqtt, 3, qos=2)
    publisher = mqtt.connect()
    for number in range(30):
        publisher.publish(mqtt.topic(), b"%d" % number, qos)
    received: list[int] = []
    for client in clients:
        mine: list[int] = []
        for packet in client.collect():
            assert isinstance(packet, Publish)
            client.acknowledge(packet)
            mine.append(int(packet.payload))
        assert len(mine) == 10
        assert mine == sorted(mine)
        received += mine
    assert sorted(received) == list(range(30))


@pytest.mark.spec("MQTT-4.5.0-1")
def test_groups_and_plain_subscribers_each_get_a_copy(mqtt: Mqtt) -> None:
    """Goal: two groups and a plain subscriber are three deliveries; both kinds can be one's own."""
    (first,) = members(mqtt, 1, group="one")
    (second,) = members(mqtt, 1, group="two")
    plain = mqtt.connect()
    plain.subscribe(mqtt.topic())
    second.subscribe(mqtt.topic())
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1)
    assert first.take().payload == b"x"
    assert plain.take().payload == b"x"
    assert [second.take().payload for _ in range(2)] == [b"x", b"x"]
    for client in (first, second, plain):
        client.expect_nothing()


@pytest.mark.spec("MQTT-4.8.2-3", "MQTT-3.8.4-8")
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_granted_qos_of_the_member_holds(mqtt: Mqtt, granted: int, published: int) -> None:
    """Goal: a shared delivery has the lower one of published and granted QoS."""
    (client,) = members(mqtt, 1, qos=granted)
    mqtt.connect().publish(mqtt.topic(), b"x", published)
    assert client.take().qos == min(granted, published)


@pytest.mark.spec("MQTT-4.8.2-3")
def test_members_may_have_different_qos(mqtt: Mqtt) -> None:
    """Goal: each delivery has the QoS of the member that gets it."""
    (low,) = members(mqtt, 1, qos=0)
    (high,) = members(mqtt, 1, qos=2)
    publisher = mqtt.connect()
    for _ in range(4):
        publisher.publish(mqtt.topic(), b"x", qos=2)
    assert [packet.qos for packet in low.collect() if isinstance(packet, Publish)] == [0, 0]
    assert [high.take().qos for _ in range(2)] == [2, 2]


@both_versions
def test_retained_message_is_not_sent_to_a_shared_subscription(mqtt: Mqtt, version: int) -> None:
    """Goal: section 4.8.2: retained messages are not sent when a shared subscription begins."""
    publisher = mqtt.connect(version=version)
    publisher.publish(mqtt.topic(), b"kept", retain=True)
    client = mqtt.connect(version=version)
    client.subscribe(f"$share/group/{mqtt.topic()}")
    client.expect_nothing()
    publisher.publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT-4.8.2-4", "MQTT-4.4.0-1")
@pytest.mark.parametrize("stage", ["publish", "pubrec"])
def test_broken_qos_2_delivery_is_finished_with_the_same_member(mqtt: Mqtt, stage: str) -> None:
    """Goal: once begun, a QoS 2 delivery waits for its member; the others do not get it."""
    first, second = members(mqtt, 2, qos=2)
    mqtt.connect().publish(mqtt.topic(), b"x", qos=2)
    chosen, other, sent = find_chosen(first, second)
    packet_id = sent.packet_id or 0
    if stage == "pubrec":
        chosen.send(Ack(PacketType.PUBREC, packet_id))
        chosen.expect_ack(PacketType.PUBREL, packet_id)
    chosen.drop()
    mqtt.settle()
    other.expect_nothing()
    back = mqtt.resume(chosen)
    if stage == "pubrec":
        back.expect_ack(PacketType.PUBREL, packet_id)
        back.send(Ack(PacketType.PUBCOMP, packet_id))
    else:
        again = back.take()
        assert (again.payload, again.packet_id, again.dup) == (b"x", packet_id, True)
    other.expect_nothing()


@pytest.mark.spec("MQTT-4.8.2-5")
def test_qos_2_message_of_a_session_that_ends_goes_to_nobody_else(mqtt: Mqtt) -> None:
    """Goal: a delivery that has begun dies with its member's Session."""
    first, second = members(mqtt, 2, qos=2)
    mqtt.connect().publish(mqtt.topic(), b"x", qos=2)
    chosen, other, _ = find_chosen(first, second)
    chosen.drop()
    mqtt.connect(client_id=chosen.client_id).disconnect()  # Clean Start 1 ends the Session
    mqtt.settle()
    other.expect_nothing()


@pytest.mark.spec("MQTT-4.8.2-6", "MQTT-4.4.0-2")
@pytest.mark.parametrize("qos", [1, 2])
def test_message_that_its_member_refuses_goes_to_nobody_else(mqtt: Mqtt, qos: int) -> None:
    """Goal: PUBACK or PUBREC 0x80 and above discards the message for the whole group."""
    first, second = members(mqtt, 2, qos=2)
    mqtt.connect().publish(mqtt.topic(), b"x", qos)
    chosen, other, sent = find_chosen(first, second)
    ack_type = PacketType.PUBACK if qos == 1 else PacketType.PUBREC
    chosen.send(Ack(ack_type, sent.packet_id or 0, 0x97))
    chosen.expect_nothing()
    other.expect_nothing()


def test_member_that_leaves_takes_no_more_messages(mqtt: Mqtt) -> None:
    """Goal: after UNSUBSCRIBE the others get everything."""
    first, second = members(mqtt, 2)
    publisher = mqtt.connect()
    assert first.unsubscribe(f"$share/group/{mqtt.topic()}") == [0]
    for number in range(4):
        publisher.publish(mqtt.topic(), b"%d" % number, qos=1)
    assert [second.take().payload for _ in range(4)] == [b"0", b"1", b"2", b"3"]
    first.expect_nothing()


def test_connected_member_is_preferred_to_one_that_is_offline(mqtt: Mqtt) -> None:
    """Goal: while somebody is there, nothing waits for somebody who is not."""
    first, second = members(mqtt, 2)
    first.drop()
    publisher = mqtt.connect()
    for number in range(6):
        publisher.publish(mqtt.topic(), b"%d" % number, qos=1)
    assert [second.take().payload for _ in range(6)] == [b"%d" % n for n in range(6)]
