"""Sections 3.8 and 3.9: SUBSCRIBE and SUBACK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support import configs
from tests.support.packets import MQTT_5, Publish, Suback, Subscribe
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import P, frame, u16, utf8

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

NO_LOCAL: Final = 0x04
BAD: Final = {MALFORMED, PROTOCOL_ERROR}
TOPIC_FILTER_INVALID: Final = 0x8F
SHARED_NOT_SUPPORTED: Final = 0x9E
WILDCARD_NOT_SUPPORTED: Final = 0xA2


def body(version: int, rest: bytes) -> bytes:
    """Packet Identifier 1, no properties, and the rest."""
    return u16(1) + (b"\x00" if version == MQTT_5 else b"") + rest


@pytest.mark.spec("MQTT-3.8.3-2", "MQTT311-3.8.3-3")
@both_versions
def test_subscribe_without_a_filter_ends_the_connection(mqtt: Mqtt, version: int) -> None:
    """Goal: a SUBSCRIBE asks for at least one thing."""
    client = mqtt.connect(version=version)
    client.send(frame(0x82, body(version, b"")))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-3.8.3-2", "MQTT-4.13.1-1", "MQTT311-3.8.3-3", "MQTT311-4.8.0-1")
@both_versions
@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(utf8("a"), id="no options"),
        pytest.param(u16(9) + b"abc", id="half a filter"),
        pytest.param(utf8("a") + b"\x00" + utf8("b"), id="second without options"),
    ],
)
def test_subscribe_that_ends_early_ends_the_connection(
    mqtt: Mqtt, version: int, rest: bytes
) -> None:
    """Goal: each filter has its options."""
    client = mqtt.connect(version=version)
    client.send(frame(0x82, body(version, rest)))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-3.8.3-5", "MQTT311-3.8.3-4")
@both_versions
@pytest.mark.parametrize("options", [0x03, 0x40, 0x80, 0xC0, 0x30, 0x33])
def test_reserved_option_bits_end_the_connection(mqtt: Mqtt, version: int, options: int) -> None:
    """Goal: QoS 3, Retain Handling 3 and reserved bits are errors."""
    client = mqtt.connect(version=version)
    client.send(Subscribe(1, [(mqtt.topic(), options)]))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT311-3.8.3-4")
@pytest.mark.parametrize("options", [0x04, 0x08, 0x10, 0x20])
def test_options_of_5_end_the_connection_in_3_1_1(mqtt: Mqtt, options: int) -> None:
    """Goal: what 5.0 uses for options is reserved in 3.1.1."""
    client = mqtt.connect(version=4)
    client.send(Subscribe(1, [(mqtt.topic(), options)]))
    client.expect_close()


@pytest.mark.spec(
    "MQTT-3.8.4-1",
    "MQTT-3.8.4-2",
    "MQTT-3.8.4-5",
    "MQTT-3.8.4-6",
    "MQTT-3.8.4-7",
    "MQTT-3.9.3-1",
    "MQTT-3.9.3-2",
    "MQTT311-3.8.4-1",
    "MQTT311-3.8.4-2",
    "MQTT311-3.8.4-4",
    "MQTT311-3.8.4-5",
    "MQTT311-3.9.3-1",
    "MQTT311-3.9.3-2",
)
@both_versions
def test_suback_has_a_code_for_each_filter_in_order(mqtt: Mqtt, version: int) -> None:
    """Goal: several filters get one SUBACK, with the granted QoS of each at its place."""
    client = mqtt.connect(version=version)
    qos_levels = [2, 0, 1, 1, 0, 2, 2]
    pairs: list[tuple[str | bytes, int]] = [
        (mqtt.topic(str(index)), qos) for index, qos in enumerate(qos_levels)
    ]
    client.send(Subscribe(77, pairs))
    suback = client.expect(Suback)
    assert (suback.packet_id, suback.reason_codes) == (77, qos_levels)
    client.expect_nothing()
    for index, qos in enumerate(qos_levels):
        mqtt.connect(version=version).publish(mqtt.topic(str(index)), b"x", 2)
        assert client.take().qos == qos


@pytest.mark.spec("MQTT-3.8.4-6", "MQTT-3.9.3-1", "MQTT-3.10.4-6", "MQTT-3.11.3-1")
def test_hundreds_of_filters_in_one_packet_each_get_a_code(mqtt: Mqtt) -> None:
    """Goal: large SUBSCRIBE and UNSUBSCRIBE packets are answered filter by filter."""
    client = mqtt.connect()
    filters = [mqtt.topic(str(index)) for index in range(500)]
    client.send(Subscribe(1, [(each, index % 3) for index, each in enumerate(filters)]))
    assert client.expect(Suback).reason_codes == [index % 3 for index in range(500)]
    assert client.unsubscribe(*filters[::2], "never") == [0] * 250 + [0x11]


INVALID_FILTERS: Final = [
    "a#",
    "a/#/b",
    "#/a",
    "##",
    "a+",
    "+a",
    "a/b+/c",
    "a/+b",
    "++",
    "a/#b",
    "",
]


def expect_filter_refused(client: Client, code: int = TOPIC_FILTER_INVALID) -> None:
    """A bad filter gets a SUBACK with a failure, or ends the connection."""
    packet = client.receive()
    if isinstance(packet, Suback):
        expected = code if client.version == MQTT_5 else 0x80
        assert packet.reason_codes == [expected]
    elif client.version == MQTT_5:
        assert getattr(packet, "reason_code", None) in {code, *BAD}, packet
        client.expect_close()
    else:
        assert packet is None


@pytest.mark.spec(
    "MQTT-4.7.1-1",
    "MQTT-4.7.1-2",
    "MQTT-4.7.3-1",
    "MQTT311-4.7.1-2",
    "MQTT311-4.7.1-3",
    "MQTT311-4.7.3-1",
)
@both_versions
@pytest.mark.parametrize("topic_filter", INVALID_FILTERS)
def test_filter_with_misplaced_wildcards_is_refused(
    mqtt: Mqtt, version: int, topic_filter: str
) -> None:
    """Goal: wildcards occupy a whole level, # the last one, and a filter is not empty."""
    client = mqtt.connect(version=version)
    client.send(Subscribe(1, [(topic_filter, 0)]))
    expect_filter_refused(client)


