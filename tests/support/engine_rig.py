"""The engine with the smallest control plane that can serve clients, in one thread, for tests.

Connections are socketpairs handed over by adopt(). The rig's answers are what tests need and no
more: every CONNECT is accepted, every SUBSCRIBE granted. `settle()` is the barrier: everything
that was sent before it has been handled when it returns.
"""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass, field
from typing import Any, Final

from edge.engine import engine as native
from edge.errors import ProtocolError
from edge.protocol import decode
from edge.protocol.encode import encode_suback, encode_unsuback
from edge.protocol.packets import Suback, Unsuback
from edge.protocol.properties import Properties

DEADLINE_S: Final = 10.0
PACKET_BYTES_MAX: Final = 65_536


@dataclass
class Rig:
    """An engine, and what the rig remembers of its clients."""

    settings: dict[str, Any] = field(default_factory=dict)
    accept_terms: dict[str, Any] = field(default_factory=dict)
    keep_sessions: bool = False

    def __post_init__(self) -> None:
        """Start the engine with one listener that only takes what adopt() brings."""
        self.engine = native.Engine(**self.settings)
        self.engine.add_listener(
            0, -1, proxy_header=False, connections_max=0, packet_bytes_max=PACKET_BYTES_MAX
        )
        self.engine.start()
        self.engine.flush()
        self.sessions: dict[int, tuple[int, int]] = {}  # connection -> session, version
        self.by_client_id: dict[str, int] = {}
        self.events: list[Any] = []
        self.links: list[socket.socket] = []
        self.replies: dict[int, Any] = {}

    # -- clients

    def connect_raw(self) -> socket.socket:
        """A connection that has not sent anything yet."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.engine.adopt(0, theirs.detach(), b"test\0\0")
        self.engine.flush()
        ours.settimeout(DEADLINE_S)
        self.links.append(ours)
        return ours

    def connect(self, version: int = 4, client_id: str = "", **terms: Any) -> socket.socket:
        """A connection that is accepted; its CONNACK has been read."""
        saved = self.accept_terms
        self.accept_terms = {**saved, **terms}
        link = self.connect_raw()
        body = b"\0\4MQTT" + bytes((version, 2, 0, 0)) + (b"\0" if version == 5 else b"")
        body += len(client_id).to_bytes(2, "big") + client_id.encode()
        link.sendall(bytes((0x10, len(body))) + body)
        self.settle()
        self.accept_terms = saved
        expected = 5 if version == 5 else 4
        assert len(link.recv(expected)) == expected
        return link

    def session_of(self, index: int = -1) -> int:
        """The session of the index-th live connection, in order of acceptance."""
        return list(self.sessions.values())[index][0]

    # -- the control plane

    def settle(self, rounds: int = 2) -> None:
        """Return when the engine has handled what was sent to it, and the rig what it asked."""
        for _ in range(rounds):
            self.stats()

    def stats(self) -> dict[str, int]:
        """The engine's counters, after everything before."""
        return dict(self.reply(self.engine.query_stats()))

    def reply(self, token: int) -> Any:
        """Wait for the answer to a query, serving clients meanwhile."""
        self.engine.flush()
        while token not in self.replies:
            ready, _, _ = select.select([self.engine.event_fd], [], [], DEADLINE_S)
            assert ready, "the engine does not answer"
            self.serve()
        return self.replies.pop(token)

    def serve(self) -> None:
        """Handle the events that wait."""
        for event in self.engine.take_events():
            if event.kind == native.EVENT_REPLY:
                self.replies[event.token] = event.reply
            elif event.kind == native.EVENT_PACKET:
                self._on_packet(event)
            elif event.kind == native.EVENT_CLOSED:
                self.events.append(event)
                session, _ = self.sessions.pop(event.connection, (0, 0))
                if session and not self.keep_sessions:
                    self.engine.close_session(session)
            else:
                self.events.append(event)
                if event.kind == native.EVENT_DELAYED:
                    self.engine.resume(event.connection)
                if event.kind == native.EVENT_TOPIC:
                    self.engine.map_topic(event.connection, event.topic, b"mapped/" + event.topic)
                    self.engine.resume(event.connection)
        self.engine.flush()

    def _on_packet(self, event: Any) -> None:
        packet = event.data
        try:
            {1: self._on_connect, 8: self._on_subscribe, 10: self._on_unsubscribe}.get(
                packet[0] >> 4, self._on_other
            )(event, packet)
        except ProtocolError as error:
            self.engine.close(event.connection, b"", error.reason_code)

    def _on_connect(self, event: Any, packet: bytes) -> None:
        if event.session:
            self.engine.close(event.connection, b"\xe0\x01\x82", 0x82)
            return
        connect = decode.decode_connect(packet)
        session = self.by_client_id.get(connect.client_id, 0) if self.keep_sessions else 0
        if not session:
            session = self.engine.open_session()
            self.by_client_id[connect.client_id] = session
        for connection, (owned, _) in list(self.sessions.items()):
            if owned == session:
                self.engine.close(connection, b"", 0x8E)
                del self.sessions[connection]
        self.sessions[event.connection] = (session, connect.protocol_version)
        terms: dict[str, Any] = {
            "protocol_version": connect.protocol_version,
            "ends_with_connection": not self.keep_sessions,
            "keep_alive_s": connect.keep_alive_s,
            "inflight_max": 64,
            "receive_max": 1024,
            "packet_bytes_max": PACKET_BYTES_MAX,
            "client_packet_bytes_max": connect.properties.maximum_packet_size or 0,
            "alias_in_max": 10,
            "alias_out_max": min(connect.properties.topic_alias_maximum or 0, 10),
            "qos_max": 2,
            "retain_available": True,
            "mount": b"",
            "acl_profile_id": 0,
            "rate_messages_s": 0,
            "rate_bytes_s": 0,
            "needs_map": False,
        }
        terms |= self.accept_terms
        connack = b"\x20\x03\0\0\0" if connect.protocol_version == 5 else b"\x20\x02\0\0"
        self.engine.accept(event.connection, session, connack, **terms)

    def _on_subscribe(self, event: Any, packet: bytes) -> None:
        session, version = self.sessions[event.connection]
        subscribe = decode.decode_subscribe(packet, version)
        identifiers = subscribe.properties.subscription_identifiers or [0]
        for row in subscribe.subscriptions:
            self.engine.subscribe(
                session,
                *self._split(row.topic_filter)[:1],
                qos=row.qos,
                no_local=row.no_local,
                retain_as_published=row.retain_as_published,
                subscription_id=identifiers[0],
                group=self._split(row.topic_filter)[1],
            )
        codes = [row.qos for row in subscribe.subscriptions]
        answer = Suback(subscribe.packet_id, codes, Properties())
        self.engine.send(event.connection, encode_suback(answer, version))
        for row in subscribe.subscriptions:
            if not row.topic_filter.startswith("$share/"):
                self.engine.send_retained(
                    session,
                    row.topic_filter.encode(),
                    qos=row.qos,
                    subscription_id=identifiers[0],
                )
        self.engine.resume(event.connection)

    @staticmethod
    def _split(topic_filter: str) -> tuple[bytes, bytes]:
        if topic_filter.startswith("$share/") and topic_filter.count("/") > 1:
            _, group, rest = topic_filter.split("/", 2)
            return rest.encode(), group.encode()
        return topic_filter.encode(), b""

    def _on_unsubscribe(self, event: Any, packet: bytes) -> None:
        session, version = self.sessions[event.connection]
        unsubscribe = decode.decode_unsubscribe(packet, version)
        for topic_filter in unsubscribe.topic_filters:
            self.engine.unsubscribe(session, *self._split(topic_filter))
        codes = [0] * len(unsubscribe.topic_filters)
        answer = Unsuback(unsubscribe.packet_id, codes, Properties())
        self.engine.send(event.connection, encode_unsuback(answer, version))
        self.engine.resume(event.connection)

    def _on_other(self, event: Any, packet: bytes) -> None:
        if packet[0] >> 4 == 14:
            self.engine.close(event.connection)
        else:
            self.engine.resume(event.connection)

    def close(self) -> None:
        """End the clients and the engine."""
        for link in self.links:
            link.close()
        self.engine.stop()
