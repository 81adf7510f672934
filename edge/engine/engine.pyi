"""The thread boundary: what the control plane may say to the engine, and hears from it.

All methods are called from one thread, the control plane's. A command is queued and takes effect in
order when the engine thread next turns; `flush()` wakes it. Handles are plain integers: a
`connection` (slot and generation, never reused) and a `session` (a serial number given by
`open_session`). A command that names a handle which is gone by then does nothing.
"""

from collections.abc import Sequence
from typing import Final

# Kinds of Event.
EVENT_PACKET: Final[int]        # a slow packet: CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH; the connection waits for resume()
EVENT_CLOSED: Final[int]        # the connection is gone; `cause` and `reason_code` say why
EVENT_DELAYED: Final[int]       # a PUBLISH to $delayed/..., already acknowledged; topic, properties, payload, qos, retain; waits for resume()
EVENT_TOPIC: Final[int]         # the first PUBLISH to `topic` on a connection with needs_map; waits for map_topic() and resume()
EVENT_REPLY: Final[int]         # the answer to a query: `token` and `reply`
EVENT_DRAINED: Final[int]       # after drain(): every connection is closed
EVENT_MEMORY: Final[int]        # the memory budget was passed (flag 1) or is kept again (flag 0)

# Event.cause of EVENT_CLOSED.
CAUSE_PEER: Final[int]          # the peer closed or reset the connection
CAUSE_KEEP_ALIVE: Final[int]    # 1.5 times Keep Alive passed [MQTT-3.1.2-22]
CAUSE_PROTOCOL: Final[int]      # a packet broke the specification; reason_code says how
CAUSE_COMMAND: Final[int]       # close() was called
CAUSE_TIMEOUT: Final[int]       # no complete CONNECT, or a packet took too long
CAUSE_WRITE: Final[int]         # sending failed
CAUSE_QUOTA: Final[int]         # a limit of ours

class Event:
    """One thing that happened. Fields that do not apply are 0 or empty."""

    @property
    def kind(self) -> int: ...
    @property
    def connection(self) -> int: ...
    @property
    def session(self) -> int: ...       # 0: none bound
    @property
    def data(self) -> bytes: ...        # EVENT_PACKET: the whole Control Packet with its fixed header
    @property
    def listener_index(self) -> int: ...
    @property
    def peer(self) -> bytes: ...        # only with CONNECT: address NUL common-name NUL subject (last two empty without a client certificate)
    @property
    def cause(self) -> int: ...
    @property
    def reason_code(self) -> int: ...
    @property
    def topic(self) -> bytes: ...
    @property
    def properties(self) -> bytes: ...  # forwarded PUBLISH properties, encoded, without their length
    @property
    def payload(self) -> bytes: ...
    @property
    def qos(self) -> int: ...
    @property
    def retain(self) -> int: ...
    @property
    def expiry_s(self) -> int: ...      # Message Expiry Interval left, rounded up; -1: none
    @property
    def token(self) -> int: ...
    @property
    def flag(self) -> int: ...
    @property
    def reply(self) -> object: ...

