"""Sections 3.15 and 4.12: AUTH and Enhanced Authentication, with SCRAM-SHA-256."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import configs
from tests.support.broker import ROOT
from tests.support.packets import Connack, Connect, Farewell, Packet, Ping, Publish, Subscribe
from tests.support.scram import ScramClient
from tests.support.versions import MALFORMED, PROTOCOL_ERROR, both_versions
from tests.support.wire import P, PacketType, Properties, frame, properties

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.client import Client
    from tests.support.mqtt import Mqtt

METHOD: Final = "SCRAM-SHA-256"
USER, PASSWORD = "ada", "correct horse"
CONTINUE: Final = 0x18
RE_AUTHENTICATE: Final = 0x19
REFUSED: Final = {0x86, 0x87}
BAD: Final = {MALFORMED, PROTOCOL_ERROR}


@pytest.fixture(scope="module")
def password_lines(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A password file, made by the command that users have for it."""
    path = tmp_path_factory.mktemp("passwords") / "passwords"
    command = [sys.executable, "-m", "edge", "passwd", str(path), USER, "--password-stdin"]
    subprocess.run(command, input=PASSWORD, text=True, check=True, cwd=ROOT)
    return path.read_text()


@pytest.fixture
def guarded(mqtt_with: MqttFactory, password_lines: str) -> Mqtt:
    """A broker that knows one user and lets nobody else in."""
    return mqtt_with(
        configs.PASSWORDS,
        {"passwords": password_lines},
        user_name=USER,
        password=PASSWORD.encode(),
    )


def auth(code: int, data: bytes | None = None, method: str | None = METHOD) -> Farewell:
    """An AUTH packet."""
    found: dict[P, str | bytes] = {}
    if method is not None:
        found[P.AUTHENTICATION_METHOD] = method
    if data is not None:
        found[P.AUTHENTICATION_DATA] = data
    return Farewell(PacketType.AUTH, code, found)


def begin(mqtt: Mqtt, scram: ScramClient, extra: Properties | None = None) -> Client:
    """Send the CONNECT that begins an exchange."""
    client = mqtt.open()
    asked = {P.AUTHENTICATION_METHOD: METHOD, P.AUTHENTICATION_DATA: scram.first}
    client.send(Connect(client_id=mqtt.new_client_id(), properties={**asked, **(extra or {})}))
    return client


def expect_challenge(client: Client) -> bytes:
    """The server asks for more with AUTH 0x18 and the same method."""
    challenge = client.expect(Farewell)
    assert challenge.type is PacketType.AUTH
    assert challenge.reason_code == CONTINUE
    assert isinstance(challenge.properties, dict)
    assert challenge.properties[P.AUTHENTICATION_METHOD] == METHOD
    data = challenge.properties[P.AUTHENTICATION_DATA]
    assert isinstance(data, bytes)
    return data


def authenticated(mqtt: Mqtt, extra: Properties | None = None) -> Client:
    """A client that went through the whole exchange."""
    scram = ScramClient(USER, PASSWORD)
    client = begin(mqtt, scram, extra)
    client.send(auth(CONTINUE, scram.final(expect_challenge(client))))
    connack = client.expect(Connack)
    assert connack.reason_code == 0
    assert connack.properties[P.AUTHENTICATION_METHOD] == METHOD
    server_final = connack.properties[P.AUTHENTICATION_DATA]
    assert isinstance(server_final, bytes)
    scram.check(server_final)
    return client


@pytest.mark.spec("MQTT-4.12.0-6")
def test_without_a_method_there_is_no_auth_and_no_method(mqtt: Mqtt) -> None:
    """Goal: a plain CONNECT gets a plain CONNACK at once."""
    found = mqtt.connect().connack.properties
    assert not {P.AUTHENTICATION_METHOD, P.AUTHENTICATION_DATA} & set(found)


