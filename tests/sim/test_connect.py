"""CONNECT on the simulated broker: who is let in, on which terms, and who is told no."""

from __future__ import annotations

import pytest

from edge.config.schema import ListenerConfig, TlsConfig
from edge.engine.engine import CAUSE_PEER
from edge.protocol import client as codec
from edge.protocol.kinds import PacketKind
from edge.protocol.packets import Connect, Will
from tests.sim.harness import configured, simulated


async def test_first_connect_gets_a_new_session_and_the_limits() -> None:
    async with simulated() as sim:
        connack = sim.try_connect("a").connack()
    assert not connack.session_present
    assert connack.reason_code == 0
    assert connack.properties.receive_maximum == 1024
    assert connack.properties.maximum_packet_size == 1024 * 1024
    assert connack.properties.topic_alias_maximum == 64
    assert connack.properties.maximum_qos is None
    assert connack.properties.retain_available is None
    assert connack.properties.assigned_client_identifier is None
    assert connack.properties.server_keep_alive_s is None


@pytest.mark.parametrize("version", [3, 4])
async def test_connect_before_5_0_gets_a_plain_connack(version: int) -> None:
    async with simulated() as sim:
        client = sim.try_connect("a", version=version)
        assert client.take() == [b"\x20\x02\x00\x00"]
        assert client.wire.terms["protocol_version"] == version
        assert client.wire.terms["receive_max"] == 65_535


async def test_terms_follow_from_the_clients_limits_and_ours() -> None:
    async with simulated() as sim:
        client = sim.connect(
            "a",
            keep_alive_s=30,
            receive_maximum=10,
            maximum_packet_size=2000,
            topic_alias_maximum=5,
        )
    terms = client.wire.terms
    assert terms["keep_alive_s"] == 30
    assert terms["inflight_max"] == 10
    assert terms["receive_max"] == 1024
    assert terms["client_packet_bytes_max"] == 2000
    assert terms["alias_out_max"] == 5
    assert terms["alias_in_max"] == 64
    assert terms["ends_with_connection"]


@pytest.mark.parametrize(
    ("client_says", "bound", "server_says"),
    [(60, 65_535, None), (0, 65_535, None), (0, 120, 120), (300, 120, 120), (120, 120, None)],
)
@pytest.mark.spec("MQTT-3.2.2-21")
async def test_keep_alive_is_bounded_in_5_0(
    client_says: int, bound: int, server_says: int | None
) -> None:
    async with simulated(configured(limits={"keep_alive_s_max": bound})) as sim:
        client = sim.try_connect("a", keep_alive_s=client_says)
        assert client.connack().properties.server_keep_alive_s == server_says
        expected = client_says if server_says is None else server_says
        assert client.wire.terms["keep_alive_s"] == expected


@pytest.mark.parametrize("keep_alive_s", [0, 300])
async def test_keep_alive_before_5_0_is_the_clients_own(keep_alive_s: int) -> None:
    async with simulated(configured(limits={"keep_alive_s_max": 120})) as sim:
        client = sim.connect("a", version=4, keep_alive_s=keep_alive_s)
        assert client.wire.terms["keep_alive_s"] == keep_alive_s


@pytest.mark.spec("MQTT-3.1.3-6", "MQTT-3.2.2-16")
async def test_empty_client_id_gets_an_assigned_one() -> None:
    async with simulated() as sim:
        first = sim.try_connect("").connack().properties.assigned_client_identifier
        second = sim.try_connect("").connack().properties.assigned_client_identifier
    assert first is not None
    assert first.startswith("auto-")
    assert first != second


async def test_empty_client_id_is_refused_where_it_is_not_allowed() -> None:
    async with simulated(configured(session={"client_id_empty_allowed": False})) as sim:
        client = sim.try_connect("")
        assert client.connack().reason_code == 0x85
        assert client.is_closed
        v311 = sim.try_connect("", version=4)
        assert v311.take() == [b"\x20\x02\x00\x02"]


async def test_too_long_client_id_is_refused() -> None:
    async with simulated(configured(session={"client_id_bytes_max": 23})) as sim:
        assert sim.try_connect("é" * 12).connack().reason_code == 0x85
        assert sim.try_connect("é" * 11).connack().reason_code == 0


