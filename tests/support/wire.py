"""The bytes of MQTT, for tests: integers, strings, properties and reason codes.

Written from the specification and sharing nothing with the broker, so that a mistake cannot
hide by being made twice. Decoding is strict: what a Server may not send raises `WireError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

VARIABLE_BYTE_INTEGER_MAX: Final = 268_435_455


class WireError(AssertionError):
    """The broker sent bytes that the specification does not allow."""


class PacketType(IntEnum):
    """Control Packet types, section 2.1.2; the last two exist outside the wire only."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15
    WILL = 16  # the Will Properties inside a CONNECT
    SERVER_DISCONNECT = 17  # a Server may not send all that a Client may


class P(IntEnum):
    """Property identifiers, section 2.2.2.2."""

    PAYLOAD_FORMAT_INDICATOR = 0x01
    MESSAGE_EXPIRY_INTERVAL = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_IDENTIFIER = 0x0B
    SESSION_EXPIRY_INTERVAL = 0x11
    ASSIGNED_CLIENT_IDENTIFIER = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY_INTERVAL = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29
    SHARED_SUBSCRIPTION_AVAILABLE = 0x2A


PropertyValue = int | str | bytes | list[int] | list[tuple[str, str]]
Properties = Mapping[P, object]  # checked when written, see _property_value


class Rule(NamedTuple):
    """How one property is written and which packets may carry it."""

    form: str
    packets: frozenset[PacketType]


def _rule(form: str, *packets: PacketType) -> Rule:
    return Rule(form, frozenset(packets))


_T = PacketType
_ACKS: Final = (_T.PUBACK, _T.PUBREC, _T.PUBREL, _T.PUBCOMP, _T.SUBACK, _T.UNSUBACK)

PROPERTY_RULES: Final[dict[P, Rule]] = {
    P.PAYLOAD_FORMAT_INDICATOR: _rule("flag", _T.PUBLISH, _T.WILL),
    P.MESSAGE_EXPIRY_INTERVAL: _rule("u32", _T.PUBLISH, _T.WILL),
    P.CONTENT_TYPE: _rule("utf8", _T.PUBLISH, _T.WILL),
    P.RESPONSE_TOPIC: _rule("utf8", _T.PUBLISH, _T.WILL),
    P.CORRELATION_DATA: _rule("binary", _T.PUBLISH, _T.WILL),
    P.SUBSCRIPTION_IDENTIFIER: _rule("vbi*", _T.PUBLISH, _T.SUBSCRIBE),
    P.SESSION_EXPIRY_INTERVAL: _rule("u32", _T.CONNECT, _T.CONNACK, _T.DISCONNECT),
    P.ASSIGNED_CLIENT_IDENTIFIER: _rule("utf8", _T.CONNACK),
    P.SERVER_KEEP_ALIVE: _rule("u16", _T.CONNACK),
    P.AUTHENTICATION_METHOD: _rule("utf8", _T.CONNECT, _T.CONNACK, _T.AUTH),
    P.AUTHENTICATION_DATA: _rule("binary", _T.CONNECT, _T.CONNACK, _T.AUTH),
    P.REQUEST_PROBLEM_INFORMATION: _rule("flag", _T.CONNECT),
    P.WILL_DELAY_INTERVAL: _rule("u32", _T.WILL),
    P.REQUEST_RESPONSE_INFORMATION: _rule("flag", _T.CONNECT),
    P.RESPONSE_INFORMATION: _rule("utf8", _T.CONNACK),
    P.SERVER_REFERENCE: _rule("utf8", _T.CONNACK, _T.SERVER_DISCONNECT),
    P.REASON_STRING: _rule(
        "utf8", _T.CONNACK, *_ACKS, _T.DISCONNECT, _T.SERVER_DISCONNECT, _T.AUTH
    ),
    P.RECEIVE_MAXIMUM: _rule("u16+", _T.CONNECT, _T.CONNACK),
    P.TOPIC_ALIAS_MAXIMUM: _rule("u16", _T.CONNECT, _T.CONNACK),
    P.TOPIC_ALIAS: _rule("u16+", _T.PUBLISH),
    P.MAXIMUM_QOS: _rule("flag", _T.CONNACK),
    P.RETAIN_AVAILABLE: _rule("flag", _T.CONNACK),
    P.USER_PROPERTY: _rule("pair*", *(t for t in _T if t not in (_T.PINGREQ, _T.PINGRESP))),
    P.MAXIMUM_PACKET_SIZE: _rule("u32+", _T.CONNECT, _T.CONNACK),
    P.WILDCARD_SUBSCRIPTION_AVAILABLE: _rule("flag", _T.CONNACK),
    P.SUBSCRIPTION_IDENTIFIER_AVAILABLE: _rule("flag", _T.CONNACK),
    P.SHARED_SUBSCRIPTION_AVAILABLE: _rule("flag", _T.CONNACK),
}

_QOS_ACK_CODES: Final = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})

