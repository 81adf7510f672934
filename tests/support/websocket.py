"""A WebSocket (RFC 6455) client under the MQTT client, as strict and as bare."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from tests.support.client import Client
from tests.support.wire import WireError

if TYPE_CHECKING:
    import socket

GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class WebSocket:
    """The upgraded connection; it looks enough like a socket for `Client` to sit on it."""

    def __init__(
        self,
        link: socket.socket,
        *,
        path: str = "/mqtt",
        subprotocols: str | None = "mqtt",
        headers: dict[str, str] | None = None,
    ) -> None:
        self._link = link
        self._raw = bytearray()
        self._data = bytearray()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.close_code: int | None = None
        self.frames_from_server: list[int] = []
        self._upgrade(path, subprotocols, headers or {})

    def _upgrade(self, path: str, subprotocols: str | None, more: dict[str, str]) -> None:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        headers = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        if subprotocols is not None:
            headers["Sec-WebSocket-Protocol"] = subprotocols
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in (headers | more).items())]
        self._link.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._raw:
            data = self._link.recv(4096)
            if not data:
                return
            self._raw += data
        head, _, rest = bytes(self._raw).partition(b"\r\n\r\n")
        self._raw = bytearray(rest)
        first, *others = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        for line in others:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        if self.status == 101:
            digest = hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
            expected = base64.b64encode(digest).decode()
            assert self.headers["sec-websocket-accept"] == expected

    # ------------------------------------------------------------------ as a socket

    def sendall(self, data: bytes) -> None:
        """Send bytes as one binary frame."""
        self.send_frame(BINARY, data)

    def recv(self, size: int) -> bytes:
        """The next bytes of binary frames; none once the server has closed."""
        while not self._data:
            frame = self._read_frame()
            if frame is None:
                return b""
            opcode, payload = frame
            self.frames_from_server.append(opcode)
            if opcode in (BINARY, CONTINUATION):
                self._data += payload
            elif opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big") if payload else None
            elif opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == TEXT:
                raise WireError("the server sent a text frame")
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    def settimeout(self, timeout_s: float | None) -> None:
        """How long the next call may take."""
        self._link.settimeout(timeout_s)

    def shutdown(self, how: int) -> None:
        """End one direction of the connection."""
        self._link.shutdown(how)

    def fileno(self) -> int:
        """The socket's number."""
        return self._link.fileno()

    def close(self) -> None:
        """Close at once."""
        self._link.close()

    # ------------------------------------------------------------------ frames

    def send_frame(
        self, opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, rsv: int = 0
    ) -> None:
        """Send one frame; wrong ones too."""
        head = bytearray([(0x80 if final else 0) | rsv << 4 | opcode])
        mask_bit = 0x80 if masked else 0
        if len(payload) < 126:
            head.append(mask_bit | len(payload))
        elif len(payload) < 65_536:
            head.append(mask_bit | 126)
            head += len(payload).to_bytes(2, "big")
        else:
            head.append(mask_bit | 127)
            head += len(payload).to_bytes(8, "big")
        if masked:
            mask = secrets.token_bytes(4)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
            head += mask
        self._link.sendall(bytes(head) + payload)

    def _read_frame(self) -> tuple[int, bytes] | None:
        while (frame := self._cut_frame()) is None:
            data = self._link.recv(65_536)
            if not data:
                return None
            self._raw += data
        return frame

    def _cut_frame(self) -> tuple[int, bytes] | None:
        if len(self._raw) < 2:
            return None
        if self._raw[1] & 0x80:
            raise WireError("a server masked its frame")
        at, length = 2, self._raw[1]
        if length >= 126:
            width = 2 if length == 126 else 8
            at += width
            length = int.from_bytes(self._raw[2:at], "big")
        if len(self._raw) < at + length:
            return None
        opcode, payload = self._raw[0] & 15, bytes(self._raw[at : at + length])
        del self._raw[: at + length]
        return opcode, payload


def websocket_client(link: WebSocket, version: int = 5) -> Client:
    """An MQTT client on a WebSocket."""
    return Client(link, version)  # type: ignore[arg-type]
