"""A broker for `pub` and `sub` that follows a script and records what it was given."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.protocol import client, decode

if TYPE_CHECKING:
    from types import TracebackType

    from edge.protocol.packets import Connect

Script = Callable[["FakeBroker"], None]


class FakeBroker:
    """Accepts one connection and runs a script on it in a thread of its own."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.received: list[bytes] = []
        self.connect: Connect | None = None
        self.fault: BaseException | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._buffer = bytearray()
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def port(self) -> str:
        """The port to connect to, as a word of a command line."""
        return str(self._listener.getsockname()[1])

    def __enter__(self) -> FakeBroker:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.join(10)
        self._listener.close()
        if kind is None and self.fault is not None:
            raise self.fault

    def _run(self) -> None:
        try:
            self._connection, _ = self._listener.accept()
            with self._connection:
                self._connection.settimeout(10)
                self.script(self)
        except BaseException as fault:  # the test's thread raises it
            self.fault = fault

    def read(self) -> bytes:
        """Return the next packet of the client; b"" at the end of the connection."""
        assert self._connection is not None
        while (packet := client.take_packet(self._buffer)) is None:
            data = self._connection.recv(65_536)
            if not data:
                return b""
            self._buffer += data
        self.received.append(packet)
        return packet

    def read_all(self) -> None:
        """Read until the client closes."""
        while self.read():
            pass

    def send(self, packet: bytes | str) -> None:
        """Send bytes, or bytes in hex."""
        assert self._connection is not None
        self._connection.sendall(bytes.fromhex(packet) if isinstance(packet, str) else packet)

    def accept(self, connack: str = "20 03 00 00 00") -> None:
        """Read the CONNECT and answer it."""
        self.connect = decode.decode_connect(self.read())
        self.send(connack)