@pytest.mark.spec("MQTT311-3.1.3-8")
async def test_empty_client_id_with_clean_session_0_is_refused_in_3_1_1() -> None:
    async with simulated() as sim:
        client = sim.open()
        client.send(b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00")
        assert client.take() == [b"\x20\x02\x00\x02"]
        assert client.is_closed


async def test_username_names_the_session_if_configured() -> None:
    config = configured(session={"client_id_from": "username"})
    async with simulated(config) as sim:
        sim.connect("whatever", username="alice")
        assert sim.context.clients.get("alice") is not None


async def test_versions_that_are_switched_off_are_refused() -> None:
    async with simulated(configured(limits={"protocol_versions": ("5.0",)})) as sim:
        assert sim.try_connect("a", version=4).take() == [b"\x20\x02\x00\x01"]
    async with simulated(configured(limits={"protocol_versions": ("3.1.1",)})) as sim:
        client = sim.try_connect("a")
        assert client.connack().reason_code == 0x84
        assert client.is_closed


@pytest.mark.spec("MQTT-3.1.2-2")
async def test_an_unknown_protocol_version_is_told_so() -> None:
    async with simulated() as sim:
        newer = sim.open()
        newer.send(b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x00\x00")
        assert codec.decode_connack(newer.take_one(PacketKind.CONNACK), 5).reason_code == 0x84
        older = sim.open()
        older.send(b"\x10\x0c\x00\x04MQTT\x02\x02\x00\x3c\x00\x00")
        assert older.take() == [b"\x20\x02\x00\x01"]


async def test_another_protocol_is_closed_without_a_word() -> None:
    async with simulated() as sim:
        client = sim.open()
        client.send(b"\x10\x0c\x00\x04HTTP\x04\x02\x00\x3c\x00\x00")
        assert client.take() == []
        assert client.is_closed


async def test_malformed_connect_gets_a_connack_in_5_0_only() -> None:
    async with simulated() as sim:
        v5 = sim.open()
        v5.send(b"\x10\x0d\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x00")
        assert codec.decode_connack(v5.take_one(PacketKind.CONNACK), 5).reason_code == 0x81
        v4 = sim.open()
        v4.send(b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00")
        assert v4.take() == []
        assert v4.is_closed


@pytest.mark.spec("MQTT-3.1.0-2")
async def test_second_connect_ends_the_connection() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.send(codec.encode_connect(Connect(5, True, 60, "a")))
        assert client.farewell().reason_code == 0x82


async def test_response_information_is_given_on_request() -> None:
    async with simulated() as sim:
        asking = sim.try_connect("a", request_response_information=1)
        assert asking.connack().properties.response_information == "response/a/"
        silent = sim.try_connect("b")
        assert silent.connack().properties.response_information is None
        unfit = sim.try_connect("a/#", request_response_information=1)
        assert unfit.connack().properties.response_information is None


@pytest.mark.spec("MQTT-3.2.2-12", "MQTT-3.2.2-13")
async def test_will_that_is_not_supported_is_refused() -> None:
    async with simulated(configured(limits={"qos_max": 1, "retain_available": False})) as sim:
        assert sim.try_connect("a", will=Will("t", b"", qos=2)).connack().reason_code == 0x9B
        assert sim.try_connect("a", will=Will("t", b"", retain=True)).connack().reason_code == 0x9A
        connack = sim.try_connect("a", will=Will("t", b"", qos=1)).connack()
        assert connack.properties.maximum_qos == 1
        assert connack.properties.retain_available == 0


async def test_features_that_are_off_are_announced() -> None:
    limits = {"wildcard_available": False, "shared_available": False, "topic_alias_max": 0}
    async with simulated(configured(limits=limits)) as sim:
        properties = sim.try_connect("a").connack().properties
    assert properties.wildcard_subscription_available == 0
    assert properties.shared_subscription_available == 0
    assert properties.topic_alias_maximum is None


async def test_anonymous_clients_need_loopback_or_permission() -> None:
    listeners = (
        ListenerConfig(address="127.0.0.1:1883"),
        ListenerConfig(address="0.0.0.0:1884"),
        ListenerConfig(address="0.0.0.0:1885", anonymous=True),
        ListenerConfig(address="127.0.0.1:1886", anonymous=False),
    )
    async with simulated(configured(listener=listeners)) as sim:
        codes = [
            sim.try_connect("a", listener_index=index).connack().reason_code for index in range(4)
        ]
        assert codes == [0, 0x87, 0, 0x87]
        assert sim.try_connect("a", version=4, listener_index=1).take() == [b"\x20\x02\x00\x05"]
        # Nobody can prove a name where there is no password file.
        named = sim.try_connect("a", username="alice", listener_index=1)
        assert named.connack().reason_code == 0x86


async def test_certificate_names_the_user() -> None:
    listeners = (
        ListenerConfig(address="0.0.0.0:8883", tls=TlsConfig(username_from="common_name")),
        ListenerConfig(address="0.0.0.0:8884", tls=TlsConfig(username_from="subject")),
        ListenerConfig(
            address="0.0.0.0:8885",
            tls=TlsConfig(username_from="common_name", client_certificate="required"),
        ),
    )
    peer = b"192.0.2.1:1\0device-7\0CN=device-7,O=Acme"
    async with simulated(configured(listener=listeners)) as sim:
        sim.connect("a", peer=peer)
        client = sim.context.clients.get("a")
        assert client is not None
        assert client.username == "device-7"
        sim.connect("b", peer=peer, listener_index=1)
        client = sim.context.clients.get("b")
        assert client is not None
        assert client.username == "CN=device-7,O=Acme"
        # An empty subject proves nothing, whatever the client calls itself.
        nameless = sim.try_connect("d", username="admin", peer=b"192.0.2.1:1\0\0", listener_index=2)
        assert nameless.connack().reason_code == 0x86
        # Without a certificate it is an anonymous client like any other.
        assert sim.try_connect("c", peer=b"192.0.2.1:1\0\0").connack().reason_code == 0x87


async def test_too_many_sessions_are_refused() -> None:
    async with simulated(configured(limits={"clients_max": 1})) as sim:
        first = sim.connect("a")
        assert sim.try_connect("b").connack().reason_code == 0x97
        sim.connect("a")
        assert first.is_closed
        assert sim.try_connect("b", version=4).take() == [b"\x20\x02\x00\x03"]


async def test_too_many_connections_from_one_address_are_refused() -> None:
    async with simulated(configured(limits={"connections_per_address_max": 1})) as sim:
        first = sim.connect("a", peer=b"192.0.2.1:1")
        sim.connect("b", peer=b"192.0.2.2:1")
        assert sim.try_connect("c", peer=b"192.0.2.1:2").connack().reason_code == 0x97
        first.vanish(CAUSE_PEER)
        sim.connect("c", peer=b"192.0.2.1:3")
        # Unix sockets have no address.
        sim.connect("d", peer=b"local")
        sim.connect("e", peer=b"local")


async def test_connack_above_the_clients_packet_size_closes_and_takes_nothing_away() -> None:
    async with simulated(configured(limits={"keep_alive_s_max": 10})) as sim:
        first = sim.connect("a")
        second = sim.try_connect("a", maximum_packet_size=7)
        assert second.connack().reason_code == 0x95
        assert second.is_closed
        assert not first.is_closed
        assert len(sim.context.clients) == 1


async def test_client_of_tiny_packets_is_told_only_what_it_must_know() -> None:
    async with simulated(configured(limits={"keep_alive_s_max": 10})) as sim:
        client = sim.try_connect("a", maximum_packet_size=8)
        properties = client.connack().properties
        assert properties.server_keep_alive_s == 10
        assert properties.receive_maximum is None
        assert properties.maximum_packet_size is None
        # What it was not told it is not held to.
        assert client.wire.terms["receive_max"] == 65_535
        assert client.wire.terms["alias_in_max"] == 0


async def test_closed_while_pending_leaves_nothing_behind() -> None:
    async with simulated() as sim:
        client = sim.open()
        client.vanish()
        assert sim.plane.connects.pending_count == 0
