"""The configuration tree of the broker: one frozen dataclass per section of `edge.toml`.

Defaults, ranges and the words that explain a key to an operator live beside the field. The loader
(`load.py`) builds the tree and checks it, `example.py` prints it as a commented file. A part of the
program receives only its branch; nothing else reads the file or the environment.

Every number carries its unit at the end of its name. `0` means "no limit" only where the text says
so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
TIB: Final = 1024 * GIB


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be; `text` explains it to the operator.

    Attributes:
        text: what the key does, without its range.
        minimum: of a number, included.
        maximum: of a number, included.
        choices: of a string or the strings of a list; empty: any.
        is_path: a file or folder; if it is relative, then to the folder of the configuration file.
    """

    text: str
    minimum: int = 0
    maximum: int = 0
    choices: tuple[str, ...] = ()
    is_path: bool = False


def number(default: int, text: str, minimum: int, maximum: int) -> int:
    """Define a number with its default and its bounds, both included."""
    return field(default=default, metadata={"rule": Rule(text, minimum, maximum)})


def flag(text: str, *, default: bool) -> bool:
    """Define a key that is true or false."""
    return field(default=default, metadata={"rule": Rule(text)})


def unset_flag(text: str) -> bool | None:
    """Define a key that is true, false or, by default, not set."""
    return field(default=None, metadata={"rule": Rule(text)})


def string(default: str, text: str) -> str:
    """Define a key that takes any string."""
    return field(default=default, metadata={"rule": Rule(text)})


def choice(default: str, text: str, *choices: str) -> str:
    """Define a key that takes one of some strings."""
    return field(default=default, metadata={"rule": Rule(text, choices=choices)})


def path(text: str) -> str:
    """Define a key that names a file or folder; empty by default."""
    return field(default="", metadata={"rule": Rule(text, is_path=True)})


