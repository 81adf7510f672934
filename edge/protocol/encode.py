"""Encode the packets of the control plane: CONNACK, SUBACK, UNSUBACK, DISCONNECT and AUTH.

`maximum_packet_size` is the client's, None without one. User Properties and then the Reason String
are left out where they would pass it; a packet that passes it even so is not sent at all: the
function returns no bytes and the caller closes [MQTT-3.1.2-24]. `problem_information` is False
after Request Problem Information 0: then only CONNACK and DISCONNECT explain themselves
[MQTT-3.1.2-29].
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.protocol.kinds import MQTT_3_1, MQTT_5, PacketKind
from edge.protocol.properties import Properties, encode_properties, encode_varint
from edge.protocol.reason import FAILURE_MIN, NO_RETURN_CODE, connack_v311

if TYPE_CHECKING:
    from edge.protocol.packets import Auth, Connack, Disconnect, Suback, Unsuback


def frame(kind: int, flags: int, body: bytes) -> bytes:
    """Return a Control Packet: fixed header and `body`."""
    return bytes((kind << 4 | flags,)) + encode_varint(len(body)) + body


def encode_connack(
    connack: Connack, protocol_version: int, maximum_packet_size: int | None = None
) -> bytes:
    """Return CONNACK, or no bytes where the Network Connection is to be closed without one.

    That is so for a refusal for which MQTT 3.1.1 has no Return Code [MQTT311-3.2.2-6]. Limits of
    size: [MQTT-3.2.2-19], [MQTT-3.2.2-20].
    """
    # Session Present is 0 in a refusal [MQTT-3.2.2-6] and does not exist in MQTT 3.1.
    present = connack.session_present and connack.reason_code == 0 and protocol_version != MQTT_3_1
    if protocol_version == MQTT_5:
        head = bytes((present, connack.reason_code))
        return _fit(PacketKind.CONNACK, head, connack.properties, b"", maximum_packet_size)
    return_code = connack_v311(connack.reason_code)
    if return_code == NO_RETURN_CODE:
        return b""
    return bytes((PacketKind.CONNACK << 4, 2, present, return_code))


def encode_suback(
    suback: Suback,
    protocol_version: int,
    maximum_packet_size: int | None = None,
    *,
    problem_information: bool = True,
) -> bytes:
    """Return SUBACK; limits of size: [MQTT-3.9.2-1], [MQTT-3.9.2-2].

    MQTT 3.1.1 knows 0, 1, 2 and 0x80 only [MQTT311-3.9.3-2].
    """
    head = suback.packet_id.to_bytes(2, "big")
    if protocol_version != MQTT_5:
        codes = bytes(min(code, FAILURE_MIN) for code in suback.reason_codes)
        return frame(PacketKind.SUBACK, 0, head + codes)
    properties = suback.properties if problem_information else _silent(suback.properties)
    codes = bytes(suback.reason_codes)
    return _fit(PacketKind.SUBACK, head, properties, codes, maximum_packet_size)


def encode_unsuback(
    unsuback: Unsuback,
    protocol_version: int,
    maximum_packet_size: int | None = None,
    *,
    problem_information: bool = True,
) -> bytes:
    """Return UNSUBACK; limits of size: [MQTT-3.11.2-1], [MQTT-3.11.2-2]. No codes before 5.0."""
    head = unsuback.packet_id.to_bytes(2, "big")
    if protocol_version != MQTT_5:
        return frame(PacketKind.UNSUBACK, 0, head)
    properties = unsuback.properties if problem_information else _silent(unsuback.properties)
    codes = bytes(unsuback.reason_codes)
    return _fit(PacketKind.UNSUBACK, head, properties, codes, maximum_packet_size)


def encode_disconnect(
    disconnect: Disconnect, protocol_version: int, maximum_packet_size: int | None = None
) -> bytes:
    """Return DISCONNECT in its shortest form; no bytes before 5.0, where servers send none.

    Limits of size: [MQTT-3.14.2-3], [MQTT-3.14.2-4].
    """
    if protocol_version != MQTT_5:
        return b""
    code = bytes((disconnect.reason_code,))
    return _fit(PacketKind.DISCONNECT, code, disconnect.properties, b"", maximum_packet_size)


def encode_auth(
    auth: Auth, maximum_packet_size: int | None = None, *, problem_information: bool = True
) -> bytes:
    """Return AUTH; limits of size: [MQTT-3.15.2-2], [MQTT-3.15.2-3]."""
    properties = auth.properties if problem_information else _silent(auth.properties)
    head = bytes((auth.reason_code,))
    return _fit(PacketKind.AUTH, head, properties, b"", maximum_packet_size)


def _silent(properties: Properties) -> Properties:
    """Return the properties without those that only explain."""
    if properties.reason_string is None and not properties.user_properties:
        return properties
    return replace(properties, reason_string=None, user_properties=[])


def _fit(
    kind: PacketKind, head: bytes, properties: Properties, tail: bytes, size_max: int | None
) -> bytes:
    """Join the packet, leaving out what only explains until it fits into `size_max` bytes."""
    packet = _join(kind, head, properties, tail)
    if size_max is None or len(packet) <= size_max:
        return packet
    if properties.reason_string is not None:
        # The Reason String goes last: people read it, while our User Properties are rarely needed.
        properties = replace(properties, user_properties=[])
        packet = _join(kind, head, properties, tail)
        if len(packet) <= size_max:
            return packet
    packet = _join(kind, head, _silent(properties), tail)
    return packet if len(packet) <= size_max else b""


def _join(kind: PacketKind, head: bytes, properties: Properties, tail: bytes) -> bytes:
    encoded = encode_properties(properties)
    if kind is PacketKind.DISCONNECT and encoded == b"\x00":
        # Reason Code 0 and an empty Property Length may be left out [section 3.14.2.2.1].
        return frame(kind, 0, head if head != b"\x00" else b"")
    return frame(kind, 0, head + encoded + tail)
