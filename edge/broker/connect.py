"""CONNECT: from the first packet of a connection to CONNACK. Sections 3.1, 3.2 and 4.12.

    CONNECT -> address -> decode -> identity -> ban, limits -> authentication -> Session -> CONNACK
                                                                |     ^
                                                       password, AUTH |  the connection waits

Every step may refuse, and then a CONNACK with the reason is the last packet of the connection. A
connection is in `_pending` from its CONNECT until it is accepted, refused or gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.connack import check_will
from edge.broker.identity import Identity, Peer, identify
from edge.broker.refusal import ConnectRefusedError
from edge.errors import ProtocolError
from edge.protocol.decode import (
    UnsupportedProtocolVersion,
    decode_connect,
    peek_protocol_version,
)
from edge.protocol.encode import encode_connack
from edge.protocol.kinds import MQTT_3_1_1, MQTT_5, PacketKind
from edge.protocol.packets import Connack
from edge.protocol.properties import Properties
from edge.protocol.reason import ReasonCode, reason_name
from edge.topic import check_topic_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.accept import Acceptor
    from edge.broker.admission import Admission
    from edge.broker.authentication import Authentication
    from edge.broker.context import Context
    from edge.broker.enhanced_auth import Exchange
    from edge.broker.settings import ListenerPolicy
    from edge.broker.timers import Timer
    from edge.engine.engine import Event
    from edge.protocol.packets import Connect


class PendingConnect:
    """A connection between CONNECT and CONNACK."""

    __slots__ = (
        "connect",
        "connection",
        "exchange",
        "identity",
        "is_abandoned",
        "peer",
        "policy",
        "timer",
    )

    def __init__(
        self,
        connection: int,
        policy: ListenerPolicy,
        peer: Peer,
        connect: Connect,
        identity: Identity,
    ) -> None:
        self.connection = connection
        self.policy = policy
        self.peer = peer
        self.connect = connect
        self.identity = identity
        self.exchange: Exchange | None = None  # Enhanced Authentication
        self.timer: Timer | None = None  # bounds that exchange
        self.is_abandoned = False


class Connects:
    """Decides every CONNECT."""

    def __init__(
        self,
        context: Context,
        admission: Admission,
        authentication: Authentication,
        acceptor: Acceptor,
    ) -> None:
        self._context = context
        self._admission = admission
        self._authentication = authentication
        self._acceptor = acceptor
        self._pending: dict[int, PendingConnect] = {}

    @property
    def pending_count(self) -> int:
        """How many connections wait for their CONNACK."""
        return len(self._pending)

    # -- events

    def on_packet(self, event: Event) -> None:
        """Handle a packet of a connection that has no Session yet."""
        pending = self._pending.get(event.connection)
        kind = event.data[0] >> 4
        if pending is None:
            if kind == PacketKind.CONNECT:
                self._on_connect(event)
            else:
                self._context.engine.close(event.connection)  # [MQTT-3.1.0-1]
        elif kind == PacketKind.AUTH:
            self._guarded(pending, lambda: self._on_auth(pending, event.data))
        elif kind == PacketKind.DISCONNECT:
            self._forget(pending)
            self._context.engine.close(event.connection)
        else:  # [MQTT-3.1.0-2], [MQTT-3.1.2-30]
            refused = ConnectRefusedError(ReasonCode.PROTOCOL_ERROR, "not before CONNACK")
            self._refuse(pending, refused)

    def on_closed(self, connection: int) -> bool:
        """The engine has closed it. Return whether it was still pending."""
        pending = self._pending.get(connection)
        if pending is None:
            return False
        self._forget(pending)
        return True

    # -- the steps

    def _on_connect(self, event: Event) -> None:
        policy = self._context.listener(event.listener_index)
        peer = Peer(event.peer)
        version = peek_protocol_version(event.data)
        try:
            self._admission.check_address(event.connection, peer.address)
            connect = decode_connect(event.data)
            self._check_version(connect)
            identity = identify(connect, peer, policy, self._context.settings.config.session)
        except ConnectRefusedError as refused:
            self._send_refusal(event.connection, peer, version, refused)
            return
        except ProtocolError as error:
            self._send_refusal(event.connection, peer, version, refusal_of(error))
            return
        pending = PendingConnect(event.connection, policy, peer, connect, identity)
        self._pending[event.connection] = pending
        self._guarded(pending, lambda: self._admit(pending))

    def _check_version(self, connect: Connect) -> None:
        if connect.protocol_version not in self._context.settings.versions:
            raise ConnectRefusedError(
                ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, "this MQTT version is not accepted"
            )

    def _admit(self, pending: PendingConnect) -> None:
        """Check what needs no proof of identity, then ask for that proof."""
        connect = pending.connect
        self._admission.check_client(pending.identity, pending.peer.address)
        check_will(connect, pending.policy)
        if connect.will is not None:
            check_topic_name(
                connect.will.topic, self._context.settings.config.limits.topic_levels_max
            )
        if connect.properties.authentication_method is not None:
            self._after_step(pending, self._authentication.begin(pending))
        elif self._authentication.check(pending, self._on_verdict):
            self._accept(pending)

    def _on_auth(self, pending: PendingConnect, packet: bytes) -> None:
        self._after_step(pending, self._authentication.step(pending, packet))

    def _after_step(self, pending: PendingConnect, auth: bytes) -> None:
        """Go on after a step of Enhanced Authentication; `auth` asks for the next one."""
        if auth:
            if pending.timer is None:
                timeout_s = self._context.settings.config.limits.connect_timeout_s
                pending.timer = self._context.timers.call_after(
                    timeout_s, lambda: self._time_out(pending)
                )
            self._context.engine.send(pending.connection, auth)
            self._context.engine.resume(pending.connection)
            return
        self._admission.check_client(pending.identity, pending.peer.address)
        self._accept(pending)

    def _time_out(self, pending: PendingConnect) -> None:
        self._refuse(
            pending, ConnectRefusedError(ReasonCode.NOT_AUTHORIZED, "authentication took too long")
        )

    def _on_verdict(self, pending: PendingConnect, ok: bool) -> None:  # noqa: FBT001
        """The password has been checked."""

        def conclude() -> None:
            self._authentication.conclude(pending, ok=ok)
            self._accept(pending)

        self._guarded(pending, conclude)

    def _accept(self, pending: PendingConnect) -> None:
        self._acceptor.accept(pending)
        self._forget(pending)

    # -- no

    def _guarded(self, pending: PendingConnect, step: Callable[[], None]) -> None:
        """Run a step; what it raises refuses the CONNECT."""
        try:
            step()
        except ConnectRefusedError as refused:
            self._refuse(pending, refused)
        except ProtocolError as error:
            self._refuse(pending, refusal_of(error))

    def _refuse(self, pending: PendingConnect, refused: ConnectRefusedError) -> None:
        self._forget(pending)
        connect = pending.connect
        self._send_refusal(
            pending.connection,
            pending.peer,
            connect.protocol_version,
            refused,
            size_max=connect.properties.maximum_packet_size,
            client_id=pending.identity.client_id,
            username=pending.identity.username,
        )

    def _send_refusal(
        self,
        connection: int,
        peer: Peer,
        version: int,
        refused: ConnectRefusedError,
        *,
        size_max: int | None = None,
        client_id: str = "",
        username: str | None = None,
    ) -> None:
        """Send CONNACK, if the version has a code for the reason, and close [MQTT-3.2.2-7]."""
        counters = self._context.counters
        counters.connect_refused += 1
        by_reason = counters.connect_refused_by_reason
        by_reason[refused.reason_code] = by_reason.get(refused.reason_code, 0) + 1
        connack = b""
        if version:
            properties = Properties(reason_string=refused.text) if refused.text else Properties()
            connack = encode_connack(
                Connack(False, refused.reason_code, properties),  # noqa: FBT003 [MQTT-3.2.2-6]
                MQTT_5 if version == MQTT_5 else MQTT_3_1_1,
                size_max,
            )
        self._context.engine.close(connection, connack, refused.reason_code)
        if self._context.settings.config.log.connections:
            self._context.log.info(
                "client.refused",
                client_id=client_id,
                peer=peer.text,
                username=username,
                reason=reason_name(refused.reason_code),
                why=refused.detail,
            )

    def _forget(self, pending: PendingConnect) -> None:
        pending.is_abandoned = True
        self._pending.pop(pending.connection, None)
        if pending.timer is not None:
            pending.timer.cancel()
            pending.timer = None


def refusal_of(error: ProtocolError) -> ConnectRefusedError:
    """Return the refusal of a CONNECT that breaks the rules.

    Before 5.0 it gets no CONNACK [MQTT311-3.1.4-1], except where a Return Code says just that.
    """
    # Nobody knows what a peer of an unknown version can read: it gets the shortest form.
    text = "" if isinstance(error, UnsupportedProtocolVersion) else error.message
    return ConnectRefusedError(error.reason_code, text, detail=str(error))
