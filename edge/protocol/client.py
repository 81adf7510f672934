"""The client's side of the protocol, for `pub` and `sub` and for tests: no I/O here either.

Unlike decode.py this trusts its own caller, and as little as decode.py the bytes of the peer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edge.errors import MalformedPacket, ProtocolViolation
from edge.protocol.encode import frame
from edge.protocol.kinds import MQTT_3_1, MQTT_5, PacketKind
from edge.protocol.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from edge.protocol.properties import (
    Properties,
    decode_properties,
    encode_binary,
    encode_properties,
    encode_text,
    encode_varint,
)
from edge.protocol.reader import Reader, open_packet

PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"

_ACKS: Final = (PacketKind.PUBACK, PacketKind.PUBREC, PacketKind.PUBREL, PacketKind.PUBCOMP)
_QOS_INVALID: Final = 3


@dataclass(slots=True)
class Publish:
    """PUBLISH, section 3.3. `packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(slots=True)
class Ack:
    """PUBACK, PUBREC, PUBREL or PUBCOMP, sections 3.4 to 3.7."""

    kind: PacketKind
    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


def take_packet(buffer: bytearray, packet_bytes_max: int = 268_435_460) -> bytes | None:
    """Remove the first whole Control Packet from `buffer`; None while it is incomplete.

    Raises:
        MalformedPacket: the Remaining Length has more than four bytes [MQTT-1.5.5-1].
        ProtocolViolation: the packet is above `packet_bytes_max`. Reason Code 0x95.
    """
    length_bytes = 0
    for index in range(1, 5):
        if index >= len(buffer):
            return None
        length_bytes |= (buffer[index] & 0x7F) << 7 * (index - 1)
        if not buffer[index] & 0x80:
            break
    else:
        message = "Remaining Length has more than four bytes"
        raise MalformedPacket(message, statement="MQTT-1.5.5-1")
    end = index + 1 + length_bytes
    if end > packet_bytes_max:
        message = f"packet of {end} bytes is above {packet_bytes_max}"
        raise ProtocolViolation(message, reason_code=0x95)
    if len(buffer) < end:
        return None
    packet = bytes(buffer[:end])
    del buffer[:end]
    return packet


def packet_kind(packet: bytes) -> PacketKind:
    """Return the kind of a whole Control Packet; MalformedPacket for the reserved type 0."""
    kind = packet[0] >> 4 if packet else 0
    if kind == 0:
        message = "packet type 0 is reserved"
        raise MalformedPacket(message)
    return PacketKind(kind)


def encode_connect(connect: Connect) -> bytes:
    """Return CONNECT in the version that it names."""
    version = connect.protocol_version
    flags = 0x02 if connect.clean_start else 0
    will = connect.will
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
    flags |= (0x40 if connect.password is not None else 0) | (
        0x80 if connect.username is not None else 0
    )
    body = bytearray(encode_text("MQIsdp" if version == MQTT_3_1 else "MQTT"))
    body += bytes((version, flags))
    body += connect.keep_alive_s.to_bytes(2, "big")
    if version == MQTT_5:
        body += encode_properties(connect.properties)
    body += encode_text(connect.client_id)
    if will is not None:
        body += _encode_will(will, version)
    if connect.username is not None:
        body += encode_text(connect.username)
    if connect.password is not None:
        body += encode_binary(connect.password)
    return frame(PacketKind.CONNECT, 0, bytes(body))


def _encode_will(will: Will, version: int) -> bytes:
    head = b""
    if version == MQTT_5:
        timing = Properties(
            will_delay_interval_s=will.delay_interval_s or None,
            message_expiry_interval_s=will.message_expiry_interval_s,
        )
        # Behind the Property Length, which is one byte for so little, `forwarded` goes as it is.
        fields = encode_properties(timing)[1:] + will.forwarded
        head = encode_varint(len(fields)) + fields
    return head + encode_text(will.topic) + encode_binary(will.payload)


def encode_subscribe(subscribe: Subscribe, protocol_version: int) -> bytes:
    """Return SUBSCRIBE."""
    body = bytearray(subscribe.packet_id.to_bytes(2, "big"))
    if protocol_version == MQTT_5:
        body += encode_properties(subscribe.properties)
    for item in subscribe.subscriptions:
        body += encode_text(item.topic_filter)
        options = item.qos
        if protocol_version == MQTT_5:
            options |= item.no_local << 2 | item.retain_as_published << 3
            options |= item.retain_handling << 4
        body.append(options)
    return frame(PacketKind.SUBSCRIBE, 0x02, bytes(body))


def encode_unsubscribe(unsubscribe: Unsubscribe, protocol_version: int) -> bytes:
    """Return UNSUBSCRIBE."""
    body = bytearray(unsubscribe.packet_id.to_bytes(2, "big"))
    if protocol_version == MQTT_5:
        body += encode_properties(unsubscribe.properties)
    for topic_filter in unsubscribe.topic_filters:
        body += encode_text(topic_filter)
    return frame(PacketKind.UNSUBSCRIBE, 0x02, bytes(body))


def encode_publish(publish: Publish, protocol_version: int) -> bytes:
    """Return PUBLISH."""
    body = bytearray(encode_text(publish.topic))
    if publish.qos:
        body += publish.packet_id.to_bytes(2, "big")
    if protocol_version == MQTT_5:
        body += encode_properties(publish.properties)
    body += publish.payload
    flags = publish.dup << 3 | publish.qos << 1 | publish.retain
    return frame(PacketKind.PUBLISH, flags, bytes(body))


def encode_ack(ack: Ack, protocol_version: int) -> bytes:
    """Return PUBACK, PUBREC, PUBREL or PUBCOMP in its shortest form."""
    body = ack.packet_id.to_bytes(2, "big")
    if protocol_version == MQTT_5:
        encoded = encode_properties(ack.properties)
        if encoded != b"\x00":
            body += bytes((ack.reason_code,)) + encoded
        elif ack.reason_code:
            body += bytes((ack.reason_code,))
    return frame(ack.kind, 0x02 if ack.kind is PacketKind.PUBREL else 0, body)


def encode_disconnect(disconnect: Disconnect, protocol_version: int) -> bytes:
    """Return a client's DISCONNECT."""
    encoded = encode_properties(disconnect.properties)
    if protocol_version != MQTT_5 or (encoded == b"\x00" and not disconnect.reason_code):
        return frame(PacketKind.DISCONNECT, 0, b"")
    return frame(PacketKind.DISCONNECT, 0, bytes((disconnect.reason_code,)) + encoded)


def decode_connack(packet: bytes, protocol_version: int) -> Connack:
    """Decode CONNACK. Before MQTT 5.0 `reason_code` is the Return Code, 0 to 5.

    A server that does not know 5.0 answers in the form of 3.1.1, which is understood.
    """
    reader = open_packet(packet, PacketKind.CONNACK, 0, "MQTT-2.1.3-1")
    flags = reader.u8()
    if flags > 1:
        message = "reserved Connect Acknowledge Flags are not 0"
        raise MalformedPacket(message, statement="MQTT-3.2.2-1")
    reason_code = reader.u8()
    properties = Properties()
    if protocol_version == MQTT_5 and reader.left():
        properties = decode_properties(reader, PacketKind.CONNACK)
    reader.finish()
    return Connack(bool(flags), reason_code, properties)


def decode_publish(packet: bytes, protocol_version: int) -> Publish:
    """Decode PUBLISH.

    Raises:
        MalformedPacket: QoS 3 [MQTT-3.3.1-4], or it cannot be parsed.
        ProtocolViolation: DUP at QoS 0 [MQTT-3.3.1-2] or Packet Identifier 0.
    """
    flags = packet[0] & 0x0F if packet else 0
    reader = open_packet(packet, PacketKind.PUBLISH, flags, "MQTT-2.1.3-1")
    qos = flags >> 1 & 3
    if qos == _QOS_INVALID:
        message = "QoS is 3"
        raise MalformedPacket(message, statement="MQTT-3.3.1-4")
    if flags & 0x08 and not qos:
        message = "DUP at QoS 0"
        raise ProtocolViolation(message, statement="MQTT-3.3.1-2")
    topic = reader.text()
    packet_id = _packet_id(reader) if qos else 0
    properties = Properties()
    if protocol_version == MQTT_5:
        properties = decode_properties(reader, PacketKind.PUBLISH)
    payload = reader.take(reader.left())
    return Publish(topic, payload, qos, bool(flags & 1), bool(flags & 8), packet_id, properties)


def decode_ack(packet: bytes, protocol_version: int) -> Ack:
    """Decode PUBACK, PUBREC, PUBREL or PUBCOMP."""
    kind = packet_kind(packet)
    if kind not in _ACKS:
        message = f"{kind.name} is not an acknowledgement of PUBLISH"
        raise ProtocolViolation(message)
    flags = 0x02 if kind is PacketKind.PUBREL else 0
    reader = open_packet(packet, kind, flags, "MQTT-2.1.3-1")
    packet_id = _packet_id(reader)
    reason_code = 0
    properties = Properties()
    if protocol_version == MQTT_5 and reader.left():
        reason_code = reader.u8()
        if reader.left():
            properties = decode_properties(reader, kind)
    reader.finish()
    return Ack(kind, packet_id, reason_code, properties)


def decode_suback(packet: bytes, protocol_version: int) -> Suback:
    """Decode SUBACK."""
    reader = open_packet(packet, PacketKind.SUBACK, 0, "MQTT-2.1.3-1")
    packet_id = _packet_id(reader)
    properties = Properties()
    if protocol_version == MQTT_5:
        properties = decode_properties(reader, PacketKind.SUBACK)
    return Suback(packet_id, list(reader.take(reader.left())), properties)


def decode_unsuback(packet: bytes, protocol_version: int) -> Unsuback:
    """Decode UNSUBACK; it has no Reason Codes before MQTT 5.0."""
    reader = open_packet(packet, PacketKind.UNSUBACK, 0, "MQTT-2.1.3-1")
    packet_id = _packet_id(reader)
    properties = Properties()
    if protocol_version == MQTT_5:
        properties = decode_properties(reader, PacketKind.UNSUBACK)
    return Unsuback(packet_id, list(reader.take(reader.left())), properties)


def decode_disconnect(packet: bytes) -> Disconnect:
    """Decode a server's DISCONNECT, which exists only in MQTT 5.0."""
    reason_code, properties = _code_and_properties(packet, PacketKind.DISCONNECT)
    return Disconnect(reason_code, properties)


def decode_auth(packet: bytes) -> Auth:
    """Decode a server's AUTH."""
    reason_code, properties = _code_and_properties(packet, PacketKind.AUTH)
    return Auth(reason_code, properties)


def _code_and_properties(packet: bytes, kind: PacketKind) -> tuple[int, Properties]:
    """Read the common form of DISCONNECT and AUTH."""
    reader = open_packet(packet, kind, 0, "MQTT-2.1.3-1")
    reason_code = reader.u8() if reader.left() else 0
    properties = decode_properties(reader, kind) if reader.left() else Properties()
    reader.finish()
    return reason_code, properties


def _packet_id(reader: Reader) -> int:
    packet_id = reader.u16()
    if packet_id == 0:
        message = "Packet Identifier is 0"
        raise ProtocolViolation(message, statement="MQTT-2.2.1-4")
    return packet_id
