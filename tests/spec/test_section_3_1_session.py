"""Sections 3.1.2.4, 3.1.2.11.2, 3.1.4 and 4.1: sessions begin, go on, are taken over and end."""

from __future__ import annotations

import pytest

from tests.support.mqtt import Mqtt, wait_out
from tests.support.packets import MQTT_5, Connack, Connect
from tests.support.versions import both_versions
from tests.support.wire import P

FOREVER_S = 0xFFFF_FFFF


@pytest.mark.spec(
    "MQTT-3.1.2-5",
    "MQTT-3.1.2-6",
    "MQTT-3.1.2-23",
    "MQTT-3.1.4-4",
    "MQTT-3.2.2-3",
    "MQTT-4.5.0-1",
    "MQTT311-3.1.2-4",
    "MQTT311-3.1.2-5",
    "MQTT311-3.1.4-3",
    "MQTT311-3.2.2-2",
    "MQTT311-3.2.2-3",
    "MQTT311-4.1.0-1",
    "MQTT311-4.5.0-1",
)
@both_versions
@pytest.mark.parametrize("end", ["disconnect", "drop"])
def test_session_goes_on_where_it_was(mqtt: Mqtt, version: int, end: str) -> None:
    """Goal: subscriptions and QoS 1 and 2 messages wait for the client to return."""
    first = mqtt.connect_persistent(version=version, clean_start=False)
    assert not first.connack.session_present
    first.subscribe(mqtt.topic(), qos=2)
    first.disconnect() if end == "disconnect" else first.drop()
    publisher = mqtt.connect(version=version)
    publisher.publish(mqtt.topic(), b"one", qos=1)
    publisher.publish(mqtt.topic(), b"two", qos=2)
    second = mqtt.resume(first)
    assert second.connack.session_present
    assert [(m.payload, m.qos) for m in (second.take(), second.take())] == [
        (b"one", 1),
        (b"two", 2),
    ]
    publisher.publish(mqtt.topic(), b"three", qos=1)
    assert second.take().payload == b"three"


@pytest.mark.spec(
    "MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.1.4-4", "MQTT311-3.1.2-6", "MQTT311-3.2.2-1"
)
@both_versions
def test_clean_start_throws_the_session_away(mqtt: Mqtt, version: int) -> None:
    """Goal: after Clean Start 1 neither subscriptions nor messages of before are there."""
    first = mqtt.connect_persistent(version=version, clean_start=False)
    first.subscribe(mqtt.topic(), qos=1)
    first.disconnect()
    publisher = mqtt.connect(version=version)
    publisher.publish(mqtt.topic(), b"lost", qos=1)
    second = mqtt.connect_persistent(version=version, client_id=first.client_id, clean_start=True)
    assert not second.connack.session_present
    publisher.publish(mqtt.topic(), b"not for us", qos=1)
    second.expect_nothing()


@pytest.mark.spec("MQTT311-3.1.2-6")
def test_clean_session_leaves_nothing_behind_in_3_1_1(mqtt: Mqtt) -> None:
    """Goal: a Clean Session 1 session is not resumed by a later Clean Session 0."""
    first = mqtt.connect(version=4)
    first.subscribe(mqtt.topic(), qos=1)
    first.disconnect()
    second = mqtt.resume(first)
    assert not second.connack.session_present
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1)
    second.expect_nothing()


@pytest.mark.spec("MQTT311-3.1.2-7")
@both_versions
def test_retained_messages_outlive_the_session(mqtt: Mqtt, version: int) -> None:
    """Goal: the end of a Session does not remove what its client retained."""
    client = mqtt.connect(version=version)
    client.publish(mqtt.topic(), b"stays", qos=1, retain=True)
    client.disconnect()
    mqtt.settle()
    assert [m.payload for m in mqtt.get_retained(mqtt.topic(), version)] == [b"stays"]
    mqtt.connect().publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT-4.1.0-2", "MQTT-3.1.2-23")
@pytest.mark.parametrize("properties", [{}, {P.SESSION_EXPIRY_INTERVAL: 0}], ids=["absent", "0"])
def test_session_without_expiry_ends_with_the_connection(
    mqtt: Mqtt, properties: dict[P, int]
) -> None:
    """Goal: Session Expiry Interval 0, or none, keeps nothing, even with Clean Start 0."""
    first = mqtt.connect(clean_start=False, properties=properties)
    first.subscribe(mqtt.topic(), qos=1)
    first.drop()
    assert not mqtt.resume(first).connack.session_present


@pytest.mark.slow
@pytest.mark.spec("MQTT-4.1.0-2")
@pytest.mark.parametrize("end", ["disconnect", "drop"])
def test_session_ends_when_its_expiry_has_passed(mqtt: Mqtt, end: str) -> None:
    """Goal: one second after the close, plus some, a Session of one second is gone."""
    first = mqtt.connect_persistent(1)
    first.subscribe(mqtt.topic(), qos=1)
    first.disconnect() if end == "disconnect" else first.drop()
    wait_out(1.3)
    assert not mqtt.resume(first).connack.session_present


