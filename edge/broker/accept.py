"""The end of a successful CONNECT: the Session, its terms, CONNACK, and what happens right after.

What can still fail is tried before the Session is touched, so that a CONNECT that is refused takes
nothing away from the client that has the Session now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.broker.auto_subscribe import auto_subscribe
from edge.broker.clients import (
    CERTIFICATE_IDENTITY,
    CONNECT_EXPIRY_ZERO,
    PROBLEM_INFORMATION,
)
from edge.broker.connack import Grant, connack_properties, granted_expiry
from edge.broker.placeholders import fill
from edge.broker.refusal import ConnectRefusedError
from edge.protocol.encode import encode_connack
from edge.protocol.packets import Connack
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from edge.broker.access_policy import AccessPolicy
    from edge.broker.clients import Client
    from edge.broker.connect import PendingConnect
    from edge.broker.context import Context
    from edge.broker.rewrite import Rewriter
    from edge.broker.sessions import Sessions
    from edge.broker.subscriptions import Subscriptions

_U32_MAX: Final = 0xFFFF_FFFF


class Acceptor:
    """Gives an authenticated client its Session."""

    def __init__(
        self,
        context: Context,
        access: AccessPolicy,
        sessions: Sessions,
        subscriptions: Subscriptions,
        rewriter: Rewriter,
    ) -> None:
        self._context = context
        self._access = access
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._rewriter = rewriter

    def accept(self, pending: PendingConnect) -> None:
        """Accept the CONNECT.

        Raises:
            ConnectRefusedError: the mount point does not fit, CONNACK is above the client's Maximum
                Packet Size, or there are too many Sessions.
        """
        connect = pending.connect
        config = self._context.settings.config
        mount = self._mount_of(pending)
        grant = Grant(connect, pending.policy, config)
        expiry_s = granted_expiry(connect, config)
        connack = self._connack(pending, grant, expiry_s)
        size_max = grant.client_packet_bytes_max or None
        # Session Present does not change the size: try before the Session is touched.
        if not encode_connack(connack, connect.protocol_version, size_max):  # [MQTT-3.1.2-24]
            grant.reduce()
            connack = self._connack(pending, grant, expiry_s)
            if not encode_connack(connack, connect.protocol_version, size_max):
                raise ConnectRefusedError(
                    ReasonCode.PACKET_TOO_LARGE, detail="CONNACK does not fit"
                )
        client, connack.session_present = self._sessions.take(
            pending.identity.client_id, clean_start=connect.clean_start, mount=mount
        )
        client.expiry_s = expiry_s
        self._fill_in(client, pending, grant)
        self._context.clients.attach(client, pending.connection)
        self._context.engine.accept(
            pending.connection,
            client.session,
            encode_connack(connack, connect.protocol_version, size_max),
            protocol_version=connect.protocol_version,
            ends_with_connection=expiry_s == 0,
            keep_alive_s=grant.keep_alive_s,
            inflight_max=grant.inflight_max,
            receive_max=grant.receive_max,
            packet_bytes_max=pending.policy.packet_bytes_max,
            client_packet_bytes_max=grant.client_packet_bytes_max,
            alias_in_max=grant.alias_in_max,
            alias_out_max=grant.alias_out_max,
            qos_max=pending.policy.qos_max,
            retain_available=pending.policy.retain_available,
            mount=mount.encode(),
            acl_profile_id=client.acl_profile_id,
            rate_messages_s=config.limits.publish_rate_messages_s,
            rate_bytes_s=min(config.limits.publish_rate_bytes_s, _U32_MAX),
            needs_map=self._rewriter.rewrites_publish,
            rate_group=self._rate_group(pending),
            group_messages_s=config.limits.publish_rate_per_address_messages_s,
            group_bytes_s=min(config.limits.publish_rate_per_address_bytes_s, _U32_MAX),
        )
        if connack.session_present:
            # The client may be under other rules than when it subscribed.
            self._subscriptions.recheck(client)
        auto_subscribe(self._context, self._subscriptions, client)
        self._context.counters.connect_accepted += 1
        self._context.observer.connected(client, clean_start=connect.clean_start)
        self._tell(client, session_present=connack.session_present)

    def _rate_group(self, pending: PendingConnect) -> bytes:
        """Return with whom the client shares a publish rate: its address; b"" where none is set."""
        limits = self._context.settings.config.limits
        if limits.publish_rate_per_address_messages_s or limits.publish_rate_per_address_bytes_s:
            return pending.peer.address.encode()
        return b""

    def _mount_of(self, pending: PendingConnect) -> str:
        """Fill in the mount point of the listener.

        Raises:
            ConnectRefusedError: a name that is needed is missing, or would leave its level.
        """
        identity = pending.identity
        mount = fill(
            pending.policy.mount_point, client_id=identity.client_id, username=identity.username
        )
        if mount is None:
            raise ConnectRefusedError(
                ReasonCode.NOT_AUTHORIZED, detail="the name cannot be part of the mount point"
            )
        return mount

    def _connack(self, pending: PendingConnect, grant: Grant, expiry_s: int) -> Connack:
        properties = connack_properties(
            pending.connect,
            grant,
            pending.policy,
            self._context.settings.config,
            client_id=pending.identity.client_id,
            is_assigned=pending.identity.is_assigned,
            expiry_s=expiry_s,
        )
        if pending.exchange is not None:
            properties.authentication_method = pending.exchange.method  # [MQTT-4.12.0-5]
            properties.authentication_data = pending.exchange.final_data
        return Connack(session_present=False, reason_code=ReasonCode.SUCCESS, properties=properties)

    def _fill_in(self, client: Client, pending: PendingConnect, grant: Grant) -> None:
        """Write the facts of this connection into the record of its Session."""
        connect = pending.connect
        client.flags = 0
        if connect.properties.request_problem_information != 0:
            client.flags |= PROBLEM_INFORMATION
        if not connect.properties.session_expiry_interval_s:
            client.flags |= CONNECT_EXPIRY_ZERO
        if pending.identity.is_proven:
            client.flags |= CERTIFICATE_IDENTITY
        client.username = pending.identity.username
        client.peer = pending.peer.text
        client.listener_index = pending.policy.index
        client.protocol_version = connect.protocol_version
        client.keep_alive_s = grant.keep_alive_s
        client.packet_bytes_max = grant.client_packet_bytes_max
        client.connected_mono_s = self._context.now()
        client.will = connect.will
        if client.rare is not None:
            client.rare.authentication_method = ""
            client.rare.reauthentication = None
        if pending.exchange is not None:
            client.need_rare().authentication_method = pending.exchange.method
        self._access.hold(client)

    def _tell(self, client: Client, *, session_present: bool) -> None:
        if self._context.settings.config.log.connections:
            self._context.log.info(
                "client.connected",
                client_id=client.client_id,
                peer=client.peer,
                username=client.username,
                version=client.protocol_version,
                keep_alive_s=client.keep_alive_s,
                session_present=session_present,
            )
