"""Fuzz targets of edge/gateways: PROXY headers, upgrades, frames, and the whole pump."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from edge.config.schema import WebSocketConfig
from edge.engine.testing import memory_used_bytes
from edge.gateways import frames, proxy_header, upgrade
from edge.gateways.pump import Pump
from edge.gateways.tls import TlsContext
from tests.oracles import gateways as oracle

REQUEST: Final = (
    b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
)
PROXY_V2: Final = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\x10\0\x20\0"
ORIGINS: Final = (b"https://a",)
LEAK_BYTES_MAX: Final = 256 * 1024


class MismatchError(AssertionError):
    """A parser says something else than the oracle, or the pump hurt somebody."""


def target_proxy_header(data: bytes) -> None:
    """The parser agrees with the oracle on the whole and on every prefix."""
    for candidate in (data, b"PROXY " + data, b"PROXY TCP6 " + data, PROXY_V2[:12] + data):
        expected = oracle.parse_proxy_header(candidate)
        if proxy_header.parse(candidate) != expected:
            raise MismatchError(f"{candidate!r}: {expected}")
        if expected[0] > 0 and len(candidate) < 300:
            for end in range(expected[0]):
                if proxy_header.parse(candidate[:end])[0] != 0:
                    raise MismatchError(f"decided after {end} bytes and after {expected[0]}")


def target_upgrade(data: bytes) -> None:
    """The parser agrees with the oracle, and the first prefix that decides, decides alike."""
    at = data[0] % len(REQUEST) if data else 0
    for candidate in (
        data,
        REQUEST[:at] + data + REQUEST[at:],
        REQUEST + data,
        REQUEST[:at] + data,
    ):
        expected = oracle.answer_upgrade(candidate, b"/mqtt", ORIGINS)
        answer = upgrade.parse(candidate, b"/mqtt", ORIGINS)
        found = None if answer is None else (int(answer[2].split(b" ")[1]), answer[1])
        if found != expected:
            raise MismatchError(f"{candidate!r}: {found} and not {expected}")
        for end in range(0, len(candidate), 1 + len(candidate) // 8):
            early = upgrade.parse(candidate[:end], b"/mqtt", ORIGINS)
            if early not in (None, answer):
                raise MismatchError(f"another answer after {end} bytes of {candidate!r}")


def target_frames(data: bytes) -> None:
    """The reader agrees with the oracle, whatever pieces the stream comes in."""
    whole = oracle.read_frames(data)
    for size in (1, 3, 17, len(data) + 1):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        if frames.read(pieces) != whole:
            raise MismatchError(f"{data!r} in pieces of {size}")


# ---------------------------------------------------------------- the pump


class _Hostile:
    """One client of a program: raw bytes, or TLS by hand whose records may be changed."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext | None) -> None:
        self.link = socket.create_connection(address)
        self.link.settimeout(0.002)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if context is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing)

    def send(self, data: bytes, flip: int = -1) -> None:
        """Send through TLS if there is one, with one bit flipped if `flip` is not negative."""
        if self._tls is not None:
            data = self._through_tls(data)
        if flip >= 0 and data:
            changed = bytearray(data)
            changed[flip % len(changed)] ^= 1 << (flip & 7)
            data = bytes(changed)
        with contextlib.suppress(OSError):
            self.link.sendall(data)

    def _through_tls(self, data: bytes) -> bytes:
        assert self._tls is not None
        with contextlib.suppress(ssl.SSLError, ValueError):
            if self._tls.version() is None:
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._tls.do_handshake()
            else:
                self._tls.write(data)
        return self._outgoing.read()

    def receive(self) -> None:
        """Read what there is, and let TLS answer it."""
        with contextlib.suppress(OSError):
            self._incoming.write(self.link.recv(65_536))
        if self._tls is not None:
            self.send(b"")

    def goodbye(self) -> None:
        """Say close_notify."""
        if self._tls is not None:
            with contextlib.suppress(ssl.SSLError, ValueError):
                self._tls.unwrap()
        self.send(b"")