@pytest.mark.slow
@pytest.mark.spec("MQTT-4.1.0-1", "MQTT311-4.1.0-2")
def test_session_does_not_expire_while_it_is_connected(mqtt: Mqtt) -> None:
    """Goal: the interval counts from the close, so an open connection keeps its Session."""
    client = mqtt.connect_persistent(1)
    client.subscribe(mqtt.topic(), qos=1)
    wait_out(1.3)
    mqtt.connect().publish(mqtt.topic(), b"still here", qos=1)
    assert client.take().payload == b"still here"
    client.drop()
    assert mqtt.resume(client).connack.session_present


@pytest.mark.spec("MQTT-3.1.2-23")
def test_longest_session_expiry_is_accepted(mqtt: Mqtt) -> None:
    """Goal: 0xFFFFFFFF means never; the broker may grant less but then says so."""
    client = mqtt.connect_persistent(FOREVER_S)
    granted = client.connack.properties.get(P.SESSION_EXPIRY_INTERVAL, FOREVER_S)
    assert isinstance(granted, int)
    assert granted > 0
    client.drop()
    assert mqtt.resume(client).connack.session_present


@pytest.mark.spec("MQTT-3.1.3-2", "MQTT311-3.1.3-2")
@both_versions
def test_client_id_names_the_session(mqtt: Mqtt, version: int) -> None:
    """Goal: another identifier, however similar, has another Session."""
    first = mqtt.connect_persistent(version=version, client_id=mqtt.new_client_id() + "a")
    first.drop()
    other = mqtt.connect_persistent(
        version=version, client_id=first.client_id[:-1] + "A", clean_start=False
    )
    assert not other.connack.session_present
    assert mqtt.resume(first).connack.session_present


@pytest.mark.spec("MQTT-3.1.4-3", "MQTT311-3.1.4-2", "MQTT-4.13.2-1", "MQTT-3.14.2-1")
@pytest.mark.parametrize("new_version", [4, 5])
@both_versions
def test_second_connection_takes_the_session_over(
    mqtt: Mqtt, version: int, new_version: int
) -> None:
    """Goal: the older connection gets 0x8E and is closed; the newer one works."""
    first = mqtt.connect(version=version)
    second = mqtt.connect(version=new_version, client_id=first.client_id)
    first.expect_disconnect(0x8E)
    second.subscribe(mqtt.topic())
    mqtt.connect().publish(mqtt.topic(), b"x")
    assert second.take().payload == b"x"


@pytest.mark.spec("MQTT-3.1.4-3", "MQTT-3.1.2-5", "MQTT311-3.1.4-2", "MQTT-4.1.0-1")
@both_versions
def test_take_over_with_clean_start_0_keeps_the_session(mqtt: Mqtt, version: int) -> None:
    """Goal: the Session passes from one connection to the next, with all that is in flight."""
    first = mqtt.connect_persistent(version=version)
    first.subscribe(mqtt.topic(), qos=1)
    mqtt.connect().publish(mqtt.topic(), b"unacknowledged", qos=1)
    second = mqtt.resume(first)
    assert second.connack.session_present
    assert second.take().payload == b"unacknowledged"


@pytest.mark.spec("MQTT-3.1.4-3", "MQTT-3.1.2-4")
def test_take_over_with_clean_start_1_begins_anew(mqtt: Mqtt) -> None:
    """Goal: taking over with Clean Start 1 leaves no subscription."""
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic(), qos=1)
    second = mqtt.connect(client_id=first.client_id)
    first.expect_disconnect(0x8E)
    assert not second.connack.session_present
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1)
    second.expect_nothing()


@pytest.mark.spec("MQTT-3.1.4-3")
def test_many_take_overs_in_a_row_leave_one_connection(mqtt: Mqtt) -> None:
    """Goal: of ten connections opened at once with one identifier only the last one lives."""
    client_id = mqtt.new_client_id()
    clients = [mqtt.open() for _ in range(10)]
    for client in clients:
        client.send(Connect(client_id=client_id))
    alive = []
    for client in clients:
        assert client.expect(Connack).reason_code == 0
    mqtt.settle()
    for client in clients:
        try:
            client.expect_nothing()
        except AssertionError:
            continue
        alive.append(client)
    assert len(alive) == 1


@pytest.mark.spec("MQTT-3.1.2-4", "MQTT-3.1.2-5")
def test_session_moves_between_3_1_1_and_5(mqtt: Mqtt) -> None:
    """Goal: a Session belongs to its Client Identifier, whatever version its client speaks."""
    first = mqtt.connect_persistent(version=4, clean_start=False)
    first.subscribe(mqtt.topic(), qos=1)
    first.disconnect()
    second = mqtt.resume(first, version=MQTT_5)
    assert second.connack.session_present
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1)
    assert second.take().payload == b"x"
