"""The control plane as one object: an event of the engine goes in, commands come out.

It does no I/O and never waits. Every packet that the engine hands over ends in exactly one of
resume(), accept() or close(), because the connection is not read before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.broker.accept import Acceptor
from edge.broker.access_policy import AccessPolicy
from edge.broker.admission import Admission
from edge.broker.authentication import Authentication
from edge.broker.connect import Connects
from edge.broker.delayed import DelayedMessages
from edge.broker.identity import address_of
from edge.broker.queries import Queries
from edge.broker.rewrite import Rewriter
from edge.broker.sessions import Sessions
from edge.broker.slow_packets import SlowPackets
from edge.broker.subscriptions import Subscriptions
from edge.broker.wills import Wills
from edge.engine.engine import (
    CAUSE_COMMAND,
    CAUSE_KEEP_ALIVE,
    CAUSE_PEER,
    CAUSE_PROTOCOL,
    CAUSE_QUOTA,
    CAUSE_TIMEOUT,
    CAUSE_WRITE,
    EVENT_CLOSED,
    EVENT_DELAYED,
    EVENT_DRAINED,
    EVENT_MEMORY,
    EVENT_PACKET,
    EVENT_REPLY,
    EVENT_TOPIC,
)
from edge.errors import ProtocolError
from edge.protocol.reason import ReasonCode, reason_name
from edge.topic import check_topic_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.access.acl import AclFile
    from edge.access.bans import BanList
    from edge.access.passwords import PasswordFile
    from edge.broker.context import Context
    from edge.engine.engine import Event

_CAUSES: Final = {
    CAUSE_PEER: "closed by the client",
    CAUSE_KEEP_ALIVE: "keep alive timeout",
    CAUSE_PROTOCOL: "protocol error",
    CAUSE_COMMAND: "closed",
    CAUSE_TIMEOUT: "too slow",
    CAUSE_WRITE: "sending failed",
    CAUSE_QUOTA: "over a limit",
}


class ControlPlane:
    """All of the policy, wired together."""

    def __init__(
        self,
        context: Context,
        *,
        passwords: PasswordFile | None,
        acl: AclFile | None,
        bans: BanList,
    ) -> None:
        self.context = context
        self.rewriter = Rewriter(context.settings.config.rewrite)
        self.access = AccessPolicy(context, acl)
        self.admission = Admission(context, bans)
        self.authentication = Authentication(context, passwords)
        self.delayed = DelayedMessages(context, self.access, self.rewriter)
        self.wills = Wills(context, self.access, self.rewriter, self.delayed)
        self.subscriptions = Subscriptions(context, self.access, self.rewriter)
        self.sessions = Sessions(
            context,
            self.access,
            self.subscriptions,
            self.wills,
            on_left=self.admission.client_left,
        )
        acceptor = Acceptor(context, self.access, self.sessions, self.subscriptions, self.rewriter)
        self.connects = Connects(context, self.admission, self.authentication, acceptor)
        self.slow_packets = SlowPackets(
            context, self.sessions, self.subscriptions, self.wills, self.authentication.enhanced
        )
        self.queries = Queries(context)
        self.is_over_budget = False
        self.on_drained: Callable[[], None] = lambda: None
        self._handlers: Final[dict[int, Callable[[Event], None]]] = {
            EVENT_PACKET: self._on_packet,
            EVENT_CLOSED: self._on_closed,
            EVENT_DELAYED: self._on_delayed,
            EVENT_TOPIC: self._on_topic,
            EVENT_REPLY: self.queries.on_reply,
            EVENT_DRAINED: lambda _: self.on_drained(),
            EVENT_MEMORY: self._on_memory,
        }
        if self.rewriter.rewrites_publish:
            context.engine.set_map_filters(self.rewriter.map_filters())

    def handle(self, events: Iterable[Event]) -> None:
        """Handle events in their order. A fault of ours costs one connection, not the broker."""
        for event in events:
            try:
                self._handlers[event.kind](event)
            except Exception as error:
                self.context.note_fault(error)
                if event.connection:
                    self.context.engine.close(event.connection)

    def _on_packet(self, event: Event) -> None:
        if event.session == 0:
            self.connects.on_packet(event)
            return
        client = self.context.clients.at(event.connection)
        # If we took the session off this connection, its last packets are of no interest.
        if client is not None:
            self.slow_packets.on_packet(client, event.data)

    def _on_closed(self, event: Event) -> None:
        connection = event.connection
        self.admission.connection_closed(connection)
        client = self.context.clients.at(connection)
        if client is not None:
            why = _CAUSES.get(event.cause, "closed")
            if event.reason_code:
                why = f"{why}: {reason_name(event.reason_code)}"
            self.sessions.leave(client, why)
        else:
            self.connects.on_closed(connection)
        self.context.clients.forget_connection(connection)

    def _on_delayed(self, event: Event) -> None:
        self.context.engine.resume(event.connection)
        client = self.context.clients.last_at(event.connection)
        if client is None:
            return
        self.delayed.submit(
            client,
            event.topic.decode(),
            event.payload,
            properties=event.properties,
            qos=event.qos,
            retain=bool(event.retain),
            expiry_s=event.expiry_s if event.expiry_s >= 0 else None,
        )

    def _on_topic(self, event: Event) -> None:
        """The engine asks where PUBLISHes to a topic go; an empty target refuses them."""
        client = self.context.clients.at(event.connection)
        if client is None:
            return
        topic = event.topic
        target = self.rewriter.publish_target(client, topic.decode())
        try:
            check_topic_name(target, self.context.settings.config.limits.topic_levels_max)
        except ProtocolError:
            target = ""
        self.context.engine.map_topic(event.connection, topic, target.encode())
        self.context.engine.resume(event.connection)

    def disconnect_banned(self) -> int:
        """Disconnect who is online and banned by now; return how many."""
        banned = [
            (client, ban)
            for client in self.context.clients
            if client.connection
            and (
                ban := self.admission.bans.check(
                    client.client_id, client.username, address_of(client.peer), self.context.now()
                )
            )
        ]
        for client, ban in banned:
            self.sessions.disconnect(client, ReasonCode.BANNED, ban.reason)
        return len(banned)

    def _on_memory(self, event: Event) -> None:
        self.is_over_budget = bool(event.flag)
        if self.is_over_budget:
            self.context.log.warning(
                "memory.over_budget",
                hint="queues drop and new connections are refused; see limits.memory_bytes_max",
            )
        else:
            self.context.log.info("memory.within_budget")