# Which Reason Codes a Server may put into which packet, section 2.4.
REASON_CODES: Final[dict[PacketType, frozenset[int]]] = {
    _T.CONNACK: frozenset({0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, *range(0x99, 0xA0)})
    - {0x9E},
    _T.PUBACK: _QOS_ACK_CODES,
    _T.PUBREC: _QOS_ACK_CODES,
    _T.PUBREL: frozenset({0x00, 0x92}),
    _T.PUBCOMP: frozenset({0x00, 0x92}),
    _T.SUBACK: frozenset({0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}),
    _T.UNSUBACK: frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}),
    _T.DISCONNECT: frozenset(
        {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, *range(0x8B, 0x91), *range(0x93, 0xA3)}
    ),
    _T.AUTH: frozenset({0x00, 0x18}),
}


def u16(value: int) -> bytes:
    """Two Byte Integer."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Four Byte Integer."""
    return value.to_bytes(4, "big")


def vbi(value: int) -> bytes:
    """Variable Byte Integer in its shortest form."""
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def binary(data: bytes) -> bytes:
    """Binary Data: a length and the bytes."""
    return u16(len(data)) + data


def utf8(text: str | bytes) -> bytes:
    """UTF-8 Encoded String; give bytes to write what is not UTF-8."""
    return binary(text.encode() if isinstance(text, str) else text)


def pair(name: str | bytes, value: str | bytes) -> bytes:
    """UTF-8 String Pair."""
    return utf8(name) + utf8(value)


def frame(first_byte: int, body: bytes = b"") -> bytes:
    """A whole Control Packet: fixed header and body."""
    return bytes([first_byte]) + vbi(len(body)) + body


def properties(values: Properties | bytes) -> bytes:
    """The property block with its length; bytes go in as they are, under a right length."""
    body = values if isinstance(values, bytes) else b"".join(_each_property(values))
    return vbi(len(body)) + body


def _each_property(values: Properties) -> Iterable[bytes]:
    for key, value in values.items():
        form = PROPERTY_RULES[key].form
        items = value if isinstance(value, list) else [value]
        for item in items:
            yield bytes([key]) + _property_value(form.rstrip("*+"), item)


def _property_value(form: str, value: object) -> bytes:
    match form, value:
        case "flag", int():
            return bytes([value])
        case "u16", int():
            return u16(value)
        case "u32", int():
            return u32(value)
        case "vbi", int():
            return vbi(value)
        case "utf8", str() | bytes():
            return utf8(value)
        case "binary", bytes():
            return binary(value)
        case "pair", (str() as name, str() as text):
            return pair(name, text)
    raise TypeError(f"a {form} property cannot be {value!r}")


class Cursor:
    """Reads one packet body from front to back and refuses to read past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.rest:
            raise WireError(f"packet ends early: {self._data.hex()}")
        self._at += count
        return self._data[self._at - count : self._at]

    def u8(self) -> int:
        """Byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two Byte Integer."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Four Byte Integer."""
        return int.from_bytes(self.take(4), "big")

    def vbi(self) -> int:
        """Variable Byte Integer; anything but the shortest form is an error [MQTT-1.5.5-1]."""
        value = 0
        for index in range(4):
            digit = self.u8()
            value |= (digit & 0x7F) << (7 * index)
            if not digit & 0x80:
                if index and not digit:
                    raise WireError("Variable Byte Integer is longer than it must be")
                return value
        raise WireError("Variable Byte Integer has more than four bytes")

    def binary(self) -> bytes:
        """Binary Data."""
        return self.take(self.u16())

    def utf8(self) -> str:
        """UTF-8 Encoded String [MQTT-1.5.4-1], [MQTT-1.5.4-2]."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError as error:
            raise WireError(f"string is not UTF-8: {error}") from None
        if "\0" in text:
            raise WireError(f"string contains U+0000: {text!r}")
        return text

    def end(self) -> None:
        """Nothing may be left over."""
        if self.rest:
            raise WireError(f"{self.rest} bytes too many: {self._data.hex()}")

    def properties(self, packet_type: PacketType) -> dict[P, PropertyValue]:
        """The property block of a packet of this type."""
        block = Cursor(self.take(self.vbi()))
        found: dict[P, PropertyValue] = {}
        while block.rest:
            identifier = block.u8()
            try:
                key = P(identifier)
            except ValueError:
                raise WireError(f"property 0x{identifier:02x} does not exist") from None
            rule = PROPERTY_RULES[key]
            if packet_type not in rule.packets:
                raise WireError(f"{key.name} does not belong into {packet_type.name}")
            value = block._value(key, rule.form)
            if rule.form.endswith("*"):
                found.setdefault(key, []).append(value)  # type: ignore[union-attr, arg-type]
            elif key in found:
                raise WireError(f"{key.name} is there twice")
            else:
                found[key] = value  # type: ignore[assignment]
        return found

    def _value(self, key: P, form: str) -> int | str | bytes | tuple[str, str]:
        match form.rstrip("*+"):
            case "utf8":
                return self.utf8()
            case "binary":
                return self.binary()
            case "pair":
                return self.utf8(), self.utf8()
            case "flag":
                number = self.u8()
                if number > 1:
                    raise WireError(f"{key.name} is {number}")
            case "u16":
                number = self.u16()
            case "u32":
                number = self.u32()
            case _:
                number = self.vbi()
        if number == 0 and (form.endswith("+") or key is P.SUBSCRIPTION_IDENTIFIER):
            raise WireError(f"{key.name} is 0")
        return number
