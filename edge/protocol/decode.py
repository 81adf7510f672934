"""Decode the packets of clients: CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT and AUTH.

Every function takes one whole Control Packet with its fixed header. Any bytes either decode or
raise MalformedPacket or ProtocolViolation; the Reason Code to answer with is in the exception.
Statement ids without a version are those of MQTT 5.0.
"""

from __future__ import annotations

from typing import Final

from edge.errors import MalformedPacket, ProtocolViolation
from edge.protocol.kinds import MQTT_3_1, MQTT_3_1_1, MQTT_5, PacketKind
from edge.protocol.packets import (
    Auth,
    Connect,
    Disconnect,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from edge.protocol.properties import Properties, decode_properties, encode_forwarded
from edge.protocol.reader import Reader, open_packet
from edge.protocol.reason import CLIENT_DISCONNECT_CODES, ReasonCode

_CLEAN_START: Final = 0x02
_WILL: Final = 0x04
_WILL_RETAIN: Final = 0x20
_PASSWORD: Final = 0x40
_USERNAME: Final = 0x80

# MQTT 3.1 lets DUP be set in a SUBSCRIBE or UNSUBSCRIBE that is sent again.
_DUP: Final = 0x08


# In one SUBSCRIBE or UNSUBSCRIBE: a packet of 1 MiB has room for 250,000, which would stop the
# control plane for a third of a second.
TOPIC_FILTERS_MAX: Final = 4096


class UnsupportedProtocolVersion(ProtocolViolation):
    """The Protocol Name is known and its version is not [MQTT-3.1.2-2].

    Attributes:
        protocol_version: the version whose CONNACK the peer can be expected to read: 5, or 4 for
            everything older.
    """

    def __init__(self, level: int) -> None:
        super().__init__(
            f"Protocol Version {level} is not supported",
            statement="MQTT-3.1.2-2",
            reason_code=ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
        )
        # Bridges set bit 7. A peer beyond 5 is answered in the newest form we know.
        self.protocol_version = MQTT_5 if level & 0x7F >= MQTT_5 else MQTT_3_1_1


def peek_protocol_version(packet: bytes) -> int:
    """Return 3, 4 or 5 if the bytes begin like such a CONNECT, else 0. Never raises.

    For the answer to a CONNECT that does not decode: a client of 5.0 gets a CONNACK with the
    Reason Code, one of 3.1.1 is closed without [MQTT311-3.1.4-1].
    """
    try:
        reader = Reader(packet)
        if reader.u8() >> 4 != PacketKind.CONNECT:
            return 0
        reader.varint()
        return _protocol_version(reader)
    except UnsupportedProtocolVersion as unsupported:
        return unsupported.protocol_version
    except (MalformedPacket, ProtocolViolation):
        return 0


def _protocol_version(reader: Reader) -> int:
    """Read Protocol Name and Protocol Version.

    Raises:
        ProtocolViolation: the Protocol Name is unknown: this is not MQTT [MQTT-3.1.2-1].
        UnsupportedProtocolVersion: the version is unknown.
    """
    name = reader.binary()
    if name == b"MQTT":
        level = reader.u8()
        if level not in (MQTT_3_1_1, MQTT_5):
            raise UnsupportedProtocolVersion(level)
    elif name == b"MQIsdp":
        level = reader.u8()
        if level != MQTT_3_1:
            raise UnsupportedProtocolVersion(level)
    else:
        message = "Protocol Name is not MQTT"
        raise ProtocolViolation(
            message,
            statement="MQTT-3.1.2-1",
            reason_code=ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
        )
    return level


def decode_connect(packet: bytes) -> Connect:
    """Decode CONNECT of MQTT 3.1, 3.1.1 or 5.0.

    Raises:
        UnsupportedProtocolVersion: answer with 0x84, in 3.1.1 with Return Code 1.
        ProtocolViolation: not allowed; Reason Code 0x85 stands for a Client Identifier that is
            refused, 0x90 for a bad Will Topic.
        MalformedPacket: cannot be parsed [MQTT-3.1.4-1].
    """
    reader = open_packet(packet, PacketKind.CONNECT, 0, "MQTT-2.1.3-1")
    version = _protocol_version(reader)
    flags = reader.u8()
    _check_connect_flags(flags, version)
    keep_alive_s = reader.u16()
    if version == MQTT_5:
        properties = decode_properties(reader, PacketKind.CONNECT)
        _check_authentication(properties)
    else:
        properties = Properties()
    client_id = reader.text()  # [MQTT-3.1.3-3], [MQTT-3.1.3-4]
    clean_start = bool(flags & _CLEAN_START)
    if not client_id:
        _check_empty_client_id(version, clean_start=clean_start)
    will = _decode_will(reader, flags, version) if flags & _WILL else None  # [MQTT-3.1.2-9]
    # [MQTT-3.1.2-16] to [MQTT-3.1.2-19]: the flags say which fields are there.
    username = reader.text() if flags & _USERNAME else None  # [MQTT-3.1.3-12]
    password = reader.binary() if flags & _PASSWORD else None
    reader.finish()
    return Connect(
        version, clean_start, keep_alive_s, client_id, username, password, will, properties
    )


def _check_connect_flags(flags: int, version: int) -> None:
    """Check the Connect Flags, section 3.1.2.3.

    Raises:
        MalformedPacket: the reserved bit is 1 [MQTT-3.1.2-3] (MQTT 3.1 does not use it), Will QoS
            is 3 [MQTT-3.1.2-12], or there are flags of a Will without Will Flag [MQTT-3.1.2-11],
            [MQTT-3.1.2-13].
        ProtocolViolation: before 5.0, a Password without User Name [MQTT311-3.1.2-22].
    """
    if flags & 0x01 and version != MQTT_3_1:
        message = "reserved Connect Flag is 1"
        raise MalformedPacket(message, statement="MQTT-3.1.2-3")
    if flags & _WILL:
        if flags & 0x18 == 0x18:
            message = "Will QoS is 3"
            raise MalformedPacket(message, statement="MQTT-3.1.2-12")
    elif flags & 0x18:
        message = "Will QoS without a Will"
        raise MalformedPacket(message, statement="MQTT-3.1.2-11")
    elif flags & _WILL_RETAIN:
        message = "Will Retain without a Will"
        raise MalformedPacket(message, statement="MQTT-3.1.2-13")
    if version != MQTT_5 and flags & _PASSWORD and not flags & _USERNAME:
        message = "Password without User Name"
        raise ProtocolViolation(message, statement="MQTT311-3.1.2-22")


def _check_empty_client_id(version: int, *, clean_start: bool) -> None:
    """Check that the Client Identifier may be empty; whether we like it is the broker's decision.

    Raises:
        ProtocolViolation: not in MQTT 3.1, and in 3.1.1 only with Clean Session 1
            [MQTT311-3.1.3-8]. Reason Code 0x85.
    """
    if version == MQTT_3_1 or (version == MQTT_3_1_1 and not clean_start):
        message = "Client Identifier is empty"
        raise ProtocolViolation(
            message,
            statement="MQTT311-3.1.3-8",
            reason_code=ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
        )


def _decode_will(reader: Reader, flags: int, version: int) -> Will:
    """Read Will Properties, Will Topic and Will Payload.

    Raises:
        ProtocolViolation: the Will Topic is no Topic Name: empty [MQTT-4.7.3-1], or with wildcards
            [MQTT-4.7.0-1]. Reason Code 0x90.
    """
    delay_interval_s = 0
    expiry_interval_s = None
    forwarded = b""
    if version == MQTT_5:
        properties = decode_properties(reader, PacketKind.WILL)
        delay_interval_s = properties.will_delay_interval_s or 0
        expiry_interval_s = properties.message_expiry_interval_s
        forwarded = encode_forwarded(properties)  # [MQTT-3.1.3-10]
    topic = reader.text()  # [MQTT-3.1.3-11]
    if not topic or "+" in topic or "#" in topic:
        message = "Will Topic is not a Topic Name"
        raise ProtocolViolation(
            message,
            statement="MQTT-4.7.0-1" if topic else "MQTT-4.7.3-1",
            reason_code=ReasonCode.TOPIC_NAME_INVALID,
        )
    return Will(
        topic,
        reader.binary(),
        flags >> 3 & 3,
        bool(flags & _WILL_RETAIN),
        delay_interval_s,
        expiry_interval_s,
        forwarded,
    )


def _check_authentication(properties: Properties) -> None:
    """Raise ProtocolViolation for Authentication Data without a method [section 3.1.2.11.10]."""
    if properties.authentication_data is not None and properties.authentication_method is None:
        message = "Authentication Data without Authentication Method"
        raise ProtocolViolation(message)


def _packet_id(reader: Reader, version: int) -> int:
    """Read a Packet Identifier, which is not 0 [MQTT-2.2.1-3]."""
    packet_id = reader.u16()
    if packet_id == 0:
        statement = "MQTT-2.2.1-3" if version == MQTT_5 else "MQTT311-2.3.1-1"
        message = "Packet Identifier is 0"
        raise ProtocolViolation(message, statement=statement)
    return packet_id


def decode_subscribe(
    packet: bytes, protocol_version: int, filters_max: int = TOPIC_FILTERS_MAX
) -> Subscribe:
    """Decode SUBSCRIBE. Whether the Topic Filters are well formed is not checked here.

    Args:
        packet: the whole Control Packet.
        protocol_version: 3, 4 or 5.
        filters_max: how many Topic Filters it may have.

    Raises:
        MalformedPacket: flags other than 0010 [MQTT-3.8.1-1], reserved Subscription Options
            [MQTT-3.8.3-5], or it cannot be parsed.
        ProtocolViolation: no Topic Filter at all [MQTT-3.8.3-2], QoS or Retain Handling 3, No
            Local on a Shared Subscription [MQTT-3.8.3-4], or too many filters: Reason Code 0x97.
    """
    ignore = _DUP if protocol_version == MQTT_3_1 else 0
    reader = open_packet(packet, PacketKind.SUBSCRIBE, 0x02, "MQTT-3.8.1-1", ignore=ignore)
    packet_id = _packet_id(reader, protocol_version)
    if protocol_version == MQTT_5:
        properties = decode_properties(reader, PacketKind.SUBSCRIBE)
    else:
        properties = Properties()
    subscriptions: list[Subscription] = []
    while reader.position < reader.end:
        _check_filter_count(len(subscriptions), filters_max)
        topic_filter = reader.text()  # [MQTT-3.8.3-1]
        options = reader.u8()
        if protocol_version == MQTT_5:
            subscriptions.append(_subscription(topic_filter, options))
        else:
            subscriptions.append(_subscription_v3(topic_filter, options, protocol_version))
    if not subscriptions:
        statement = "MQTT-3.8.3-2" if protocol_version == MQTT_5 else "MQTT311-3.8.3-3"
        message = "SUBSCRIBE without a Topic Filter"
        raise ProtocolViolation(message, statement=statement)
    return Subscribe(packet_id, subscriptions, properties)


def _subscription(topic_filter: str, options: int) -> Subscription:
    """Split the Subscription Options of MQTT 5.0, section 3.8.3.1."""
    if options & 0xC0:
        message = "reserved Subscription Options are not 0"
        raise MalformedPacket(message, statement="MQTT-3.8.3-5")
    qos = options & 0x03
    retain_handling = options >> 4
    if qos == 3 or retain_handling == 3:
        message = "Maximum QoS or Retain Handling is 3"
        raise ProtocolViolation(message)
    no_local = bool(options & 0x04)
    if no_local and topic_filter.startswith(("$share/", "$queue/")):
        message = "No Local on a Shared Subscription"
        raise ProtocolViolation(message, statement="MQTT-3.8.3-4")
    return Subscription(topic_filter, qos, no_local, bool(options & 0x08), retain_handling)


def _subscription_v3(topic_filter: str, options: int, version: int) -> Subscription:
    """Read the Requested QoS of MQTT 3.1.1 [MQTT311-3.8.3-4]; in 3.1 the upper bits are unused."""
    qos = options & 0x03
    if qos == 3 or (options & 0xFC and version == MQTT_3_1_1):
        message = "Requested QoS is not 0, 1 or 2"
        raise MalformedPacket(message, statement="MQTT311-3.8.3-4")
    return Subscription(topic_filter, qos)


def _check_filter_count(count: int, filters_max: int) -> None:
    """Raise ProtocolViolation if there is no room for one more Topic Filter."""
    if count >= filters_max:
        message = f"more than {filters_max} Topic Filters in one packet"
        raise ProtocolViolation(message, reason_code=ReasonCode.QUOTA_EXCEEDED)


def decode_unsubscribe(
    packet: bytes, protocol_version: int, filters_max: int = TOPIC_FILTERS_MAX
) -> Unsubscribe:
    """Decode UNSUBSCRIBE.

    Args:
        packet: the whole Control Packet.
        protocol_version: 3, 4 or 5.
        filters_max: how many Topic Filters it may have.

    Raises:
        MalformedPacket: flags other than 0010 [MQTT-3.10.1-1], or it cannot be parsed.
        ProtocolViolation: no Topic Filter at all [MQTT-3.10.3-2], or too many: Reason Code 0x97.
    """
    ignore = _DUP if protocol_version == MQTT_3_1 else 0
    reader = open_packet(packet, PacketKind.UNSUBSCRIBE, 0x02, "MQTT-3.10.1-1", ignore=ignore)
    packet_id = _packet_id(reader, protocol_version)
    if protocol_version == MQTT_5:
        properties = decode_properties(reader, PacketKind.UNSUBSCRIBE)
    else:
        properties = Properties()
    topic_filters: list[str] = []
    while reader.position < reader.end:
        _check_filter_count(len(topic_filters), filters_max)
        topic_filters.append(reader.text())  # [MQTT-3.10.3-1]
    if not topic_filters:
        message = "UNSUBSCRIBE without a Topic Filter"
        raise ProtocolViolation(message, statement="MQTT-3.10.3-2")
    return Unsubscribe(packet_id, topic_filters, properties)


def decode_disconnect(packet: bytes, protocol_version: int) -> Disconnect:
    """Decode a client's DISCONNECT.

    Raises:
        MalformedPacket: flags other than 0 [MQTT-3.14.1-1], or it cannot be parsed.
        ProtocolViolation: a Reason Code that a client does not send [MQTT-3.14.2-1].
    """
    ignore = 0x0F if protocol_version == MQTT_3_1 else 0
    reader = open_packet(packet, PacketKind.DISCONNECT, 0, "MQTT-3.14.1-1", ignore=ignore)
    if protocol_version != MQTT_5:
        reader.finish()
        return Disconnect()
    reason_code = reader.u8() if reader.left() else 0
    if reason_code not in CLIENT_DISCONNECT_CODES:
        message = f"DISCONNECT with Reason Code 0x{reason_code:02x}"
        raise ProtocolViolation(message, statement="MQTT-3.14.2-1")
    # A Remaining Length below 2 stands for no properties [section 3.14.2.2.1].
    if not reader.left():
        return Disconnect(reason_code)
    properties = decode_properties(reader, PacketKind.DISCONNECT)
    reader.finish()
    return Disconnect(reason_code, properties)


def decode_auth(packet: bytes) -> Auth:
    """Decode a client's AUTH, which exists only in MQTT 5.0.

    Raises:
        MalformedPacket: flags other than 0 [MQTT-3.15.1-1], or it cannot be parsed.
        ProtocolViolation: a Reason Code that a client does not send [MQTT-3.15.2-1], or no
            Authentication Method [section 3.15.2.2.2].
    """
    reader = open_packet(packet, PacketKind.AUTH, 0, "MQTT-3.15.1-1")
    reason_code = reader.u8() if reader.left() else 0
    if reason_code not in (ReasonCode.CONTINUE_AUTHENTICATION, ReasonCode.RE_AUTHENTICATE):
        message = f"AUTH with Reason Code 0x{reason_code:02x}"
        raise ProtocolViolation(message, statement="MQTT-3.15.2-1")
    properties = decode_properties(reader, PacketKind.AUTH) if reader.left() else Properties()
    reader.finish()
    if properties.authentication_method is None:
        message = "AUTH without Authentication Method"
        raise ProtocolViolation(message)
    return Auth(reason_code, properties)
