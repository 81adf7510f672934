"""Who is refused with 0x8A Banned: the bans of `edge.toml`, and those made while the broker runs.

A ban names a Client Identifier or User Name, both with the wildcards `*` and `?`, or an IP address
or network. Bans of whole names are looked up, the others are tried one by one: a broker has few.
A network of IPv4 also covers its addresses written in IPv6, `::ffff:192.0.2.1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.access.glob import glob_matches, has_wildcard
from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from edge.config.schema import BanConfig

# Of those made at run time; flapping detection can make many.
RUNTIME_BANS_MAX: Final = 16_384

# IPv4 addresses in IPv6 begin with ::ffff:0:0/96.
_MAPPED_PREFIX_BITS: Final = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """One ban: exactly one of the first three is not empty."""

    client_id: str = ""
    username: str = ""
    address: str = ""
    reason: str = ""
    expires_mono_s: float | None = None  # None: never
    is_configured: bool = False

    @property
    def subject(self) -> tuple[str, str]:
        """Which of the three it names, and the value: two bans with one subject are the same."""
        if self.client_id:
            return "client_id", self.client_id
        return ("username", self.username) if self.username else ("address", self.address)

    def is_over(self, now_mono_s: float) -> bool:
        """Return whether its time is up."""
        return self.expires_mono_s is not None and self.expires_mono_s <= now_mono_s


class BanList:
    """All bans in force; those that are over vanish when they are looked at."""

    __slots__ = ("_configured", "_networks", "_patterns", "_runtime")

    def __init__(self, configured: Iterable[BanConfig] = ()) -> None:
        """Start with the bans of the configuration.

        Raises:
            AccessError: an address is none, or a ban does not name exactly one thing.
        """
        self._configured: dict[tuple[str, str], Ban] = {}
        self._runtime: dict[tuple[str, str], Ban] = {}  # oldest first
        # Bans that are no plain names, by subject; those of addresses are always here.
        self._patterns: dict[tuple[str, str], None] = {}
        self._networks: dict[str, IPv4Network | IPv6Network] = {}
        self.configure(configured)

    def configure(self, configured: Iterable[BanConfig]) -> None:
        """Replace the bans of the configuration, e.g. after a reload; the others stay.

        Raises:
            AccessError: an address is none, or a ban does not name exactly one thing.
        """
        bans = [
            _checked(
                Ban(
                    client_id=each.client_id,
                    username=each.username,
                    address=each.address,
                    reason=each.reason,
                    is_configured=True,
                )
            )
            for each in configured
        ]
        self._configured = {ban.subject: ban for ban in bans}
        self._index()

    def check(
        self, client_id: str, username: str | None, address: str, now_mono_s: float
    ) -> Ban | None:
        """Return a ban that a client falls under, or None.

        Args:
            client_id: Client Identifier; "" matches no ban.
            username: User Name; None or "" matches no ban.
            address: IP address without port; "" (a unix socket) matches no ban.
            now_mono_s: the clock of `expires_mono_s`.
        """
        if not self._configured and not self._runtime:
            return None
        for ban in self._candidates(client_id, username or "", address):
            if not ban.is_over(now_mono_s):
                return ban
            self._drop(ban)
        return None

    def add(
        self,
        *,
        client_id: str = "",
        username: str = "",
        address: str = "",
        reason: str = "",
        expires_mono_s: float | None = None,
    ) -> Ban:
        """Ban somebody until the broker ends or `expires_mono_s`; replaces an earlier ban.

        When there are RUNTIME_BANS_MAX of them, the one that would end first makes room.

        Raises:
            AccessError: not exactly one of the three is given, the address is none, or there is no
                room because all bans are for ever.
        """
        ban = _checked(
            Ban(
                client_id=client_id,
                username=username,
                address=address,
                reason=reason,
                expires_mono_s=expires_mono_s,
            )
        )
        if ban.subject not in self._runtime and len(self._runtime) >= RUNTIME_BANS_MAX:
            self._make_room()
        self._runtime[ban.subject] = ban
        self._index_one(ban.subject)
        return ban

    def remove(self, *, client_id: str = "", username: str = "", address: str = "") -> int:
        """Lift a ban that add() has made, named as it was named there; return how many went.

        A ban of the configuration stays: it goes with its lines and a reload.

        Raises:
            AccessError: not exactly one of the three is given, or the address is none.
        """
        subject = _checked(Ban(client_id=client_id, username=username, address=address)).subject
        ban = self._runtime.get(subject)
        if ban is None:
            return 0
        self._drop(ban)
        return 1

    def list(self, now_mono_s: float | None = None) -> list[Ban]:
        """Return the bans, those of the configuration first; with a time, only what is not over."""
        bans = [*self._configured.values(), *self._runtime.values()]
        if now_mono_s is None:
            return bans
        return [ban for ban in bans if not ban.is_over(now_mono_s)]

    # -- inside

    def _candidates(self, client_id: str, username: str, address: str) -> Iterator[Ban]:
        """Find bans by name, then by wildcard and network; the caller may drop what it is given."""
        for subject in (("client_id", client_id), ("username", username)):
            yield from self._bans_of(subject)
        if not self._patterns:
            return
        parsed = _parse_address(address) if self._networks and address else None
        names = {"client_id": client_id, "username": username}
        for subject in list(self._patterns):
            kind, value = subject
            if kind == "address":
                is_covered = parsed is not None and parsed in self._networks[value]
            else:
                is_covered = names[kind] != "" and glob_matches(value, names[kind])
            if is_covered:
                yield from self._bans_of(subject)

    def _bans_of(self, subject: tuple[str, str]) -> Iterator[Ban]:
        for bans in (self._configured, self._runtime):
            ban = bans.get(subject)
            if ban is not None:
                yield ban

    def _index(self) -> None:
        self._patterns = {}
        self._networks = {}
        for subject in (*self._configured, *self._runtime):
            self._index_one(subject)

    def _index_one(self, subject: tuple[str, str]) -> None:
        kind, value = subject
        if kind == "address":
            self._networks[value] = _parse_network(value)
            self._patterns[subject] = None
        elif has_wildcard(value):
            self._patterns[subject] = None

    def _drop(self, ban: Ban) -> None:
        """Forget a ban made at run time."""
        subject = ban.subject
        if self._runtime.pop(subject, None) is None or subject in self._configured:
            return
        self._patterns.pop(subject, None)
        if ban.address:
            self._networks.pop(ban.address, None)

    def _make_room(self) -> None:
        ending = [
            (ban.expires_mono_s, ban)
            for ban in self._runtime.values()
            if ban.expires_mono_s is not None
        ]
        if not ending:
            message = f"there are {RUNTIME_BANS_MAX} bans already"
            raise AccessError(message, hint="`ban remove` some, or ban with wildcards or a network")
        self._drop(min(ending, key=lambda each: each[0])[1])


def _checked(ban: Ban) -> Ban:
    """Return the ban with its address in canonical form.

    Raises:
        AccessError: it does not name exactly one thing, or the address is none.
    """
    if sum(bool(value) for value in (ban.client_id, ban.username, ban.address)) != 1:
        message = "a ban must name exactly one of client_id, username and address"
        raise AccessError(message)
    if not ban.address:
        return ban
    network = _parse_network(ban.address)
    return Ban(
        address=str(network if network.num_addresses > 1 else network.network_address),
        reason=ban.reason,
        expires_mono_s=ban.expires_mono_s,
        is_configured=ban.is_configured,
    )


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return an address or network; `192.0.2.7/24` means `192.0.2.0/24`.

    Raises:
        AccessError: it is neither.
    """
    from ipaddress import IPv4Network, ip_network

    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        message = f"`{text}` is no IP address or network"
        raise AccessError(message, hint="e.g. 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32") from error
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_PREFIX_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX_BITS))


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a peer, IPv4 where IPv6 only wraps it; None for anything else."""
    from ipaddress import ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
