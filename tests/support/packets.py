"""The fifteen Control Packets as values, written and read for MQTT 3.1, 3.1.1 and 5.0."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.support.wire import (
    REASON_CODES,
    Cursor,
    PacketType,
    Properties,
    WireError,
    binary,
    frame,
    properties,
    u16,
    utf8,
)

MQTT_3_1: Final = 3
MQTT_3_1_1: Final = 4
MQTT_5: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """The Will Message inside a CONNECT."""

    topic_name: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Properties | bytes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """CONNECT, section 3.1; its version decides the Protocol Name."""

    version: int = MQTT_5
    client_id: str | bytes = ""
    clean_start: bool = True
    keep_alive_s: int = 0
    will: Will | None = None
    user_name: str | bytes | None = None
    password: bytes | None = None
    properties: Properties | bytes = field(default_factory=dict)

    @property
    def flags(self) -> int:
        """The Connect Flags that the fields ask for."""
        flags = 0x02 if self.clean_start else 0
        if self.will is not None:
            flags |= 0x04 | self.will.qos << 3 | (0x20 if self.will.retain else 0)
        flags |= 0x40 if self.password is not None else 0
        return flags | (0x80 if self.user_name is not None else 0)

    def encode(
        self, _version: int = 0, *, flags: int | None = None, name: str | None = None
    ) -> bytes:
        """The packet; `flags` and `name` replace the Connect Flags and the Protocol Name."""
        name = name if name is not None else "MQIsdp" if self.version == MQTT_3_1 else "MQTT"
        body = utf8(name) + bytes([self.version, self.flags if flags is None else flags])
        body += u16(self.keep_alive_s)
        if self.version == MQTT_5:
            body += properties(self.properties)
        return frame(0x10, body + self.encode_payload())

    def encode_payload(self) -> bytes:
        """Client Identifier, Will, User Name and Password, in this order."""
        body = utf8(self.client_id)
        if self.will is not None:
            if self.version == MQTT_5:
                body += properties(self.will.properties)
            body += utf8(self.will.topic_name) + binary(self.will.payload)
        if self.user_name is not None:
            body += utf8(self.user_name)
        return body + (binary(self.password) if self.password is not None else b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connack:
    """CONNACK, section 3.2."""

    session_present: bool = False
    reason_code: int = 0
    properties: Properties = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet."""
        body = bytes([self.session_present, self.reason_code])
        return frame(0x20, body + (properties(self.properties) if version == MQTT_5 else b""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """PUBLISH, section 3.3."""

    topic_name: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int | None = None
    properties: Properties | bytes = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet."""
        flags = (0x08 if self.dup else 0) | self.qos << 1 | self.retain
        body = utf8(self.topic_name)
        if self.packet_id is not None:
            body += u16(self.packet_id)
        if version == MQTT_5:
            body += properties(self.properties)
        return frame(0x30 | flags, body + self.payload)


@dataclass(frozen=True, slots=True)
class Ack:
    """PUBACK, PUBREC, PUBREL or PUBCOMP, sections 3.4 to 3.7."""

    type: PacketType
    packet_id: int
    reason_code: int = 0
    properties: Properties | bytes = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet, as short as it may be."""
        body = u16(self.packet_id)
        if version == MQTT_5 and (self.reason_code or self.properties):
            body += bytes([self.reason_code])
            body += properties(self.properties) if self.properties else b""
        return frame(self.type << 4 | (2 if self.type is PacketType.PUBREL else 0), body)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE, section 3.8: pairs of Topic Filter and Subscription Options."""

    packet_id: int
    subscriptions: list[tuple[str | bytes, int]]
    properties: Properties | bytes = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet."""
        body = u16(self.packet_id)
        body += properties(self.properties) if version == MQTT_5 else b""
        for topic_filter, options in self.subscriptions:
            body += utf8(topic_filter) + bytes([options])
        return frame(0x82, body)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """UNSUBSCRIBE, section 3.10."""

    packet_id: int
    topic_filters: list[str | bytes]
    properties: Properties | bytes = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet."""
        body = u16(self.packet_id)
        body += properties(self.properties) if version == MQTT_5 else b""
        return frame(0xA2, body + b"".join(map(utf8, self.topic_filters)))


@dataclass(frozen=True, slots=True)
class Suback:
    """SUBACK or UNSUBACK, sections 3.9 and 3.11."""

    type: PacketType
    packet_id: int
    reason_codes: list[int]
    properties: Properties = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet."""
        body = u16(self.packet_id)
        body += properties(self.properties) if version == MQTT_5 else b""
        return frame(self.type << 4, body + bytes(self.reason_codes))


@dataclass(frozen=True, slots=True)
class Ping:
    """PINGREQ or PINGRESP, sections 3.12 and 3.13."""

    type: PacketType

    def encode(self, _version: int = 0) -> bytes:
        """The packet."""
        return frame(self.type << 4)


@dataclass(frozen=True, slots=True)
class Farewell:
    """DISCONNECT or AUTH, sections 3.14 and 3.15: a Reason Code and properties."""

    type: PacketType
    reason_code: int = 0
    properties: Properties | bytes = field(default_factory=dict)

    def encode(self, version: int) -> bytes:
        """The packet, as short as it may be."""
        if version != MQTT_5 or not (self.reason_code or self.properties):
            return frame(self.type << 4)
        return frame(self.type << 4, bytes([self.reason_code]) + properties(self.properties))


Packet = Connect | Connack | Publish | Ack | Subscribe | Unsubscribe | Suback | Ping | Farewell

_FLAGS: Final = {PacketType.PUBREL: 2, PacketType.SUBSCRIBE: 2, PacketType.UNSUBSCRIBE: 2}
_ACKS: Final = (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP)


def type_of(packet: Packet) -> PacketType:
    """The Control Packet type of a packet."""
    match packet:
        case Connect():
            return PacketType.CONNECT
        case Connack():
            return PacketType.CONNACK
        case Publish():
            return PacketType.PUBLISH
        case Subscribe():
            return PacketType.SUBSCRIBE
        case Unsubscribe():
            return PacketType.UNSUBSCRIBE
    return packet.type


def decode(first_byte: int, body: bytes, version: int) -> Packet:
    """Read one packet that a Server sent, or a Client to a Server that a test plays."""
    cursor = Cursor(body)
    packet_type = PacketType(first_byte >> 4)
    if packet_type is not PacketType.PUBLISH and first_byte & 15 != _FLAGS.get(packet_type, 0):
        raise WireError(f"flags of {packet_type.name} are {first_byte & 15:04b}")
    packet = _decode(packet_type, first_byte, cursor, version)
    cursor.end()
    return packet


def _decode(packet_type: PacketType, first_byte: int, cursor: Cursor, version: int) -> Packet:
    match packet_type:
        case PacketType.CONNECT:
            return _decode_connect(cursor)
        case PacketType.CONNACK:
            return _decode_connack(cursor, version)
        case PacketType.PUBLISH:
            return _decode_publish(first_byte & 15, cursor, version)
        case _ if packet_type in _ACKS:
            return _decode_ack(packet_type, cursor, version)
        case PacketType.SUBSCRIBE | PacketType.UNSUBSCRIBE:
            return _decode_subscribe(packet_type, cursor, version)
        case PacketType.SUBACK | PacketType.UNSUBACK:
            return _decode_suback(packet_type, cursor, version)
        case PacketType.PINGREQ | PacketType.PINGRESP:
            return Ping(packet_type)
        case PacketType.DISCONNECT | PacketType.AUTH:
            return _decode_farewell(packet_type, cursor, version)
    raise WireError(f"packet type {packet_type} does not exist")


def _decode_connect(cursor: Cursor) -> Connect:
    cursor.utf8()
    version, flags, keep_alive_s = cursor.u8(), cursor.u8(), cursor.u16()
    found = cursor.properties(PacketType.CONNECT) if version == MQTT_5 else {}
    client_id = cursor.utf8()
    will = None
    if flags & 0x04:
        will_properties = cursor.properties(PacketType.WILL) if version == MQTT_5 else {}
        will = Will(
            topic_name=cursor.utf8(),
            payload=cursor.binary(),
            qos=flags >> 3 & 3,
            retain=bool(flags & 0x20),
            properties=will_properties,
        )
    return Connect(
        version=version,
        client_id=client_id,
        clean_start=bool(flags & 0x02),
        keep_alive_s=keep_alive_s,
        will=will,
        user_name=cursor.utf8() if flags & 0x80 else None,
        password=cursor.binary() if flags & 0x40 else None,
        properties=found,
    )


def _decode_connack(cursor: Cursor, version: int) -> Connack:
    flags = cursor.u8()
    reason_code = cursor.u8()
    if flags > 1 or (flags and reason_code):
        raise WireError(f"CONNACK flags {flags:08b} with code 0x{reason_code:02x}")
    if version == MQTT_5:
        _check_reason_code(PacketType.CONNACK, reason_code)
    elif reason_code > 5:
        raise WireError(f"CONNACK return code {reason_code} does not exist")
    found = cursor.properties(PacketType.CONNACK) if version == MQTT_5 else {}
    return Connack(session_present=bool(flags), reason_code=reason_code, properties=found)


def _decode_publish(flags: int, cursor: Cursor, version: int) -> Publish:
    dup, qos, retain = bool(flags & 8), flags >> 1 & 3, bool(flags & 1)
    if qos == 3 or (dup and qos == 0):
        raise WireError(f"flags of PUBLISH are {flags:04b}")
    topic_name = cursor.utf8()
    if "+" in topic_name or "#" in topic_name:
        raise WireError(f"wildcard in Topic Name {topic_name!r}")
    packet_id = _packet_id(cursor) if qos else None
    found = cursor.properties(PacketType.PUBLISH) if version == MQTT_5 else {}
    return Publish(
        topic_name=topic_name,
        payload=cursor.take(cursor.rest),
        qos=qos,
        retain=retain,
        dup=dup,
        packet_id=packet_id,
        properties=found,
    )


def _decode_ack(packet_type: PacketType, cursor: Cursor, version: int) -> Ack:
    packet_id = _packet_id(cursor)
    if version != MQTT_5 or not cursor.rest:
        return Ack(packet_type, packet_id)
    reason_code = _check_reason_code(packet_type, cursor.u8())
    found = cursor.properties(packet_type) if cursor.rest else {}
    return Ack(packet_type, packet_id, reason_code, found)


def _decode_subscribe(packet_type: PacketType, cursor: Cursor, version: int) -> Packet:
    packet_id = _packet_id(cursor)
    found = cursor.properties(packet_type) if version == MQTT_5 else {}
    subscriptions: list[tuple[str | bytes, int]] = []
    while cursor.rest:
        topic_filter = cursor.utf8()
        options = cursor.u8() if packet_type is PacketType.SUBSCRIBE else 0
        subscriptions.append((topic_filter, options))
    if packet_type is PacketType.SUBSCRIBE:
        return Subscribe(packet_id, subscriptions, found)
    return Unsubscribe(packet_id, [topic_filter for topic_filter, _ in subscriptions], found)


def _decode_suback(packet_type: PacketType, cursor: Cursor, version: int) -> Suback:
    packet_id = _packet_id(cursor)
    found = cursor.properties(packet_type) if version == MQTT_5 else {}
    codes = list(cursor.take(cursor.rest))
    for code in codes:
        if version == MQTT_5:
            _check_reason_code(packet_type, code)
        elif code not in (0, 1, 2, 0x80):
            raise WireError(f"SUBACK return code 0x{code:02x} is reserved")
    return Suback(packet_type, packet_id, codes, found)


def _decode_farewell(packet_type: PacketType, cursor: Cursor, version: int) -> Farewell:
    if version != MQTT_5:
        raise WireError(f"a Server sent {packet_type.name} in MQTT 3")
    if not cursor.rest:
        return Farewell(packet_type)
    reason_code = _check_reason_code(packet_type, cursor.u8())
    is_disconnect = packet_type is PacketType.DISCONNECT
    table = PacketType.SERVER_DISCONNECT if is_disconnect else PacketType.AUTH
    return Farewell(packet_type, reason_code, cursor.properties(table) if cursor.rest else {})


def _packet_id(cursor: Cursor) -> int:
    packet_id = cursor.u16()
    if not packet_id:
        raise WireError("Packet Identifier is 0")
    return packet_id


def _check_reason_code(packet_type: PacketType, reason_code: int) -> int:
    if reason_code not in REASON_CODES[packet_type]:
        raise WireError(f"{packet_type.name} does not know Reason Code 0x{reason_code:02x}")
    return reason_code
