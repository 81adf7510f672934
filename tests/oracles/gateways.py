"""What the parsers in edge/gateways must say: slow and plain, from the specifications."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import socket
import struct
from typing import Final

PROXY_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
PROXY_V2_BYTES_MAX: Final = 4096
REQUEST_BYTES_MAX: Final = 8192
WEBSOCKET_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


# ---------------------------------------------------------------- PROXY protocol


def parse_proxy_header(data: bytes) -> tuple[int, str | None]:
    """(length, source) as edge.gateways.proxy_header.parse()."""
    if data[:12] == PROXY_SIGNATURE[: len(data)]:
        return _proxy_v2(data)
    if data[:6] == b"PROXY "[: len(data)]:
        return _proxy_v1(data)
    return -1, None


def _proxy_v1(data: bytes) -> tuple[int, str | None]:
    line, newline, _ = data[:107].partition(b"\n")
    if not newline:
        return (-1, None) if len(data) >= 107 else (0, None)
    length = len(line) + 1
    if not line.endswith(b"\r"):
        return -1, None
    line = line[:-1]
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return length, None
    try:
        words = line.decode("ascii").split(" ")
        _, family, source, destination, source_port, destination_port = words
        family_version = {"TCP4": 4, "TCP6": 6}[family]
        addresses = [ipaddress.ip_address(source), ipaddress.ip_address(destination)]
        if any(address.version != family_version for address in addresses):
            return -1, None
        address = _address_text(addresses[0])
        port = _port(source_port)
        _port(destination_port)
    except (ValueError, KeyError):
        return -1, None
    if "%" in source + destination:
        return -1, None
    return length, f"{address}:{port}"


def _port(text: str) -> int:
    value = int(text) if text.isdigit() and text.isascii() else -1
    if str(value) != text or value > 65_535:
        raise ValueError(text)
    return value


def _address_text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # The C library writes the last 32 bits of some addresses in dots; Python does not.
    return f"[{socket.inet_ntop(socket.AF_INET6, address.packed)}]"


def _proxy_v2(data: bytes) -> tuple[int, str | None]:
    if len(data) < 16:
        return 0, None
    version_command, family_protocol, body_len = struct.unpack("!BBH", data[12:16])
    version, command = divmod(version_command, 16)
    family, protocol = divmod(family_protocol, 16)
    length = 16 + body_len
    if version != 2 or command > 1 or family > 3 or protocol > 2 or length > PROXY_V2_BYTES_MAX:
        return -1, None
    if len(data) < length:
        return 0, None
    body = data[16:length]
    if command == 0 or family in {0, 3}:
        return length, None
    size = 4 if family == 1 else 16
    if len(body) < 2 * size + 4:
        return -1, None
    (port,) = struct.unpack_from("!H", body, 2 * size)
    return length, f"{_address_text(ipaddress.ip_address(body[:size]))}:{port}"


# ---------------------------------------------------------------- WebSocket frames


def read_frames(data: bytes) -> tuple[bytes, list[bytes], int]:
    """(payload, pings, close code) as edge.gateways.frames.read(), of the whole stream."""
    payload, fragmented = b"", False
    pings: list[bytes] = []
    while len(data) >= 2:
        first, second = data[0], data[1]
        opcode, final, short_len = first & 15, bool(first & 128), second & 127
        if first & 0x70 or not second & 0x80:
            return payload, pings, 1002
        if opcode == TEXT:
            return payload, pings, 1003
        if opcode not in {CONTINUATION, BINARY, CLOSE, PING, PONG}:
            return payload, pings, 1002
        if opcode >= CLOSE and (not final or short_len > 125):
            return payload, pings, 1002
        if opcode < CLOSE and fragmented != (opcode == CONTINUATION):
            return payload, pings, 1002
        width = {126: 2, 127: 8}.get(short_len, 0)
        if len(data) < 6 + width:
            break
        length = int.from_bytes(data[2 : 2 + width], "big") if width else short_len
        if (width == 2 and length < 126) or (width == 8 and not 65_536 <= length < 1 << 63):
            return payload, pings, 1002
        mask, body = data[2 + width : 6 + width], data[6 + width : 6 + width + length]
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))
        if opcode < CLOSE:
            payload += body
            fragmented = not final
        if len(body) < length:
            break
        data = data[6 + width + length :]
        if opcode == PING:
            pings.append(body)
        elif opcode == CLOSE:
            return payload, pings, _close_code(body)
    return payload, pings, 0


def _close_code(body: bytes) -> int:
    if not body:
        return 1000
    if len(body) == 1:
        return 1002
    code = int.from_bytes(body[:2], "big")
    allowed = 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
    return code if allowed else 1002


def write_frame(
    opcode: int, body: bytes, mask: bytes = b"\x12\x34\x56\x78", *, final: bool = True
) -> bytes:
    """A client's frame."""
    first = (0x80 if final else 0) | opcode
    if len(body) < 126:
        head = bytes((first, 0x80 | len(body)))
    elif len(body) < 65_536:
        head = bytes((first, 0xFE)) + struct.pack("!H", len(body))
    else:
        head = bytes((first, 0xFF)) + struct.pack("!Q", len(body))
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


