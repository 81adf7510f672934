"""The rare Control Packets as values. Field names are those of the MQTT 5.0 specification."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.protocol.properties import Properties


@dataclass(slots=True)
class Will:
    """The Will Message of a CONNECT, section 3.1.3.2 and following."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    delay_interval_s: int = 0
    message_expiry_interval_s: int | None = None
    forwarded: bytes = b""  # the properties that travel with the message, see encode_forwarded()


@dataclass(slots=True)
class Connect:
    """CONNECT, section 3.1. `clean_start` is Clean Session in MQTT 3.1 and 3.1.1."""

    protocol_version: int
    clean_start: bool
    keep_alive_s: int
    client_id: str
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Connack:
    """CONNACK, section 3.2."""

    session_present: bool
    reason_code: int
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Subscription:
    """One Topic Filter of a SUBSCRIBE with its Subscription Options, section 3.8.3.1."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(slots=True)
class Subscribe:
    """SUBSCRIBE, section 3.8."""

    packet_id: int
    subscriptions: list[Subscription]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Suback:
    """SUBACK, section 3.9: one Reason Code for each Topic Filter [MQTT-3.8.4-6]."""

    packet_id: int
    reason_codes: list[int]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Unsubscribe:
    """UNSUBSCRIBE, section 3.10."""

    packet_id: int
    topic_filters: list[str]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Unsuback:
    """UNSUBACK, section 3.11: one Reason Code for each Topic Filter, in order [MQTT-3.11.3-1]."""

    packet_id: int
    reason_codes: list[int]
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Disconnect:
    """DISCONNECT, section 3.14."""

    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Auth:
    """AUTH, section 3.15; only in MQTT 5.0."""

    reason_code: int
    properties: Properties = field(default_factory=Properties)
