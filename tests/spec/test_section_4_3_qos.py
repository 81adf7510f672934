"""Sections 4.3 and 4.4: the delivery protocols of QoS 1 and 2, and what is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import Ack, Publish
from tests.support.versions import both_versions
from tests.support.wire import P, PacketType

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

T = PacketType


def subscribed(mqtt: Mqtt, version: int, qos: int = 2) -> Client:
    """A client with a Session that lasts and a subscription."""
    client = mqtt.connect_persistent(version=version)
    client.subscribe(mqtt.topic(), qos=qos)
    return client


@pytest.mark.spec("MQTT-4.3.1-1", "MQTT-3.3.1-2", "MQTT311-4.3.1-1", "MQTT311-3.3.1-2")
@both_versions
def test_qos_0_is_sent_once_with_dup_0(mqtt: Mqtt, version: int) -> None:
    """Goal: a message at QoS 0 is neither marked nor kept for a return."""
    first = subscribed(mqtt, version)
    mqtt.connect(version=version).publish(mqtt.topic(), b"x")
    message = first.expect(Publish)
    assert (message.qos, message.dup) == (0, False)
    first.drop()
    mqtt.resume(first).expect_nothing()


@pytest.mark.spec(
    "MQTT-4.3.2-3",
    "MQTT-4.4.0-1",
    "MQTT-3.3.1-1",
    "MQTT311-4.3.2-1",
    "MQTT311-4.4.0-1",
    "MQTT311-3.3.1-1",
    "MQTT311-2.3.1-4",
)
@both_versions
@pytest.mark.parametrize("qos", [1, 2])
def test_unacknowledged_publish_is_sent_again_on_resume(mqtt: Mqtt, version: int, qos: int) -> None:
    """Goal: same identifier, same message, DUP 1; as often as the client returns."""
    client = subscribed(mqtt, version)
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", qos)
    original = client.expect(Publish)
    assert original.dup is False
    for _ in range(2):
        client.drop()
        client = mqtt.resume(client)
        again = client.expect(Publish)
        assert (again.packet_id, again.dup) == (original.packet_id, True)
        assert (again.payload, again.qos) == (b"x", qos)
    client.acknowledge(again)
    client.drop()
    mqtt.resume(client).expect_nothing()


@pytest.mark.spec("MQTT-4.4.0-1")
@both_versions
@pytest.mark.parametrize("qos", [1, 2])
def test_nothing_is_sent_again_while_the_connection_lives(
    mqtt: Mqtt, version: int, qos: int
) -> None:
    """Goal: traffic and acknowledgements of others do not repeat what is unacknowledged."""
    client = subscribed(mqtt, version)
    publisher = mqtt.connect(version=version)
    publisher.publish(mqtt.topic(), b"held", qos)
    client.expect(Publish)
    for _ in range(3):
        publisher.publish(mqtt.topic(), b"x", qos)
        assert client.take().payload == b"x"
    client.expect_nothing()


@pytest.mark.spec("MQTT-4.4.0-1", "MQTT-4.3.2-3", "MQTT311-4.6.0-1")
@both_versions
def test_messages_are_sent_again_in_their_order_before_new_ones(mqtt: Mqtt, version: int) -> None:
    """Goal: on resume the unacknowledged ones come first, in the order of their first sending."""
    first = subscribed(mqtt, version)
    publisher = mqtt.connect(version=version)
    for index in range(6):
        publisher.publish(mqtt.topic(), b"%d" % index, qos=1 + index % 2)
    sent = [first.expect(Publish) for _ in range(6)]
    first.send(Ack(T.PUBACK, sent[2].packet_id or 0))
    first.expect_nothing()
    first.drop()
    publisher.publish(mqtt.topic(), b"new", qos=1)
    second = mqtt.resume(first)
    again = [second.expect(Publish) for _ in range(6)]
    assert [m.payload for m in again] == [b"0", b"1", b"3", b"4", b"5", b"new"]
    assert [m.dup for m in again] == [True] * 5 + [False]
    assert [m.packet_id for m in again[:5]] == [m.packet_id for m in sent if m.payload != b"2"]


@pytest.mark.spec(
    "MQTT-4.3.3-3",
    "MQTT-4.3.3-4",
    "MQTT-4.3.3-5",
    "MQTT-4.3.3-6",
    "MQTT-4.4.0-1",
    "MQTT311-4.3.3-1",
    "MQTT311-4.4.0-1",
)
@both_versions
def test_pubrel_is_sent_again_and_publish_is_not(mqtt: Mqtt, version: int) -> None:
    """Goal: after PUBREC a resumed Session goes on with PUBREL and the same identifier."""
    client = subscribed(mqtt, version)
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", qos=2)
    packet_id = client.expect(Publish).packet_id or 0
    client.send(Ack(T.PUBREC, packet_id))
    client.expect_ack(T.PUBREL, packet_id)
    for _ in range(2):
        client.drop()
        client = mqtt.resume(client)
        client.expect_ack(T.PUBREL, packet_id)
        client.expect_nothing()
    client.send(Ack(T.PUBCOMP, packet_id))
    client.expect_nothing()
    client.drop()
    mqtt.resume(client).expect_nothing()


@pytest.mark.spec("MQTT-4.3.3-4", "MQTT-4.3.3-6", "MQTT311-4.3.3-1")
@both_versions
def test_repeated_pubrec_gets_pubrel_again(mqtt: Mqtt, version: int) -> None:
    """Goal: PUBREC for a message that waits for PUBCOMP is answered again."""
    client = subscribed(mqtt, version)
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", qos=2)
    packet_id = client.expect(Publish).packet_id or 0
    for _ in range(2):
        client.send(Ack(T.PUBREC, packet_id))
        assert client.expect_ack(T.PUBREL, packet_id).reason_code == 0
    client.send(Ack(T.PUBCOMP, packet_id))
    client.expect_nothing()


@pytest.mark.spec("MQTT-4.4.0-2", "MQTT-4.3.3-4")
@pytest.mark.parametrize("code", [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
@pytest.mark.parametrize("packet_type", [T.PUBACK, T.PUBREC])
def test_refused_message_is_not_sent_again(mqtt: Mqtt, packet_type: PacketType, code: int) -> None:
    """Goal: 0x80 and above ends the delivery: no PUBREL, no repetition."""
    first = subscribed(mqtt, 5)
    qos = 1 if packet_type is T.PUBACK else 2
    mqtt.connect().publish(mqtt.topic(), b"x", qos)
    first.send(Ack(packet_type, first.expect(Publish).packet_id or 0, code))
    first.expect_nothing()
    first.drop()
    mqtt.resume(first).expect_nothing()


@pytest.mark.spec("MQTT-4.3.2-4", "MQTT-4.3.2-5", "MQTT311-4.3.2-2")
@both_versions
@pytest.mark.parametrize("dup", [False, True])
def test_identifier_after_puback_is_a_new_message(mqtt: Mqtt, version: int, *, dup: bool) -> None:
    """Goal: at QoS 1 the same identifier again is delivered again, whatever DUP says."""
    watcher, client = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=1)
    for payload in (b"one", b"two"):
        client.send(Publish(topic_name=mqtt.topic(), payload=payload, qos=1, packet_id=5, dup=dup))
        client.expect_ack(T.PUBACK, 5)
        message = watcher.take()
        assert (message.payload, message.dup) == (payload, False)


@pytest.mark.spec("MQTT-4.3.3-8", "MQTT-4.3.3-10", "MQTT-4.3.3-11", "MQTT311-4.3.3-2")
@both_versions
def test_repeated_publish_at_qos_2_is_delivered_once(mqtt: Mqtt, version: int) -> None:
    """Goal: until PUBREL each repetition gets PUBREC and reaches nobody a second time."""
    watcher, client = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    for dup in (False, True, True, False):
        client.send(Publish(topic_name=mqtt.topic(), payload=b"x", qos=2, packet_id=5, dup=dup))
        client.expect_ack(T.PUBREC, 5)
    client.send(Ack(T.PUBREL, 5))
    client.expect_ack(T.PUBCOMP, 5)
    assert watcher.take().payload == b"x"
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-4.3.3-10", "MQTT-4.4.0-1", "MQTT311-4.3.3-2")
@both_versions
def test_repeated_publish_after_a_return_is_delivered_once(mqtt: Mqtt, version: int) -> None:
    """Goal: the receiver's memory of QoS 2 identifiers belongs to the Session."""
    watcher, first = mqtt.connect(version=version), mqtt.connect_persistent(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    message = Publish(topic_name=mqtt.topic(), payload=b"x", qos=2, packet_id=5)
    first.send(message)
    first.expect_ack(T.PUBREC, 5)
    first.drop()
    second = mqtt.resume(first)
    second.send(Publish(topic_name=mqtt.topic(), payload=b"x", qos=2, packet_id=5, dup=True))
    second.expect_ack(T.PUBREC, 5)
    second.send(Ack(T.PUBREL, 5))
    second.expect_ack(T.PUBCOMP, 5)
    assert watcher.take().payload == b"x"
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-4.3.3-11", "MQTT311-4.3.3-2")
@both_versions
def test_pubrel_after_a_return_is_completed(mqtt: Mqtt, version: int) -> None:
    """Goal: a PUBREL that was lost with the connection still finds its exchange."""
    watcher, first = mqtt.connect(version=version), mqtt.connect_persistent(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    first.send(Publish(topic_name=mqtt.topic(), payload=b"x", qos=2, packet_id=5))
    first.expect_ack(T.PUBREC, 5)
    first.drop()
    second = mqtt.resume(first)
    second.send(Ack(T.PUBREL, 5))
    assert second.expect_ack(T.PUBCOMP, 5).reason_code == 0
    assert watcher.take().payload == b"x"


@pytest.mark.spec("MQTT-4.3.3-12", "MQTT311-4.3.3-2")
@both_versions
@pytest.mark.parametrize("dup", [False, True])
def test_identifier_after_pubcomp_is_a_new_message(mqtt: Mqtt, version: int, *, dup: bool) -> None:
    """Goal: once the exchange is over the identifier is free, whatever DUP says."""
    watcher, client = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    for payload in (b"one", b"two"):
        client.send(Publish(topic_name=mqtt.topic(), payload=payload, qos=2, packet_id=5, dup=dup))
        client.expect_ack(T.PUBREC, 5)
        client.send(Ack(T.PUBREL, 5))
        client.expect_ack(T.PUBCOMP, 5)
        assert watcher.take().payload == payload


@pytest.mark.spec("MQTT-4.3.3-13", "MQTT-4.3.3-11")
def test_expired_message_does_not_break_the_handshake(mqtt: Mqtt) -> None:
    """Goal: a message that expires at once is still acknowledged to the end."""
    client = mqtt.connect()
    for interval_s in (0, 1):
        properties = {P.MESSAGE_EXPIRY_INTERVAL: interval_s}
        assert client.publish(mqtt.topic(), b"x", 2, properties=properties) is not None
    client.expect_nothing()


@pytest.mark.spec("MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-2.2.1-4")
@both_versions
def test_identifiers_of_both_directions_are_independent(mqtt: Mqtt, version: int) -> None:
    """Goal: client and server may use the same identifier for different messages at once."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic(), qos=2)
    mqtt.connect(version=version).publish(mqtt.topic(), b"down", qos=2)
    packet_id = client.expect(Publish).packet_id or 0
    up = Publish(topic_name=mqtt.topic("up"), payload=b"up", qos=2, packet_id=packet_id)
    client.send(up, Ack(T.PUBREC, packet_id))
    client.wait_for(T.PUBREC, packet_id)
    client.wait_for(T.PUBREL, packet_id)
    client.send(Ack(T.PUBREL, packet_id), Ack(T.PUBCOMP, packet_id))
    client.expect_ack(T.PUBCOMP, packet_id)
    client.expect_nothing()


@pytest.mark.spec("MQTT-4.5.0-1", "MQTT311-4.5.0-1")
@both_versions
def test_each_matching_session_gets_its_copy(mqtt: Mqtt, version: int) -> None:
    """Goal: online, offline and at each QoS: everybody who subscribed gets the message."""
    online = [subscribed(mqtt, version, qos) for qos in (0, 1, 2)]
    offline = [subscribed(mqtt, version, qos) for qos in (1, 2)]
    for client in offline:
        client.disconnect()
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", qos=2)
    assert [client.take().qos for client in online] == [0, 1, 2]
    assert [mqtt.resume(client).take().qos for client in offline] == [1, 2]
