"""PROXY headers in front of the other layers."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.oracles.gateways import BINARY, PROXY_SIGNATURE, write_frame
from tests.unit.gateways.harness import (
    ANY_PATH,
    Harness,
    client_context,
    read_exactly,
    server_tls,
    wait_until,
)
from tests.unit.gateways.test_pump_tls import shake_by_hand
from tests.unit.gateways.test_pump_websocket import REQUEST, read_response

if TYPE_CHECKING:
    from tests.unit.gateways.pki import Pki

V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 8883\r\n"
V2 = (
    PROXY_SIGNATURE
    + struct.pack("!BBH", 0x21, 0x11, 12)
    + bytes((203, 0, 113, 9, 1, 2, 3, 4))
    + struct.pack("!HH", 51_234, 8883)
)
LOCAL = PROXY_SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)


@pytest.mark.parametrize("header", [V1, V2])
def test_source_of_the_header_is_the_peer(harness: Harness, pki: Pki, header: bytes) -> None:
    """Version 1 and 2, in front of TLS."""
    harness.listen(tls=server_tls(pki), proxy_header=True)
    link = harness.connect()
    link.sendall(header)
    with client_context(pki).wrap_socket(link, server_hostname="localhost") as client:
        engine = harness.adopted()
        assert engine.address == "203.0.113.9:51234"
        client.sendall(b"CONNECT")
        assert read_exactly(engine.link, 7) == b"CONNECT"


def test_local_command_keeps_the_address_of_the_socket(harness: Harness, pki: Pki) -> None:
    """The proxy checks our health."""
    harness.listen(tls=server_tls(pki), proxy_header=True)
    link = harness.connect()
    link.sendall(LOCAL)
    with client_context(pki).wrap_socket(link, server_hostname="localhost") as client:
        assert harness.adopted().address == f"127.0.0.1:{client.getsockname()[1]}"


@pytest.mark.parametrize("header", [V1, V2])
@pytest.mark.parametrize("piece_bytes", [1, 20, 1_000_000])
def test_header_request_and_frames_may_be_cut_anywhere(
    harness: Harness, header: bytes, piece_bytes: int
) -> None:
    """Each layer takes its bytes and leaves the rest."""
    harness.listen(websocket=ANY_PATH, proxy_header=True)
    client = harness.connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = header + REQUEST + write_frame(BINARY, b"CONNECT")
    for start in range(0, len(stream), piece_bytes):
        client.sendall(stream[start : start + piece_bytes])
    assert read_response(client).startswith(b"HTTP/1.1 101 ")
    engine = harness.adopted()
    assert engine.address == "203.0.113.9:51234"
    assert read_exactly(engine.link, 7) == b"CONNECT"


def test_client_hello_may_share_a_segment_with_the_end_of_the_header(
    harness: Harness, pki: Pki
) -> None:
    """The first piece ends inside the header, the second inside the handshake."""
    harness.listen(tls=server_tls(pki), proxy_header=True)
    link = harness.connect()

    class Behind(socket.socket):
        """Sends the rest of the header in front of the first bytes."""

        rest = V2[9:]

        def sendall(self, data: bytes) -> None:  # type: ignore[override]
            """Send, with the header in front."""
            link.sendall(self.rest + data)
            self.rest = b""

        def recv(self, size: int) -> bytes:  # type: ignore[override]
            """Read as usual."""
            return link.recv(size)

    link.sendall(V2[:9])
    with Behind() as behind:
        shake_by_hand(behind, client_context(pki), piece_bytes=100_000)
    assert harness.adopted().address == "203.0.113.9:51234"


@pytest.mark.parametrize(
    "wrong", [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"PROXY TCP4 nonsense\r\n", REQUEST]
)
def test_connection_without_the_header_is_refused(harness: Harness, pki: Pki, wrong: bytes) -> None:
    """Who comes around the proxy could claim any address next time."""
    harness.listen(tls=server_tls(pki), proxy_header=True)
    client = harness.connect()
    client.sendall(wrong)
    with contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""
    assert harness.nobody_was_adopted()
    failure = "no PROXY protocol header"
    wait_until(lambda: failure in str(harness.pump.stats()["last_failure"]), "told")
