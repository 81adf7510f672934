"""Sections 3.1.2.5 and 3.1.3.2: the Will Message, its delay, its properties and its end."""

from __future__ import annotations

import pytest

from tests.support.mqtt import Mqtt, wait_out
from tests.support.packets import Connect, Publish, Will
from tests.support.versions import both_versions
from tests.support.wire import P, frame

NORMAL = 0x00
WITH_WILL = 0x04


@pytest.mark.spec(
    "MQTT-3.1.2-7", "MQTT-3.1.2-8", "MQTT311-3.1.2-8", "MQTT311-3.1.2-9", "MQTT311-3.3.1-9"
)
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_will_is_published_when_the_connection_breaks(mqtt: Mqtt, version: int, qos: int) -> None:
    """Goal: a connection that ends without DISCONNECT leaves its Will, at the Will's QoS."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    will = Will(topic_name=mqtt.topic(), payload=b"gone", qos=qos)
    client = mqtt.connect(version=version, will=will)
    watcher.expect_nothing()
    client.drop()
    message = watcher.take()
    assert (message.payload, message.qos, message.retain) == (b"gone", qos, False)
    mqtt.settle()
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-3.1.2-8", "MQTT311-3.1.2-8")
@both_versions
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(0x00), id="reserved type"),
        pytest.param(frame(0x80), id="bad SUBSCRIBE"),
        pytest.param(frame(0x30, b"\x00\x01"), id="cut PUBLISH"),
    ],
)
def test_will_is_published_after_a_malformed_packet(mqtt: Mqtt, version: int, data: bytes) -> None:
    """Goal: the server closing because of an error is not a DISCONNECT of the client."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    client = mqtt.connect(version=version, will=Will(topic_name=mqtt.topic(), payload=b"gone"))
    client.send(data)
    assert watcher.take().payload == b"gone"


@pytest.mark.spec("MQTT-3.14.1-1", "MQTT311-3.14.1-1")
@both_versions
def test_disconnect_with_reserved_flags_leaves_the_will(mqtt: Mqtt, version: int) -> None:
    """Goal: a malformed DISCONNECT is no DISCONNECT: the Will stays."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    client = mqtt.connect(version=version, will=Will(topic_name=mqtt.topic(), payload=b"gone"))
    client.send(b"\xe1\x00")
    client.expect_disconnect(0x81)
    assert watcher.take().payload == b"gone"


@pytest.mark.spec(
    "MQTT-3.1.2-8",
    "MQTT-3.1.2-10",
    "MQTT-3.14.4-3",
    "MQTT311-3.1.2-8",
    "MQTT311-3.1.2-10",
    "MQTT311-3.14.4-3",
)
@both_versions
def test_disconnect_throws_the_will_away(mqtt: Mqtt, version: int) -> None:
    """Goal: after DISCONNECT 0x00 nobody gets the Will."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic(), qos=2)
    will = Will(topic_name=mqtt.topic(), payload=b"gone", qos=1)
    mqtt.connect(version=version, will=will).disconnect(NORMAL)
    mqtt.settle()
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-3.1.2-8", "MQTT-3.14.4-3")
@pytest.mark.parametrize("reason_code", [WITH_WILL, 0x80, 0x81, 0x82, 0x83, 0x93, 0x98])
def test_disconnect_with_another_code_publishes_the_will(mqtt: Mqtt, reason_code: int) -> None:
    """Goal: only Reason Code 0x00 suppresses the Will."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    mqtt.connect(will=Will(topic_name=mqtt.topic(), payload=b"gone")).disconnect(reason_code)
    assert watcher.take().payload == b"gone"


@pytest.mark.spec("MQTT-3.1.2-10", "MQTT311-3.1.2-10", "MQTT311-3.1.2-12")
@both_versions
def test_will_is_published_once_and_not_by_the_next_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: a published Will is gone; a Session that goes on without one has none."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    first = mqtt.connect_persistent(
        version=version, will=Will(topic_name=mqtt.topic(), payload=b"gone")
    )
    first.drop()
    assert watcher.take().payload == b"gone"
    mqtt.resume(first).drop()
    mqtt.settle()
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-3.1.2-14", "MQTT-3.1.2-15", "MQTT311-3.1.2-16", "MQTT311-3.1.2-17")
@both_versions
@pytest.mark.parametrize("retain", [False, True])
def test_will_retain_decides_whether_the_will_is_retained(
    mqtt: Mqtt, version: int, *, retain: bool
) -> None:
    """Goal: a later subscriber gets the Will exactly if Will Retain was 1."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    will = Will(topic_name=mqtt.topic(), payload=b"gone", retain=retain)
    mqtt.connect(version=version, will=will).drop()
    assert watcher.take().retain is False
    kept = [message.payload for message in mqtt.get_retained(mqtt.topic(), version)]
    assert kept == ([b"gone"] if retain else [])
    watcher.publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT-3.1.2-8")
@both_versions
def test_take_over_publishes_the_will_of_the_old_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: a Will without delay is published when another connection takes over."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    client = mqtt.connect(version=version, will=Will(topic_name=mqtt.topic(), payload=b"gone"))
    mqtt.connect(version=version, client_id=client.client_id)
    assert watcher.take().payload == b"gone"