# ---------------------------------------------------------------- WebSocket upgrade


def answer_upgrade(data: bytes, path: bytes, origins: tuple[bytes, ...]) -> tuple[int, int] | None:
    """(status, bytes of the request) that edge.gateways.upgrade must find; None: more is needed."""
    if data[:4] != b"GET "[: len(data)]:
        return 405, 0
    lines: list[bytes] = []
    at = 0
    while True:
        newline = data.find(b"\n", at)
        if newline < 0:
            return (431, 0) if len(data) >= REQUEST_BYTES_MAX else None
        if newline >= REQUEST_BYTES_MAX:
            return 431, 0
        line = data[at:newline]
        at = newline + 1
        if not line.endswith(b"\r"):
            return 400, 0
        line = line[:-1]
        if any((byte < 32 and byte != 9) or byte == 127 for byte in line):
            return 400, 0
        if not lines:
            words = line[4:].split(b" ", 1)
            if len(words) != 2 or words[1] != b"HTTP/1.1":
                return 400, 0
            if path and words[0].partition(b"?")[0] != path:
                return 404, 0
        elif not line:
            return _judge(lines[1:], origins), at
        else:
            status = _check_header(lines, line)
            if status:
                return status, 0
        lines.append(line)


def _check_header(lines: list[bytes], line: bytes) -> int:
    name, colon, value = line.partition(b":")
    if not colon or not name or b" " in name or b"\t" in name:
        return 400
    name = name.lower()
    earlier = [other.partition(b":")[0].lower() for other in lines[1:]]
    if name in {b"host", b"origin", b"sec-websocket-key"} and name in earlier:
        return 400
    if name == b"sec-websocket-key":
        try:
            if len(base64.b64decode(value.strip(b" \t"), validate=True)) != 16:
                return 400
        except ValueError:
            return 400
    return 0


def _judge(headers: list[bytes], origins: tuple[bytes, ...]) -> int:
    fields: dict[bytes, list[bytes]] = {}
    for line in headers:
        name, _, value = line.partition(b":")
        fields.setdefault(name.lower(), []).append(value.strip(b" \t"))

    def tokens(name: bytes) -> list[bytes]:
        return [
            token.strip(b" \t")
            for value in fields.get(name, [])
            for token in value.split(b",")
            if token.strip(b" \t")
        ]

    lower = {name: [token.lower() for token in tokens(name)] for name in fields}
    versions = fields.get(b"sec-websocket-version", [])
    if (
        b"host" not in fields
        or any(value != b"0" for value in fields.get(b"content-length", []))
        or b"transfer-encoding" in fields
    ):
        return 400
    if b"websocket" not in lower.get(b"upgrade", []) or b"upgrade" not in lower.get(
        b"connection", []
    ):
        return 426
    if not versions or any(version != b"13" for version in versions):
        return 426
    if b"sec-websocket-key" not in fields:
        return 400
    origin = fields.get(b"origin", [])
    if origins and origin and origin[0].lower() not in {allowed.lower() for allowed in origins}:
        return 403
    offered = tokens(b"sec-websocket-protocol")
    return 101 if b"mqtt" in offered or b"mqttv3.1" in offered else 400


def accept_key(key: bytes) -> bytes:
    """Sec-WebSocket-Accept of a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID, usedforsecurity=False).digest())
