"""Section 3.3.1.3: retained messages, Retain Handling and Retain As Published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.mqtt import Mqtt, wait_out
from tests.support.versions import both_versions
from tests.support.wire import P

if TYPE_CHECKING:
    from collections.abc import Iterator

RETAIN_AS_PUBLISHED = 0x08
HANDLING_NEW_ONLY = 0x10
HANDLING_NEVER = 0x20


@pytest.fixture
def retained(mqtt: Mqtt) -> Iterator[str]:
    """A topic with the retained message "kept"."""
    topic_name = mqtt.topic("retained")
    publisher = mqtt.connect()
    publisher.publish(topic_name, b"kept", qos=1, retain=True)
    yield topic_name
    publisher.publish(topic_name, retain=True)


@pytest.mark.spec(
    "MQTT-3.3.1-5",
    "MQTT-3.3.1-9",
    "MQTT311-3.3.1-5",
    "MQTT311-3.3.1-6",
    "MQTT311-3.3.1-7",
    "MQTT311-3.3.1-8",
)
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_last_retained_message_is_sent_to_a_new_subscriber(
    mqtt: Mqtt, version: int, qos: int
) -> None:
    """Goal: each retained message replaces the one before, whatever their QoS."""
    publisher = mqtt.connect(version=version)
    publisher.publish(mqtt.topic(), b"older", qos=(qos + 1) % 3, retain=True)
    publisher.publish(mqtt.topic(), b"newer", qos=qos, retain=True)
    messages = mqtt.get_retained(mqtt.topic(), version)
    assert [(m.payload, m.qos, m.retain, m.dup) for m in messages] == [(b"newer", qos, True, False)]
    publisher.publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT-3.3.1-9", "MQTT311-3.3.1-6")
@both_versions
def test_wildcard_subscription_gets_each_matching_retained_message(
    mqtt: Mqtt, version: int
) -> None:
    """Goal: one message for each topic that matches, none for the others."""
    publisher = mqtt.connect(version=version)
    names = ["w/a", "w/b", "w/b/c", "w", "x/a"]
    for name in names:
        publisher.publish(mqtt.topic(name), name.encode(), retain=True)
    expected = {"+/a": {"w/a", "x/a"}, "w/#": {"w", "w/a", "w/b", "w/b/c"}, "w/+": {"w/a", "w/b"}}
    for topic_filter, matching in expected.items():
        found = mqtt.get_retained(mqtt.topic(topic_filter), version)
        assert {m.payload.decode() for m in found} == matching
        assert len(found) == len(matching)
    for name in names:
        publisher.publish(mqtt.topic(name), retain=True)


@pytest.mark.spec("MQTT-3.3.1-6", "MQTT-3.3.1-7", "MQTT311-3.3.1-10", "MQTT311-3.3.1-11")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_empty_retained_message_is_delivered_and_removes(
    mqtt: Mqtt, version: int, qos: int
) -> None:
    """Goal: present subscribers get the empty message, later ones get nothing."""
    publisher, watcher = mqtt.connect(version=version), mqtt.connect(version=version)
    publisher.publish(mqtt.topic(), b"kept", retain=True)
    watcher.subscribe(mqtt.topic(), qos=2)
    assert watcher.take().payload == b"kept"
    publisher.publish(mqtt.topic(), b"", qos, retain=True)
    message = watcher.take()
    assert (message.payload, message.qos, message.retain) == (b"", qos, False)
    assert not mqtt.get_retained(mqtt.topic(), version)


@pytest.mark.spec("MQTT-3.3.1-7", "MQTT311-3.3.1-11")
def test_empty_message_is_not_stored_where_none_was(mqtt: Mqtt) -> None:
    """Goal: removing what is not there stores nothing."""
    mqtt.connect().publish(mqtt.topic(), b"", qos=1, retain=True)
    assert not mqtt.get_retained(mqtt.topic())


@pytest.mark.spec("MQTT-3.3.1-8", "MQTT311-3.3.1-12")
@pytest.mark.parametrize("payload", [b"other", b""])
def test_message_without_retain_leaves_the_stored_one_alone(
    mqtt: Mqtt, retained: str, payload: bytes
) -> None:
    """Goal: RETAIN 0 neither stores nor replaces nor removes, even when empty."""
    publisher = mqtt.connect()
    publisher.publish(retained, payload, qos=1)
    publisher.publish(mqtt.topic("fresh"), b"not stored", qos=1)
    assert [m.payload for m in mqtt.get_retained(retained)] == [b"kept"]
    assert not mqtt.get_retained(mqtt.topic("fresh"))


@pytest.mark.spec("MQTT-3.3.1-9", "MQTT-3.8.4-4", "MQTT311-3.8.4-3")
@both_versions
def test_retain_handling_0_sends_again_on_each_subscribe(
    mqtt: Mqtt, version: int, retained: str
) -> None:
    """Goal: a subscription that is replaced gets the retained message again, RETAIN 1."""
    client = mqtt.connect(version=version)
    for _ in range(3):
        client.subscribe(retained, qos=1)
        message = client.take()
        assert (message.payload, message.retain) == (b"kept", True)
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.3.1-10")
def test_retain_handling_1_sends_for_a_new_subscription_only(mqtt: Mqtt, retained: str) -> None:
    """Goal: sent at first, not when replaced, and again after UNSUBSCRIBE."""
    client = mqtt.connect()
    client.subscribe(retained, options=HANDLING_NEW_ONLY)
    assert client.take().payload == b"kept"
    client.subscribe(retained, qos=1, options=HANDLING_NEW_ONLY)
    client.expect_nothing()
    client.unsubscribe(retained)
    client.subscribe(retained, options=HANDLING_NEW_ONLY)
    assert client.take().payload == b"kept"


@pytest.mark.spec("MQTT-3.3.1-10")
def test_retain_handling_1_knows_the_subscriptions_of_a_resumed_session(
    mqtt: Mqtt, retained: str
) -> None:
    """Goal: a subscription of the Session counts as existing after the return."""
    first = mqtt.connect_persistent()
    first.subscribe(retained, options=HANDLING_NEVER)
    first.disconnect()
    second = mqtt.resume(first)
    second.subscribe(retained, options=HANDLING_NEW_ONLY)
    second.expect_nothing()


@pytest.mark.spec("MQTT-3.3.1-11")
def test_retain_handling_2_never_sends(mqtt: Mqtt, retained: str) -> None:
    """Goal: no retained message, but later ones come."""
    client = mqtt.connect()
    client.subscribe(retained, options=HANDLING_NEVER)
    client.expect_nothing()
    mqtt.connect().publish(retained, b"live")
    assert client.take().payload == b"live"


@pytest.mark.spec("MQTT-3.3.1-12", "MQTT-3.3.1-13", "MQTT311-3.3.1-9")
@pytest.mark.parametrize(
    ("version", "options"),
    [(4, 0), (5, 0), (5, RETAIN_AS_PUBLISHED)],
    ids=["v3.1.1", "v5", "v5 as published"],
)
@pytest.mark.parametrize("retain", [False, True])
def test_retain_flag_of_a_forwarded_message(
    mqtt: Mqtt, version: int, options: int, *, retain: bool
) -> None:
    """Goal: RETAIN is kept exactly with Retain As Published, which 3.1.1 has not."""
    client = mqtt.connect(version=version)
    client.subscribe(mqtt.topic(), options=options)
    mqtt.connect().publish(mqtt.topic(), b"x", retain=retain)
    assert client.take().retain is (retain and options == RETAIN_AS_PUBLISHED)
    mqtt.connect().publish(mqtt.topic(), retain=True)


@pytest.mark.spec("MQTT-3.3.1-13")
@pytest.mark.parametrize("as_published", [False, True])
def test_stored_message_is_sent_with_retain_1_in_any_case(
    mqtt: Mqtt, retained: str, *, as_published: bool
) -> None:
    """Goal: what a new subscription gets from the store always says RETAIN 1."""
    client = mqtt.connect()
    client.subscribe(retained, options=RETAIN_AS_PUBLISHED if as_published else 0)
    assert client.take().retain is True


@pytest.mark.spec("MQTT-3.8.4-8", "MQTT311-3.8.4-6")
@both_versions
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_retained_message_is_sent_at_the_lower_qos(
    mqtt: Mqtt, version: int, granted: int, retained: str
) -> None:
    """Goal: a message stored at QoS 1 is delivered at the minimum of 1 and the granted QoS."""
    client = mqtt.connect(version=version)
    client.subscribe(retained, qos=granted)
    assert client.take().qos == min(granted, 1)


@pytest.mark.slow
@pytest.mark.spec("MQTT-3.3.2-5", "MQTT-3.3.2-6")
def test_retained_message_expires(mqtt: Mqtt) -> None:
    """Goal: a stored message is sent with what is left of its expiry, and then no more."""
    publisher = mqtt.connect()
    publisher.publish(
        mqtt.topic(), b"brief", retain=True, properties={P.MESSAGE_EXPIRY_INTERVAL: 2}
    )
    wait_out(1.1)
    (message,) = mqtt.get_retained(mqtt.topic())
    assert message.properties[P.MESSAGE_EXPIRY_INTERVAL] == 1
    wait_out(1.1)
    assert not mqtt.get_retained(mqtt.topic())


@pytest.mark.spec("MQTT-3.3.2-17", "MQTT-3.3.2-20")
def test_retained_message_keeps_its_properties(mqtt: Mqtt) -> None:
    """Goal: the store keeps the properties with the message."""
    sent = {P.CONTENT_TYPE: "text/plain", P.USER_PROPERTY: [("b", "1"), ("a", "2")]}
    publisher = mqtt.connect()
    publisher.publish(mqtt.topic(), b"x", retain=True, properties=sent)
    (message,) = mqtt.get_retained(mqtt.topic())
    assert message.properties == sent
    publisher.publish(mqtt.topic(), retain=True)
