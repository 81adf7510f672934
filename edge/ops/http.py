"""The smallest HTTP/1.1 responder that serves `GET /metrics` and `GET /health`.

One request a connection, no bodies, every limit named. Nothing of the standard library's http
package is loaded. It is meant for a collector and a load balancer, not for browsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from edge.errors import ListenError
from edge.ops.metrics import CONTENT_TYPE, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ops.snapshot import Health, TakeSnapshot

REQUEST_BYTES_MAX: Final = 4096
CONNECTIONS_MAX: Final = 8
REQUEST_TIMEOUT_S: Final = 5.0  # from accept to the whole head
RESPONSE_TIMEOUT_S: Final = 10.0

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


class MetricsServer:
    """Serves metrics and health on one address.

    Args:
        take_snapshot: asks for the numbers.
        health: tells what is wrong, if anything.
        on_fault: told of exceptions that these should not have raised.
    """

    __slots__ = ("_connection_count", "_health", "_node_id", "_on_fault", "_take", "_version")

    def __init__(
        self,
        take_snapshot: TakeSnapshot,
        health: Health,
        on_fault: Callable[[Exception], None],
        *,
        node_id: str,
        version: str,
    ) -> None:
        self._take = take_snapshot
        self._health = health
        self._on_fault = on_fault
        self._node_id = node_id
        self._version = version
        self._connection_count = 0

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; `task_status` is told the port once it listens.

        Raises:
            ListenError: the address cannot be listened on.
        """
        try:
            listeners = await trio.open_tcp_listeners(port, host=host, backlog=CONNECTIONS_MAX)
        except OSError as error:
            message = f"metrics.address {host}:{port}: {error.strerror or error}"
            raise ListenError(message, hint="is another program listening there?") from error
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self.handle, listeners)

    async def handle(self, stream: trio.abc.Stream) -> None:
        """Answer the one request of a connection."""
        if self._connection_count >= CONNECTIONS_MAX:
            await trio.aclose_forcefully(stream)
            return
        self._connection_count += 1
        try:
            async with stream:
                with trio.fail_after(REQUEST_TIMEOUT_S):
                    head = await _read_head(stream)
                if head is None:
                    return
                response = await self._respond(head)
                with trio.fail_after(RESPONSE_TIMEOUT_S):
                    await stream.send_all(response)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            # The peer has gone or is too slow: nothing is owed to it.
            return
        finally:
            self._connection_count -= 1

    async def _respond(self, head: bytes) -> bytes:
        """Return the whole response to a request head."""
        if len(head) > REQUEST_BYTES_MAX:
            return _response(431, _TEXT, b"request too long\n")
        try:
            method, target, protocol = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        except ValueError:
            return _response(400, _TEXT, b"bad request\n")
        if not protocol.startswith("HTTP/1."):
            return _response(400, _TEXT, b"bad request\n")
        if method not in ("GET", "HEAD"):
            return _response(405, _TEXT, b"only GET and HEAD\n", extra="Allow: GET, HEAD\r\n")
        try:
            status, content_type, body = await self._content(target.partition("?")[0])
        except Exception as error:
            # A fault here must not end the broker.
            self._on_fault(error)
            status, content_type, body = 500, _TEXT, b"the broker's log says why\n"
        return _response(status, content_type, body, head_only=method == "HEAD")

    async def _content(self, path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            snapshot = await self._take()
            return 200, CONTENT_TYPE, render(snapshot, node_id=self._node_id, version=self._version)
        if path == "/health":
            trouble = self._health()
            if trouble:
                return 503, _JSON, f'{{"status": "failing", "reason": {_json(trouble)}}}\n'.encode()
            return 200, _JSON, b'{"status": "ok"}\n'
        return 404, _TEXT, b"/metrics and /health are here\n"


def _json(text: str) -> str:
    import json

    return json.dumps(text)


def _response(
    status: int, content_type: str, body: bytes, *, extra: str = "", head_only: bool = False
) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{extra}Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    ).encode()
    return head if head_only else head + body


async def _read_head(stream: trio.abc.Stream) -> bytes | None:
    """Return everything up to the empty line, or what there is of a head that is too long.

    None if the peer leaves before the end of it.
    """
    head = bytearray()
    while (end := head.find(b"\r\n\r\n")) < 0:
        if len(head) > REQUEST_BYTES_MAX:
            return bytes(head)
        data = await stream.receive_some(REQUEST_BYTES_MAX)
        if not data:
            return None
        head += data
    return bytes(head[:end])