@pytest.mark.spec("MQTT-4.12.0-7")
@pytest.mark.parametrize("code", [0x00, CONTINUE, RE_AUTHENTICATE])
def test_auth_without_a_method_in_connect_ends_the_connection(mqtt: Mqtt, code: int) -> None:
    """Goal: who did not begin an exchange cannot go on with one."""
    client = mqtt.connect()
    client.send(auth(code, b"data"))
    client.expect_disconnect(PROTOCOL_ERROR)


@pytest.mark.spec("MQTT-4.12.0-1", "MQTT-3.2.2-7")
@pytest.mark.parametrize("method", ["none-such", "", "scram-sha-256"])
def test_unknown_method_is_refused(mqtt: Mqtt, method: str) -> None:
    """Goal: a method that is not offered gets 0x8C and the close."""
    client = mqtt.open()
    client.send(Connect(client_id="a", properties={P.AUTHENTICATION_METHOD: method}))
    client.expect_refusal({0x8C, 0x87}, may_be_silent=False)


@pytest.mark.spec("MQTT-4.12.0-2", "MQTT-4.12.0-5", "MQTT-3.15.2-1")
def test_scram_exchange_lets_the_client_in(guarded: Mqtt) -> None:
    """Goal: challenge, proof and signature; each packet names the method."""
    client = authenticated(guarded)
    client.expect_nothing()


@pytest.mark.spec("MQTT-4.12.0-4", "MQTT-3.1.4-2")
@pytest.mark.parametrize(
    ("user_name", "password"), [(USER, "wrong"), ("nobody", PASSWORD)], ids=["password", "user"]
)
def test_wrong_credentials_fail_after_the_challenge(
    guarded: Mqtt, user_name: str, password: str
) -> None:
    """Goal: a wrong proof is refused, and an unknown user is challenged like a known one."""
    scram = ScramClient(user_name, password)
    client = begin(guarded, scram)
    client.send(auth(CONTINUE, scram.final(expect_challenge(client))))
    client.expect_refusal(REFUSED, may_be_silent=True)


@pytest.mark.spec("MQTT-4.12.0-4")
@pytest.mark.parametrize("data", [b"", b"garbage", b"n,,n=ada", b"y,,n=ada,r=x", b"\xff" * 9])
def test_garbage_as_first_data_is_refused(guarded: Mqtt, data: bytes) -> None:
    """Goal: data that is no SCRAM message refuses the connection, or is asked for again."""
    client = guarded.open()
    asked: Properties = {P.AUTHENTICATION_METHOD: METHOD, P.AUTHENTICATION_DATA: data}
    client.send(Connect(client_id="a", properties=asked))
    packet = client.receive()
    if isinstance(packet, Farewell):
        client.send(auth(CONTINUE, b"garbage"))
        packet = client.receive()
    assert packet is None or (isinstance(packet, Connack) and packet.reason_code >= 0x80)
    if packet is not None:
        client.expect_close()


@pytest.mark.spec("MQTT-4.12.0-5", "MQTT-4.12.0-3", "MQTT-3.15.2-1")
@pytest.mark.parametrize(
    ("code", "method"),
    [
        pytest.param(CONTINUE, "PLAIN", id="other method"),
        pytest.param(CONTINUE, None, id="no method"),
        pytest.param(RE_AUTHENTICATE, METHOD, id="re-authenticate"),
        pytest.param(0x00, METHOD, id="success"),
        pytest.param(0x80, METHOD, id="unknown code"),
    ],
)
def test_wrong_auth_during_the_exchange_is_refused(
    guarded: Mqtt, code: int, method: str | None
) -> None:
    """Goal: only AUTH 0x18 with the method of the CONNECT continues the exchange."""
    scram = ScramClient(USER, PASSWORD)
    client = begin(guarded, scram)
    client.send(auth(code, scram.final(expect_challenge(client)), method))
    client.expect_refusal({*BAD, *REFUSED, 0x8C}, may_be_silent=True)