@pytest.mark.spec("MQTT-3.8.4-5", "MQTT-3.8.4-6", "MQTT-3.8.4-7", "MQTT-3.9.3-1")
def test_one_refused_filter_does_not_harm_the_others(mqtt_with: MqttFactory) -> None:
    """Goal: a filter that the broker will not serve fails alone."""
    mqtt = mqtt_with(configs.NO_WILDCARDS)
    client = mqtt.connect()
    assert client.connack.properties[P.WILDCARD_SUBSCRIPTION_AVAILABLE] == 0
    filters = [mqtt.topic("a"), mqtt.topic("#"), mqtt.topic("b")]
    packet = Subscribe(1, [(each, 1) for each in filters])
    client.send(packet)
    assert client.expect(Suback).reason_codes == [1, WILDCARD_NOT_SUPPORTED, 1]
    client.publish(mqtt.topic("b"), b"x")
    assert client.take().payload == b"x"


@pytest.mark.spec("MQTT311-3.8.3-2")
@pytest.mark.parametrize("topic_filter", ["#", "a/+", "+/b"])
def test_wildcards_are_refused_where_they_are_switched_off(
    mqtt_with: MqttFactory, topic_filter: str
) -> None:
    """Goal: 3.1.1 gets 0x80 for a filter with wildcards."""
    client = mqtt_with(configs.NO_WILDCARDS).connect(version=4)
    assert client.subscribe(topic_filter) == [0x80]


@pytest.mark.spec("MQTT-3.8.4-7")
def test_shared_subscription_is_refused_where_it_is_switched_off(
    mqtt_with: MqttFactory,
) -> None:
    """Goal: Shared Subscription Available 0 is told, and a try gets 0x9E."""
    client = mqtt_with(configs.NO_SHARED).connect()
    assert client.connack.properties[P.SHARED_SUBSCRIPTION_AVAILABLE] == 0
    client.send(Subscribe(1, [("$share/g/a", 0)]))
    expect_filter_refused(client, SHARED_NOT_SUPPORTED)


@pytest.mark.spec("MQTT-3.8.3-3")
@pytest.mark.parametrize("no_local", [False, True])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_no_local_keeps_own_messages_away(mqtt: Mqtt, qos: int, *, no_local: bool) -> None:
    """Goal: own messages come back exactly without No Local; those of others always come."""
    client = mqtt.connect()
    client.subscribe(mqtt.topic(), qos=2, options=NO_LOCAL if no_local else 0)
    client.publish(mqtt.topic(), b"own", qos)
    if not no_local:
        assert client.take().payload == b"own"
    client.expect_nothing()
    mqtt.connect().publish(mqtt.topic(), b"other", qos)
    assert client.take().payload == b"other"


