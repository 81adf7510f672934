"""What CONNECT means in MQTT 3.1.1 and 3.1 and not in 5.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packets import MQTT_3_1, MQTT_3_1_1, Connect, Will
from tests.support.wire import frame, u16, utf8

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt


@pytest.mark.spec("MQTT311-3.1.2-6", "MQTT311-3.1.2-4")
@pytest.mark.parametrize("version", [MQTT_3_1, MQTT_3_1_1], ids=["v3.1", "v3.1.1"])
def test_clean_session_0_keeps_and_1_discards(mqtt: Mqtt, version: int) -> None:
    """Goal: what 5.0 splits into Clean Start and expiry is one flag here."""
    first = mqtt.connect_persistent(version=version)
    first.subscribe(mqtt.topic(), qos=1)
    first.disconnect()
    mqtt.connect().publish(mqtt.topic(), b"kept", qos=1)
    second = mqtt.resume(first)
    assert second.take().payload == b"kept"
    second.disconnect()
    third = mqtt.connect(version=version, client_id=first.client_id)
    third.disconnect()
    mqtt.connect().publish(mqtt.topic(), b"lost", qos=1)
    mqtt.resume(first).expect_nothing()


@pytest.mark.parametrize("had_session", [True, False])
def test_connack_of_3_1_has_no_session_present(mqtt: Mqtt, *, had_session: bool) -> None:
    """Goal: the first byte of CONNACK is reserved in 3.1 and stays 0."""
    client_id = mqtt.new_client_id()
    if had_session:
        mqtt.connect_persistent(version=MQTT_3_1, client_id=client_id).disconnect()
    client = mqtt.connect_persistent(version=MQTT_3_1, client_id=client_id)
    assert client.connack.session_present is False


@pytest.mark.spec("MQTT311-3.1.2-2")
@pytest.mark.parametrize(
    ("name", "level"), [("MQIsdp", 2), ("MQIsdp", 9), ("MQTT", 9), ("MQTT", 2)]
)
def test_unsupported_level_gets_return_code_1(mqtt: Mqtt, name: str, level: int) -> None:
    """Goal: an unknown level below 5 is answered in the form of 3.1.1, above in either form."""
    client = mqtt.open(MQTT_3_1_1)
    client.send(frame(0x10, utf8(name) + bytes([level, 2]) + u16(0) + utf8("a")))
    data = bytearray()
    while piece := client.link.recv(100):
        data += piece
    forms = [b"\x20\x02\x00\x01"] if level < 5 else [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"]
    assert bytes(data) in forms


@pytest.mark.spec("MQTT311-3.1.2-5")
def test_only_qos_1_and_2_wait_for_an_offline_client(mqtt: Mqtt) -> None:
    """Goal: the default keeps QoS 1 and 2 for offline Sessions and drops QoS 0."""
    client = mqtt.connect_persistent(version=MQTT_3_1_1)
    client.subscribe(mqtt.topic(), qos=2)
    client.disconnect()
    publisher = mqtt.connect(version=MQTT_3_1_1)
    for qos in (0, 1, 2):
        publisher.publish(mqtt.topic(), b"%d" % qos, qos)
    back = mqtt.resume(client)
    assert [back.take().payload for _ in range(2)] == [b"1", b"2"]
    back.expect_nothing()


@pytest.mark.spec("MQTT311-3.1.2-9", "MQTT311-3.1.2-11")
def test_will_fields_follow_the_flag(mqtt: Mqtt) -> None:
    """Goal: with the flag the will is used as given; QoS and retain come from the flags."""
    watcher = mqtt.connect(version=MQTT_3_1_1)
    watcher.subscribe(mqtt.topic(), qos=2)
    will = Will(topic_name=mqtt.topic(), payload=b"gone", qos=2, retain=True)
    mqtt.connect(version=MQTT_3_1_1, will=will).drop()
    assert watcher.take().qos == 2
    (kept,) = mqtt.get_retained(mqtt.topic(), MQTT_3_1_1)
    assert (kept.payload, kept.qos) == (b"gone", 2)
    watcher.publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT311-7.0.0-2")
def test_plain_client_needs_no_extension(mqtt: Mqtt) -> None:
    """Goal: the least that the specification asks of a client is enough to exchange messages."""
    client = mqtt.open(MQTT_3_1_1)
    client.send(Connect(version=MQTT_3_1_1, client_id="minimal"))
    client.send(frame(0x82, u16(1) + utf8(mqtt.topic()) + b"\x01"))
    client.send(frame(0x30, utf8(mqtt.topic()) + b"x"))
    packets = [client.receive() for _ in range(3)]
    assert [type(packet).__name__ for packet in packets] == ["Connack", "Suback", "Publish"]
