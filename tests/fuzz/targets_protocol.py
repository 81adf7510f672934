"""Fuzz targets of edge/protocol and edge/topic.py: any bytes decode or raise ProtocolError.

Each target also checks that what has been decoded survives being written and read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ProtocolError
from edge.protocol import client, decode
from edge.protocol.kinds import PacketKind
from edge.protocol.properties import decode_forwarded, decode_properties, encode_properties
from edge.protocol.reader import Reader
from edge.topic import check_topic_filter, check_topic_name, matches, parse_shared

if TYPE_CHECKING:
    from edge.protocol.packets import Connect

LEVELS_MAX = 64


class MismatchError(AssertionError):
    """A decoded packet changed on the way out and in again."""


def _same(first: object, second: object) -> None:
    if first != second:
        message = f"{first!r} became {second!r}"
        raise MismatchError(message)


def target_connect(data: bytes) -> None:
    """decode_connect() and peek_protocol_version() agree and raise nothing unexpected."""
    version = decode.peek_protocol_version(data)
    try:
        connect = decode.decode_connect(data)
    except decode.UnsupportedProtocolVersion as unsupported:
        _same(unsupported.protocol_version, version)
        return
    except ProtocolError:
        return
    _same(connect.protocol_version, version)
    _check_connect(connect)


def _check_connect(connect: Connect) -> None:
    if connect.will is not None:
        decode_forwarded(connect.will.forwarded)
    _same(decode.decode_connect(client.encode_connect(connect)), connect)


def target_subscribe(data: bytes) -> None:
    """decode_subscribe() in each version."""
    for version in (3, 4, 5):
        try:
            subscribe = decode.decode_subscribe(data, version)
        except ProtocolError:
            continue
        again = client.encode_subscribe(subscribe, version)
        _same(decode.decode_subscribe(again, version), subscribe)
        for item in subscribe.subscriptions:
            _check_filter(item.topic_filter)


def target_unsubscribe(data: bytes) -> None:
    """decode_unsubscribe() in each version."""
    for version in (3, 4, 5):
        try:
            unsubscribe = decode.decode_unsubscribe(data, version)
        except ProtocolError:
            continue
        again = client.encode_unsubscribe(unsubscribe, version)
        _same(decode.decode_unsubscribe(again, version), unsubscribe)


def target_disconnect(data: bytes) -> None:
    """decode_disconnect() in each version."""
    for version in (3, 4, 5):
        try:
            disconnect = decode.decode_disconnect(data, version)
        except ProtocolError:
            continue
        again = client.encode_disconnect(disconnect, version)
        _same(decode.decode_disconnect(again, version), disconnect)


def target_auth(data: bytes) -> None:
    """decode_auth()."""
    try:
        decode.decode_auth(data)
    except ProtocolError:
        return


def target_properties(data: bytes) -> None:
    """decode_properties() for each kind of packet."""
    for kind in PacketKind:
        try:
            properties = decode_properties(Reader(data), kind)
        except ProtocolError:
            continue
        again = encode_properties(properties)
        _same(decode_properties(Reader(again), kind), properties)


def target_client(data: bytes) -> None:
    """All that our own client decodes, behind its framing."""
    buffer = bytearray(data)
    try:
        while (packet := client.take_packet(buffer)) is not None:
            _decode_as_client(packet)
    except ProtocolError:
        return


def _decode_as_client(packet: bytes) -> None:
    for version in (4, 5):
        for decoder in (
            client.decode_connack,
            client.decode_publish,
            client.decode_ack,
            client.decode_suback,
            client.decode_unsuback,
        ):
            try:
                decoder(packet, version)
            except ProtocolError:
                continue
    for decoder_v5 in (client.decode_disconnect, client.decode_auth):
        try:
            decoder_v5(packet)
        except ProtocolError:
            continue


def target_topic(data: bytes) -> None:
    """Names and filters: the part before the first newline is the filter, the rest the name."""
    text, _, name = data.decode("utf-8", "replace").partition("\n")
    _check_filter(text)
    try:
        check_topic_name(name, LEVELS_MAX)
        check_topic_filter(text, LEVELS_MAX)
    except ProtocolError:
        return
    matches(text, name)


def _check_filter(text: str) -> None:
    try:
        shared = parse_shared(text)
        check_topic_filter(text if shared is None else shared.topic_filter, LEVELS_MAX)
    except ProtocolError:
        return


TARGETS = {
    "connect": target_connect,
    "subscribe": target_subscribe,
    "unsubscribe": target_unsubscribe,
    "disconnect": target_disconnect,
    "auth": target_auth,
    "properties": target_properties,
    "client": target_client,
    "topic": target_topic,
}