@pytest.mark.spec("MQTT-3.8.3-3")
def test_no_local_holds_for_the_client_id_across_connections(mqtt: Mqtt) -> None:
    """Goal: a message that a client published and that was queued for it is still its own."""
    first = mqtt.connect_persistent()
    first.subscribe(mqtt.topic(), qos=1, options=NO_LOCAL)
    first.publish(mqtt.topic(), b"own", qos=1)
    first.drop()
    second = mqtt.resume(first)
    second.expect_nothing()
    second.publish(mqtt.topic(), b"own again", qos=1)
    second.expect_nothing()


@pytest.mark.spec("MQTT-3.8.3-3", "MQTT-3.3.4-2")
def test_no_local_beside_another_matching_subscription(mqtt: Mqtt) -> None:
    """Goal: No Local belongs to one subscription; another one without it delivers."""
    client = mqtt.connect()
    client.subscribe(mqtt.topic("a"), options=NO_LOCAL)
    client.subscribe(mqtt.topic("+"))
    client.publish(mqtt.topic("a"), b"own")
    assert client.take().payload == b"own"
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.8.3-4")
def test_no_local_on_a_shared_subscription_ends_the_connection(mqtt: Mqtt) -> None:
    """Goal: No Local and $share together are a Protocol Error."""
    client = mqtt.connect()
    client.send(Subscribe(1, [(f"$share/g/{mqtt.topic()}", NO_LOCAL)]))
    client.expect_disconnect(PROTOCOL_ERROR)


@pytest.mark.spec("MQTT-3.8.4-3", "MQTT311-3.8.4-3")
@both_versions
def test_same_filter_again_replaces_the_subscription(mqtt: Mqtt, version: int) -> None:
    """Goal: the new QoS holds, and there is one subscription, not two."""
    client, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    for qos in (2, 0, 1):
        assert client.subscribe(mqtt.topic(), qos=qos) == [qos]
        publisher.publish(mqtt.topic(), b"x", qos=2)
        assert client.take().qos == qos
        client.expect_nothing()
    client.unsubscribe(mqtt.topic())
    publisher.publish(mqtt.topic(), b"x")
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.8.4-4", "MQTT311-3.8.4-3")
@both_versions
def test_replacing_a_subscription_loses_no_message(mqtt: Mqtt, version: int) -> None:
    """Goal: of messages that stream in while a subscription is replaced none is missing."""
    client, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    client.subscribe(mqtt.topic(), qos=1)
    count = 200
    for index in range(count):
        publisher.send(
            Publish(topic_name=mqtt.topic(), payload=b"%d" % index, qos=1, packet_id=index + 1)
        )
        if index % 20 == 0:
            client.send(Subscribe(index + 1, [(mqtt.topic(), 1)]))
    received: list[bytes] = []
    while len(received) < count:
        packet = client.receive()
        if isinstance(packet, Publish):
            client.acknowledge(packet)
            received.append(packet.payload)
        else:
            assert isinstance(packet, Suback), packet
    assert received == [b"%d" % index for index in range(count)]


@pytest.mark.spec("MQTT-3.8.4-8", "MQTT311-3.8.4-6", "MQTT-3.8.4-7", "MQTT311-3.8.4-5")
@both_versions
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_delivered_qos_is_the_lower_one(
    mqtt: Mqtt, version: int, granted: int, published: int
) -> None:
    """Goal: nine combinations of published and granted QoS."""
    client = mqtt.connect(version=version)
    assert client.subscribe(mqtt.topic(), qos=granted) == [granted]
    mqtt.connect(version=version).publish(mqtt.topic(), b"x", published)
    assert client.take().qos == min(granted, published)


def test_suback_comes_before_the_retained_messages(mqtt: Mqtt) -> None:
    """Goal: a client learns of its subscription first; many clients rely on that order."""
    mqtt.connect().publish(mqtt.topic(), b"kept", retain=True)
    client = mqtt.connect()
    client.send(Subscribe(1, [(mqtt.topic(), 0)]))
    client.expect(Suback)
    assert client.expect(Publish).payload == b"kept"
    client.publish(mqtt.topic(), retain=True)
