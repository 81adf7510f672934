"""The control socket: how the commands reach the running broker.

A unix socket of mode 0600, so only the broker's own user and root can connect. One request and one
reply a line, both JSON:

    {"command": ["client", "kick"], "arguments": {"client_id": "a"}}
    {"ok": {...}}    or    {"error": {"message": "...", "hint": "..."}}

Handlers come from the broker as a dict from the dotted command to an async function of the
arguments. What is agreed on (all values JSON; `?` may be missing):

    status          {}                                              -> object
    client.list     {}                                              -> list of objects
    client.show     {client_id}                                     -> object
    client.kick     {client_id, end_session?: false}                -> object
    retained.list   {filter?: "#", limit?: 1000}                    -> list of objects
    retained.delete {filter}                                        -> {deleted: int}
    ban.list        {}                                              -> list of objects
    ban.add         {client_id | username | address, seconds?, reason?}  -> object
    ban.remove      {client_id | username | address}                -> {removed: int}
    reload          {}                                              -> object

A handler raises ControlError (or any EdgeError) to refuse.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import trio

from edge.errors import EdgeError, ListenError

Handler = Callable[[dict[str, Any]], Awaitable[object]]

REQUEST_BYTES_MAX: Final = 64 * 1024
CONNECTIONS_MAX: Final = 16
REQUEST_TIMEOUT_S: Final = 30.0  # from the connection, or the last reply, to a whole request
REPLY_TIMEOUT_S: Final = 30.0
PATH_BYTES_MAX: Final = 107  # sun_path of Linux, without its NUL

_BACKLOG: Final = 8


class ControlServer:
    """Answers on one unix socket.

    Args:
        path: of the socket; a stale one is replaced, and its folder made if it is missing.
        handlers: by dotted command.
        on_fault: told of exceptions that a handler should not have raised.
    """

    __slots__ = ("_connection_count", "_handlers", "_inode", "_on_fault", "_path")

    def __init__(
        self,
        path: str,
        handlers: Mapping[str, Handler],
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._on_fault = on_fault
        self._connection_count = 0
        self._inode = 0

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `task_status` is told once the socket is there.

        Raises:
            ListenError: the socket cannot be made.
        """
        listener = self._open()
        try:
            with listener:
                task_status.started()
                async with trio.open_nursery() as nursery:
                    while True:
                        connection, _ = await listener.accept()
                        if self._connection_count >= CONNECTIONS_MAX:
                            connection.close()
                            continue
                        self._connection_count += 1
                        nursery.start_soon(self._serve_connection, connection)
        finally:
            self._remove()

    def _open(self) -> trio.socket.SocketType:
        listener = open_control_socket(self._path)
        self._inode = Path(self._path).stat().st_ino
        return listener

    def _remove(self) -> None:
        """Unlink the socket unless another broker has put its own there."""
        try:
            if Path(self._path).stat().st_ino == self._inode:
                Path(self._path).unlink()
        except OSError:
            return

    async def _serve_connection(self, connection: trio.socket.SocketType) -> None:
        stream = trio.SocketStream(connection)
        try:
            async with stream:
                buffer = bytearray()
                while True:
                    with trio.fail_after(REQUEST_TIMEOUT_S):
                        line = await _read_line(stream, buffer)
                    if line is None:
                        return
                    reply = await self._answer(line)
                    with trio.fail_after(REPLY_TIMEOUT_S):
                        await stream.send_all(reply)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            # The command has gone, or does not read: its loss.
            return
        finally:
            self._connection_count -= 1

    async def _answer(self, line: bytes) -> bytes:
        """Carry out one request and return the line to reply with."""
        # Imported with the first command: an idle broker does without.
        import json

        reply: dict[str, object]
        try:
            reply = {"ok": await self._carry_out(json.loads(line))}
        except EdgeError as error:
            reply = _refusal(error.message, error.hint)
        except (ValueError, RecursionError):
            reply = _refusal("the request is not valid JSON", "one JSON object a line is expected")
        except Exception as error:
            # A fault in one command must not end the broker.
            self._on_fault(error)
            reply = _refusal("the command failed inside the broker", "its log says where")
        return json.dumps(reply, default=str).encode() + b"\n"

    async def _carry_out(self, request: object) -> object:
        if not isinstance(request, dict):
            message = "the request is not an object"
            raise RequestError(message)
        command = request.get("command")
        arguments = request.get("arguments", {})
        if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
            message = "`command` is not a list of words"
            raise RequestError(message)
        if not isinstance(arguments, dict):
            message = "`arguments` is not an object"
            raise RequestError(message)
        handler = self._handlers.get(".".join(command))
        if handler is None:
            message = f"the broker does not know the command `{' '.join(command)[:100]}`"
            raise RequestError(message)
        return await handler(arguments)


class RequestError(EdgeError):
    """A request on the control socket cannot be understood."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="is the command of the same version as the broker?")


def _refusal(message: str, hint: str) -> dict[str, object]:
    return {"error": {"message": message, "hint": hint}}


async def _read_line(stream: trio.SocketStream, buffer: bytearray) -> bytes | None:
    """Return the next line without its newline; None at the end or when a line is too long."""
    while (end := buffer.find(b"\n")) < 0:
        if len(buffer) > REQUEST_BYTES_MAX:
            return None
        data = await stream.receive_some(4096)
        if not data:
            return None
        buffer += data
    line = bytes(buffer[:end])
    del buffer[: end + 1]
    return line


def open_control_socket(path: str) -> trio.socket.SocketType:
    """Return a listening unix socket of mode 0600 at `path`; a stale one is replaced.

    Raises:
        ListenError: the path is too long, taken by something else, or not writable.
    """
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        message = f"control socket `{path}`: the path has more than {PATH_BYTES_MAX} bytes"
        raise ListenError(message, hint="set node.control_socket to a shorter one")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The mode must be right from the first moment on, hence umask and not chmod.
            umask = os.umask(0o177)
            try:
                listener.bind(path)
            finally:
                os.umask(umask)
            listener.listen(_BACKLOG)
            return trio.socket.from_stdlib_socket(listener)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        message = f"control socket `{path}`: {os.strerror(error.errno or 0)}"
        hint = "set node.control_socket to a path in a folder that the broker may write to"
        raise ListenError(message, hint=hint) from error


def _remove_stale(path: str) -> None:
    """Remove a socket nobody listens on.

    Raises:
        ListenError: something lives there.
    """
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        message = f"control socket `{path}`: there is another file of that name"
        raise ListenError(message, hint="remove it, or set node.control_socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                Path(path).unlink(missing_ok=True)
                return
    message = f"control socket `{path}`: another broker is running there"
    hint = "stop it, or give this one its own node.control_socket and node.data_dir"
    raise ListenError(message, hint=hint)
