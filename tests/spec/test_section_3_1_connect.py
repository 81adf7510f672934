"""Sections 3.1.0 to 3.1.4: what a CONNECT must look like, and what happens when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.packets import MQTT_3_1, MQTT_3_1_1, MQTT_5, Connack, Connect, Publish, Will
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, all_versions, both_versions
from tests.support.wire import P, PacketType, binary, frame, u16, utf8

if TYPE_CHECKING:
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

BAD: Final = {MALFORMED, PROTOCOL_ERROR}
UNSUPPORTED_ANSWERS: Final = (b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00")
LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def expect_refused(client: Client, codes: set[int] = BAD) -> None:
    """A malformed CONNECT: 5.0 may be told why, 3.1.1 must not be [MQTT311-3.1.4-1]."""
    if client.version == MQTT_5:
        client.expect_refusal(codes, may_be_silent=True)
    else:
        client.expect_close()


def bytes_until_close(client: Client) -> bytes:
    """All that comes, unread: the version of the answer is open."""
    data = bytearray()
    try:
        while piece := client.link.recv(100):
            data += piece
    except ConnectionResetError:
        pass
    return bytes(data)


def head(version: int, flags: int, name: str = "MQTT") -> bytes:
    """The variable header of a CONNECT with Keep Alive 0."""
    return utf8(name) + bytes([version, flags, 0, 0]) + (b"\x00" if version == MQTT_5 else b"")


@pytest.mark.spec(
    "MQTT-3.1.4-5", "MQTT-3.2.2-1", "MQTT-3.2.2-8", "MQTT311-3.1.4-4", "MQTT311-3.2.0-1"
)
@all_versions
def test_good_connect_gets_connack_0(mqtt: Mqtt, version: int) -> None:
    """Goal: MQTT 3.1, 3.1.1 and 5.0 are all accepted, and the first packet is CONNACK."""
    client = mqtt.connect(version=version)
    assert not client.connack.session_present
    client.expect_nothing()


@pytest.mark.spec("MQTT-3.1.2-1", "MQTT311-3.1.2-1")
@pytest.mark.parametrize("name", ["", "mqtt", "MQTt", "MQIsdp", "MQTTX", "HTTP"])
@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
def test_wrong_protocol_name_is_refused(mqtt: Mqtt, version: int, name: str) -> None:
    """Goal: no CONNECT with another Protocol Name is accepted."""
    client = mqtt.open(version)
    client.send(Connect(version=version, client_id=mqtt.new_client_id()).encode(name=name))
    assert bytes_until_close(client) in (b"", *UNSUPPORTED_ANSWERS)


@pytest.mark.spec("MQTT-3.1.2-2", "MQTT311-3.1.2-2")
@pytest.mark.parametrize("level", [0, 1, 2, 3, 6, 127, 255])
def test_unsupported_protocol_version_is_refused(mqtt: Mqtt, level: int) -> None:
    """Goal: the answer is return code 1 in the 3.1.1 form, or 0x84 in the 5.0 form, and a close.

    Which form a client of an unknown version reads nobody knows; both begin 20 LEN 00.
    """
    client = mqtt.open(MQTT_3_1_1)
    client.send(frame(0x10, utf8("MQTT") + bytes([level, 2, 0, 0]) + utf8("a")))
    assert bytes_until_close(client) in UNSUPPORTED_ANSWERS


@pytest.mark.spec("MQTT-3.1.2-3", "MQTT311-3.1.2-3")
@both_versions
def test_reserved_connect_flag_is_refused(mqtt: Mqtt, version: int) -> None:
    """Goal: bit 0 of the Connect Flags must be 0."""
    client = mqtt.open(version)
    client.send(Connect(version=version, client_id="a").encode(flags=0x03))
    expect_refused(client)


FLAGS_WITHOUT_WILL: Final = [
    pytest.param(0x02 | 0x08, id="will QoS 1"),
    pytest.param(0x02 | 0x10, id="will QoS 2"),
    pytest.param(0x02 | 0x18, id="will QoS 3"),
    pytest.param(0x02 | 0x20, id="will retain"),
]


@pytest.mark.spec(
    "MQTT-3.1.2-11",
    "MQTT-3.1.2-13",
    "MQTT311-3.1.2-11",
    "MQTT311-3.1.2-13",
    "MQTT311-3.1.2-15",
)
@both_versions
@pytest.mark.parametrize("flags", FLAGS_WITHOUT_WILL)
def test_will_flags_without_will_are_refused(mqtt: Mqtt, version: int, flags: int) -> None:
    """Goal: Will QoS and Will Retain are 0 if there is no Will."""
    client = mqtt.open(version)
    client.send(Connect(version=version, client_id="a").encode(flags=flags))
    expect_refused(client)


@pytest.mark.spec("MQTT-3.1.2-12", "MQTT311-3.1.2-14")
@both_versions
def test_will_qos_3_is_refused(mqtt: Mqtt, version: int) -> None:
    """Goal: Will QoS 3 does not exist."""
    client = mqtt.open(version)
    will = Will(topic_name=mqtt.topic(), qos=3)
    client.send(Connect(version=version, client_id="a", will=will))
    expect_refused(client)


@pytest.mark.spec("MQTT-3.1.2-12", "MQTT311-3.1.2-14")
@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_will_qos_is_accepted(mqtt: Mqtt, version: int, qos: int) -> None:
    """Goal: Will QoS 0, 1 and 2 are fine."""
    mqtt.connect(version=version, will=Will(topic_name=mqtt.topic(), qos=qos)).disconnect()


def missing_parts(version: int) -> dict[str, bytes]:
    """CONNECTs whose payload has less, or more, than the flags say."""
    will_properties = b"\x00" if version == MQTT_5 else b""
    client_id, will_topic = utf8("a"), will_properties + utf8("t")
    return {
        "no client id": head(version, 0x02),
        "half a client id": head(version, 0x02) + u16(5) + b"abc",
        "no will": head(version, 0x06) + client_id,
        "no will payload": head(version, 0x06) + client_id + will_topic,
        "no user name": head(version, 0x82) + client_id,
        "no password": head(version, 0xC2) + client_id + utf8("user"),
        "will without will flag": head(version, 0x02) + client_id + will_topic + binary(b"x"),
        "user name without flag": head(version, 0x02) + client_id + utf8("user"),
        "password without flag": head(version, 0x82) + client_id + utf8("u") + binary(b"p"),
        "one byte too many": head(version, 0x02) + client_id + b"\x00",
        "no keep alive": utf8("MQTT") + bytes([version, 2]),
        "no flags": utf8("MQTT") + bytes([version]),
        "no version": utf8("MQTT"),
        "nothing": b"",
    }


@pytest.mark.spec(
    "MQTT-3.1.2-9",
    "MQTT-3.1.2-16",
    "MQTT-3.1.2-17",
    "MQTT-3.1.2-18",
    "MQTT-3.1.2-19",
    "MQTT-3.1.3-3",
    "MQTT-3.1.4-1",
    "MQTT-4.13.1-1",
    "MQTT311-3.1.2-9",
    "MQTT311-3.1.2-11",
    "MQTT311-3.1.2-18",
    "MQTT311-3.1.2-19",
    "MQTT311-3.1.2-20",
    "MQTT311-3.1.2-21",
    "MQTT311-3.1.3-3",
    "MQTT311-3.1.4-1",
    "MQTT311-4.8.0-1",
)
@both_versions
@pytest.mark.parametrize("part", missing_parts(MQTT_5))
def test_payload_that_does_not_fit_the_flags_is_refused(
    mqtt: Mqtt, version: int, part: str
) -> None:
    """Goal: each field is there exactly if its flag says so."""
    client = mqtt.open(version)
    client.send(frame(0x10, missing_parts(version)[part]))
    expect_refused(client)


@pytest.mark.spec("MQTT311-3.1.2-22")
@pytest.mark.parametrize("version", [MQTT_3_1_1])
def test_password_without_user_name_is_refused_in_3_1_1(mqtt: Mqtt, version: int) -> None:
    """Goal: 3.1.1 knows a password only together with a user name."""
    client = mqtt.open(version)
    client.send(Connect(version=version, client_id="a", password=b"secret"))
    client.expect_close()


def test_password_without_user_name_is_read_in_5(mqtt: Mqtt) -> None:
    """Goal: 5.0 allows it; the broker may refuse to let it in, but not to read it."""
    client = mqtt.open()
    client.send(Connect(client_id=mqtt.new_client_id(), password=b"secret"))
    assert client.expect(Connack).reason_code in {0x00, 0x86, 0x87}


@pytest.mark.spec("MQTT-3.1.3-1", "MQTT311-3.1.3-1")
@both_versions
def test_payload_fields_are_read_in_their_order(mqtt: Mqtt, version: int) -> None:
    """Goal: Client Identifier, Will Topic and Will Payload end up where they belong."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic("will"))
    client_id = mqtt.new_client_id()
    will = Will(topic_name=mqtt.topic("will"), payload=b"last words")
    client = mqtt.connect(version=version, client_id=client_id, will=will)
    mqtt.connect(version=version, client_id=client_id)  # takes over, so the id was read right
    if version == MQTT_5:
        client.expect_disconnect(0x8E)
    else:
        client.expect_close()
    message = watcher.take()
    assert (message.topic_name, message.payload) == (mqtt.topic("will"), b"last words")


