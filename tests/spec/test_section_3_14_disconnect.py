"""Section 3.14: DISCONNECT, its Reason Codes and the Session Expiry Interval in it."""

from __future__ import annotations

import socket

import pytest

from tests.support.mqtt import Mqtt, wait_out
from tests.support.packets import Farewell, Publish, Will
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import P, PacketType, frame

BAD = {MALFORMED, PROTOCOL_ERROR}
FROM_CLIENTS = [0x00, 0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9A)]


@pytest.mark.spec("MQTT-3.14.2-1")
@pytest.mark.parametrize("reason_code", FROM_CLIENTS)
def test_reason_code_of_clients_is_accepted(mqtt: Mqtt, reason_code: int) -> None:
    """Goal: each Reason Code that a client may use ends the connection without complaint."""
    client = mqtt.connect()
    client.send(Farewell(PacketType.DISCONNECT, reason_code))
    client.expect_close()


@pytest.mark.spec("MQTT-3.14.2-1")
@pytest.mark.parametrize("reason_code", [0x01, 0x03, 0x10, 0x7F, 0x85, 0x8E, 0xFF])
def test_unknown_reason_code_leaves_the_will(mqtt: Mqtt, reason_code: int) -> None:
    """Goal: DISCONNECT with a code that clients may not use is an error, so the Will stays."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    client = mqtt.connect(will=Will(topic_name=mqtt.topic(), payload=b"gone"))
    client.send(frame(0xE0, bytes([reason_code, 0])))
    client.expect_disconnect(BAD)
    assert watcher.take().payload == b"gone"


@pytest.mark.spec("MQTT-3.14.4-1", "MQTT-3.14.4-2")
@both_versions
def test_nothing_after_disconnect_is_processed(mqtt: Mqtt, version: int) -> None:
    """Goal: a PUBLISH behind DISCONNECT in one segment reaches nobody; the server closes."""
    watcher, client = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    client.send(Farewell(PacketType.DISCONNECT), Publish(topic_name=mqtt.topic(), payload=b"late"))
    client.expect_close()
    mqtt.settle()
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-3.14.4-1", "MQTT-3.14.4-2", "MQTT-4.13.2-1", "MQTT-4.13.1-1")
def test_server_sends_nothing_after_its_disconnect_and_closes(mqtt: Mqtt) -> None:
    """Goal: DISCONNECT is the last packet, is not lost, and the close is orderly."""
    client = mqtt.connect()
    client.subscribe(mqtt.topic())
    garbage = frame(0x00) + bytes(1000)
    client.send(garbage)
    client.expect_disconnect(BAD)
    mqtt.connect().publish(mqtt.topic(), b"x")
    assert client.receive() is None


@pytest.mark.spec("MQTT-3.14.2-2", "MQTT-3.14.2-1")
def test_server_disconnect_has_no_session_expiry(mqtt: Mqtt) -> None:
    """Goal: only clients may change the expiry; the strict client refuses it from a server."""
    client = mqtt.connect_persistent()
    mqtt.connect(client_id=client.client_id)
    farewell = client.expect_disconnect(0x8E)
    assert farewell is not None
    assert P.SESSION_EXPIRY_INTERVAL not in farewell.properties


@pytest.mark.spec("MQTT-4.1.0-2")
def test_disconnect_can_end_the_session_at_once(mqtt: Mqtt) -> None:
    """Goal: Session Expiry Interval 0 in DISCONNECT overrides that of CONNECT."""
    client = mqtt.connect_persistent()
    client.disconnect(properties={P.SESSION_EXPIRY_INTERVAL: 0})
    assert not mqtt.resume(client).connack.session_present


@pytest.mark.slow
@pytest.mark.spec("MQTT-4.1.0-2", "MQTT-3.1.2-23")
def test_disconnect_can_prolong_the_session(mqtt: Mqtt) -> None:
    """Goal: a longer interval in DISCONNECT holds."""
    client = mqtt.connect_persistent(1)
    client.disconnect(properties={P.SESSION_EXPIRY_INTERVAL: 600})
    wait_out(1.3)
    assert mqtt.resume(client).connack.session_present


@pytest.mark.slow
@pytest.mark.spec("MQTT-4.1.0-2")
def test_disconnect_can_shorten_the_session(mqtt: Mqtt) -> None:
    """Goal: a shorter interval in DISCONNECT holds."""
    client = mqtt.connect_persistent(600)
    client.disconnect(properties={P.SESSION_EXPIRY_INTERVAL: 1})
    wait_out(1.3)
    assert not mqtt.resume(client).connack.session_present


@pytest.mark.spec("MQTT-4.13.1-1")
def test_disconnect_cannot_begin_a_session_expiry(mqtt: Mqtt) -> None:
    """Goal: an interval above 0 after 0 in CONNECT is a Protocol Error; the Will is published."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    client = mqtt.connect(will=Will(topic_name=mqtt.topic(), payload=b"gone"))
    client.send(Farewell(PacketType.DISCONNECT, 0, {P.SESSION_EXPIRY_INTERVAL: 10}))
    client.expect_disconnect(PROTOCOL_ERROR)
    assert watcher.take().payload == b"gone"
    assert not mqtt.resume(client).connack.session_present


@pytest.mark.spec("MQTT-3.14.0-1", "MQTT-3.2.0-1")
def test_disconnect_before_connect_is_closed_in_silence(mqtt: Mqtt) -> None:
    """Goal: no CONNACK, so no DISCONNECT."""
    client = mqtt.open()
    client.send(Farewell(PacketType.DISCONNECT))
    client.expect_close()


@both_versions
def test_half_closed_connection_is_closed_by_the_server(mqtt: Mqtt, version: int) -> None:
    """Goal: a client that only shuts down its sending side is gone too."""
    client = mqtt.connect(version=version)
    client.link.shutdown(socket.SHUT_WR)
    client.expect_close()
