"""An engine without threads and sockets: it records every command and keeps what a test asks about.

It has the methods of engine.pyi that the control plane uses. Closing a connection makes the event
that the real engine would post, so a test sees the control plane react to its own commands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.engine.engine import (
    CAUSE_COMMAND,
    EVENT_CLOSED,
    EVENT_DELAYED,
    EVENT_DRAINED,
    EVENT_PACKET,
    EVENT_REPLY,
    EVENT_TOPIC,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class FakeEvent:
    """What engine.pyi calls Event; the fields that do not apply are empty."""

    kind: int
    connection: int = 0
    session: int = 0
    data: bytes = b""
    listener_index: int = 0
    peer: bytes = b""
    cause: int = 0
    reason_code: int = 0
    topic: bytes = b""
    properties: bytes = b""
    payload: bytes = b""
    qos: int = 0
    retain: int = 0
    expiry_s: int = -1
    token: int = 0
    flag: int = 0
    reply: object = None


@dataclass
class FakeConnection:
    """A Network Connection as the engine would have it."""

    handle: int
    listener_index: int = 0
    session: int = 0
    is_closed: bool = False
    is_paused: bool = False
    close_reason: int = 0
    sent: list[bytes] = field(default_factory=list)
    terms: dict[str, Any] = field(default_factory=dict)
    mappings: dict[bytes, bytes] = field(default_factory=dict)


@dataclass
class Published:
    """A message that the control plane published."""

    topic: bytes
    payload: bytes
    options: dict[str, Any]


class FakeEngine:
    """Records commands; `events` holds what take_events() would return."""

    def __init__(self) -> None:
        self.connections: dict[int, FakeConnection] = {}
        self.sessions: dict[int, dict[tuple[bytes, bytes], dict[str, Any]]] = {}
        self.session_acl: dict[int, int] = {}
        self.ends_with_connection: dict[int, bool] = {}
        self.profiles: dict[int, bytes] = {}
        self.published: list[Published] = []
        self.retained_sent: list[tuple[int, bytes, int, int]] = []
        self.map_filters: list[bytes] = []
        self.events: list[FakeEvent] = []
        self.flush_count = 0
        self.journal: list[tuple[str, Any]] = []  # commands in their order, for questions of order
        self.stats: dict[str, int] = {}
        self._handle = 0
        self._session = 0
        self._token = 0

    # -- what a test does in place of the world

    def open_connection(self, listener_index: int = 0) -> int:
        """A peer has connected."""
        self._handle += 1
        self.connections[self._handle] = FakeConnection(self._handle, listener_index)
        return self._handle

    def receive(self, handle: int, packet: bytes, *, peer: bytes = b"") -> None:
        """A slow packet has come; the engine stops reading."""
        connection = self.connections[handle]
        if connection.is_closed:
            return
        connection.is_paused = True
        self.events.append(
            FakeEvent(
                EVENT_PACKET,
                connection=handle,
                session=connection.session,
                data=packet,
                listener_index=connection.listener_index,
                peer=peer,
            )
        )

    def lose(self, handle: int, cause: int, reason_code: int = 0) -> None:
        """The engine has closed a connection by itself."""
        connection = self.connections[handle]
        if connection.is_closed:
            return
        connection.is_closed = True
        self.events.append(
            FakeEvent(
                EVENT_CLOSED,
                connection=handle,
                session=connection.session,
                cause=cause,
                reason_code=reason_code,
            )
        )

    def receive_delayed(self, handle: int, topic: bytes, payload: bytes, **fields: Any) -> None:
        """A PUBLISH to `$delayed/...` has come."""
        session = self.connections[handle].session
        self.events.append(
            FakeEvent(
                EVENT_DELAYED,
                connection=handle,
                session=session,
                topic=topic,
                payload=payload,
                **fields,
            )
        )

    def ask_topic(self, handle: int, topic: bytes) -> None:
        """The first PUBLISH to a topic has come on a connection that needs a map."""
        connection = self.connections[handle]
        connection.is_paused = True
        self.events.append(
            FakeEvent(EVENT_TOPIC, connection=handle, session=connection.session, topic=topic)
        )

    def subscriptions_of(self, session: int) -> dict[str, dict[str, Any]]:
        """The subscriptions of a session by Topic Filter, `group:` before it if shared."""
        return {
            f"{group.decode()}:{topic_filter.decode()}" if group else topic_filter.decode(): options
            for (topic_filter, group), options in self.sessions[session].items()
        }

    # -- engine.pyi

    def take_events(self) -> list[FakeEvent]:
        events, self.events = self.events, []
        return events

    def flush(self) -> None:
        self.flush_count += 1

    def drain(self, packet_v5: bytes) -> None:
        for connection in self.connections.values():
            if not connection.is_closed:
                if connection.terms.get("protocol_version") == 5:
                    connection.sent.append(packet_v5)
                self.lose(connection.handle, CAUSE_COMMAND, 0x8B)
        self.events.append(FakeEvent(EVENT_DRAINED))

    def open_session(self) -> int:
        self._session += 1
        self.sessions[self._session] = {}
        self.journal.append(("open_session", self._session))
        return self._session

    def close_session(self, session: int) -> None:
        self.journal.append(("close_session", session))
        del self.sessions[session]

    def accept(self, connection: int, session: int, connack: bytes, **terms: Any) -> None:
        self.journal.append(("accept", connection))
        target = self.connections[connection]
        if target.is_closed or session not in self.sessions:
            return
        target.session = session
        target.terms = terms
        target.sent.append(connack)
        target.is_paused = False
        self.session_acl[session] = terms["acl_profile_id"]
        self.ends_with_connection[session] = terms["ends_with_connection"]

    def set_session_ends_with_connection(self, session: int, ends: bool) -> None:
        self.ends_with_connection[session] = ends

    def send(self, connection: int, packet: bytes) -> None:
        self.journal.append(("send", connection))
        if not self.connections[connection].is_closed:
            self.connections[connection].sent.append(packet)

    def resume(self, connection: int) -> None:
        self.journal.append(("resume", connection))
        self.connections[connection].is_paused = False

    def close(self, connection: int, packet: bytes = b"", reason_code: int = 0) -> None:
        self.journal.append(("close", connection))
        target = self.connections[connection]
        if target.is_closed:
            return
        if packet:
            target.sent.append(packet)
        target.close_reason = reason_code
        self.lose(connection, CAUSE_COMMAND, reason_code)

    def map_topic(self, connection: int, topic: bytes, target: bytes) -> None:
        self.connections[connection].mappings[topic] = target

    def subscribe(self, session: int, topic_filter: bytes, *, group: bytes, **options: Any) -> None:
        self.journal.append(("subscribe", topic_filter))
        self.sessions[session][topic_filter, group] = options

    def unsubscribe(self, session: int, topic_filter: bytes, group: bytes) -> None:
        self.journal.append(("unsubscribe", topic_filter))
        del self.sessions[session][topic_filter, group]

    def send_retained(
        self, session: int, topic_filter: bytes, *, qos: int, subscription_id: int
    ) -> None:
        self.journal.append(("send_retained", topic_filter))
        self.retained_sent.append((session, topic_filter, qos, subscription_id))

    def publish(self, topic: bytes, payload: bytes, **options: Any) -> None:
        self.journal.append(("publish", topic))
        self.published.append(Published(topic, payload, options))

    def set_acl_profile(self, blob: bytes) -> None:
        self.profiles[int.from_bytes(blob[:4], "little")] = blob

    def drop_acl_profile(self, acl_profile_id: int) -> None:
        del self.profiles[acl_profile_id]

    def set_session_acl(self, session: int, acl_profile_id: int) -> None:
        self.session_acl[session] = acl_profile_id

    def set_map_filters(self, filters: Sequence[bytes]) -> None:
        self.map_filters = list(filters)

    def query_stats(self) -> int:
        return self._reply(self.stats)

    def query_sessions(self, session: int = 0) -> int:
        wanted = [session] if session else list(self.sessions)
        return self._reply([(each, 0, 1, 10, 2, 3, 4, 5, 600, 700) for each in wanted])

    def query_retained(self, topic_filter: bytes, limit: int) -> int:
        return self._reply([(b"a/b", 3, 1, -1)][:limit])

    def delete_retained(self, topic_filter: bytes) -> int:
        return self._reply(1)

    def _reply(self, reply: object) -> int:
        self._token += 1
        self.events.append(FakeEvent(EVENT_REPLY, token=self._token, reply=reply))
        return self._token
