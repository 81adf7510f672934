"""The whole broker in this process: real engine, real sockets, real signals."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trio

from edge.broker.app import run
from edge.broker.server import Broker, serve
from edge.config.schema import EdgeConfig, ListenerConfig, LogConfig, NodeConfig
from edge.errors import ListenError
from edge.protocol import client as codec
from edge.protocol.packets import Connect, Disconnect, Subscribe, Subscription, Will
from edge.protocol.properties import Properties

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEADLINE_S = 5


def config_in(folder: Path, *addresses: str) -> EdgeConfig:
    """A quiet broker with its control socket in `folder`."""
    return EdgeConfig(
        node=NodeConfig(control_socket=str(folder / "c.sock"), shutdown_grace_s=3),
        log=LogConfig(level="error"),
        listener=tuple(ListenerConfig(address=address) for address in addresses),
    )


class Link:
    """A client of the broker under test."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def packet(self) -> bytes:
        """The next packet; b"" at the end."""
        while True:
            packet = codec.take_packet(self._buffer)
            if packet is not None:
                return packet
            data = await self.stream.receive_some()
            if not data:
                return b""
            self._buffer += data

    async def subscribe(self, topic_filter: str) -> None:
        packet = Subscribe(1, [Subscription(topic_filter)])
        await self.stream.send_all(codec.encode_subscribe(packet, 5))
        assert codec.decode_suback(await self.packet(), 5).reason_codes == [0]


class Stage:
    """A broker and the clients of a test."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.links: list[Link] = []
        self._is_told_to_end = False

    def end(self) -> None:
        """Send SIGTERM, once: the second one would find no broker and end the tests."""
        if not self._is_told_to_end:
            self._is_told_to_end = True
            os.kill(os.getpid(), signal.SIGTERM)

    async def connect(self, client_id: str, *, listener: int = 0, will: Will | None = None) -> Link:
        """Connect a client, which must be accepted."""
        host, _, port = self.broker.addresses[listener].rpartition(":")
        link = Link(await trio.open_tcp_stream(host.strip("[]"), int(port)))
        self.links.append(link)
        connect = Connect(5, True, 60, client_id, None, None, will, Properties())
        await link.stream.send_all(codec.encode_connect(connect))
        assert codec.decode_connack(await link.packet(), 5).reason_code == 0
        return link


@asynccontextmanager
async def running(
    config: EdgeConfig, path: Path | None = None, environ: dict[str, str] | None = None
) -> AsyncIterator[Stage]:
    """A broker that serves until the test is over."""
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            broker: Broker = await nursery.start(
                serve, config, str(path) if path else None, environ or {}
            )
            stage = Stage(broker)
            yield stage
            for link in stage.links:
                await link.stream.aclose()
            stage.end()


async def test_message_travels_between_listeners(tmp_path: Path) -> None:
    config = config_in(tmp_path, "127.0.0.1:0", "[::1]:0")
    async with running(config) as stage:
        receiver = await stage.connect("receiver", listener=1)
        await receiver.subscribe("t/#")
        sender = await stage.connect("sender")
        message = codec.Publish("t/1", b"hello")
        await sender.stream.send_all(codec.encode_publish(message, 5))
        received = codec.decode_publish(await receiver.packet(), 5)
        assert (received.topic, received.payload) == ("t/1", b"hello")


async def test_lost_client_has_its_will_published(tmp_path: Path) -> None:
    async with running(config_in(tmp_path, "127.0.0.1:0")) as stage:
        receiver = await stage.connect("receiver")
        await receiver.subscribe("w")
        mortal = await stage.connect("mortal", will=Will("w", b"gone"))
        await mortal.stream.aclose()
        assert codec.decode_publish(await receiver.packet(), 5).payload == b"gone"


async def test_sigterm_says_goodbye_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    async with running(config_in(tmp_path, "127.0.0.1:0", f"unix:{path}")) as stage:
        link = await stage.connect("a")
        stage.end()
        farewell = codec.decode_disconnect(await link.packet())
        assert farewell == Disconnect(0x8B)
        assert await link.packet() == b""
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("")
    async with running(config_in(tmp_path, "127.0.0.1:0"), path) as stage:
        link = await stage.connect("a")
        path.write_text('[[ban]]\nclient_id = "a"\nreason = "because"\n')
        os.kill(os.getpid(), signal.SIGHUP)
        assert codec.decode_disconnect(await link.packet()).reason_code == 0x8A
        path.write_text("nonsense")
        os.kill(os.getpid(), signal.SIGHUP)
        await stage.connect("b")


async def test_systemd_is_told_when_the_broker_serves_and_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "n.sock"))
        notify.settimeout(DEADLINE_S)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "n.sock")}
        async with running(config_in(tmp_path, "127.0.0.1:0"), environ=environ):
            assert b"READY=1" in notify.recv(100)
        assert b"STOPPING=1" in notify.recv(100)


async def test_sys_topics_reach_who_asks_for_them(tmp_path: Path) -> None:
    async with running(config_in(tmp_path, "127.0.0.1:0")) as stage:
        link = await stage.connect("a")
        await link.subscribe("$SYS/brokers/+/version")
        assert codec.decode_publish(await link.packet(), 5).payload == b"0.1.0"


async def test_busy_address_is_one_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = config_in(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ListenError, match="Address already in use"):
            await serve(config, None, {})


async def test_busy_control_socket_is_an_error_only_if_it_was_asked_for(tmp_path: Path) -> None:
    async with running(config_in(tmp_path, "127.0.0.1:0")):
        with pytest.raises(ListenError, match="another broker"):
            await serve(config_in(tmp_path, "127.0.0.1:0"), None, {})


async def test_broker_serves_without_a_control_socket_nobody_asked_for(tmp_path: Path) -> None:
    config = config_in(tmp_path, "127.0.0.1:0")
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    config = replace(config, node=replace(config.node, control_socket=""))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "control.sock"))
        other.listen()
        async with running(config, environ=environ) as stage:
            await stage.connect("a")


async def test_watchdog_is_fed_while_the_engine_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "n.sock"))
        notify.settimeout(DEADLINE_S)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "n.sock"), "WATCHDOG_USEC": "20000"}
        async with running(config_in(tmp_path, "127.0.0.1:0"), environ=environ):
            said = set()
            while said < {b"READY=1", b"WATCHDOG=1"}:
                said.add(await trio.to_thread.run_sync(notify.recv, 100))


def test_run_ends_with_status_0(tmp_path: Path) -> None:
    """The pidfile-less way: a child thread sends the signal once READY=1 is there."""
    import threading

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "n.sock"))

        def end() -> None:
            notify.recv(100)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOTIFY_SOCKET", str(tmp_path / "n.sock"))
            assert run(config_in(tmp_path, "127.0.0.1:0"), config_path=None) == 0
        thread.join()