@pytest.mark.spec("MQTT-3.1.2-30", "MQTT-3.2.0-1", "MQTT-3.1.4-6")
@pytest.mark.parametrize("kind", ["PUBLISH", "SUBSCRIBE", "PINGREQ", "CONNECT"])
def test_other_packets_during_the_exchange_end_the_connection(guarded: Mqtt, kind: str) -> None:
    """Goal: before CONNACK nothing but AUTH and DISCONNECT; nothing else is processed."""
    watcher = guarded.connect(user_name=USER, password=PASSWORD.encode())
    watcher.subscribe(guarded.topic())
    scram = ScramClient(USER, PASSWORD)
    client = begin(guarded, scram)
    expect_challenge(client)
    packets: dict[str, Packet] = {
        "PUBLISH": Publish(topic_name=guarded.topic(), payload=b"smuggled"),
        "SUBSCRIBE": Subscribe(1, [(guarded.topic(), 0)]),
        "PINGREQ": Ping(PacketType.PINGREQ),
        "CONNECT": Connect(client_id="other"),
    }
    client.send(packets[kind])
    client.expect_refusal(BAD, may_be_silent=True)
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-3.1.2-30")
def test_disconnect_during_the_exchange_closes(guarded: Mqtt) -> None:
    """Goal: a client may give up; the server closes without CONNACK."""
    client = begin(guarded, ScramClient(USER, PASSWORD))
    expect_challenge(client)
    client.send(Farewell(PacketType.DISCONNECT))
    client.expect_close()


@pytest.mark.spec("MQTT-3.15.1-1")
@pytest.mark.parametrize("flags", [1, 2, 4, 8])
def test_auth_with_reserved_flags_during_the_exchange_is_refused(guarded: Mqtt, flags: int) -> None:
    """Goal: a proof in a packet with wrong flags does not let anybody in."""
    scram = ScramClient(USER, PASSWORD)
    client = begin(guarded, scram)
    data = auth(CONTINUE, scram.final(expect_challenge(client))).encode(5)
    client.send(bytes([data[0] | flags]) + data[1:])
    client.expect_refusal(BAD, may_be_silent=True)


@pytest.mark.spec("MQTT-4.12.1-1", "MQTT-3.15.2-1", "MQTT-4.12.0-5", "MQTT-4.12.0-2")
def test_re_authentication_succeeds_while_messages_flow(guarded: Mqtt) -> None:
    """Goal: AUTH 0x19, challenge, proof, AUTH 0x00; messages come and go meanwhile."""
    client = authenticated(guarded)
    client.subscribe(guarded.topic())
    scram = ScramClient(USER, PASSWORD)
    client.send(auth(RE_AUTHENTICATE, scram.first))
    server_first = expect_challenge(client)
    client.publish(guarded.topic(), b"meanwhile")
    assert client.take().payload == b"meanwhile"
    client.send(auth(CONTINUE, scram.final(server_first)))
    success = client.expect(Farewell)
    assert (success.type, success.reason_code) == (PacketType.AUTH, 0x00)
    assert isinstance(success.properties, dict)
    assert success.properties[P.AUTHENTICATION_METHOD] == METHOD
    client.expect_nothing()


@pytest.mark.spec("MQTT-4.12.1-2", "MQTT-4.13.2-1")
def test_failed_re_authentication_ends_the_connection(guarded: Mqtt) -> None:
    """Goal: a wrong proof gets DISCONNECT and the close."""
    client = authenticated(guarded)
    scram = ScramClient(USER, "wrong")
    client.send(auth(RE_AUTHENTICATE, scram.first))
    client.send(auth(CONTINUE, scram.final(expect_challenge(client))))
    client.expect_disconnect({0x87, 0x8C})


@pytest.mark.spec("MQTT-4.12.1-1", "MQTT-4.12.0-5")
@pytest.mark.parametrize("method", ["PLAIN", None])
def test_re_authentication_with_another_method_ends_the_connection(
    guarded: Mqtt, method: str | None
) -> None:
    """Goal: the method of the CONNECT is the method of the connection."""
    client = authenticated(guarded)
    client.send(auth(RE_AUTHENTICATE, ScramClient(USER, PASSWORD).first, method))
    client.expect_disconnect({*BAD, 0x8C})