@pytest.mark.spec("MQTT-3.1.2-8", "MQTT-3.1.3-9")
def test_will_waits_for_its_delay(mqtt: Mqtt) -> None:
    """Goal: with a delay the Will does not come at once, but it does come."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    will = Will(topic_name=mqtt.topic(), payload=b"gone", properties={P.WILL_DELAY_INTERVAL: 1})
    mqtt.connect_persistent(will=will).drop()
    mqtt.settle()
    watcher.expect_nothing()
    assert watcher.take().payload == b"gone"


@pytest.mark.spec("MQTT-3.1.2-8")
@pytest.mark.parametrize("expiry_s", [0, 1])
def test_will_does_not_outwait_its_session(mqtt: Mqtt, expiry_s: int) -> None:
    """Goal: the end of the Session publishes the Will, however long its delay."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    will = Will(topic_name=mqtt.topic(), payload=b"gone", properties={P.WILL_DELAY_INTERVAL: 3600})
    mqtt.connect_persistent(expiry_s, will=will).drop()
    assert watcher.take().payload == b"gone"


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.1.3-9", "MQTT-3.1.2-8")
def test_return_within_the_delay_cancels_the_will(mqtt: Mqtt) -> None:
    """Goal: neither the old Will nor, before its time, that of the new connection is sent."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    delay = {P.WILL_DELAY_INTERVAL: 1}
    first = mqtt.connect_persistent(
        will=Will(topic_name=mqtt.topic(), payload=b"old", properties=delay)
    )
    first.drop()
    second = mqtt.resume(first, will=Will(topic_name=mqtt.topic(), payload=b"new"))
    assert second.connack.session_present
    wait_out(1.6)
    watcher.expect_nothing()
    second.drop()
    assert watcher.take().payload == b"new"


@pytest.mark.spec("MQTT-3.1.2-8")
def test_clean_start_within_the_delay_publishes_the_will(mqtt: Mqtt) -> None:
    """Goal: Clean Start 1 ends the old Session, and with it the wait of its Will."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    will = Will(topic_name=mqtt.topic(), payload=b"gone", properties={P.WILL_DELAY_INTERVAL: 3600})
    first = mqtt.connect_persistent(will=will)
    first.drop()
    mqtt.connect(client_id=first.client_id)
    assert watcher.take().payload == b"gone"


@pytest.mark.spec("MQTT-3.1.2-8", "MQTT-3.14.4-3")
def test_disconnect_with_session_expiry_0_publishes_a_delayed_will_at_once(mqtt: Mqtt) -> None:
    """Goal: DISCONNECT 0x04 that ends the Session ends the Will's delay too."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    will = Will(topic_name=mqtt.topic(), payload=b"gone", properties={P.WILL_DELAY_INTERVAL: 3600})
    client = mqtt.connect_persistent(will=will)
    client.disconnect(WITH_WILL, {P.SESSION_EXPIRY_INTERVAL: 0})
    assert watcher.take().payload == b"gone"


@pytest.mark.spec(
    "MQTT-3.1.3-10", "MQTT-3.3.2-4", "MQTT-3.3.2-15", "MQTT-3.3.2-16", "MQTT-3.3.2-20"
)
def test_will_properties_are_published_with_the_will(mqtt: Mqtt) -> None:
    """Goal: all properties of the Will arrive, the User Properties in their order."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    sent = {
        P.PAYLOAD_FORMAT_INDICATOR: 1,
        P.MESSAGE_EXPIRY_INTERVAL: 1000,
        P.CONTENT_TYPE: "text/plain",
        P.RESPONSE_TOPIC: "answers/here",
        P.CORRELATION_DATA: b"\x00\x01\xff",
        P.USER_PROPERTY: [("b", "1"), ("a", "2"), ("b", "1"), ("", "")],
    }
    mqtt.connect(will=Will(topic_name=mqtt.topic(), payload=b"x", properties=sent)).drop()
    message = watcher.take()
    assert isinstance(message.properties, dict)
    received = dict(message.properties)
    expiry_s = received.pop(P.MESSAGE_EXPIRY_INTERVAL)
    assert expiry_s in (999, 1000)
    assert received == {k: v for k, v in sent.items() if k is not P.MESSAGE_EXPIRY_INTERVAL}


@pytest.mark.spec("MQTT-3.1.2-9")
@both_versions
def test_will_with_an_empty_payload_is_published(mqtt: Mqtt, version: int) -> None:
    """Goal: a Will of zero bytes is a message like others."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    mqtt.connect(version=version, will=Will(topic_name=mqtt.topic())).drop()
    assert watcher.take().payload == b""


@pytest.mark.spec("MQTT-3.3.2-2", "MQTT-4.7.0-1", "MQTT-3.1.4-2")
@both_versions
@pytest.mark.parametrize("topic_name", ["a/#", "a/+/b", "#", ""])
def test_will_topic_that_is_no_topic_name_is_refused(
    mqtt: Mqtt, version: int, topic_name: str
) -> None:
    """Goal: the Will Topic must be a Topic Name, without wildcards and not empty."""
    client = mqtt.open(version)
    client.send(Connect(version=version, client_id="a", will=Will(topic_name=topic_name)))
    if version == 5:
        client.expect_refusal({0x81, 0x82, 0x90}, may_be_silent=True)
    else:
        client.expect_close()


@pytest.mark.spec("MQTT311-3.1.2-12", "MQTT-3.1.2-8")
@both_versions
def test_connection_without_will_publishes_none(mqtt: Mqtt, version: int) -> None:
    """Goal: a broken connection without a Will is silent."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(f"{mqtt.prefix}/#")
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name=mqtt.topic(), payload=b"alive"))
    assert watcher.take().payload == b"alive"
    client.drop()
    mqtt.settle()
    watcher.expect_nothing()
