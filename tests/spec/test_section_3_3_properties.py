"""Section 3.3.2.3: the properties of PUBLISH on their way through the broker."""

from __future__ import annotations

import pytest

from tests.support.mqtt import Mqtt, wait_out
from tests.support.packets import Publish
from tests.support.versions import MALFORMED, PROTOCOL_ERROR
from tests.support.wire import P, Properties

BAD = {MALFORMED, PROTOCOL_ERROR}


@pytest.mark.spec(
    "MQTT-3.3.2-4",
    "MQTT-3.3.2-15",
    "MQTT-3.3.2-16",
    "MQTT-3.3.2-17",
    "MQTT-3.3.2-18",
    "MQTT-3.3.2-20",
)
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({P.PAYLOAD_FORMAT_INDICATOR: 0}, id="payload format 0"),
        pytest.param({P.PAYLOAD_FORMAT_INDICATOR: 1}, id="payload format 1"),
        pytest.param({P.RESPONSE_TOPIC: "answer/to/me"}, id="response topic"),
        pytest.param({P.CORRELATION_DATA: bytes(range(256))}, id="correlation data"),
        pytest.param({P.CORRELATION_DATA: b""}, id="empty correlation data"),
        pytest.param({P.CONTENT_TYPE: "application/json; charset=utf-8"}, id="content type"),
        pytest.param({P.CONTENT_TYPE: ""}, id="empty content type"),
        pytest.param(
            {P.USER_PROPERTY: [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("ü", "😀")]},
            id="user properties",
        ),
        pytest.param({P.USER_PROPERTY: [("k" * 1000, "v" * 60_000)]}, id="large user property"),
        pytest.param(
            {P.USER_PROPERTY: [(str(index), str(-index)) for index in range(300)]},
            id="300 user properties",
        ),
        pytest.param(
            {
                P.USER_PROPERTY: [("first", "1")],
                P.CONTENT_TYPE: "text/plain",
                P.PAYLOAD_FORMAT_INDICATOR: 1,
                P.CORRELATION_DATA: b"\x00",
                P.RESPONSE_TOPIC: "r",
            },
            id="all",
        ),
    ],
)
def test_property_is_forwarded_as_it_was_sent(mqtt: Mqtt, qos: int, sent: Properties) -> None:
    """Goal: what belongs to the message arrives unchanged, and nothing is added."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic(), qos=2)
    mqtt.connect().publish(mqtt.topic(), b"text", qos, properties=sent)
    assert watcher.take().properties == sent


@pytest.mark.spec("MQTT-3.3.2-17", "MQTT-3.3.2-18")
def test_properties_survive_an_offline_session(mqtt: Mqtt) -> None:
    """Goal: a queued message keeps its properties and their order."""
    sleeper = mqtt.connect_persistent()
    sleeper.subscribe(mqtt.topic(), qos=1)
    sleeper.disconnect()
    sent = {P.USER_PROPERTY: [("b", "1"), ("a", "2"), ("b", "3")], P.CONTENT_TYPE: "x"}
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1, properties=sent)
    assert mqtt.resume(sleeper).take().properties == sent


def test_message_with_properties_reaches_a_3_1_1_client(mqtt: Mqtt) -> None:
    """Goal: 3.1.1 subscribers get topic and payload; the properties stay behind."""
    watcher = mqtt.connect(version=4)
    watcher.subscribe(mqtt.topic(), qos=1)
    sent = {P.USER_PROPERTY: [("a", "b")], P.MESSAGE_EXPIRY_INTERVAL: 100}
    mqtt.connect().publish(mqtt.topic(), b"payload", qos=1, properties=sent)
    assert watcher.take().payload == b"payload"


@pytest.mark.spec("MQTT-3.3.2-14")
@pytest.mark.parametrize("response_topic", ["a/#", "+/a", "#"])
def test_wildcard_in_the_response_topic_ends_the_connection(
    mqtt: Mqtt, response_topic: str
) -> None:
    """Goal: the Response Topic is a Topic Name."""
    client = mqtt.connect()
    properties = {P.RESPONSE_TOPIC: response_topic}
    client.send(Publish(topic_name=mqtt.topic(), properties=properties))
    client.expect_disconnect({*BAD, 0x90})


@pytest.mark.spec("MQTT-3.3.4-6")
def test_subscription_identifier_from_a_client_ends_the_connection(mqtt: Mqtt) -> None:
    """Goal: only servers send Subscription Identifiers in PUBLISH."""
    client = mqtt.connect()
    client.send(Publish(topic_name=mqtt.topic(), properties={P.SUBSCRIPTION_IDENTIFIER: [1]}))
    client.expect_disconnect(BAD)


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.3.2-6")
def test_expiry_interval_is_reduced_by_the_time_in_the_queue(mqtt: Mqtt) -> None:
    """Goal: a message that waited more than one second says at least one second less."""
    sleeper = mqtt.connect_persistent()
    sleeper.subscribe(mqtt.topic(), qos=1)
    sleeper.disconnect()
    properties = {P.MESSAGE_EXPIRY_INTERVAL: 1000}
    mqtt.connect().publish(mqtt.topic(), b"x", qos=1, properties=properties)
    wait_out(1.1)
    left_s = mqtt.resume(sleeper).take().properties[P.MESSAGE_EXPIRY_INTERVAL]
    assert isinstance(left_s, int)
    assert 900 < left_s < 1000


@pytest.mark.spec("MQTT-3.3.2-6")
@pytest.mark.parametrize("interval_s", [1, 60, 0xFFFF_FFFF])
def test_expiry_interval_is_forwarded_at_once(mqtt: Mqtt, interval_s: int) -> None:
    """Goal: a message that does not wait keeps its interval, apart from a second begun."""
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic())
    properties = {P.MESSAGE_EXPIRY_INTERVAL: interval_s}
    mqtt.connect().publish(mqtt.topic(), b"x", properties=properties)
    left_s = watcher.take().properties[P.MESSAGE_EXPIRY_INTERVAL]
    assert left_s in (interval_s, interval_s - 1)


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.3.2-5")
@pytest.mark.parametrize("version", [4, 5])
def test_message_that_expired_in_the_queue_is_not_delivered(mqtt: Mqtt, version: int) -> None:
    """Goal: only what has not expired is there when the client returns."""
    sleeper = mqtt.connect_persistent(version=version)
    sleeper.subscribe(mqtt.topic(), qos=1)
    sleeper.disconnect()
    publisher = mqtt.connect()
    publisher.publish(mqtt.topic(), b"brief", qos=1, properties={P.MESSAGE_EXPIRY_INTERVAL: 1})
    publisher.publish(mqtt.topic(), b"lasting", qos=1)
    wait_out(1.2)
    client = mqtt.resume(sleeper)
    assert client.take().payload == b"lasting"
    client.expect_nothing()


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.3.2-5")
def test_message_that_expired_behind_a_full_window_is_not_delivered(mqtt: Mqtt) -> None:
    """Goal: a message that waited for Receive Maximum expires like one in an offline queue."""
    client = mqtt.connect(properties={P.RECEIVE_MAXIMUM: 1})
    client.subscribe(mqtt.topic(), qos=1)
    publisher = mqtt.connect()
    publisher.publish(mqtt.topic(), b"window", qos=1)
    publisher.publish(mqtt.topic(), b"brief", qos=1, properties={P.MESSAGE_EXPIRY_INTERVAL: 1})
    publisher.publish(mqtt.topic(), b"lasting", qos=1)
    first = client.expect(Publish)
    wait_out(1.2)
    client.acknowledge(first)
    assert client.take().payload == b"lasting"


@pytest.mark.slow
@pytest.mark.spec("MQTT-4.3.3-7", "MQTT-4.3.3-13", "MQTT-4.4.0-1")
def test_message_that_was_sent_does_not_expire(mqtt: Mqtt) -> None:
    """Goal: once sent at QoS 2, a message is completed after its expiry, also on resume."""
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic(), qos=2)
    mqtt.connect().publish(mqtt.topic(), b"brief", qos=2, properties={P.MESSAGE_EXPIRY_INTERVAL: 1})
    sent = first.expect(Publish)
    first.drop()
    wait_out(1.2)
    second = mqtt.resume(first)
    message = second.take()
    assert (message.payload, message.packet_id, message.dup) == (b"brief", sent.packet_id, True)
    second.expect_nothing()
