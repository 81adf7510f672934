"""What a collector reads, and how little of HTTP it takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from edge.ops.http import REQUEST_BYTES_MAX, REQUEST_TIMEOUT_S, MetricsServer
from edge.ops.metrics import render
from edge.ops.numbers import NUMBERS
from edge.ops.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

SNAPSHOT = Snapshot(
    uptime_s=90.5,
    engine={"connections": 3, "publish_sent_qos1": 7, "dropped_slow": 2, "acl_denied": 1},
    control={"connect_accepted": 4, "acl_denied": 10},
    refused={0x87: 5, 0x8A: 6},
)


def samples(body: bytes) -> Mapping[str, str]:
    """The samples of an exposition by name with labels."""
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_numbers_appear_under_robustmqs_names() -> None:
    found = samples(render(SNAPSHOT, node_id="n", version="1"))
    assert found["mqtt_connections_count"] == "3"
    assert found['mqtt_packets_publish_sent_total{qos="1"}'] == "7"
    assert found["mqtt_connection_success_total"] == "4"
    assert found['robustmq_edge_messages_dropped_total{cause="slow"}'] == "2"
    assert found["mqtt_blacklist_blocked_total"] == "6"
    assert found['robustmq_edge_connects_refused_total{reason="0x87"}'] == "5"
    assert found["robustmq_edge_uptime_seconds"] == "90.500"
    # Counted by the engine and by the control plane.
    assert found["mqtt_acl_failed_total"] == "11"


def test_numbers_that_the_broker_does_not_deliver_are_left_out() -> None:
    assert "mqtt_sessions_count" not in samples(render(SNAPSHOT, node_id="n", version="1"))


def test_each_metric_is_explained_once_and_stands_together() -> None:
    keys = [source for number in NUMBERS for source in number.sources]
    everything = Snapshot(
        0.0,
        {key: 1 for key in keys if not key.startswith("control.")},
        {key.removeprefix("control."): 1 for key in keys},
    )
    seen: list[str] = []
    for line in render(everything, node_id="n", version="1").decode().splitlines():
        name = line.split()[2] if line.startswith("# TYPE") else line.split("{")[0].split()[0]
        if line.startswith("# TYPE"):
            assert name not in seen
            seen.append(name)
        elif not line.startswith("#"):
            assert name == seen[-1]


def test_labels_are_escaped() -> None:
    body = render(SNAPSHOT, node_id='a"b\\c\nd', version="1")
    assert b'node="a\\"b\\\\c\\nd"' in body


class Source:
    """A snapshot and a health that tests set."""

    def __init__(self) -> None:
        self.trouble = ""
        self.error: Exception | None = None
        self.faults: list[Exception] = []

    async def take(self) -> Snapshot:
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        return SNAPSHOT

    def health(self) -> str:
        return self.trouble

    def server(self) -> MetricsServer:
        return MetricsServer(self.take, self.health, self.faults.append, node_id="n", version="1")


async def fetch(server: MetricsServer, data: bytes) -> bytes:
    """Send a request and return all that comes back."""
    client, peer = trio.testing.memory_stream_pair()
    response = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handle, peer)
        await client.send_all(data)
        async for part in client:
            response += part
    return response


async def test_metrics_are_served() -> None:
    response = await fetch(Source().server(), b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"mqtt_connections_count 3\n" in body


async def test_health_tells_what_is_wrong() -> None:
    source = Source()
    good = await fetch(source.server(), b"GET /health HTTP/1.1\r\n\r\n")
    assert good.startswith(b"HTTP/1.1 200")
    source.trouble = 'the "engine" has stopped'
    bad = await fetch(source.server(), b"GET /health HTTP/1.1\r\n\r\n")
    assert bad.startswith(b"HTTP/1.1 503")
    assert json.loads(bad.partition(b"\r\n\r\n")[2])["reason"] == source.trouble


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /metrics HTTP/2\r\n\r\n", 400),
        (b"\xff\xfe \x00\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + b"x" * REQUEST_BYTES_MAX + b"\r\n\r\n", 431),
    ],
)
async def test_other_requests_get_their_status(data: bytes, status: int) -> None:
    response = await fetch(Source().server(), data)
    assert response.startswith(f"HTTP/1.1 {status} ".encode())
    if data.startswith(b"HEAD"):
        assert response.endswith(b"\r\n\r\n")


async def test_fault_of_the_broker_is_told_and_becomes_500() -> None:
    source = Source()
    source.error = KeyError("x")
    response = await fetch(source.server(), b"GET /metrics HTTP/1.1\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 500 ")
    assert source.faults == [source.error]


async def test_client_that_sends_nothing_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    assert await fetch(Source().server(), b"GET /metr") == b""
    assert trio.current_time() == pytest.approx(REQUEST_TIMEOUT_S)


async def test_server_listens_on_its_address() -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(Source().server().serve, "127.0.0.1", 0)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /health HTTP/1.1\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()