@pytest.mark.spec("MQTT-3.1.3-5", "MQTT311-3.1.3-5")
@all_versions
@pytest.mark.parametrize(
    "client_id", ["a", "Z9", LETTERS[:23], LETTERS[20:43], LETTERS[39:62]], ids=len
)
def test_client_id_of_letters_and_digits_is_accepted(
    mqtt: Mqtt, version: int, client_id: str
) -> None:
    """Goal: 1 to 23 letters and digits are always good."""
    mqtt.connect(version=version, client_id=client_id).disconnect()


@pytest.mark.spec("MQTT-3.1.3-6", "MQTT-3.1.3-7", "MQTT-3.2.2-16")
@pytest.mark.parametrize("clean_start", [True, False])
def test_empty_client_id_is_replaced_by_a_unique_one(mqtt: Mqtt, *, clean_start: bool) -> None:
    """Goal: the assigned identifier is told, is new, and works like a chosen one."""
    clients = [mqtt.connect(client_id="", clean_start=clean_start) for _ in range(3)]
    ids = [client.connack.properties[P.ASSIGNED_CLIENT_IDENTIFIER] for client in clients]
    assert len(set(ids)) == 3
    assert all(isinstance(each, str) and each for each in ids)
    taken_over = str(ids[0])
    mqtt.connect(client_id=taken_over)
    clients[0].expect_disconnect(0x8E)
    clients[1].expect_nothing()


