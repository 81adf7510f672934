"""Section 2.2.1: Packet Identifiers in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import MQTT_5, Ack, Publish
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import PacketType, frame, u16, utf8

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt

BAD = {MALFORMED, PROTOCOL_ERROR}
IDS_MAX = 65_535
BATCH = 50


@pytest.mark.spec("MQTT-2.2.1-3", "MQTT311-2.3.1-1")
@both_versions
@pytest.mark.parametrize(
    ("head", "tail"),
    [
        pytest.param(0x82, utf8("a") + b"\x00", id="SUBSCRIBE"),
        pytest.param(0xA2, utf8("a"), id="UNSUBSCRIBE"),
        pytest.param(0x32, b"", id="PUBLISH-QoS-1"),
        pytest.param(0x34, b"", id="PUBLISH-QoS-2"),
    ],
)
def test_request_with_packet_identifier_0_ends_the_connection(
    mqtt: Mqtt, version: int, head: int, tail: bytes
) -> None:
    """Goal: Packet Identifier 0 does not exist."""
    client = mqtt.connect(version=version)
    topic = utf8(mqtt.topic()) if head & 0xF0 == 0x30 else b""
    none = b"\x00" if version == MQTT_5 else b""
    client.send(frame(head, topic + u16(0) + none + tail))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-2.2.1-2", "MQTT311-2.3.1-5")
@both_versions
def test_publish_at_qos_0_has_no_packet_identifier(mqtt: Mqtt, version: int) -> None:
    """Goal: what follows the topic at QoS 0 is payload from its first byte on, both ways."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic())
    client.publish(mqtt.topic(), b"\x00\x01payload")
    message = client.take()
    assert (message.packet_id, message.payload) == (None, b"\x00\x01payload")


@pytest.mark.spec("MQTT-2.2.1-6", "MQTT311-2.3.1-7", "MQTT-3.8.4-2", "MQTT311-3.8.4-2")
@both_versions
@pytest.mark.parametrize("packet_id", [1, 255, 256, 65_535])
def test_suback_and_unsuback_repeat_the_identifier(
    mqtt: Mqtt, version: int, packet_id: int
) -> None:
    """Goal: any identifier from 1 to 65,535 comes back; subscribe() checks it."""
    client = mqtt.connect(version=version)
    client._packet_id = packet_id - 1
    assert client.subscribe(mqtt.topic()) == [0]
    client._packet_id = packet_id - 1
    client.unsubscribe(mqtt.topic())
    client.expect_nothing()


@pytest.mark.spec("MQTT-2.2.1-5", "MQTT311-2.3.1-6")
@both_versions
@pytest.mark.parametrize("packet_id", [1, 255, 256, 65_535])
def test_acknowledgements_repeat_the_identifier(mqtt: Mqtt, version: int, packet_id: int) -> None:
    """Goal: PUBACK, PUBREC and PUBCOMP carry the identifier of the PUBLISH."""
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name=mqtt.topic(), qos=1, packet_id=packet_id))
    client.expect_ack(PacketType.PUBACK, packet_id)
    client.send(Publish(topic_name=mqtt.topic(), qos=2, packet_id=packet_id))
    client.expect_ack(PacketType.PUBREC, packet_id)
    client.send(Ack(PacketType.PUBREL, packet_id))
    client.expect_ack(PacketType.PUBCOMP, packet_id)


@pytest.mark.spec(
    "MQTT-2.2.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT311-2.3.1-4", "MQTT311-4.3.2-1"
)
@both_versions
def test_messages_in_flight_have_different_identifiers_in_sequence(
    mqtt: Mqtt, version: int
) -> None:
    """Goal: the server counts its identifiers up and reuses none that is in flight."""
    subscriber, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    subscriber.subscribe(mqtt.topic(), qos=2)
    for index in range(10):
        publisher.publish(mqtt.topic(), b"%d" % index, qos=1 + index % 2)
    ids = [subscriber.expect(Publish).packet_id or 0 for _ in range(10)]
    assert ids == list(range(ids[0], ids[0] + 10))


@pytest.mark.slow
@pytest.mark.spec("MQTT-2.2.1-4", "MQTT-4.3.2-1", "MQTT311-2.3.1-4")
def test_identifiers_wrap_without_0_and_without_those_in_flight(mqtt: Mqtt) -> None:
    """Goal: after 65,535 the count begins again at 1 and jumps over what is unacknowledged."""
    subscriber, publisher = mqtt.connect(), mqtt.connect()
    subscriber.subscribe(mqtt.topic(), qos=1)
    publisher.publish(mqtt.topic(), b"held", qos=1)
    held = subscriber.expect(Publish).packet_id
    left = IDS_MAX + BATCH
    while left > 0:
        publisher.send(
            *(
                Publish(topic_name=mqtt.topic(), qos=1, packet_id=each)
                for each in range(1, BATCH + 1)
            )
        )
        received = [subscriber.expect(Publish).packet_id or 0 for _ in range(BATCH)]
        assert held not in received
        assert len(set(received)) == BATCH
        subscriber.send(*(Ack(PacketType.PUBACK, each) for each in received))
        for _ in range(BATCH):
            publisher.expect_ack(PacketType.PUBACK)
        left -= BATCH


@pytest.mark.spec("MQTT-2.2.1-5", "MQTT-3.7.2-1", "MQTT-3.6.2-1")
def test_qos_2_packets_for_an_unknown_identifier_get_0x92(mqtt: Mqtt) -> None:
    """Goal: PUBREL and PUBREC that belong to nothing are answered, with 0x92, in 5.0."""
    client = mqtt.connect()
    client.send(Ack(PacketType.PUBREL, 77))
    assert client.expect_ack(PacketType.PUBCOMP, 77).reason_code == 0x92
    client.send(Ack(PacketType.PUBREC, 78))
    assert client.expect_ack(PacketType.PUBREL, 78).reason_code == 0x92
    client.expect_nothing()


def test_acknowledgements_for_an_unknown_identifier_are_ignored(mqtt: Mqtt) -> None:
    """Goal: a stray PUBACK or PUBCOMP does not end the connection."""
    client = mqtt.connect()
    client.send(Ack(PacketType.PUBACK, 77), Ack(PacketType.PUBCOMP, 78))
    client.expect_nothing()


@pytest.mark.spec("MQTT311-4.3.3-2")
def test_pubrel_for_an_unknown_identifier_gets_pubcomp_in_3_1_1(mqtt: Mqtt) -> None:
    """Goal: a repeated PUBREL after a lost PUBCOMP must be answered."""
    client = mqtt.connect(version=4)
    client.send(Ack(PacketType.PUBREL, 77))
    client.expect_ack(PacketType.PUBCOMP, 77)