def strings(text: str, *default: str, choices: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Define a key that takes a list of strings, stored as a tuple."""
    return field(default=default, metadata={"rule": Rule(text, choices=choices)})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """`[node]`: who this broker is and where it keeps things."""

    id: str = string("", "name in $SYS topics and metrics; empty: the host name")
    data_dir: str = path("folder for state; empty: /var/lib/robustmq-edge, or a folder of the user")
    mode: str = choice(
        "disk",
        "disk: acknowledged state on the card; memory: the card is never written",
        "disk",
        "memory",
    )
    control_socket: str = path("unix socket of the commands; empty: control.sock in the run folder")
    shutdown_grace_s: int = number(
        10, "how long SIGTERM waits for clients to take what is sent", 0, 300
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """`[log]`: what is written to standard error."""

    level: str = choice(
        "info", "least severity that is written", "debug", "info", "warning", "error"
    )
    format: str = choice("text", "text for people, json for collectors", "text", "json")
    connections: bool = flag("one line for each connect and disconnect", default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """`[limits]`: bounds of the whole broker."""

    memory_bytes_max: int = number(
        0, "budget for messages, queues and buffers; 0: a quarter of RAM", 0, 16 * TIB
    )
    connections_max: int = number(
        0, "open Network Connections, all listeners; 0: what the file limit allows", 0, 1_000_000
    )
    clients_max: int = number(0, "sessions, online and offline; 0: no limit", 0, 10_000_000)
    connections_per_address_max: int = number(
        0, "open connections from one IP address; 0: no limit", 0, 1_000_000
    )
    connect_rate_per_address_s: int = number(
        0, "CONNECTs a second from one IP address; 0: no limit", 0, 100_000
    )
    connect_rate_per_client_s: int = number(
        0, "CONNECTs a second with one Client Identifier; 0: no limit", 0, 100_000
    )
    connect_timeout_s: int = number(10, "from accept to a complete CONNECT", 1, 300)
    packet_timeout_s: int = number(30, "from the first to the last byte of one packet", 1, 3600)
    packet_bytes_max: int = number(1 * MIB, "largest Control Packet accepted", 64, 268_435_460)
    topic_levels_max: int = number(64, "levels in a Topic Name or Topic Filter", 1, 1024)
    topic_alias_max: int = number(
        64, "Topic Aliases a client may use, and we use; 0: none", 0, 65_535
    )
    subscriptions_per_client_max: int = number(1000, "subscriptions of one session", 1, 1_000_000)
    keep_alive_s_max: int = number(
        65_535, "longest Keep Alive; a longer one, or none, is replaced in MQTT 5.0", 1, 65_535
    )
    qos_max: int = number(2, "highest QoS accepted and granted", 0, 2)
    retain_available: bool = flag("whether retained messages are supported", default=True)
    wildcard_available: bool = flag("whether wildcard subscriptions are allowed", default=True)
    shared_available: bool = flag("whether shared subscriptions are allowed", default=True)
    publish_rate_messages_s: int = number(
        0, "PUBLISH packets a second per client; above, reading pauses; 0: no limit", 0, 10_000_000
    )
    publish_rate_bytes_s: int = number(
        0, "bytes a second received per client; above, reading pauses; 0: no limit", 0, TIB
    )
    publish_rate_per_address_messages_s: int = number(
        0,
        "PUBLISH packets a second from one IP address; above, reading pauses; 0: no limit",
        0,
        10_000_000,
    )
    publish_rate_per_address_bytes_s: int = number(
        0,
        "bytes a second received from one IP address; above, reading pauses; 0: no limit",
        0,
        TIB,
    )
    protocol_versions: tuple[str, ...] = strings(
        "MQTT versions accepted", "3.1", "3.1.1", "5.0", choices=("3.1", "3.1.1", "5.0")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """`[session]`: what is kept for a client, and for how long."""

    inflight_messages_max: int = number(
        64, "QoS 1 and 2 messages sent to a client and not yet acknowledged", 1, 65_535
    )
    inflight_bytes_max: int = number(0, "bytes of those messages; 0: no limit", 0, TIB)
    receive_max: int = number(
        1024, "QoS 1 and 2 messages a client may send before we acknowledge", 1, 65_535
    )
    queued_messages_max: int = number(
        10_000, "messages waiting for one client; 0: no limit", 0, 100_000_000
    )
    queued_bytes_max: int = number(16 * MIB, "bytes waiting for one client; 0: no limit", 0, TIB)
    queued_messages_total_max: int = number(
        0, "messages waiting for all clients; 0: no limit", 0, 1_000_000_000
    )
    queued_bytes_total_max: int = number(
        0, "bytes waiting for all clients; 0: half the memory budget", 0, 16 * TIB
    )
    output_bytes_max: int = number(
        4 * MIB,
        "QoS 0 output a slow client may have pending; more is dropped and counted",
        4 * KIB,
        1 * GIB,
    )
    queue_full: str = choice(
        "drop_newest", "what goes when a queue is full", "drop_newest", "drop_oldest"
    )
    queue_qos0_offline: bool = flag("queue QoS 0 messages for offline sessions too", default=False)
    expiry_s_max: int = number(
        604_800,
        "longest Session Expiry Interval granted; 4_294_967_295: never ends",
        0,
        0xFFFF_FFFF,
    )
    expiry_v311_s: int = number(
        604_800,
        "expiry of MQTT 3.x sessions with Clean Session 0; 4_294_967_295: never",
        0,
        0xFFFF_FFFF,
    )
    client_id_empty_allowed: bool = flag(
        "accept a zero-length Client Identifier and assign one", default=True
    )
    client_id_prefix: str = string("auto-", "prefix of assigned Client Identifiers")
    client_id_bytes_max: int = number(1024, "longest Client Identifier", 23, 65_535)
    client_id_from: str = choice(
        "client",
        "what names the session: the Client Identifier, or the User Name in its place",
        "client",
        "username",
    )
    message_expiry_s_default: int = number(
        0, "expiry of messages that name none; 0: never", 0, 0xFFFF_FFFF
    )
    message_expiry_s_max: int = number(0, "longest message expiry; 0: no limit", 0, 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedConfig:
    """`[retained]`: retained messages."""

    messages_max: int = number(100_000, "retained messages; 0: no limit", 0, 100_000_000)
    bytes_max: int = number(64 * MIB, "their bytes; 0: no limit", 0, TIB)
    check_source: bool = flag(
        "deliver only while the ACL still lets its publisher publish there", default=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayedConfig:
    """`[delayed]`: `$delayed/{seconds}/{topic}`."""

    enabled: bool = flag("whether $delayed topics are served", default=True)
    delay_s_max: int = number(4_294_967, "longest delay", 1, 42_949_670)
    messages_max: int = number(100_000, "messages waiting for their time", 1, 10_000_000)
    bytes_max: int = number(64 * MIB, "bytes waiting for their time", 1, TIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class SysTopicsConfig:
    """`[sys]`: `$SYS/brokers/...`."""

    enabled: bool = flag("whether $SYS topics are published", default=True)
    interval_s: int = number(
        60, "time between statistics; nothing is sent while nobody listens", 1, 3600
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """`[metrics]`: Prometheus exposition."""

    address: str = string("", "HOST:PORT for GET /metrics and /health; empty: off")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessConfig:
    """`[access]`: who may connect, and what they may do."""

    password_file: str = path("file made by `robustmq-edge passwd`; empty: none")
    acl_file: str = path("allow and deny rules; empty: everything is allowed")
    scram: bool = flag("offer SCRAM-SHA-256 as MQTT 5.0 Enhanced Authentication", default=True)
    deny_disconnects: bool = flag(
        "close the connection of a client that publishes where it may not", default=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlappingConfig:
    """`[flapping]`: clients that connect and vanish again and again."""

    enabled: bool = flag("whether flapping clients are banned for a while", default=False)
    disconnects_max: int = number(
        15, "disconnects within the window that make a client flap", 2, 10_000
    )
    window_s: int = number(60, "the window", 1, 86_400)
    ban_s: int = number(300, "how long the ban lasts", 1, 2_592_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BanConfig:
    """`[[ban]]`: who is refused with 0x8A Banned. Exactly one of the first three is set."""

    client_id: str = string("", "this Client Identifier; * and ? are wildcards")
    username: str = string("", "this User Name; * and ? are wildcards")
    address: str = string("", "this IP address or network, e.g. 10.0.0.0/8")
    reason: str = string("", "shown to the client in the Reason String")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteConfig:
    """`[[rewrite]]`: another topic in place of the client's."""

    action: str = choice("all", "for which packets", "all", "publish", "subscribe")
    source: str = string("", "Topic Filter that a topic must match; empty: every topic")
    pattern: str = string("", "regular expression found in the topic; empty: always")
    target: str = string("", "new topic: $1..$9 are the groups, %c client id, %u user name")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoSubscribeConfig:
    """`[[auto_subscribe]]`: a subscription every client gets when it connects."""

    filter: str = string("", "Topic Filter: %c client id, %u user name")
    qos: int = number(0, "granted QoS", 0, 2)
    no_local: bool = flag("do not send back what the client itself published", default=False)
    retain_as_published: bool = flag("keep the RETAIN flag", default=False)
    retain_handling: int = number(0, "0: retained messages, 1: only if new, 2: none", 0, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """`[listener.tls]`: TLS 1.2 and 1.3."""

    certificate_file: str = path("PEM chain, the server's own certificate first")
    key_file: str = path("PEM private key, without passphrase")
    client_ca_file: str = path("PEM authorities that sign client certificates")
    client_certificate: str = choice(
        "none", "whether a client must show a certificate", "none", "optional", "required"
    )
    crl_file: str = path("PEM revocation list, checked for client certificates")
    username_from: str = choice(
        "none",
        "part of the certificate that becomes the User Name",
        "none",
        "common_name",
        "subject",
    )
    version_min: str = choice("1.2", "oldest TLS version", "1.2", "1.3")
    ciphers: str = string("", "OpenSSL list for TLS 1.2; empty: OpenSSL's default")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketConfig:
    """`[listener.websocket]`: MQTT over WebSocket, subprotocol `mqtt`."""

    path: str = string("/mqtt", "request path; empty: any")
    origins: tuple[str, ...] = strings(
        "allowed Origin headers, e.g. https://panel.example.org; empty: any"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    """`[[listener]]`: one address that clients connect to."""

    name: str = string("", "shown in logs and by `client list`; empty: the address")
    address: str = string("127.0.0.1:1883", "HOST:PORT, [IPv6]:PORT, or unix:/path/to/socket")
    unix_mode: str = string("0660", "permissions of a unix socket, octal")
    anonymous: bool | None = unset_flag(
        "clients without User Name; unset: only on loopback and unix sockets"
    )
    proxy_protocol: bool = flag(
        "connections begin with a PROXY protocol v1 or v2 header", default=False
    )
    mount_point: str = string(
        "", "prefix put before every topic of this listener; %c and %u are filled in"
    )
    connections_max: int = number(
        0, "open connections of this listener; 0: the global limit", 0, 1_000_000
    )
    keep_alive_s_max: int = number(0, "longest Keep Alive; 0: the global limit", 0, 65_535)
    packet_bytes_max: int = number(0, "largest Control Packet; 0: the global limit", 0, 268_435_460)
    qos_max: int = number(2, "highest QoS, at most the global limit", 0, 2)
    retain_available: bool = flag("whether retained messages are supported here", default=True)
    tls: TlsConfig | None = None
    websocket: WebSocketConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """The whole of `edge.toml`."""

    node: NodeConfig = NodeConfig()
    log: LogConfig = LogConfig()
    limits: LimitsConfig = LimitsConfig()
    session: SessionConfig = SessionConfig()
    retained: RetainedConfig = RetainedConfig()
    delayed: DelayedConfig = DelayedConfig()
    sys: SysTopicsConfig = SysTopicsConfig()
    metrics: MetricsConfig = MetricsConfig()
    access: AccessConfig = AccessConfig()
    flapping: FlappingConfig = FlappingConfig()
    listener: tuple[ListenerConfig, ...] = (ListenerConfig(),)
    ban: tuple[BanConfig, ...] = ()
    rewrite: tuple[RewriteConfig, ...] = ()
    auto_subscribe: tuple[AutoSubscribeConfig, ...] = ()


# What a file consists of, by its words: [section], [[table]], and [table.nested] within a table.
SECTIONS: Final = {
    "node": NodeConfig,
    "log": LogConfig,
    "limits": LimitsConfig,
    "session": SessionConfig,
    "retained": RetainedConfig,
    "delayed": DelayedConfig,
    "sys": SysTopicsConfig,
    "metrics": MetricsConfig,
    "access": AccessConfig,
    "flapping": FlappingConfig,
}
TABLES: Final = {
    "listener": ListenerConfig,
    "ban": BanConfig,
    "rewrite": RewriteConfig,
    "auto_subscribe": AutoSubscribeConfig,
}
NESTED: Final = {"listener": {"tls": TlsConfig, "websocket": WebSocketConfig}}