@pytest.mark.spec("MQTT-3.1.3-7")
def test_assigned_client_id_names_a_session_that_can_be_resumed(mqtt: Mqtt) -> None:
    """Goal: a Session of an assigned identifier outlives its connection like any other."""
    client = mqtt.connect(client_id="", properties={P.SESSION_EXPIRY_INTERVAL: 600})
    client.subscribe(mqtt.topic(), qos=1)
    client.client_id = str(client.connack.properties[P.ASSIGNED_CLIENT_IDENTIFIER])
    client.disconnect()
    mqtt.connect().publish(mqtt.topic(), b"kept", qos=1)
    resumed = mqtt.resume(client)
    assert resumed.connack.session_present
    assert resumed.take().payload == b"kept"


@pytest.mark.spec("MQTT-3.1.3-7")
def test_chosen_client_id_gets_no_assigned_one(mqtt: Mqtt) -> None:
    """Goal: Assigned Client Identifier is only for who chose none."""
    assert P.ASSIGNED_CLIENT_IDENTIFIER not in mqtt.connect().connack.properties


@pytest.mark.spec("MQTT311-3.1.3-6")
@pytest.mark.parametrize("version", [MQTT_3_1_1])
def test_empty_client_id_with_clean_session_is_accepted(mqtt: Mqtt, version: int) -> None:
    """Goal: two clients without identifier do not take each other over."""
    first = mqtt.connect(version=version, client_id="")
    mqtt.connect(version=version, client_id="")
    first.expect_nothing()


