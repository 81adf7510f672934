"""Fuzz targets of edge/gateways: parsers of strangers' bytes, at once and in pieces."""

from __future__ import annotations

from edge.gateways import frames, proxy_header, upgrade

REQUEST = (
    b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
)
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\x10\0\x20\0"


class MismatchError(AssertionError):
    """Pieces gave another answer than the whole."""


def target_proxy_header(data: bytes) -> None:
    """Every prefix asks for more until the answer is there, and then it stays the same."""
    for candidate in (data, b"PROXY " + data, PROXY_V2[:12] + data):
        used, source = proxy_header.parse(candidate)
        if used > len(candidate):
            raise MismatchError(f"{used} bytes used of {len(candidate)}")
        if used > 0 and proxy_header.parse(candidate[:used]) != (used, source):
            raise MismatchError("what follows the header changed it")
        if used > 0 and len(candidate) < 300:
            for end in range(used):
                if proxy_header.parse(candidate[:end])[0] > 0:
                    raise MismatchError(f"complete after {end} bytes and after {used}")


def target_upgrade(data: bytes) -> None:
    """A request is refused or accepted; an accepted one is the same with bytes behind it."""
    at = data[0] % len(REQUEST) if data else 0
    for candidate in (
        data,
        REQUEST[:at] + data + REQUEST[at:],
        REQUEST + data,
        REQUEST[:at] + data,
    ):
        answer = upgrade.parse(candidate, b"/mqtt", (b"https://a",))
        if answer is not None:
            accepted, used, response = answer
            if not response.startswith(b"HTTP/1.1 101" if accepted else b"HTTP/1.1 4"):
                raise MismatchError(repr(response))
            if accepted and upgrade.parse(candidate[:used], b"/mqtt", (b"https://a",)) != answer:
                raise MismatchError("what follows the request changed the answer")


def target_frames(data: bytes) -> None:
    """At once, byte by byte and in threes give the same payload, pings and close code."""
    whole = frames.read([data])
    for size in (1, 3):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        if frames.read(pieces) != whole:
            raise MismatchError(f"in pieces of {size}")


TARGETS = {"proxy_header": target_proxy_header, "upgrade": target_upgrade, "frames": target_frames}
