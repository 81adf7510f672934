"""The other end of the control socket, for the commands: blocking, without trio."""

from __future__ import annotations

import errno
import json
import socket
from typing import TYPE_CHECKING, Any, Final

from edge.errors import ControlError

if TYPE_CHECKING:
    from pathlib import Path

# From the request to the whole reply: a list of 100,000 clients takes a while on a small board.
REPLY_TIMEOUT_S: Final = 60.0
REPLY_BYTES_MAX: Final = 256 * 1024 * 1024


def request(path: Path, command: list[str], arguments: dict[str, object]) -> Any:  # noqa: ANN401
    """Send one command to the broker at `path` and return what it answers.

    Raises:
        ControlError: nobody answers there, or the broker refuses.
    """
    line = json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_TIMEOUT_S)
        try:
            connection.connect(str(path))
            connection.sendall(line)
            reply = _read_line(connection)
        except OSError as error:
            raise _no_answer(path, error) from error
    try:
        answer = json.loads(reply)
        if "error" in answer:
            refusal = answer["error"]
            raise ControlError(str(refusal["message"]), hint=str(refusal["hint"]))
        return answer["ok"]
    except (ValueError, TypeError, KeyError) as error:
        message = f"control socket `{path}`: the reply is not understood"
        hint = "is the broker of the same version as the command?"
        raise ControlError(message, hint=hint) from error


def _read_line(connection: socket.socket) -> bytes:
    reply = bytearray()
    while not reply.endswith(b"\n"):
        data = connection.recv(65_536)
        if not data or len(reply) > REPLY_BYTES_MAX:
            raise OSError(errno.ECONNRESET, "the broker closed the connection")
        reply += data
    return bytes(reply)


def _no_answer(path: Path, error: OSError) -> ControlError:
    """Say why nobody answers, and what to do."""
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR):
        message = f"no broker is running at control socket `{path}`"
        hint = "start it, or say which one with --socket, --data-dir or --config"
    elif error.errno == errno.EACCES:
        message = f"control socket `{path}`: permission denied"
        hint = "run the command as the broker's user, or as root"
    else:
        message = f"control socket `{path}`: {error.strerror or error}"
        hint = "the log of the broker may say more"
    return ControlError(message, hint=hint)
