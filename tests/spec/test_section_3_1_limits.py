"""Section 3.1.2.10 and 3.1.2.11: Keep Alive, and the limits that a client asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.mqtt import Mqtt, wait_out
from tests.support.packets import (
    Ack,
    Connect,
    Farewell,
    Ping,
    Publish,
    Suback,
    Subscribe,
    Unsubscribe,
    Will,
)
from tests.support.versions import both_versions
from tests.support.wire import P, PacketType

if TYPE_CHECKING:
    from tests.conftest import MqttFactory

CLOSE_DEADLINE_S: Final = 10.0

KEEP_ALIVE_CONFIG: Final = """
[[listener]]
name = "test"
address = "{address}"
anonymous = true
keep_alive_s_max = 1
"""


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.1.2-22", "MQTT311-3.1.2-24", "MQTT-3.2.2-22")
@both_versions
def test_silent_client_is_closed_and_its_will_published(mqtt: Mqtt, version: int) -> None:
    """Goal: after one and a half Keep Alive of silence the connection counts as failed."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    will = Will(topic_name=mqtt.topic(), payload=b"gone")
    client = mqtt.connect(version=version, keep_alive_s=1, will=will)
    assert P.SERVER_KEEP_ALIVE not in client.connack.properties
    if version == 5:
        client.expect_disconnect(0x8D, CLOSE_DEADLINE_S)
    else:
        client.expect_close(CLOSE_DEADLINE_S)
    assert watcher.take().payload == b"gone"


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.1.2-22", "MQTT311-3.1.2-24")
@both_versions
@pytest.mark.parametrize("packet", ["PINGREQ", "PUBLISH"])
def test_any_packet_keeps_the_connection_alive(mqtt: Mqtt, version: int, packet: str) -> None:
    """Goal: a client that sends something each 0.8 s lives on with Keep Alive 1."""
    client = mqtt.connect(version=version, keep_alive_s=1)
    for _ in range(2):
        wait_out(0.8)
        if packet == "PINGREQ":
            client.send(Ping(PacketType.PINGREQ))
            client.wait_for(PacketType.PINGRESP)
        else:
            client.send(Publish(topic_name=mqtt.topic()))
    client.expect_nothing()


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.1.2-22")
def test_packets_from_the_server_do_not_keep_a_client_alive(mqtt: Mqtt) -> None:
    """Goal: only what the client sends counts; QoS 0 deliveries to it do not."""
    client = mqtt.connect(keep_alive_s=1)
    client.subscribe(mqtt.topic())
    publisher = mqtt.connect()
    closed = False
    for _ in range(30):
        publisher.publish(mqtt.topic(), b"x")
        packet = client.receive()
        if not isinstance(packet, Publish):
            closed = True
            break
        wait_out(0.1)
    assert closed


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.1.2-22", "MQTT311-3.1.2-24")
@both_versions
def test_keep_alive_0_is_never_closed(mqtt: Mqtt, version: int) -> None:
    """Goal: 0 turns the mechanism off."""
    client = mqtt.connect(version=version, keep_alive_s=0)
    wait_out(0.5)
    client.expect_nothing()


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.2.2-21")
@pytest.mark.parametrize("keep_alive_s", [0, 60])
def test_server_keep_alive_is_told_and_enforced(mqtt_with: MqttFactory, keep_alive_s: int) -> None:
    """Goal: where the broker has a maximum, 5.0 clients are told it and held to it."""
    client = mqtt_with(KEEP_ALIVE_CONFIG, version=4).connect(keep_alive_s=keep_alive_s)
    assert client.connack.properties[P.SERVER_KEEP_ALIVE] == 1
    client.expect_disconnect(0x8D, CLOSE_DEADLINE_S)