class _Ring:
    """A pump with every kind of listener, the engine's ends, and an innocent client."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []
        self.pump = Pump(None, handshake_timeout_ms=2000, adopt=self._adopt)
        self.addresses: list[tuple[str, int]] = []
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = _make_certificate(Path(folder))
            tls = TlsContext(certificate_file=certificate, key_file=key)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        web = WebSocketConfig(path="/mqtt", origins=())
        self._listen(tls=tls, websocket=None, proxy_header=False)
        self._listen(tls=None, websocket=web, proxy_header=False)
        self._listen(tls=tls, websocket=web, proxy_header=False)
        self._listen(tls=None, websocket=web, proxy_header=True)
        self.pump.start()
        self.innocent = self._connect_innocent()
        self.baseline_bytes = 0
        self.runs = 0

    def _adopt(self, _index: int, fd: int, _peer: bytes) -> None:
        link = socket.socket(fileno=fd)
        link.settimeout(0)
        self.ends.append(link)

    def _listen(
        self, *, tls: TlsContext | None, websocket: WebSocketConfig | None, proxy_header: bool
    ) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            listening.settimeout(0)
            index = len(self.addresses)
            self.addresses.append(listening.getsockname())
            self.pump.add_listener(
                index,
                listening.fileno(),
                proxy_header=proxy_header,
                tls=tls,
                websocket=websocket,
                connections_max=0,
            )

    def _connect_innocent(self) -> tuple[ssl.SSLSocket, socket.socket]:
        link = socket.create_connection(self.addresses[0])
        link.settimeout(5)
        client = self.context.wrap_socket(link)
        client.sendall(b"?")
        while not self.ends:
            pass
        end = self.ends.pop()
        end.settimeout(5)
        end.recv(1)
        return client, end

    def check(self) -> None:
        """The innocent client still exchanges bytes, everybody else goes, and memory comes back."""
        client, end = self.innocent
        client.sendall(b"ping")
        if end.recv(4) != b"ping" or end.send(b"pong") != 4 or client.recv(4) != b"pong":
            raise MismatchError("the innocent client was disturbed")
        for other in self.ends:
            other.close()
        self.ends.clear()
        while self.pump.stats()["open"] != 1:
            for other in self.ends:
                other.close()
        self.runs += 1
        used_bytes = memory_used_bytes()
        if self.runs == 10:
            self.baseline_bytes = used_bytes
        if self.runs > 10 and used_bytes > self.baseline_bytes + LEAK_BYTES_MAX:
            raise MismatchError(f"{used_bytes - self.baseline_bytes} bytes stayed behind")


def _make_certificate(folder: Path) -> tuple[str, str]:
    certificate, key = str(folder / "c.pem"), str(folder / "k.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subprocess.run(
        [*command.split(), "-keyout", key, "-out", certificate, "-subj", "/CN=x"],
        check=True,
        capture_output=True,
    )
    return certificate, key


_ring: _Ring | None = None


def target_pump(data: bytes) -> None:
    """Run a program of hostile clients: whole layers, pieces, flipped bits, sudden ends."""
    global _ring  # noqa: PLW0603  (one pump for the whole run: starting one costs more than a program)
    if _ring is None:
        _ring = _Ring()
    ring = _ring
    clients: list[_Hostile] = []
    steps = iter(data)
    for action in steps:
        operand = next(steps, 0)
        if action % 8 == 0 or not clients:
            index = operand % 4
            if len(clients) < 8:
                clients.append(
                    _Hostile(ring.addresses[index], ring.context if index in {0, 2} else None)
                )
            continue
        client = clients[operand % len(clients)]
        argument = next(steps, 0)
        if action % 8 == 1:
            client.send(_piece(data, argument), flip=argument if action & 64 else -1)
        elif action % 8 == 2:
            client.send(REQUEST[: len(REQUEST) - argument % 4] if action & 64 else REQUEST)
        elif action % 8 == 3:
            client.send(PROXY_V2 if action & 64 else b"PROXY UNKNOWN\r\n")
        elif action % 8 == 4:
            opcode = (2, 2, 2, 0, 8, 9, 10, 1)[argument % 8]
            frame = oracle.write_frame(opcode, _piece(data, argument), final=bool(action & 64))
            client.send(frame * (1 + (argument >> 4)))
        elif action % 8 == 5:
            client.receive()
        elif action % 8 == 6:
            _engine_acts(ring, argument)
        else:
            if action & 64:
                client.goodbye()
            client.link.close()
            clients.remove(client)
    for client in clients:
        client.link.close()
    ring.check()


def _piece(data: bytes, argument: int) -> bytes:
    return (data * (1 + argument % 50))[argument : argument + 1 + argument * (argument % 7)]


def _engine_acts(ring: _Ring, argument: int) -> None:
    """One of the engine's ends reads, writes, half-closes or closes."""
    if not ring.ends:
        return
    end = ring.ends[argument % len(ring.ends)]
    with contextlib.suppress(OSError):
        if argument & 3 == 0:
            end.recv(65_536)
        elif argument & 3 == 1:
            end.send(b"answer" * (argument * argument))
        elif argument & 3 == 2:
            end.shutdown(socket.SHUT_WR)
        else:
            end.close()
            ring.ends.remove(end)


TARGETS = {
    "proxy_header": target_proxy_header,
    "upgrade": target_upgrade,
    "frames": target_frames,
    "pump": target_pump,
}
