"""The numbers of a snapshot under the names that users know: one table for metrics and $SYS.

Prometheus names are those of RobustMQ (`mqtt_*`) where it has them, else `robustmq_edge_*`. A row
whose source the broker does not deliver is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from edge.ops.snapshot import Snapshot

COUNTER: Final = "counter"
GAUGE: Final = "gauge"


class Number(NamedTuple):
    """A row: how the number is called, and where in the snapshot it stands.

    Attributes:
        metric: Prometheus name; rows with one name stand together and differ in `label`.
        kind: COUNTER or GAUGE.
        label: `name="value"`, or empty.
        topic: below `$SYS/brokers/{node}/`, or empty.
        sources: keys of `Snapshot.engine` or, after `control.`, of `Snapshot.control`; added up.
        text: what it counts.
    """

    metric: str
    kind: str
    label: str
    topic: str
    sources: tuple[str, ...]
    text: str


def _gauge(metric: str, source: str, text: str, topic: str = "") -> Number:
    return Number(metric, GAUGE, "", topic, (source,), text)


def _counter(metric: str, source: str, text: str, topic: str = "", label: str = "") -> Number:
    return Number(f"{metric}_total", COUNTER, label, topic, tuple(source.split()), text)


_CONNECTIONS: Final = (
    _gauge("mqtt_connections_count", "connections", "Open connections.", "stats/connections/count"),
    _gauge("mqtt_sessions_count", "sessions", "Sessions, on- and offline.", "stats/sessions/count"),
    _gauge(
        "robustmq_edge_clients_offline", "control.clients_offline", "Sessions that are offline."
    ),
    _counter(
        "mqtt_connection_success",
        "control.connect_accepted",
        "CONNECTs accepted.",
        "metrics/packets/connack",
    ),
    _counter("mqtt_connection_failed", "control.connect_refused", "CONNECTs refused."),
    _counter("mqtt_disconnect_success", "control.disconnected", "Clients that went offline."),
    _counter("mqtt_connection_expired", "closed_keep_alive", "Closed for silence (Keep Alive)."),
    _counter("mqtt_packets_received_error", "closed_protocol", "Closed for a bad packet."),
    _counter("mqtt_auth_success", "control.authentication_succeeded", "Clients authenticated."),
    _counter("mqtt_auth_failed", "control.authentication_failed", "Authentications that failed."),
    _counter("mqtt_acl_failed", "acl_denied control.acl_denied", "Requests that the ACL denied."),
    _counter("mqtt_session_created", "control.sessions_opened", "Sessions begun."),
    _counter("robustmq_edge_sessions_resumed", "control.sessions_resumed", "Sessions resumed."),
    _counter(
        "robustmq_edge_sessions_taken_over", "control.sessions_taken_over", "Sessions taken over."
    ),
    _counter(
        "robustmq_edge_sessions_expired", "control.sessions_expired", "Sessions that expired."
    ),
    _counter("robustmq_edge_connections_accepted", "accepted", "Connections accepted."),
    _counter("robustmq_edge_connections_refused", "accept_refused", "Connections closed at once."),
    _counter("robustmq_edge_connections_timed_out", "closed_timeout", "Closed for a slow packet."),
    _gauge("robustmq_edge_bans", "control.bans", "Bans in force."),
)

_SUBSCRIPTIONS: Final = (
    _gauge(
        "mqtt_subscribers_count", "subscriptions", "Subscriptions.", "stats/subscriptions/count"
    ),
    _gauge(
        "mqtt_subscriptions_shared_count",
        "control.subscriptions_shared",
        "Shared Subscriptions.",
        "stats/subscriptions/shared/count",
    ),
    _counter(
        "mqtt_subscribe_success",
        "control.subscribes",
        "Subscriptions granted.",
        "metrics/packets/subscribe",
    ),
    _counter(
        "mqtt_unsubscribe_success",
        "control.unsubscribes",
        "Subscriptions given up.",
        "metrics/packets/unsubscribe",
    ),
)

_TRAFFIC: Final = (
    _counter("mqtt_bytes_received", "bytes_received", "Bytes received.", "metrics/bytes/received"),
    _counter("mqtt_bytes_sent", "bytes_sent", "Bytes sent.", "metrics/bytes/sent"),
    _counter(
        "mqtt_packets_received",
        "packets_received",
        "Control Packets received.",
        "metrics/packets/received",
    ),
    _counter(
        "mqtt_messages_received",
        "publish_received",
        "Messages received.",
        "metrics/messages/received",
    ),
    _counter("mqtt_messages_sent", "publish_sent", "Messages sent.", "metrics/messages/sent"),
    *(
        _counter(
            f"mqtt_packets_publish_{way}",
            f"publish_{way}_qos{qos}",
            f"PUBLISH packets {way}.",
            f"metrics/messages/qos{qos}/{way}",
            f'qos="{qos}"',
        )
        for way in ("received", "sent")
        for qos in range(3)
    ),
    _counter("robustmq_edge_clients_throttled", "throttled", "Pauses of clients above their rate."),
)

_MESSAGES: Final = (
    _gauge("mqtt_retained_count", "retained", "Retained messages.", "metrics/messages/retained"),
    _counter(
        "mqtt_messages_dropped_no_subscribers",
        "dropped_no_subscriber",
        "Messages that nobody subscribed to.",
        "metrics/messages/dropped",
    ),
    *(
        _counter(
            "robustmq_edge_messages_dropped",
            f"dropped_{cause}",
            "Messages dropped for one subscriber, by cause.",
            "metrics/messages/expired" if cause == "expired" else "",
            f'cause="{cause}"',
        )
        for cause in (
            *("queue_full", "slow", "expired", "too_large", "memory", "denied"),
            "retained_full",
        )
    ),
    _gauge("robustmq_edge_queued_messages", "queued", "Messages that wait for a client."),
    _gauge("robustmq_edge_queued_bytes", "queued_bytes", "Bytes that wait for clients."),
    _gauge("robustmq_edge_retained_bytes", "retained_bytes", "Bytes of retained messages."),
    _gauge("robustmq_edge_delayed_messages", "control.delayed_messages", "Delayed messages."),
    _gauge("robustmq_edge_delayed_bytes", "control.delayed_bytes", "Bytes of delayed messages."),
    _counter("robustmq_edge_delayed_dropped", "control.delayed_dropped", "Delayed, but no room."),
    _counter("robustmq_edge_wills_published", "control.wills_published", "Wills published."),
)

_INSIDE: Final = (
    _gauge("robustmq_edge_memory_bytes", "memory_bytes", "Bytes of the memory budget in use."),
    _gauge("robustmq_edge_memory_bytes_max", "memory_bytes_max", "The memory budget; 0: none."),
    _gauge("robustmq_edge_match_entries", "match_entries", "Topic Names in the match cache."),
    _counter("robustmq_edge_match_misses", "match_misses", "Topic Names that were not in it."),
    _counter("robustmq_edge_engine_turns", "turns", "Turns of the engine thread."),
    _counter("robustmq_edge_engine_receives", "receives", "System calls that received."),
    _counter("robustmq_edge_engine_sends", "sends", "System calls that sent."),
    _counter("robustmq_edge_faults", "control.faults", "Exceptions nobody expected; see the log."),
)

NUMBERS: Final = _CONNECTIONS + _SUBSCRIPTIONS + _TRAFFIC + _MESSAGES + _INSIDE


def value_of(number: Number, snapshot: Snapshot) -> int | None:
    """Return the sum of a number's sources; None if the broker delivers none of them."""
    total = None
    for source in number.sources:
        if source.startswith("control."):
            value = snapshot.control.get(source[8:])
        else:
            value = snapshot.engine.get(source)
        if value is not None:
            total = (total or 0) + value
    return total