class Engine:
    """The native data plane. See `Engine.__init__` for its limits; 0 means no limit."""

    def __init__(
        self,
        *,
        memory_bytes_max: int = ...,
        connections_max: int = ...,
        connect_timeout_ms: int = ...,
        packet_timeout_ms: int = ...,
        topic_levels_max: int = ...,
        queued_messages_max: int = ...,
        queued_bytes_max: int = ...,
        queued_messages_total_max: int = ...,
        queued_bytes_total_max: int = ...,
        output_bytes_max: int = ...,
        inflight_bytes_max: int = ...,
        drop_oldest: bool = ...,
        queue_qos0_offline: bool = ...,
        retained_messages_max: int = ...,
        retained_bytes_max: int = ...,
        retained_check_source: bool = ...,
        message_expiry_s_default: int = ...,
        message_expiry_s_max: int = ...,
        delayed_enabled: bool = ...,
        deny_disconnects: bool = ...,
    ) -> None: ...

    event_fd: int                       # readable when take_events() has something to give

    def start(self) -> None:
        """Start the engine thread."""
    def stop(self) -> None:
        """End the engine thread and close every connection; joins the thread."""
    def drain(self, packet_v5: bytes) -> None:
        """Stop listening; send `packet_v5` to MQTT 5.0 clients, flush, and close all; EVENT_DRAINED follows."""
    def take_events(self) -> list[Event]:
        """All events since the last call, oldest first; resets event_fd."""
    def flush(self) -> None:
        """Wake the engine for the commands queued since the last flush; costs nothing if there are none."""

    # -- listeners; `index` is the place in the configuration, below 4096
    def add_listener(self, index: int, fd: int, *, proxy_header: bool, connections_max: int, packet_bytes_max: int) -> None:
        """Accept from the listening socket `fd` (the engine takes a duplicate). Before CONNECT, packet_bytes_max holds.

        With `fd` -1 the listener only takes what gateways hand over with its index.
        """
    def remove_listener(self, index: int) -> None: ...
    def adopt(self, index: int, fd: int, peer: bytes) -> None:
        """Take over a connected stream socket that a gateway has made (the engine owns `fd` from then on), as if accepted by listener `index`."""

    # -- sessions
    def open_session(self) -> int:
        """Make an empty session and return its handle."""
    def close_session(self, session: int) -> None:
        """Forget it with its subscriptions, queue and in-flight messages."""
    def accept(
        self,
        connection: int,
        session: int,
        connack: bytes,
        *,
        protocol_version: int,
        ends_with_connection: bool,
        keep_alive_s: int,
        inflight_max: int,
        receive_max: int,
        packet_bytes_max: int,
        client_packet_bytes_max: int,
        alias_in_max: int,
        alias_out_max: int,
        qos_max: int,
        retain_available: bool,
        mount: bytes,
        acl_profile_id: int,
        rate_messages_s: int,
        rate_bytes_s: int,
        needs_map: bool,
        rate_group: bytes = ...,
        group_messages_s: int = ...,
        group_bytes_s: int = ...,
    ) -> None:
        """Bind the connection to the session, send `connack`, resend what is in flight [MQTT-4.4.0-1], then read on.

        Connections with the same `rate_group` (not empty) share a publish rate; the first one sets it.
        """
    def set_session_ends_with_connection(self, session: int, ends: bool) -> None: ...

    # -- connections
    def send(self, connection: int, packet: bytes) -> None:
        """Queue one Control Packet behind what is already queued."""
    def resume(self, connection: int) -> None:
        """The slow packet is answered: go on with what the client sent after it."""
    def close(self, connection: int, packet: bytes = b"", reason_code: int = 0) -> None:
        """Send `packet` (if any), flush, close in an orderly way, bounded in time. EVENT_CLOSED follows with CAUSE_COMMAND."""
    def map_topic(self, connection: int, topic: bytes, target: bytes) -> None:
        """From now on the connection's PUBLISHes to `topic` go to `target` (the same: unchanged; empty: refused)."""

    # -- subscriptions; `group` empty: not shared. The filter includes the mount point.
    def subscribe(
        self, session: int, topic_filter: bytes, *, qos: int, no_local: bool, retain_as_published: bool,
        subscription_id: int, group: bytes,
    ) -> None: ...
    def unsubscribe(self, session: int, topic_filter: bytes, group: bytes) -> None: ...
    def send_retained(self, session: int, topic_filter: bytes, *, qos: int, subscription_id: int) -> None:
        """Queue the retained messages that match [MQTT-3.3.1-9]."""

    # -- messages from the control plane: wills, delayed, $SYS
    def publish(
        self, topic: bytes, payload: bytes, *, qos: int = ..., retain: bool = ..., properties: bytes = ...,
        expiry_s: int = ..., origin_session: int = ..., acl_profile_id: int = ...,
    ) -> None:
        """Route a message. `expiry_s` -1: none. An empty retained payload clears [MQTT-3.3.1-6]."""

    # -- access
    def set_acl_profile(self, blob: bytes) -> None:
        """Define or replace the profile whose id stands in `blob` (format: acl.pyx); live sessions that hold it follow at once."""
    def drop_acl_profile(self, acl_profile_id: int) -> None: ...
    def set_session_acl(self, session: int, acl_profile_id: int) -> None:
        """Change the rules of a session; 0: everything is allowed."""
    def set_map_filters(self, filters: Sequence[bytes]) -> None:
        """Topic Filters whose topics may be rewritten: only those raise EVENT_TOPIC."""

    # -- queries: each returns a token; EVENT_REPLY brings `reply`
    def query_stats(self) -> int:
        """reply: dict[str, int] of counters and gauges."""
    def query_sessions(self, session: int = 0) -> int:
        """reply: list of SessionStats tuples (session, connection, queued, queued_bytes, inflight, received, sent, dropped, bytes_in, bytes_out); session 0: all."""
    def query_retained(self, topic_filter: bytes, limit: int) -> int:
        """reply: list of (topic, payload_len, qos, expiry_s), at most `limit`."""
    def delete_retained(self, topic_filter: bytes) -> int:
        """reply: int, how many went."""
