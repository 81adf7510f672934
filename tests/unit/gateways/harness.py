"""A running pump, clients in front of it, and the ends that the engine would get."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Protocol

from edge.config.schema import WebSocketConfig
from edge.gateways.pump import Pump
from edge.gateways.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.gateways.pki import Pki

DEADLINE_S = 5.0


class Readable(Protocol):
    """A socket, or what looks like one."""

    def recv(self, size: int, /) -> bytes:
        """Read at most `size` bytes."""
        ...


class EngineEnd:
    """What the engine would get of one client."""

    def __init__(self, index: int, link: socket.socket, peer: bytes) -> None:
        self.index = index
        self.link = link
        self.peer = peer
        self.address, self.common_name, self.subject = [*peer.decode().split("\0"), ""][:3]

    def echo_until_end(self) -> threading.Thread:
        """Send back whatever comes, on a thread, and close at the end of it."""

        def echo() -> None:
            with self.link:
                while data := self.link.recv(65_536):
                    self.link.sendall(data)

        thread = threading.Thread(target=echo)
        thread.start()
        return thread


class Harness:
    """One pump on a loopback port; everything is closed with it."""

    def __init__(self, handshake_timeout_ms: int = 5000) -> None:
        self._adopted: queue.Queue[EngineEnd] = queue.Queue()
        self._open: list[socket.socket] = []
        self._listening: dict[int, socket.socket] = {}
        self.pump = Pump(None, handshake_timeout_ms=handshake_timeout_ms, adopt=self._adopt)
        self.pump.start()

    def _adopt(self, index: int, fd: int, peer: bytes) -> None:
        link = socket.socket(fileno=fd)
        link.settimeout(DEADLINE_S)
        self._open.append(link)
        self._adopted.put(EngineEnd(index, link, peer))

    def listen(
        self,
        index: int = 0,
        *,
        tls: TlsContext | None = None,
        websocket: WebSocketConfig | None = None,
        proxy_header: bool = False,
        connections_max: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
        address: tuple[str, int] | str = ("127.0.0.1", 0),
    ) -> None:
        """Open a listening socket and give it to the pump."""
        listening = socket.socket(family)
        self._open.append(listening)
        listening.bind(address)
        listening.listen(1024)
        listening.settimeout(0)
        self.pump.add_listener(
            index,
            listening.fileno(),
            proxy_header=proxy_header,
            tls=tls,
            websocket=websocket,
            connections_max=connections_max,
        )
        self._listening[index] = listening

    def forget(self, index: int = 0) -> None:
        """Close our own descriptor of a listening socket: what is left is the pump's."""
        self._listening[index].close()

    def address(self, index: int = 0) -> tuple[str, int]:
        """Where a TCP listener is."""
        host, port = self._listening[index].getsockname()[:2]
        return host, port

    def connect(self, index: int = 0) -> socket.socket:
        """A plain connection to a listener."""
        listening = self._listening[index]
        client = socket.socket(listening.family)
        client.settimeout(DEADLINE_S)
        client.connect(listening.getsockname())
        self._open.append(client)
        return client

    def connect_tls(
        self, context: ssl.SSLContext, index: int = 0, *, session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        """A TLS connection to a listener."""
        client = context.wrap_socket(
            self.connect(index), server_hostname="localhost", session=session
        )
        self._open.append(client)
        return client

    def adopted(self) -> EngineEnd:
        """The next client that the engine would get."""
        return self._adopted.get(timeout=DEADLINE_S)

    def nobody_was_adopted(self) -> bool:
        """Whether no client has come through so far."""
        return self._adopted.empty()

    def close(self) -> None:
        """End everything."""
        self.pump.stop()
        for link in self._open:
            link.close()


def server_tls(pki: Pki, **more: str) -> TlsContext:
    """The settings of a server with a good certificate."""
    certificate, key = pki.server
    return TlsContext(**{"certificate_file": str(certificate), "key_file": str(key), **more})


def mutual_tls(pki: Pki, wanted: str = "required", **more: str) -> TlsContext:
    """The settings of a server that asks clients for a certificate."""
    settings = {"client_ca_file": str(pki.authority.certificate), "client_certificate": wanted}
    return server_tls(pki, **(settings | more))


def client_context(pki: Pki, identity: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """A client that trusts our authority and may show a certificate."""
    context = ssl.create_default_context(cafile=str(pki.authority.certificate))
    if identity is not None:
        context.load_cert_chain(*identity)
    return context


def read_exactly(link: Readable, count_bytes: int) -> bytes:
    """Read so many bytes, or what comes before the end."""
    parts = []
    while count_bytes and (data := link.recv(min(count_bytes, 65_536))):
        parts.append(data)
        count_bytes -= len(data)
    return b"".join(parts)


def read_to_end(link: Readable) -> bytes:
    """Read until the other side has closed in an orderly way."""
    return read_exactly(link, 1 << 40)


def fill(link: socket.socket, chunk: bytes = b"x" * 65_536, most_bytes: int = 1 << 26) -> int:
    """Write until nothing more is taken for a while; return how many bytes that were."""
    link.settimeout(0.3)
    done = 0
    try:
        while done < most_bytes:
            done += link.send(chunk[done % len(chunk) :])
    except TimeoutError:
        pass
    link.settimeout(DEADLINE_S)
    return done


def exchange(client: socket.socket, data: bytes, read_bytes: int = 65_536) -> bytes:
    """Send `data` and read as much, on one thread: an SSLSocket does not stand two."""
    sent, received = 0, bytearray()
    client.settimeout(0)
    while len(received) < len(data):
        wants_write = sent < len(data)
        select.select([client], [client] if wants_write else [], [], DEADLINE_S)
        with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            sent += client.send(data[sent : sent + 65_536]) if wants_write else 0
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            while part := client.recv(read_bytes):
                received += part
    client.settimeout(DEADLINE_S)
    return bytes(received)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until the pump has done something that leaves no other trace than its counters."""
    waker = threading.Event()
    for _ in range(int(DEADLINE_S / 0.005)):
        if condition():
            return
        waker.wait(0.005)
    raise AssertionError(what)


ANY_PATH = WebSocketConfig(path="", origins=())
