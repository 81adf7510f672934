"""Sessions: who has one, who takes it over, and when it ends. Sections 3.1.2.4, 3.1.4 and 4.1.

    (none) --CONNECT--> online --connection closes--> offline --CONNECT, Clean Start 0--> online
                          |                             |
                          | Session Expiry Interval 0   | interval passed, Clean Start 1
                          v                             v
                        ended                         ended

Invariants: a Client Identifier has at most one Session; a Session has at most one connection; an
offline Session that expires has exactly one expiry timer; what ends is gone from the registry, the
engine, the access profiles and the exclusive topics in one step, its will published before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.clients import CONNECT_EXPIRY_ZERO, EXPIRES_NEVER, Client
from edge.broker.refusal import ConnectRefusedError, disconnect_packet
from edge.protocol.reason import ReasonCode, reason_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.access_policy import AccessPolicy
    from edge.broker.context import Context
    from edge.broker.subscriptions import Subscriptions
    from edge.broker.wills import Wills


class Sessions:
    """Opens, resumes, expires and ends Sessions."""

    def __init__(
        self,
        context: Context,
        access: AccessPolicy,
        subscriptions: Subscriptions,
        wills: Wills,
        *,
        on_left: Callable[[Client], None],
    ) -> None:
        """Wire up; `on_left` hears of each client whose connection is over, e.g. for flapping."""
        self._context = context
        self._access = access
        self._subscriptions = subscriptions
        self._wills = wills
        self._on_left = on_left

    def take(self, client_id: str, *, clean_start: bool, mount: str) -> tuple[Client, bool]:
        """Return the Session for a CONNECT, offline, and Session Present.

        A connection that has the Session now loses it [MQTT-3.1.4-3]. The Session is resumed with
        Clean Start 0, unless it ends with its connection, or lies under another mount point: then
        its subscriptions would be to topics of other people.

        Raises:
            ConnectRefusedError: limits.clients_max is reached.
        """
        client = self._context.clients.get(client_id)
        if client is not None:
            is_over = clean_start or client.mount != mount
            if client.connection:
                self._take_over(client)
                is_over = is_over or client.expiry_s == 0
            if not is_over:
                self._stop_expiry(client)
                self._wills.cancel(client)  # the client is back in time [MQTT-3.1.3-9]
                self._context.counters.sessions_resumed += 1
                return client, True
            self.end(client)  # [MQTT-3.1.2-4]
        clients_max = self._context.settings.config.limits.clients_max
        if clients_max and len(self._context.clients) >= clients_max:
            raise ConnectRefusedError(ReasonCode.QUOTA_EXCEEDED, "too many clients")
        client = Client(client_id, self._context.engine.open_session())
        client.mount = mount
        self._context.clients.add(client)
        self._context.counters.sessions_opened += 1
        return client, False  # [MQTT-3.2.2-2], [MQTT-3.2.2-3]

    def _take_over(self, client: Client) -> None:
        self._context.counters.sessions_taken_over += 1
        self._context.engine.close(
            client.connection,
            disconnect_packet(client, ReasonCode.SESSION_TAKEN_OVER),
            ReasonCode.SESSION_TAKEN_OVER,
        )
        self._detach(client, reason_name(ReasonCode.SESSION_TAKEN_OVER))
        self._wills.connection_closed(client)

    def change_expiry(self, client: Client, wanted_s: int) -> bool:
        """Follow a Session Expiry Interval in DISCONNECT; False: that is a Protocol Error.

        It must not become more than 0 if it was 0 in the CONNECT [section 3.14.2.2.2].
        """
        if wanted_s and client.flags & CONNECT_EXPIRY_ZERO:
            return False
        client.expiry_s = min(wanted_s, self._context.settings.config.session.expiry_s_max)
        self._context.engine.set_session_ends_with_connection(client.session, client.expiry_s == 0)
        return True

    def leave(self, client: Client, why: str) -> None:
        """The connection is over: see to the will, then keep the Session or end it."""
        self._detach(client, why)
        self._wills.connection_closed(client)
        if client.expiry_s == 0:
            self.end(client)
        elif client.expiry_s != EXPIRES_NEVER:
            client.need_rare().expiry_timer = self._context.timers.call_after(
                client.expiry_s, lambda: self._expire(client)
            )

    def disconnect(self, client: Client, reason_code: int, text: str = "") -> None:
        """Close the connection of a client for a reason of ours; the will is published."""
        self._context.engine.close(
            client.connection, disconnect_packet(client, reason_code, text), reason_code
        )
        self.leave(client, text or reason_name(reason_code))

    def end(self, client: Client) -> None:
        """Forget a Session that is offline. A will that still waits is due now [MQTT-3.1.3-9]."""
        self._stop_expiry(client)
        self._wills.publish(client)
        self._subscriptions.session_ended(client)
        self._context.engine.close_session(client.session)
        self._access.release(client)
        self._context.clients.remove(client)

    def _expire(self, client: Client) -> None:
        self._context.counters.sessions_expired += 1
        self._context.log.debug("session.expired", client_id=client.client_id)
        self.end(client)

    def _detach(self, client: Client, why: str) -> None:
        context = self._context
        online_s = context.now() - client.connected_mono_s
        context.clients.detach(client)
        client.connected_mono_s = context.now()
        if client.rare is not None:
            client.rare.reauthentication = None
        context.counters.disconnected += 1
        if context.settings.config.log.connections:
            context.log.info(
                "client.disconnected",
                client_id=client.client_id,
                peer=client.peer,
                why=why,
                online_s=round(online_s, 1),
            )
        context.observer.disconnected(client, why)
        self._on_left(client)

    @staticmethod
    def _stop_expiry(client: Client) -> None:
        rare = client.rare
        if rare is not None and rare.expiry_timer is not None:
            rare.expiry_timer.cancel()
            rare.expiry_timer = None
