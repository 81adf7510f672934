"""The $SYS topics: silent while nobody listens, RobustMQ's names and payloads otherwise."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from edge.ops.snapshot import Snapshot
from edge.ops.sys_topics import SysTopics, format_uptime, split_peer, topic_level

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Broker:
    """Records what is published and counts the snapshots."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.listened = False
        self.taken_count = 0
        self.connections = 3
        self.sys = SysTopics(
            node_id="edge-1",
            version="0.1.0",
            publish=lambda topic, payload: self.sent.append((topic, payload)),
            take_snapshot=self.take,
            is_listened=lambda: self.listened,
            enabled=enabled,
            interval_s=60,
        )

    async def take(self) -> Snapshot:
        await trio.lowlevel.checkpoint()
        self.taken_count += 1
        return Snapshot(90.0, {"connections": self.connections, "bytes_sent": 5}, {})

    def last(self, topic: str) -> str:
        """The latest payload of a topic."""
        return dict(self.sent)[f"$SYS/brokers/edge-1/{topic}"].decode()


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(broker.sys.run)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def test_nothing_is_computed_while_nobody_listens(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broker = Broker()
    async with running(broker):
        await trio.sleep(1000)
    assert broker.taken_count == 0
    assert not broker.sent


async def test_subscriber_gets_the_numbers_at_once_and_at_each_interval(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broker = Broker()
    async with running(broker):
        broker.listened = True
        broker.sys.wake()
        await trio.sleep(0.1)
        assert broker.taken_count == 1
        await trio.sleep(119)
        assert broker.taken_count == 2
        broker.listened = False
        await trio.sleep(1000)
        assert broker.taken_count == 2
    assert json.loads(dict(broker.sent)["$SYS/brokers"]) == [{"node_id": "edge-1"}]
    assert broker.last("version") == "0.1.0"
    assert broker.last("uptime") == "0 days, 0 hours, 1 minutes, 30 seconds"
    assert broker.last("stats/connections/count") == "3"
    assert broker.last("metrics/bytes/sent") == "5"
    assert broker.last("sysdescr")
    assert broker.last("datetime")


async def test_subscribers_that_come_and_go_wake_it_once_a_second_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broker = Broker()
    broker.listened = True
    async with running(broker):
        for _ in range(100):
            broker.sys.wake()
            await trio.sleep(0.1)
    assert broker.taken_count <= 11


async def test_switched_off_it_stays_silent(autojump_clock: trio.testing.MockClock) -> None:
    broker = Broker(enabled=False)
    broker.listened = True
    async with running(broker):
        broker.sys.wake()
        broker.sys.client_disconnected("a", username=None, peer="", protocol_version=5, reason="x")
        await trio.sleep(100)
        assert not broker.sent
        # A reload may switch it on.
        broker.sys.enabled = True
        broker.sys.wake()
        await trio.sleep(0.1)
        assert broker.sent


def test_maximum_is_the_largest_that_a_round_has_seen() -> None:
    broker = Broker()
    broker.sys.publish_round(Snapshot(0.0, {"connections": 5}, {}))
    broker.sys.publish_round(Snapshot(0.0, {"connections": 2}, {}))
    assert broker.last("stats/connections/count") == "2"
    assert broker.last("stats/connections/max") == "5"


def test_client_events_have_robustmqs_fields() -> None:
    broker = Broker()
    broker.listened = True
    broker.sys.client_connected(
        "a/b",
        username="u",
        peer="192.0.2.1:5000",
        protocol_version=4,
        keep_alive_s=60,
        clean_start=True,
        expiry_s=0,
    )
    connected = json.loads(broker.last("clients/a%2Fb/connected"))
    assert connected.pop("ts") == connected.pop("connected_at")
    assert connected == {
        "client_id": "a/b",
        "username": "u",
        "ip_address": "192.0.2.1",
        "sock_port": 5000,
        "proto_name": "MQTT",
        "proto_ver": "V4",
        "keepalive": 60,
        "expiry_interval": 0,
        "connect_ack": 0,
        "clean_start": True,
    }
    broker.sys.client_disconnected(
        "a/b", username=None, peer="unix", protocol_version=5, reason="keep alive timeout"
    )
    disconnected = json.loads(broker.last("clients/a%2Fb/disconnected"))
    assert disconnected["reason"] == "keep alive timeout"
    assert disconnected["proto_ver"] == "V5"
    broker.sys.client_subscribed("a/b", username=None, topic_filter="x/#", qos=1)
    broker.sys.client_unsubscribed("a/b", username=None, topic_filter="x/#")
    assert json.loads(broker.last("clients/a%2Fb/subscribed"))["topic"] == "x/#"
    assert json.loads(broker.last("clients/a%2Fb/unsubscribed"))["topic"] == "x/#"


def test_client_events_are_not_sent_while_nobody_listens() -> None:
    broker = Broker()
    broker.sys.client_disconnected("a", username=None, peer="", protocol_version=5, reason="x")
    assert not broker.sent


@pytest.mark.parametrize(
    ("text", "level"), [("a", "a"), ("a/b", "a%2Fb"), ("+#%", "%2B%23%25"), ("ä", "ä")]
)
def test_names_become_one_level(text: str, level: str) -> None:
    assert topic_level(text) == level


@pytest.mark.parametrize(
    ("peer", "parts"),
    [
        ("192.0.2.1:5000", ("192.0.2.1", 5000)),
        ("[2001:db8::1]:5000", ("2001:db8::1", 5000)),
        ("unix", ("unix", 0)),
        ("", ("", 0)),
    ],
)
def test_peers_are_split(peer: str, parts: tuple[str, int]) -> None:
    assert split_peer(peer) == parts


def test_uptime_is_written_like_robustmqs() -> None:
    assert format_uptime(86400 * 2 + 3600 + 61) == "2 days, 1 hours, 1 minutes, 1 seconds"
