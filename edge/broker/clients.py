"""One compact record for each session, online or offline, and the two indexes over them.

At 10,000 idle clients a record with its strings and index entries may cost about 600 bytes, so it
has slots, shares strings that repeat, and keeps what few clients need in `rare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.protocol.kinds import MQTT_5

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.broker.enhanced_auth import Exchange
    from edge.broker.timers import Timer
    from edge.protocol.packets import Will

# Session Expiry Interval that means never [section 3.1.2.11.2].
EXPIRES_NEVER: Final = 0xFFFF_FFFF

# Client.flags
PROBLEM_INFORMATION: Final = 1  # Request Problem Information is 1, or absent [MQTT-3.1.2-29]
CONNECT_EXPIRY_ZERO: Final = 2  # the CONNECT had Session Expiry Interval 0 or none
CERTIFICATE_IDENTITY: Final = 4  # the User Name comes from a TLS certificate


class Rare:
    """What few clients have, kept apart to keep the record small."""

    __slots__ = ("authentication_method", "expiry_timer", "reauthentication", "will_timer")

    def __init__(self) -> None:
        self.authentication_method = ""  # "" : plain CONNECT
        self.reauthentication: Exchange | None = None  # under way [section 4.12.1]
        self.expiry_timer: Timer | None = None  # while offline
        self.will_timer: Timer | None = None  # Will Delay Interval under way


class Client:
    """One Session and, while `connection` is not 0, the Network Connection it lives on."""

    __slots__ = (
        "acl_profile_id",
        "client_id",
        "connected_mono_s",
        "connection",
        "expiry_s",
        "flags",
        "keep_alive_s",
        "listener_index",
        "mount",
        "packet_bytes_max",
        "peer",
        "protocol_version",
        "rare",
        "session",
        "subscriptions",
        "username",
        "will",
    )

    def __init__(self, client_id: str, session: int) -> None:
        """Start offline, with nothing."""
        self.client_id = client_id
        self.session = session
        self.connection = 0
        self.username: str | None = None
        self.peer = ""
        self.mount = ""  # topic prefix, filled in
        self.listener_index = 0
        self.protocol_version = MQTT_5
        self.flags = PROBLEM_INFORMATION
        self.keep_alive_s = 0
        self.expiry_s = 0  # granted Session Expiry Interval
        self.packet_bytes_max = 0  # the client's Maximum Packet Size; 0: none
        self.acl_profile_id = 0
        self.connected_mono_s = 0.0  # of the last CONNECT, or DISCONNECT while offline
        self.subscriptions: dict[str, int] | None = None  # see subscriptions.py
        self.will: Will | None = None
        self.rare: Rare | None = None

    @property
    def is_v5(self) -> bool:
        """Whether the client speaks MQTT 5.0."""
        return self.protocol_version == MQTT_5

    @property
    def wants_problem_information(self) -> bool:
        """Whether Reason Strings may be sent on any packet [MQTT-3.1.2-29]."""
        return bool(self.flags & PROBLEM_INFORMATION)

    @property
    def maximum_packet_size(self) -> int | None:
        """The client's Maximum Packet Size, as the encoders take it."""
        return self.packet_bytes_max or None

    def need_rare(self) -> Rare:
        """Return `rare`, made on first use."""
        if self.rare is None:
            self.rare = Rare()
        return self.rare


class Clients:
    """The registry: by Client Identifier (all) and by connection (those online)."""

    def __init__(self) -> None:
        self._by_client_id: dict[str, Client] = {}
        self._by_connection: dict[int, Client] = {}
        self._leaving: dict[int, Client] = {}  # detached, EVENT_CLOSED still to come

    def __len__(self) -> int:
        """Return how many sessions there are, online and offline."""
        return len(self._by_client_id)

    def __iter__(self) -> Iterator[Client]:
        """Iterate over all sessions; the registry must not change meanwhile."""
        return iter(self._by_client_id.values())

    @property
    def online_count(self) -> int:
        """How many sessions have a Network Connection."""
        return len(self._by_connection)

    def get(self, client_id: str) -> Client | None:
        """Return the session of a Client Identifier."""
        return self._by_client_id.get(client_id)

    def at(self, connection: int) -> Client | None:
        """Return who is on a connection; None once the session has left it."""
        return self._by_connection.get(connection)

    def add(self, client: Client) -> None:
        """Enter a new session; its Client Identifier must be free."""
        self._by_client_id[client.client_id] = client

    def remove(self, client: Client) -> None:
        """Forget a session that is offline."""
        if self._by_client_id.get(client.client_id) is client:
            del self._by_client_id[client.client_id]

    def attach(self, client: Client, connection: int) -> None:
        """Put a session on a connection."""
        client.connection = connection
        self._by_connection[connection] = client

    def detach(self, client: Client) -> None:
        """Take a session off its connection, if it has one."""
        if client.connection:
            self._by_connection.pop(client.connection, None)
            self._leaving[client.connection] = client
            client.connection = 0

    def last_at(self, connection: int) -> Client | None:
        """Return who is, or was last, on a connection: its events may still be on the way."""
        return self._by_connection.get(connection) or self._leaving.get(connection)

    def forget_connection(self, connection: int) -> None:
        """The engine has closed it: nothing more is heard of it."""
        self._leaving.pop(connection, None)