@pytest.mark.spec("MQTT311-3.1.3-7", "MQTT311-3.1.3-8", "MQTT311-3.1.3-9", "MQTT311-3.2.2-5")
def test_empty_client_id_without_clean_session_gets_return_code_2(mqtt: Mqtt) -> None:
    """Goal: 3.1.1 cannot keep a session that has no name."""
    client = mqtt.open(MQTT_3_1_1)
    client.send(Connect(version=MQTT_3_1_1, client_id="", clean_start=False))
    client.expect_refusal(2, may_be_silent=False)


def test_empty_client_id_gets_return_code_2_in_3_1(mqtt: Mqtt) -> None:
    """Goal: MQTT 3.1 asks for 1 to 23 characters."""
    client = mqtt.open(MQTT_3_1)
    client.send(Connect(version=MQTT_3_1, client_id=""))
    client.expect_refusal(2, may_be_silent=True)


@pytest.mark.spec("MQTT-3.1.4-6", "MQTT311-3.1.4-5", "MQTT-3.2.0-1")
@both_versions
def test_what_follows_a_refused_connect_is_not_processed(mqtt: Mqtt, version: int) -> None:
    """Goal: a PUBLISH behind a bad CONNECT in the same segment reaches nobody."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    client = mqtt.open(version)
    bad = Connect(version=version, client_id=mqtt.new_client_id()).encode(flags=0x03)
    message = Publish(topic_name=mqtt.topic(), payload=b"smuggled", retain=True)
    client.send(bad, message)
    expect_refused(client)
    mqtt.settle()
    watcher.expect_nothing()
    assert not mqtt.get_retained(mqtt.topic())


@pytest.mark.spec("MQTT-3.1.4-5", "MQTT-3.2.0-1")
@both_versions
def test_packets_sent_before_connack_are_processed_after_it(mqtt: Mqtt, version: int) -> None:
    """Goal: a client need not wait for CONNACK; the answers come behind it in order."""
    watcher = mqtt.connect(version=version)
    watcher.subscribe(mqtt.topic())
    client = mqtt.open(version)
    client.send(
        Connect(version=version, client_id=mqtt.new_client_id()),
        Publish(topic_name=mqtt.topic(), payload=b"eager", qos=1, packet_id=1),
    )
    assert client.expect(Connack).reason_code == 0
    client.expect_ack(PacketType.PUBACK, 1)
    assert watcher.take().payload == b"eager"


def test_connect_with_every_property_is_accepted(mqtt: Mqtt) -> None:
    """Goal: all properties that a CONNECT may have are understood together."""
    client = mqtt.connect(
        keep_alive_s=60,
        properties={
            P.SESSION_EXPIRY_INTERVAL: 0,
            P.RECEIVE_MAXIMUM: 10,
            P.MAXIMUM_PACKET_SIZE: 1000,
            P.TOPIC_ALIAS_MAXIMUM: 5,
            P.REQUEST_RESPONSE_INFORMATION: 1,
            P.REQUEST_PROBLEM_INFORMATION: 1,
            P.USER_PROPERTY: [("a", "1"), ("a", "2")],
        },
    )
    client.expect_nothing()
