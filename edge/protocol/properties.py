"""The properties of MQTT 5.0, section 2.2.2: one table, from which decoding and encoding follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edge.errors import MalformedPacket, ProtocolViolation
from edge.protocol.kinds import REMAINING_LENGTH_MAX, PacketKind
from edge.protocol.reader import Reader


@dataclass(slots=True)
class Properties:
    """One field for each property; None, or an empty list, where it is absent."""

    payload_format_indicator: int | None = None
    message_expiry_interval_s: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    subscription_identifiers: list[int] = field(default_factory=list)
    session_expiry_interval_s: int | None = None
    assigned_client_identifier: str | None = None
    server_keep_alive_s: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: int | None = None
    will_delay_interval_s: int | None = None
    request_response_information: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    user_properties: list[tuple[str, str]] = field(default_factory=list)
    maximum_packet_size: int | None = None
    wildcard_subscription_available: int | None = None
    subscription_identifiers_available: int | None = None
    shared_subscription_available: int | None = None


# In one packet of the control plane. A CONNECT of 1 MiB has room for 200,000 and comes from a
# stranger: decoding them all would stop the control plane for a quarter of a second.
USER_PROPERTIES_MAX: Final = 1000

# How a value stands on the wire.
FORM_U8: Final = 0
FORM_U16: Final = 1
FORM_U32: Final = 2
FORM_VARINT: Final = 3
FORM_TEXT: Final = 4
FORM_BINARY: Final = 5
FORM_PAIR: Final = 6


class PropertyRow:
    """A row of table 2-4: where the property may stand, and which values it may take."""

    __slots__ = ("form", "identifier", "maximum", "minimum", "name", "packets", "repeats")

    def __init__(
        self,
        identifier: int,
        name: str,
        form: int,
        *packets: PacketKind,
        minimum: int = 0,
        maximum: int = 0xFFFF_FFFF,
    ) -> None:
        self.identifier = identifier
        self.name = name
        self.form = form
        self.packets = sum(1 << kind for kind in packets)
        self.minimum = minimum
        self.maximum = maximum
        # Only these may stand more than once; the second one only in a PUBLISH.
        self.repeats = form in (FORM_PAIR, FORM_VARINT)


_P: Final = PacketKind
_QUOTA_EXCEEDED: Final = 0x97

PROPERTY_TABLE: Final = (
    PropertyRow(0x01, "payload_format_indicator", FORM_U8, _P.PUBLISH, _P.WILL, maximum=1),
    PropertyRow(0x02, "message_expiry_interval_s", FORM_U32, _P.PUBLISH, _P.WILL),
    PropertyRow(0x03, "content_type", FORM_TEXT, _P.PUBLISH, _P.WILL),
    PropertyRow(0x08, "response_topic", FORM_TEXT, _P.PUBLISH, _P.WILL),
    PropertyRow(0x09, "correlation_data", FORM_BINARY, _P.PUBLISH, _P.WILL),
    PropertyRow(
        0x0B,
        "subscription_identifiers",
        FORM_VARINT,
        _P.PUBLISH,
        _P.SUBSCRIBE,
        minimum=1,
        maximum=REMAINING_LENGTH_MAX,
    ),
    PropertyRow(0x11, "session_expiry_interval_s", FORM_U32, _P.CONNECT, _P.CONNACK, _P.DISCONNECT),
    PropertyRow(0x12, "assigned_client_identifier", FORM_TEXT, _P.CONNACK),
    PropertyRow(0x13, "server_keep_alive_s", FORM_U16, _P.CONNACK),
    PropertyRow(0x15, "authentication_method", FORM_TEXT, _P.CONNECT, _P.CONNACK, _P.AUTH),
    PropertyRow(0x16, "authentication_data", FORM_BINARY, _P.CONNECT, _P.CONNACK, _P.AUTH),
    PropertyRow(0x17, "request_problem_information", FORM_U8, _P.CONNECT, maximum=1),
    PropertyRow(0x18, "will_delay_interval_s", FORM_U32, _P.WILL),
    PropertyRow(0x19, "request_response_information", FORM_U8, _P.CONNECT, maximum=1),
    PropertyRow(0x1A, "response_information", FORM_TEXT, _P.CONNACK),
    PropertyRow(0x1C, "server_reference", FORM_TEXT, _P.CONNACK, _P.DISCONNECT),
    PropertyRow(
        0x1F,
        "reason_string",
        FORM_TEXT,
        _P.CONNACK,
        _P.PUBACK,
        _P.PUBREC,
        _P.PUBREL,
        _P.PUBCOMP,
        _P.SUBACK,
        _P.UNSUBACK,
        _P.DISCONNECT,
        _P.AUTH,
    ),
    PropertyRow(0x21, "receive_maximum", FORM_U16, _P.CONNECT, _P.CONNACK, minimum=1),
    PropertyRow(0x22, "topic_alias_maximum", FORM_U16, _P.CONNECT, _P.CONNACK),
    PropertyRow(0x23, "topic_alias", FORM_U16, _P.PUBLISH, minimum=1),
    PropertyRow(0x24, "maximum_qos", FORM_U8, _P.CONNACK, maximum=1),
    PropertyRow(0x25, "retain_available", FORM_U8, _P.CONNACK, maximum=1),
    # User Property is allowed wherever properties are: not in PINGREQ and PINGRESP.
    PropertyRow(0x26, "user_properties", FORM_PAIR, *(k for k in _P if k not in (12, 13))),
    PropertyRow(0x27, "maximum_packet_size", FORM_U32, _P.CONNECT, _P.CONNACK, minimum=1),
    PropertyRow(0x28, "wildcard_subscription_available", FORM_U8, _P.CONNACK, maximum=1),
    PropertyRow(0x29, "subscription_identifiers_available", FORM_U8, _P.CONNACK, maximum=1),
    PropertyRow(0x2A, "shared_subscription_available", FORM_U8, _P.CONNACK, maximum=1),
)
_BY_IDENTIFIER: Final = {row.identifier: row for row in PROPERTY_TABLE}

# What a server forwards with the message, in the order in which we write it. User Properties are
# last, so that theirs is the only order that matters [MQTT-3.3.2-18].
_FORWARDED: Final = tuple(_BY_IDENTIFIER[i] for i in (0x01, 0x03, 0x08, 0x09, 0x26))


def decode_properties(reader: Reader, packet: PacketKind) -> Properties:
    """Read a Property Length and the properties it covers.

    Args:
        reader: stands on the Property Length; afterwards behind the last property.
        packet: the packet they belong to; WILL for the properties of a Will.

    Raises:
        MalformedPacket: an unknown identifier, one that this packet cannot have, or a value that
            reaches over the end [section 2.2.2.2].
        ProtocolViolation: a property stands twice, its value is not allowed, or there are more
            than `USER_PROPERTIES_MAX` User Properties (not in a PUBLISH). Reason Code 0x97 then.
    """
    length_bytes = reader.varint()
    properties = Properties()
    if length_bytes:
        _decode_fields(reader.part(length_bytes), packet, properties)
    return properties


def decode_forwarded(forwarded: bytes) -> Properties:
    """Read properties as encode_forwarded() writes them: without their length.

    Raises:
        MalformedPacket: as for decode_properties().
        ProtocolViolation: as for decode_properties().
    """
    properties = Properties()
    _decode_fields(Reader(forwarded), PacketKind.PUBLISH, properties)
    return properties


def _decode_fields(reader: Reader, packet: PacketKind, properties: Properties) -> None:
    """Fill `properties` from all that `reader` has left."""
    seen = 0
    while reader.position < reader.end:
        identifier = reader.varint()
        row = _BY_IDENTIFIER.get(identifier)
        if row is None or not row.packets >> packet & 1:
            message = f"property 0x{identifier:02x} is not allowed in {packet.name}"
            raise MalformedPacket(message)
        if row.form == FORM_PAIR:
            # Both strings obey the rules of strings [MQTT-1.5.7-1].
            properties.user_properties.append((reader.text(), reader.text()))
            if (
                len(properties.user_properties) > USER_PROPERTIES_MAX
                and packet != PacketKind.PUBLISH
            ):
                message = f"more than {USER_PROPERTIES_MAX} User Properties in {packet.name}"
                raise ProtocolViolation(message, reason_code=_QUOTA_EXCEEDED)
            continue
        if seen >> identifier & 1 and not (row.repeats and packet == PacketKind.PUBLISH):
            message = f"{row.name} stands twice in {packet.name}"
            raise ProtocolViolation(message)
        seen |= 1 << identifier
        form = row.form
        if form == FORM_TEXT:
            text = reader.text()
            if identifier == 0x08 and ("+" in text or "#" in text):
                message = "Response Topic has a wildcard"
                raise ProtocolViolation(message, statement="MQTT-3.3.2-14")
            setattr(properties, row.name, text)
        elif form == FORM_BINARY:
            setattr(properties, row.name, reader.binary())
        else:
            number = _read_number(reader, row)
            if form == FORM_VARINT:
                properties.subscription_identifiers.append(number)
            else:
                setattr(properties, row.name, number)


def _read_number(reader: Reader, row: PropertyRow) -> int:
    """Read a number and check its range."""
    if row.form == FORM_U8:
        number = reader.u8()
    elif row.form == FORM_U16:
        number = reader.u16()
    elif row.form == FORM_U32:
        number = reader.u32()
    else:
        number = reader.varint()
    if not row.minimum <= number <= row.maximum:
        message = f"{row.name} is {number}"
        if row.identifier == 0x23:
            raise ProtocolViolation(message, statement="MQTT-3.3.2-8", reason_code=0x94)
        raise ProtocolViolation(message)
    return number


def encode_properties(properties: Properties) -> bytes:
    """Return the properties with their Property Length in front; one zero byte if there are none.

    The caller is trusted: numbers out of range raise OverflowError, texts above 65,535 bytes too.
    """
    fields = _encode_fields(properties, PROPERTY_TABLE)
    return encode_varint(len(fields)) + fields  # [MQTT-2.2.2-1]


def encode_forwarded(properties: Properties) -> bytes:
    """Return what a server must pass on with a message, without the Property Length.

    That is Payload Format Indicator [MQTT-3.3.2-4], Content Type [MQTT-3.3.2-20], Response Topic
    [MQTT-3.3.2-15], Correlation Data [MQTT-3.3.2-16] and User Properties in their order
    [MQTT-3.3.2-17], [MQTT-3.3.2-18]. Everything else belongs to one hop.
    """
    return _encode_fields(properties, _FORWARDED)


def _encode_fields(properties: Properties, rows: tuple[PropertyRow, ...]) -> bytes:
    """Write the properties of `rows` that are there."""
    out = bytearray()
    for row in rows:
        value = getattr(properties, row.name)
        if value is None or value == []:
            continue
        identifier = row.identifier
        form = row.form
        if form == FORM_PAIR:
            for name, text in value:
                out.append(identifier)
                out += encode_text(name)
                out += encode_text(text)
        elif form == FORM_VARINT:
            for number in value:
                out.append(identifier)
                out += encode_varint(number)
        else:
            out.append(identifier)
            if form == FORM_TEXT:
                out += encode_text(value)
            elif form == FORM_BINARY:
                out += encode_binary(value)
            else:
                out += value.to_bytes(1 << form, "big")
    return bytes(out)


def encode_varint(number: int) -> bytes:
    """Write a Variable Byte Integer in its shortest form [MQTT-1.5.5-1].

    Raises:
        OverflowError: it is not 0 to 268,435,455.
    """
    if not 0 <= number <= REMAINING_LENGTH_MAX:
        message = f"{number} does not fit a Variable Byte Integer"
        raise OverflowError(message)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_text(text: str) -> bytes:
    """Write a UTF-8 Encoded String; OverflowError above 65,535 bytes."""
    return encode_binary(text.encode())


def encode_binary(data: bytes) -> bytes:
    """Write Binary Data; OverflowError above 65,535 bytes."""
    return len(data).to_bytes(2, "big") + data
