"""WebSocket clients of the pump, bytes by hand."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from edge.config.schema import WebSocketConfig
from tests.oracles.gateways import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    accept_key,
    write_frame,
)
from tests.unit.gateways.harness import (
    ANY_PATH,
    EngineEnd,
    Harness,
    Readable,
    client_context,
    fill,
    read_exactly,
    read_to_end,
    server_tls,
    wait_until,
)

if TYPE_CHECKING:
    from tests.unit.gateways.pki import Pki

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = (
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
)
MIB = 1 << 20
PATTERN = bytes(range(256)) * 4096


def read_response(link: Readable) -> bytes:
    """The head of an HTTP response."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        if not byte:
            break
        head += byte
    return head


def read_frame(link: Readable) -> tuple[int, bytes]:
    """One frame of the server: opcode and payload."""
    first, second = read_exactly(link, 2)
    assert first & 0xF0 == 0x80, "final, without reserved bits"
    assert second < 128, "a server does not mask"
    length = second
    if second >= 126:
        length = int.from_bytes(read_exactly(link, 2 if second == 126 else 8), "big")
    return first & 15, read_exactly(link, length)


def upgraded(harness: Harness, request: bytes = REQUEST) -> tuple[socket.socket, EngineEnd]:
    """A client after its upgrade, and the engine's end."""
    client = harness.connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(request)
    response = read_response(client)
    assert response.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: " + accept_key(KEY) in response
    return client, harness.adopted()


@pytest.fixture
def web(harness: Harness) -> Harness:
    """A pump with a WebSocket listener."""
    harness.listen(websocket=ANY_PATH)
    return harness


# ---------------------------------------------------------------- data


def test_payload_crosses_both_ways_without_frames_or_masks(web: Harness) -> None:
    """The engine sees plain MQTT."""
    client, engine = upgraded(web)
    assert engine.peer == f"127.0.0.1:{client.getsockname()[1]}\0\0".encode()
    client.sendall(write_frame(BINARY, b"CONNECT"))
    assert read_exactly(engine.link, 7) == b"CONNECT"
    engine.link.sendall(b"CONNACK")
    assert read_frame(client) == (BINARY, b"CONNACK")


@pytest.mark.spec("MQTT-6.0.0-2")
def test_everything_may_come_byte_by_byte(web: Harness) -> None:
    """Request, fragments, a ping between them, Close."""
    client = web.connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = (
        REQUEST
        + write_frame(BINARY, b"CON", final=False)
        + write_frame(PING, b"?")
        + write_frame(CONTINUATION, b"NECT")
        + write_frame(BINARY, b"x" * 200)
        + write_frame(CLOSE, b"\x03\xe8")
    )
    for byte in stream:
        client.sendall(bytes([byte]))
    assert read_response(client).startswith(b"HTTP/1.1 101 ")
    engine = web.adopted()
    assert read_to_end(engine.link) == b"CONNECT" + b"x" * 200
    assert read_frame(client) == (PONG, b"?")
    assert read_frame(client) == (CLOSE, b"\x03\xe8")


def test_everything_may_come_at_once(web: Harness) -> None:
    """Impatient clients do not wait for the 101."""
    client = web.connect()
    client.sendall(
        REQUEST
        + write_frame(PING, b"1")
        + write_frame(BINARY, b"CONNECT", final=False)
        + write_frame(PING, b"2")
        + write_frame(CONTINUATION, b"DISCONNECT")
        + write_frame(CLOSE, b"")
    )
    read_response(client)
    assert read_to_end(web.adopted().link) == b"CONNECTDISCONNECT"
    assert [read_frame(client) for _ in range(3)] == [
        (PONG, b"1"),
        (PONG, b"2"),
        (CLOSE, b"\x03\xe8"),
    ]


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, MIB])
def test_messages_of_any_size_cross_both_ways(web: Harness, size: int) -> None:
    """All forms of the length in both directions."""
    client, engine = upgraded(web)
    echo = engine.echo_until_end()
    client.sendall(write_frame(BINARY, PATTERN[:size]))
    received = b""
    while len(received) < size:
        opcode, payload = read_frame(client)
        assert opcode == BINARY
        received += payload
    assert received == PATTERN[:size]
    client.close()
    echo.join()


def test_wss_is_both_layers(harness: Harness, pki: Pki) -> None:
    """WebSocket inside TLS, with frames and records that do not line up."""
    harness.listen(tls=server_tls(pki), websocket=ANY_PATH)
    client = harness.connect_tls(client_context(pki))
    client.sendall(REQUEST)
    assert read_response(client).startswith(b"HTTP/1.1 101 ")
    engine = harness.adopted()
    echo = engine.echo_until_end()
    frame = write_frame(BINARY, PATTERN[:100_000]) + write_frame(PING, b"?")
    for start in range(0, len(frame), 777):
        client.sendall(frame[start : start + 777])
    received = b""
    pongs: list[bytes] = []
    while len(received) < 100_000 or not pongs:
        opcode, payload = read_frame(client)
        if opcode == PONG:
            pongs.append(payload)
        else:
            received += payload
    assert received == PATTERN[:100_000]
    assert pongs == [b"?"]
    client.sendall(write_frame(CLOSE, b"\x03\xe9"))
    assert read_frame(client) == (CLOSE, b"\x03\xe9")
    assert read_to_end(client) == b""
    echo.join()


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (REQUEST.replace(b"GET", b"PUT"), b"405"),
        (REQUEST.replace(b"/mqtt", b"/else"), b"404"),
        (REQUEST.replace(b"websocket", b"h2c"), b"426"),
        (REQUEST.replace(b"mqtt\r\n\r\n", b"chat\r\n\r\n"), b"400"),
        (REQUEST.replace(b"Host: x", b"Host: x\r\nOrigin: https://evil"), b"403"),
        (REQUEST[:-2] + b"a: " + b"x" * 9000, b"431"),
    ],
)
def test_refusal_is_read_before_the_end(
    harness: Harness, request_bytes: bytes, status: bytes
) -> None:
    """The client gets the whole response and a proper end, not a reset."""
    harness.listen(websocket=WebSocketConfig(path="/mqtt", origins=("https://Good.example",)))
    client = harness.connect()
    client.sendall(request_bytes)
    response = read_to_end(client)
    assert response.startswith(b"HTTP/1.1 " + status)
    assert harness.nobody_was_adopted()
    wait_until(lambda: harness.pump.stats()["handshakes_failed"] == 1, "counted")


