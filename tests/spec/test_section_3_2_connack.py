"""Section 3.2: CONNACK, Session Present, and the limits that the server tells and keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import configs
from tests.support.packets import MQTT_3_1_1, MQTT_5, Connack, Connect, Publish, Will
from tests.support.versions import both_versions
from tests.support.wire import P

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.mqtt import Mqtt


@pytest.mark.spec("MQTT-3.2.2-1", "MQTT-3.2.0-2", "MQTT311-3.2.0-1")
@both_versions
def test_connack_comes_first_and_once(mqtt: Mqtt, version: int) -> None:
    """Goal: one CONNACK, before everything that the Session has waiting."""
    first = mqtt.connect_persistent(version=version)
    first.subscribe(mqtt.topic(), qos=1)
    first.disconnect()
    mqtt.connect().publish(mqtt.topic(), b"waiting", qos=1)
    client = mqtt.open(version)
    client.send(Connect(version=version, client_id=first.client_id, clean_start=False))
    assert client.expect(Connack).session_present
    packets = client.collect()
    assert [type(packet) for packet in packets] == [Publish]


@pytest.mark.spec(
    "MQTT-3.2.2-2",
    "MQTT-3.2.2-3",
    "MQTT311-3.2.2-1",
    "MQTT311-3.2.2-2",
    "MQTT311-3.2.2-3",
)
@both_versions
@pytest.mark.parametrize("had_session", [True, False])
@pytest.mark.parametrize("clean_start", [True, False])
def test_session_present_tells_the_truth(
    mqtt: Mqtt, version: int, *, had_session: bool, clean_start: bool
) -> None:
    """Goal: Session Present is 1 exactly for Clean Start 0 on a Session that exists."""
    client_id = mqtt.new_client_id()
    if had_session:
        mqtt.connect_persistent(version=version, client_id=client_id).disconnect()
    client = mqtt.connect_persistent(version=version, client_id=client_id, clean_start=clean_start)
    assert client.connack.session_present is (had_session and not clean_start)


@pytest.mark.spec("MQTT-3.2.2-6", "MQTT-3.2.2-7", "MQTT-3.2.2-8", "MQTT-4.13.2-1")
def test_refusal_says_no_session_and_closes(mqtt: Mqtt) -> None:
    """Goal: a refused CONNECT with an existing Session does not reveal that it is there."""
    client = mqtt.connect_persistent()
    client.disconnect()
    again = mqtt.open()
    again.send(
        Connect(
            client_id=client.client_id,
            clean_start=False,
            properties={P.AUTHENTICATION_METHOD: "none-such"},
        )
    )
    connack = again.expect(Connack)
    assert (connack.reason_code, connack.session_present) == (0x8C, False)
    again.expect_close()
    assert mqtt.resume(client).connack.session_present


@pytest.mark.spec("MQTT311-3.2.2-4", "MQTT311-3.2.2-5")
def test_refusal_says_no_session_and_closes_in_3_1_1(mqtt: Mqtt) -> None:
    """Goal: return code 2 comes without Session Present, and then the close."""
    client = mqtt.open(MQTT_3_1_1)
    client.send(Connect(version=MQTT_3_1_1, client_id="", clean_start=False))
    connack = client.expect(Connack)
    assert (connack.reason_code, connack.session_present) == (2, False)
    client.expect_close()


@pytest.mark.spec("MQTT311-3.2.2-6", "MQTT-3.2.2-13")
@both_versions
def test_retained_will_is_refused_where_retain_is_not_available(
    mqtt_with: MqttFactory, version: int
) -> None:
    """Goal: 5.0 gets 0x9A; 3.1.1 has no fitting code and is closed in silence."""
    mqtt = mqtt_with(configs.NO_RETAIN)
    client = mqtt.open(version)
    will = Will(topic_name=mqtt.topic(), retain=True)
    client.send(Connect(version=version, client_id="a", will=will))
    if version == MQTT_5:
        client.expect_refusal(0x9A, may_be_silent=False)
    else:
        client.expect_close()


@pytest.mark.spec("MQTT-3.2.2-14")
def test_retained_publish_is_refused_where_retain_is_not_available(
    mqtt_with: MqttFactory,
) -> None:
    """Goal: Retain Available 0 is told, and who ignores it gets 0x9A."""
    mqtt = mqtt_with(configs.NO_RETAIN)
    client = mqtt.connect()
    assert client.connack.properties[P.RETAIN_AVAILABLE] == 0
    client.send(Publish(topic_name=mqtt.topic(), payload=b"x", retain=True))
    client.expect_disconnect(0x9A)


@pytest.mark.spec("MQTT-3.2.2-9")
@pytest.mark.parametrize(
    ("config", "qos_max"), [(configs.QOS_0_ONLY, 0), (configs.QOS_1_ONLY, 1)], ids=["0", "1"]
)
def test_maximum_qos_is_told(mqtt_with: MqttFactory, config: str, qos_max: int) -> None:
    """Goal: a broker with less than QoS 2 says so in CONNACK."""
    client = mqtt_with(config).connect()
    assert client.connack.properties[P.MAXIMUM_QOS] == qos_max


@pytest.mark.spec("MQTT-3.2.2-9")
def test_maximum_qos_is_not_told_if_it_is_2(mqtt: Mqtt) -> None:
    """Goal: the property must be absent for QoS 2; 2 is no value of it."""
    assert P.MAXIMUM_QOS not in mqtt.connect().connack.properties


@pytest.mark.spec("MQTT-3.2.2-10", "MQTT-3.8.4-7")
@both_versions
def test_subscribing_above_the_maximum_qos_is_accepted(
    mqtt_with: MqttFactory, version: int
) -> None:
    """Goal: SUBSCRIBE at QoS 2 is granted as far as the broker goes."""
    client = mqtt_with(configs.QOS_0_ONLY).connect(version=version)
    assert client.subscribe("a/0", qos=0) == [0]
    assert client.subscribe("a/1", qos=1) == [0]
    assert client.subscribe("a/2", qos=2) == [0]


@pytest.mark.spec("MQTT-3.2.2-11")
@both_versions
def test_publish_above_the_maximum_qos_ends_the_connection(
    mqtt_with: MqttFactory, version: int
) -> None:
    """Goal: who ignores Maximum QoS gets 0x9B."""
    mqtt = mqtt_with(configs.QOS_0_ONLY)
    client = mqtt.connect(version=version)
    client.send(Publish(topic_name=mqtt.topic(), qos=1, packet_id=1))
    client.expect_disconnect(0x9B)


@pytest.mark.spec("MQTT-3.2.2-12", "MQTT311-3.2.2-6")
@both_versions
def test_will_above_the_maximum_qos_is_refused(mqtt_with: MqttFactory, version: int) -> None:
    """Goal: a Will that could not be published as asked refuses the connection."""
    mqtt = mqtt_with(configs.QOS_0_ONLY)
    client = mqtt.open(version)
    will = Will(topic_name=mqtt.topic(), qos=1)
    client.send(Connect(version=version, client_id="a", will=will))
    if version == MQTT_5:
        client.expect_refusal(0x9B, may_be_silent=False)
    else:
        client.expect_close()


@pytest.mark.spec("MQTT-3.2.2-15")
@both_versions
def test_packet_above_the_servers_maximum_ends_the_connection(
    mqtt_with: MqttFactory, version: int
) -> None:
    """Goal: Maximum Packet Size is told; a larger packet gets 0x95, the largest is fine."""
    mqtt = mqtt_with(configs.SMALL_PACKETS)
    client = mqtt.connect(version=version)
    if version == MQTT_5:
        assert client.connack.properties[P.MAXIMUM_PACKET_SIZE] == 200
    overhead = len(Publish(topic_name=mqtt.topic(), payload=bytes(130)).encode(version)) - 130
    client.publish(mqtt.topic(), bytes(200 - overhead))
    client.send(Publish(topic_name=mqtt.topic(), payload=bytes(201 - overhead)))
    client.expect_disconnect(0x95)


@pytest.mark.spec("MQTT-3.2.2-15")
def test_too_large_packet_is_refused_before_it_is_complete(mqtt_with: MqttFactory) -> None:
    """Goal: the header alone is enough, so that nobody makes the broker wait for the rest."""
    client = mqtt_with(configs.SMALL_PACKETS).connect()
    client.send(b"\x30\xff\xff\xff\x7f")
    client.expect_disconnect(0x95)


@pytest.mark.spec("MQTT-3.2.2-15", "MQTT-3.1.4-1")
def test_too_large_connect_is_refused(mqtt_with: MqttFactory) -> None:
    """Goal: the limit holds before CONNACK too."""
    client = mqtt_with(configs.SMALL_PACKETS).open()
    client.send(Connect(client_id="a" * 300))
    client.expect_refusal(0x95, may_be_silent=True)


@pytest.mark.spec("MQTT-3.1.3-8", "MQTT-3.2.2-7")
def test_refused_client_id_gets_0x85(mqtt_with: MqttFactory) -> None:
    """Goal: where empty identifiers are not allowed, 5.0 is told so and closed."""
    client = mqtt_with(configs.NO_EMPTY_CLIENT_ID).open()
    client.send(Connect(client_id=""))
    client.expect_refusal(0x85, may_be_silent=False)


@pytest.mark.spec("MQTT311-3.1.3-9", "MQTT311-3.2.2-4", "MQTT311-3.2.2-5")
def test_refused_client_id_gets_return_code_2_in_3_1_1(mqtt_with: MqttFactory) -> None:
    """Goal: 3.1.1 gets return code 2 for an identifier that is not allowed."""
    client = mqtt_with(configs.NO_EMPTY_CLIENT_ID).open(MQTT_3_1_1)
    client.send(Connect(version=MQTT_3_1_1, client_id="", clean_start=True))
    client.expect_refusal(2, may_be_silent=False)


@pytest.mark.spec("MQTT-3.1.2-2", "MQTT311-3.1.2-2", "MQTT-3.1.4-2")
@pytest.mark.parametrize(
    ("config", "version", "code"),
    [(configs.ONLY_5, MQTT_3_1_1, 1), (configs.ONLY_3_1_1, MQTT_5, 0x84)],
    ids=["v3.1.1", "v5"],
)
def test_version_that_is_switched_off_is_refused(
    mqtt_with: MqttFactory, config: str, version: int, code: int
) -> None:
    """Goal: a version that the operator does not want gets 1 or 0x84, in its own form."""
    other = MQTT_5 if version == MQTT_3_1_1 else MQTT_3_1_1
    client = mqtt_with(config, version=other).open(version)
    client.send(Connect(version=version, client_id="a"))
    client.expect_refusal(code, may_be_silent=False)


@pytest.mark.spec("MQTT-3.2.2-8")
def test_features_are_announced_consistently(mqtt: Mqtt) -> None:
    """Goal: what the default broker can do is not denied in CONNACK."""
    found = mqtt.connect().connack.properties
    for key in (
        P.RETAIN_AVAILABLE,
        P.WILDCARD_SUBSCRIPTION_AVAILABLE,
        P.SUBSCRIPTION_IDENTIFIER_AVAILABLE,
        P.SHARED_SUBSCRIPTION_AVAILABLE,
    ):
        assert found.get(key, 1) == 1, key
    assert found.get(P.RECEIVE_MAXIMUM, 65_535) != 0


@pytest.mark.spec("MQTT-3.2.0-1", "MQTT-3.14.0-1")
def test_error_before_connack_is_never_answered_by_disconnect(mqtt: Mqtt) -> None:
    """Goal: until CONNACK 0x00 the server sends neither DISCONNECT nor anything else."""
    for data in (b"\xc0\x00", b"\x10\x02\x00\x04", b"\x00\x00"):
        client = mqtt.open()
        client.send(data)
        packet = client.receive()
        assert packet is None or isinstance(packet, Connack), packet