@pytest.mark.spec("MQTT-3.15.2-1")
@pytest.mark.parametrize("code", [0x00, CONTINUE, 0x01, 0x80])
def test_auth_that_begins_nothing_ends_the_connection(guarded: Mqtt, code: int) -> None:
    """Goal: outside an exchange only AUTH 0x19 makes sense."""
    client = authenticated(guarded)
    client.send(auth(code, b"x"))
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-3.15.2-1", "MQTT-4.13.1-1")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(0xF0, b"\x19" + properties(b"\x15\x00")), id="half a property"),
        pytest.param(frame(0xF0, b"\x19" + b"\x05"), id="length beyond the packet"),
        pytest.param(frame(0xF0), id="no reason code"),
    ],
)
def test_malformed_auth_ends_the_connection(guarded: Mqtt, data: bytes) -> None:
    """Goal: AUTH is parsed as strictly as other packets."""
    client = authenticated(guarded)
    client.send(data)
    client.expect_disconnect(BAD)


@pytest.mark.spec("MQTT-3.15.2-2", "MQTT-3.15.2-3", "MQTT-3.1.2-24")
def test_auth_keeps_to_the_maximum_packet_size(guarded: Mqtt) -> None:
    """Goal: a challenge has no explanations that would make it too large."""
    limit = 200
    client = authenticated(guarded, {P.MAXIMUM_PACKET_SIZE: limit})
    assert client.packet_bytes_seen_max <= limit


@pytest.mark.spec(
    "MQTT-3.1.4-2", "MQTT-3.2.2-6", "MQTT-3.2.2-7", "MQTT311-3.2.2-4", "MQTT311-3.2.2-5"
)
@both_versions
@pytest.mark.parametrize(
    ("user_name", "password"),
    [
        pytest.param(USER, b"wrong", id="wrong password"),
        pytest.param(USER, b"", id="empty password"),
        pytest.param("nobody", PASSWORD.encode(), id="unknown user"),
        pytest.param(USER, None, id="no password"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_wrong_user_name_or_password_is_refused(
    guarded: Mqtt, version: int, user_name: str | None, password: bytes | None
) -> None:
    """Goal: 0x86 or 0x87, in 3.1.1 return code 4 or 5, and the close."""
    client = guarded.open(version)
    client.send(Connect(version=version, client_id="a", user_name=user_name, password=password))
    client.expect_refusal(REFUSED if version == 5 else {4, 5}, may_be_silent=False)


@pytest.mark.spec("MQTT-3.1.4-5", "MQTT311-3.1.4-4", "MQTT-3.1.2-17", "MQTT-3.1.2-19")
@both_versions
def test_right_user_name_and_password_are_accepted(guarded: Mqtt, version: int) -> None:
    """Goal: both fields are read where the flags say they are."""
    guarded.connect(version=version, user_name=USER, password=PASSWORD.encode()).expect_nothing()


@pytest.mark.spec("MQTT-3.1.4-6", "MQTT311-3.1.4-5")
@both_versions
def test_what_follows_a_wrong_password_is_not_processed(guarded: Mqtt, version: int) -> None:
    """Goal: a PUBLISH behind a CONNECT that is refused late reaches nobody."""
    watcher = guarded.connect(user_name=USER, password=PASSWORD.encode())
    watcher.subscribe(guarded.topic())
    client = guarded.open(version)
    client.send(
        Connect(version=version, client_id="a", user_name=USER, password=b"wrong"),
        Publish(topic_name=guarded.topic(), payload=b"smuggled"),
    )
    client.expect_refusal(REFUSED if version == 5 else {4, 5}, may_be_silent=False)
    watcher.expect_nothing()