@pytest.mark.slow
@pytest.mark.spec("MQTT311-3.1.2-24")
def test_server_keep_alive_does_not_bind_3_1_1(mqtt_with: MqttFactory) -> None:
    """Goal: 3.1.1 cannot be told, so its clients keep their value, 0 included."""
    client = mqtt_with(KEEP_ALIVE_CONFIG, version=4).connect(version=4, keep_alive_s=0)
    wait_out(1.8)
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.1.2-24", "MQTT-3.1.2-25")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_message_too_large_for_the_client_is_discarded(mqtt: Mqtt, qos: int) -> None:
    """Goal: a too large message is left out and the next one comes; nothing is stuck."""
    client = mqtt.connect(properties={P.MAXIMUM_PACKET_SIZE: 100, P.RECEIVE_MAXIMUM: 1})
    client.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect()
    publisher.publish(mqtt.topic(), bytes(100), qos)
    publisher.publish(mqtt.topic(), b"small", qos)
    assert client.take().payload == b"small"
    client.expect_nothing()
    assert client.packet_bytes_seen_max <= 100


@pytest.mark.spec("MQTT-3.1.2-24")
@pytest.mark.parametrize("extra", [0, 1])
def test_maximum_packet_size_counts_the_whole_packet(mqtt: Mqtt, extra: int) -> None:
    """Goal: a PUBLISH of exactly the maximum is delivered, one byte more is not."""
    limit = 100
    client = mqtt.connect(properties={P.MAXIMUM_PACKET_SIZE: limit})
    client.subscribe(mqtt.topic())
    overhead = len(Publish(topic_name=mqtt.topic()).encode(5))
    mqtt.connect().publish(mqtt.topic(), bytes(limit - overhead + extra))
    assert len(client.collect()) == 1 - extra


@pytest.mark.spec("MQTT-3.1.2-24", "MQTT-3.1.2-25")
def test_queued_and_retained_messages_keep_to_the_maximum_packet_size(mqtt: Mqtt) -> None:
    """Goal: the limit of the new connection holds for what was stored before it."""
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic("queued"), qos=1)
    first.disconnect()
    publisher = mqtt.connect()
    for payload in (bytes(200), b"small"):
        publisher.publish(mqtt.topic("queued"), payload, qos=1)
    publisher.publish(mqtt.topic("retained"), bytes(200), qos=1, retain=True)
    second = mqtt.resume(first, properties={P.MAXIMUM_PACKET_SIZE: 100})
    assert second.take().payload == b"small"
    second.subscribe(mqtt.topic("retained"), qos=1)
    second.expect_nothing()
    publisher.publish(mqtt.topic("retained"), retain=True)


@pytest.mark.spec("MQTT-3.1.2-24", "MQTT-3.1.2-25")
@pytest.mark.parametrize("qos", [1, 2])
def test_repetition_on_resume_keeps_to_a_smaller_maximum_packet_size(mqtt: Mqtt, qos: int) -> None:
    """Goal: a message in flight that has become too large counts as delivered."""
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic(), qos=2)
    publisher = mqtt.connect()
    for payload in (bytes(200), b"small"):
        publisher.publish(mqtt.topic(), payload, qos)
        first.expect(Publish)
    first.drop()
    small = {P.MAXIMUM_PACKET_SIZE: 100, P.RECEIVE_MAXIMUM: 1}
    second = mqtt.resume(first, properties=small)
    assert second.take().payload == b"small"
    publisher.publish(mqtt.topic(), b"next", qos)
    assert second.take().payload == b"next"
    assert second.packet_bytes_seen_max <= 100


