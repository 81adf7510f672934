"""What the parts of the control plane share: engine, live settings, registry, clock.

Policy lives in the parts (connect.py, sessions.py, ...), never here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import trio

from edge.broker.clients import Clients
from edge.broker.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.broker.clients import Client
    from edge.broker.settings import ListenerPolicy, Settings


class Log(Protocol):
    """Where events are told to the operator: one line each."""

    def debug(self, event: str, **fields: object) -> None:
        """Tell what only a developer wants to know."""

    def info(self, event: str, **fields: object) -> None:
        """Tell what happened."""

    def warning(self, event: str, **fields: object) -> None:
        """Tell what may need attention."""

    def error(self, event: str, **fields: object) -> None:
        """Tell what needs attention."""


class EnginePort(Protocol):
    """What the control plane commands; see engine.pyi for the meaning of each."""

    # ruff: noqa: D102
    def flush(self) -> None: ...
    def drain(self, packet_v5: bytes) -> None: ...
    def open_session(self) -> int: ...
    def close_session(self, session: int) -> None: ...
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
        rate_group: bytes = b"",
        group_messages_s: int = 0,
        group_bytes_s: int = 0,
    ) -> None: ...
    def set_session_ends_with_connection(self, session: int, ends: bool) -> None: ...  # noqa: FBT001
    def send(self, connection: int, packet: bytes) -> None: ...
    def resume(self, connection: int) -> None: ...
    def close(self, connection: int, packet: bytes = b"", reason_code: int = 0) -> None: ...
    def map_topic(self, connection: int, topic: bytes, target: bytes) -> None: ...
    def subscribe(
        self,
        session: int,
        topic_filter: bytes,
        *,
        qos: int,
        no_local: bool,
        retain_as_published: bool,
        subscription_id: int,
        group: bytes,
    ) -> None: ...
    def unsubscribe(self, session: int, topic_filter: bytes, group: bytes) -> None: ...
    def send_retained(
        self, session: int, topic_filter: bytes, *, qos: int, subscription_id: int
    ) -> None: ...
    def publish(
        self,
        topic: bytes,
        payload: bytes,
        *,
        qos: int = ...,
        retain: bool = ...,
        properties: bytes = ...,
        expiry_s: int = ...,
        origin_session: int = ...,
        acl_profile_id: int = ...,
    ) -> None: ...
    def set_acl_profile(self, blob: bytes) -> None: ...
    def drop_acl_profile(self, acl_profile_id: int) -> None: ...
    def set_session_acl(self, session: int, acl_profile_id: int) -> None: ...
    def set_map_filters(self, filters: Sequence[bytes]) -> None: ...
    def query_stats(self) -> int: ...
    def query_sessions(self, session: int = 0) -> int: ...
    def query_retained(self, topic_filter: bytes, limit: int) -> int: ...
    def delete_retained(self, topic_filter: bytes) -> int: ...


class Observer(Protocol):
    """Hears of what clients do, to tell whoever subscribed to `$SYS/brokers/+/clients/...`."""

    def connected(self, client: Client, *, clean_start: bool) -> None:
        """A client has been accepted."""

    def disconnected(self, client: Client, reason: str) -> None:
        """A client's connection is over."""

    def subscribed(self, client: Client, topic_filter: str, qos: int) -> None:
        """A client has a subscription."""

    def unsubscribed(self, client: Client, topic_filter: str) -> None:
        """A client has given up a subscription."""

    def sys_subscribed(self) -> None:
        """Somebody subscribed below `$SYS/`."""


class Nobody:
    """An observer that does nothing."""

    def connected(self, client: Client, *, clean_start: bool) -> None:
        """Ignore it."""

    def disconnected(self, client: Client, reason: str) -> None:
        """Ignore it."""

    def subscribed(self, client: Client, topic_filter: str, qos: int) -> None:
        """Ignore it."""

    def unsubscribed(self, client: Client, topic_filter: str) -> None:
        """Ignore it."""

    def sys_subscribed(self) -> None:
        """Ignore it."""


class Counters:
    """What the control plane counts for metrics; only ever grows."""

    __slots__ = (
        "acl_denied",
        "authentication_failed",
        "authentication_succeeded",
        "connect_accepted",
        "connect_refused",
        "connect_refused_by_reason",
        "delayed_dropped",
        "disconnected",
        "faults",
        "sessions_expired",
        "sessions_opened",
        "sessions_resumed",
        "sessions_taken_over",
        "subscribes",
        "unsubscribes",
        "wills_published",
    )

    def __init__(self) -> None:
        self.acl_denied = 0
        self.authentication_failed = 0
        self.authentication_succeeded = 0
        self.connect_accepted = 0
        self.connect_refused = 0
        self.connect_refused_by_reason: dict[int, int] = {}
        self.delayed_dropped = 0
        self.disconnected = 0
        self.faults = 0
        self.sessions_expired = 0
        self.sessions_opened = 0
        self.sessions_resumed = 0
        self.sessions_taken_over = 0
        self.subscribes = 0
        self.unsubscribes = 0
        self.wills_published = 0


class Context:
    """The shared things. `spawn` starts an async function in the nursery of the broker."""

    __slots__ = (
        "clients",
        "counters",
        "engine",
        "log",
        "observer",
        "settings",
        "spawn",
        "timers",
    )

    def __init__(
        self,
        engine: EnginePort,
        settings: Settings,
        log: Log,
        *,
        spawn: Callable[..., object],
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.log = log
        self.spawn = spawn
        self.observer: Observer = Nobody()
        self.clients = Clients()
        self.counters = Counters()
        self.timers = Timers(on_fault=self.note_fault)

    @staticmethod
    def now() -> float:
        """The monotonic clock of all deadlines here, in seconds."""
        return trio.current_time()

    def listener(self, index: int) -> ListenerPolicy:
        """Return what holds on a listener."""
        return self.settings.listeners[index]

    def note_fault(self, error: BaseException) -> None:
        """Tell of an exception that no code expected. One client pays for it, not all."""
        import traceback

        self.counters.faults += 1
        self.log.error(
            "broker.fault",
            error=f"{type(error).__name__}: {error}",
            where=" < ".join(
                f"{frame.name}:{frame.lineno}"
                for frame in reversed(traceback.extract_tb(error.__traceback__))
            ),
        )