def test_allowed_origin_and_path_pass(harness: Harness) -> None:
    """As configured, in any case of letters."""
    harness.listen(websocket=WebSocketConfig(path="/mqtt", origins=("https://Good.example",)))
    upgraded(harness, REQUEST.replace(b"Host: x", b"Host: x\r\nOrigin: https://good.example"))


def test_request_that_takes_too_long_is_given_up() -> None:
    """Slow loris."""
    harness = Harness(handshake_timeout_ms=100)
    try:
        harness.listen(websocket=ANY_PATH)
        client = harness.connect()
        client.sendall(REQUEST[:50])
        assert client.recv(1) == b""
        wait_until(lambda: harness.pump.stats()["handshakes_late"] == 1, "counted")
    finally:
        harness.close()


@pytest.mark.spec("MQTT-6.0.0-1")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (write_frame(TEXT, b"text"), 1003),
        (b"\x82\x04text", 1002),
        (write_frame(CONTINUATION, b"x"), 1002),
        (write_frame(PING, b"x" * 126), 1002),
        (write_frame(CLOSE, b"\0"), 1002),
    ],
)
def test_forbidden_frame_closes_with_its_code(web: Harness, frame: bytes, code: int) -> None:
    """What came before counts; what the engine answers afterwards does not cross our Close."""
    client, engine = upgraded(web)
    client.sendall(write_frame(BINARY, b"before") + frame + write_frame(BINARY, b"after"))
    assert read_to_end(engine.link) == b"before"
    engine.link.sendall(b"too late")
    engine.link.close()
    assert read_frame(client) == (CLOSE, code.to_bytes(2, "big"))
    assert read_to_end(client) == b""


# ---------------------------------------------------------------- the end


def test_end_of_the_engine_is_a_normal_close(web: Harness) -> None:
    """Behind everything that it said."""
    client, engine = upgraded(web)
    engine.link.sendall(b"DISCONNECT")
    engine.link.close()
    assert read_frame(client) == (BINARY, b"DISCONNECT")
    assert read_frame(client) == (CLOSE, b"\x03\xe8")
    client.sendall(write_frame(CLOSE, b"\x03\xe8"))
    assert read_to_end(client) == b""
    client.close()
    wait_until(lambda: web.pump.stats()["open"] == 0, "forgotten")


def test_client_that_leaves_without_a_word_is_noticed(web: Harness) -> None:
    """FIN without Close."""
    client, engine = upgraded(web)
    client.sendall(write_frame(BINARY, b"last"))
    client.close()
    assert read_to_end(engine.link) == b"last"
    engine.link.close()
    wait_until(lambda: web.pump.stats()["open"] == 0, "forgotten")


def test_data_before_close_reaches_a_busy_engine(web: Harness) -> None:
    """Back-pressure must not cost the DISCONNECT that stands before Close."""
    client, engine = upgraded(web)
    chunk = write_frame(BINARY, PATTERN[:60_000])
    sent = fill(client, chunk)
    rest = chunk[sent % len(chunk) :] if sent % len(chunk) else b""
    client.settimeout(0)
    tail = rest + write_frame(BINARY, b"DISCONNECT") + write_frame(CLOSE, b"\x03\xe8")
    received = b""
    while tail or not received.endswith(b"DISCONNECT"):
        with contextlib.suppress(BlockingIOError):
            tail = tail[client.send(tail) :] if tail else b""
        received += engine.link.recv(65_536)
    count = (len(received) - 10) // 60_000
    assert received == PATTERN[:60_000] * count + b"DISCONNECT"
    assert engine.link.recv(1) == b""


# ---------------------------------------------------------------- hostile


def test_client_that_pings_without_reading_is_not_read_any_more(web: Harness) -> None:
    """Every ping wants an answer that somebody must hold."""
    client, _ = upgraded(web)
    sent = fill(client, write_frame(PING, b"x" * 125) * 500)
    assert sent < 32 * MIB
    assert web.pump.stats()["open"] == 1


def test_a_megabyte_of_empty_frames_is_nothing(web: Harness) -> None:
    """They carry no byte and cost none."""
    client, engine = upgraded(web)
    client.sendall(write_frame(BINARY, b"") * 170_000 + write_frame(BINARY, b"end"))
    assert read_exactly(engine.link, 3) == b"end"
