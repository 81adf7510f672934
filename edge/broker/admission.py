"""Who may come in at all: bans, connection rates, connections per address, flapping clients.

Addresses are checked before a CONNECT is even decoded; Client Identifier and User Name as soon as
they are known. Clients on unix sockets have no address and are not limited by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.refusal import ConnectRefusedError
from edge.errors import AccessError
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from edge.access.bans import BanList
    from edge.access.flapping import FlappingDetector
    from edge.access.rates import ConnectRateLimiter
    from edge.broker.clients import Client
    from edge.broker.context import Context
    from edge.broker.identity import Identity


class Admission:
    """Refuses who is banned or comes too often."""

    def __init__(self, context: Context, bans: BanList) -> None:
        self._context = context
        self.bans = bans
        self._rates: ConnectRateLimiter | None = None
        self._client_rates: ConnectRateLimiter | None = None
        self._flapping: FlappingDetector | None = None
        self._address_of: dict[int, str] = {}  # connection -> address, while addresses are counted
        self._count_at: dict[str, int] = {}
        self.configure()

    def configure(self) -> None:
        """Follow the settings, at the start and after a reload."""
        config = self._context.settings.config
        self._rates = None
        self._client_rates = None
        if config.limits.connect_rate_per_client_s:
            from edge.access.rates import ConnectRateLimiter

            self._client_rates = ConnectRateLimiter(config.limits.connect_rate_per_client_s)
        if config.limits.connect_rate_per_address_s:
            from edge.access.rates import ConnectRateLimiter

            self._rates = ConnectRateLimiter(config.limits.connect_rate_per_address_s)
        self._flapping = None
        if config.flapping.enabled:
            from edge.access.flapping import FlappingDetector

            self._flapping = FlappingDetector(config.flapping)

    def check_address(self, connection: int, address: str) -> None:
        """Check the address of a CONNECT and count its connection.

        Raises:
            ConnectRefusedError: too many connections from there, or too many in a second.
        """
        if not address:
            return
        if self._rates is not None and not self._rates.allow(address, self._context.now()):
            raise ConnectRefusedError(ReasonCode.CONNECTION_RATE_EXCEEDED, "too many connects")
        connections_max = self._context.settings.config.limits.connections_per_address_max
        if not connections_max:
            return
        count = self._count_at.get(address, 0) + 1
        if count > connections_max:
            raise ConnectRefusedError(ReasonCode.QUOTA_EXCEEDED, "too many connections")
        self._count_at[address] = count
        self._address_of[connection] = address

    def connection_closed(self, connection: int) -> None:
        """Uncount a connection that is gone."""
        address = self._address_of.pop(connection, None)
        if address is None:
            return
        count = self._count_at[address] - 1
        if count:
            self._count_at[address] = count
        else:
            del self._count_at[address]

    def check_client(self, identity: Identity, address: str) -> None:
        """Check whether somebody is banned, or connects too often.

        Raises:
            ConnectRefusedError: with 0x8A and what the operator wants the client to read; 0x9F for
                too many connects of one Client Identifier in a second.
        """
        ban = self.bans.check(identity.client_id, identity.username, address, self._context.now())
        if ban is not None:
            raise ConnectRefusedError(ReasonCode.BANNED, ban.reason, detail="banned")
        rates = self._client_rates
        if rates is not None and not rates.allow(identity.client_id, self._context.now()):
            raise ConnectRefusedError(ReasonCode.CONNECTION_RATE_EXCEEDED, "too many connects")

    def client_left(self, client: Client) -> None:
        """Note that a client's connection is over; ban it for a while if it does that too often."""
        if self._flapping is None:
            return
        now_mono_s = self._context.now()
        if self._flapping.record_disconnect(client.client_id, now_mono_s):
            ban_s = self._context.settings.config.flapping.ban_s
            try:
                self.bans.add(
                    client_id=client.client_id, reason="flapping", expires_mono_s=now_mono_s + ban_s
                )
            except AccessError as error:
                self._context.log.warning("ban.failed", why=str(error))
                return
            self._context.log.warning("client.flapping", client_id=client.client_id, ban_s=ban_s)
