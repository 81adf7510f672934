"""A control plane on a fake engine, and clients that talk real packets to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from edge.access.bans import BanList
from edge.broker.context import Context
from edge.broker.control_plane import ControlPlane
from edge.broker.settings import Settings
from edge.config.schema import EdgeConfig
from edge.engine.engine import CAUSE_PEER
from edge.protocol import client as codec
from edge.protocol.encode import encode_auth
from edge.protocol.kinds import PacketKind
from edge.protocol.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from edge.protocol.properties import Properties
from tests.sim.fake_engine import FakeConnection, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PEER = b"127.0.0.1:50000"


class RecordingLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    def named(self, event: str) -> list[dict[str, object]]:
        """The fields of every line with this event."""
        return [fields for _, name, fields in self.lines if name == event]


def configured(**sections: dict[str, Any]) -> EdgeConfig:
    """The default configuration with some settings of some sections changed."""
    config = EdgeConfig()
    return replace(
        config,
        **{
            name: replace(getattr(config, name), **settings)
            if isinstance(settings, dict)
            else settings
            for name, settings in sections.items()
        },
    )


class SimClient:
    """One Network Connection to the simulated broker."""

    def __init__(self, sim: Sim, listener_index: int = 0) -> None:
        self._sim = sim
        self.handle = sim.engine.open_connection(listener_index)
        self.version = 5
        self._packet_id = 0

    @property
    def wire(self) -> FakeConnection:
        """What the engine knows of it."""
        return self._sim.engine.connections[self.handle]

    @property
    def is_closed(self) -> bool:
        return self.wire.is_closed

    @property
    def session(self) -> int:
        return self.wire.session

    def send(self, packet: bytes, peer: bytes = b"") -> None:
        """Send one packet and let the control plane work."""
        self._sim.engine.receive(self.handle, packet, peer=peer)
        self._sim.turn()

    def take(self) -> list[bytes]:
        """Take what was sent to us since the last call."""
        packets, self.wire.sent[:] = list(self.wire.sent), []
        return packets

    def take_one(self, kind: PacketKind) -> bytes:
        """Take what was sent to us: one packet of this kind."""
        packets = self.take()
        assert [PacketKind(packet[0] >> 4).name for packet in packets] == [kind.name]
        return packets[0]

    def connect(self, connect: Connect, peer: bytes = PEER) -> None:
        """Send CONNECT."""
        self.version = connect.protocol_version
        self.send(codec.encode_connect(connect), peer)

    def connack(self) -> Connack:
        """Take the CONNACK."""
        return codec.decode_connack(self.take_one(PacketKind.CONNACK), self.version)

    def subscribe(
        self,
        *filters: str,
        qos: int = 0,
        subscription_id: int | None = None,
        **options: Any,
    ) -> Suback:
        """Subscribe and take the SUBACK."""
        self._packet_id += 1
        properties = Properties()
        if subscription_id is not None:
            properties.subscription_identifiers = [subscription_id]
        wanted = [Subscription(each, qos, **options) for each in filters]
        packet = Subscribe(self._packet_id, wanted, properties)
        self.send(codec.encode_subscribe(packet, self.version))
        return codec.decode_suback(self.take_one(PacketKind.SUBACK), self.version)

    def unsubscribe(self, *filters: str) -> Unsuback:
        """Unsubscribe and take the UNSUBACK."""
        self._packet_id += 1
        packet = Unsubscribe(self._packet_id, list(filters))
        self.send(codec.encode_unsubscribe(packet, self.version))
        return codec.decode_unsuback(self.take_one(PacketKind.UNSUBACK), self.version)

    def disconnect(self, reason_code: int = 0, expiry_s: int | None = None) -> None:
        """Send DISCONNECT."""
        properties = Properties(session_expiry_interval_s=expiry_s)
        packet = Disconnect(reason_code, properties)
        self.send(codec.encode_disconnect(packet, self.version))

    def auth(self, reason_code: int, method: str, data: bytes | None) -> None:
        """Send AUTH."""
        properties = Properties(authentication_method=method, authentication_data=data)
        self.send(encode_auth(Auth(reason_code, properties)))

    def vanish(self, cause: int = CAUSE_PEER, reason_code: int = 0) -> None:
        """The Network Connection is lost."""
        self._sim.engine.lose(self.handle, cause, reason_code)
        self._sim.turn()

    def farewell(self) -> Disconnect:
        """Take the DISCONNECT that the server sent before it closed."""
        assert self.is_closed
        return codec.decode_disconnect(self.take_one(PacketKind.DISCONNECT))


class Sim:
    """The broker without an engine thread."""

    def __init__(self, nursery: trio.Nursery, config: EdgeConfig, **parts: Any) -> None:
        self.engine = FakeEngine()
        self.log = RecordingLog()
        self.context = Context(self.engine, Settings(config), self.log, spawn=nursery.start_soon)
        parts = {"passwords": None, "acl": None, "bans": BanList(config.ban)} | parts
        self.plane = ControlPlane(self.context, **parts)

    def turn(self) -> None:
        """Handle events until there are none."""
        while self.engine.events:
            self.plane.handle(self.engine.take_events())
        assert not self.log.named("broker.fault"), self.log.named("broker.fault")

    def open(self, listener_index: int = 0) -> SimClient:
        """A connection on which nothing was sent yet."""
        return SimClient(self, listener_index)

    def try_connect(
        self,
        client_id: str = "c",
        *,
        version: int = 5,
        clean_start: bool = True,
        keep_alive_s: int = 60,
        username: str | None = None,
        password: bytes | None = None,
        will: Will | None = None,
        listener_index: int = 0,
        peer: bytes = PEER,
        **properties: Any,
    ) -> SimClient:
        """Send a CONNECT; the answer is left to be taken."""
        client = self.open(listener_index)
        connect = Connect(
            version,
            clean_start,
            keep_alive_s,
            client_id,
            username,
            password,
            will,
            Properties(**properties),
        )
        client.connect(connect, peer)
        return client

    def connect(self, client_id: str = "c", **fields: Any) -> SimClient:
        """Connect a client, which must be accepted; its CONNACK is taken."""
        client = self.try_connect(client_id, **fields)
        connack = client.connack()
        assert connack.reason_code == 0, connack
        return client

    def resume(self, client_id: str, **fields: Any) -> tuple[SimClient, bool]:
        """Connect with Clean Start 0; return the client and Session Present."""
        client = self.try_connect(client_id, clean_start=False, **fields)
        connack = client.connack()
        assert connack.reason_code == 0, connack
        return client, connack.session_present

    def published(self) -> list[tuple[str, bytes]]:
        """Take what was published since the last call."""
        published = [(each.topic.decode(), each.payload) for each in self.engine.published]
        self.engine.published.clear()
        return published


@asynccontextmanager
async def simulated(config: EdgeConfig | None = None, **parts: Any) -> AsyncIterator[Sim]:
    """A running simulation; its timers run on the clock of the test."""
    async with trio.open_nursery() as nursery:
        sim = Sim(nursery, config or EdgeConfig(), **parts)
        nursery.start_soon(sim.context.timers.run)
        yield sim
        nursery.cancel_scope.cancel()