@pytest.mark.spec(
    "MQTT-3.1.2-24",
    "MQTT-3.4.2-2",
    "MQTT-3.4.2-3",
    "MQTT-3.5.2-2",
    "MQTT-3.5.2-3",
    "MQTT-3.6.2-2",
    "MQTT-3.6.2-3",
    "MQTT-3.7.2-2",
    "MQTT-3.7.2-3",
    "MQTT-3.9.2-1",
    "MQTT-3.9.2-2",
    "MQTT-3.11.2-1",
    "MQTT-3.11.2-2",
    "MQTT-3.14.2-3",
    "MQTT-3.14.2-4",
)
def test_reasons_never_make_a_packet_too_large(mqtt: Mqtt) -> None:
    """Goal: answers that could explain themselves stay within 8 bytes if that is the limit."""
    limit = 8
    client = mqtt.connect(properties={P.MAXIMUM_PACKET_SIZE: limit})
    client.packet_bytes_seen_max = 0
    client.send(Publish(topic_name=mqtt.topic(), qos=1, packet_id=1))
    assert client.expect_ack(PacketType.PUBACK, 1).reason_code == 0x10
    client.send(Publish(topic_name=mqtt.topic(), qos=2, packet_id=2))
    assert client.expect_ack(PacketType.PUBREC, 2).reason_code == 0x10
    client.send(Ack(PacketType.PUBREL, 3), Ack(PacketType.PUBREC, 4))
    client.expect_ack(PacketType.PUBCOMP, 3)
    client.expect_ack(PacketType.PUBREL, 4)
    client.send(Unsubscribe(5, [mqtt.topic("never")]))
    assert client.expect(Suback).reason_codes == [0x11]
    client.send(Subscribe(6, [("bad/#/filter", 0)]))
    packet = client.receive()
    if isinstance(packet, Suback):  # a refused filter may also end the connection
        assert packet.reason_codes == [0x8F]
        client.send(b"\x00\x00")
        packet = client.receive()
    assert isinstance(packet, Farewell)
    client.expect_close()
    assert client.packet_bytes_seen_max <= limit


@pytest.mark.spec("MQTT-3.2.2-19", "MQTT-3.2.2-20")
def test_connack_of_a_refusal_keeps_to_the_maximum_packet_size(mqtt: Mqtt) -> None:
    """Goal: a CONNACK that refuses fits into the client's limit, if it comes at all."""
    limit = 6
    client = mqtt.open()
    properties = {P.MAXIMUM_PACKET_SIZE: limit, P.AUTHENTICATION_METHOD: "none-such"}
    client.send(Connect(client_id="a", properties=properties))
    client.expect_refusal({0x8C, 0x87}, may_be_silent=True)
    assert client.packet_bytes_seen_max <= limit


@pytest.mark.spec("MQTT-3.1.2-29")
def test_without_problem_information_no_acknowledgement_explains_itself(mqtt: Mqtt) -> None:
    """Goal: Request Problem Information 0 keeps Reason Strings out of acknowledgements."""
    client = mqtt.connect(properties={P.REQUEST_PROBLEM_INFORMATION: 0})
    client.send(Publish(topic_name=mqtt.topic(), qos=1, packet_id=1))
    client.send(Publish(topic_name=mqtt.topic(), qos=2, packet_id=2))
    client.send(Ack(PacketType.PUBREL, 3), Ack(PacketType.PUBREC, 4))
    client.send(Unsubscribe(6, [mqtt.topic("never")]))
    client.send(Subscribe(5, [("$share/group", 0)]))
    while packet := client.receive():
        found = getattr(packet, "properties", {})
        is_disconnect = getattr(packet, "type", None) is PacketType.DISCONNECT
        assert is_disconnect or not {P.REASON_STRING, P.USER_PROPERTY} & set(found), packet
        if isinstance(packet, Suback) and packet.type is PacketType.SUBACK:
            break


@pytest.mark.spec("MQTT-3.1.2-29")
def test_without_problem_information_user_properties_are_still_forwarded(mqtt: Mqtt) -> None:
    """Goal: PUBLISH is exempt: its User Properties belong to the message."""
    client = mqtt.connect(properties={P.REQUEST_PROBLEM_INFORMATION: 0})
    client.subscribe(mqtt.topic())
    sent = {P.USER_PROPERTY: [("name", "value")]}
    client.publish(mqtt.topic(), b"x", properties=sent)
    assert client.take().properties == sent


@pytest.mark.spec("MQTT-3.1.2-28")
@pytest.mark.parametrize("properties", [{}, {P.REQUEST_RESPONSE_INFORMATION: 0}])
def test_response_information_is_not_sent_unasked(mqtt: Mqtt, properties: dict[P, int]) -> None:
    """Goal: Request Response Information 0, or none, gets no Response Information."""
    assert P.RESPONSE_INFORMATION not in mqtt.connect(properties=properties).connack.properties
