"""The control socket: requests, refusals, limits, and who may use it."""

from __future__ import annotations

import json
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from edge.errors import ControlError, ListenError
from edge.ops.control import CONNECTIONS_MAX, ControlServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Recorder:
    """Handlers that record their arguments, and faults that were told."""

    def __init__(self) -> None:
        self.arguments: list[dict[str, Any]] = []
        self.faults: list[Exception] = []

    async def show(self, arguments: dict[str, Any]) -> object:
        self.arguments.append(arguments)
        return {"client_id": arguments["client_id"]}

    async def refuse(self, _arguments: dict[str, Any]) -> object:
        message = "no such client"
        raise ControlError(message, hint="see `client list`")


@asynccontextmanager
async def running(path: Path, recorder: Recorder) -> AsyncIterator[None]:
    handlers = {"client.show": recorder.show, "client.kick": recorder.refuse}
    server = ControlServer(str(path), handlers, recorder.faults.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        yield
        nursery.cancel_scope.cancel()


async def ask(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(b"".join(lines))
        data = b""
        while data.count(b"\n") < len(lines):
            data += await stream.receive_some()
        return [json.loads(line) for line in data.splitlines()]


def request(*command: str, **arguments: object) -> bytes:
    return json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"


async def test_requests_on_one_connection_are_answered_in_order(tmp_path: Path) -> None:
    recorder = Recorder()
    async with running(tmp_path / "s", recorder):
        replies = await ask(
            tmp_path / "s",
            request("client", "show", client_id="a"),
            request("client", "kick", client_id="a"),
        )
    assert replies == [
        {"ok": {"client_id": "a"}},
        {"error": {"message": "no such client", "hint": "see `client list`"}},
    ]
    assert recorder.arguments == [{"client_id": "a"}]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"no json\n",
        b"\xff\n",
        b"[" * 5000 + b"\n",
        b"[]\n",
        b'{"command": "status"}\n',
        b'{"command": [1]}\n',
        b'{"command": ["nothing"]}\n',
        b'{"command": ["client", "show"], "arguments": 1}\n',
    ],
)
async def test_nonsense_is_refused_and_the_connection_goes_on(tmp_path: Path, line: bytes) -> None:
    recorder = Recorder()
    async with running(tmp_path / "s", recorder):
        replies = await ask(tmp_path / "s", line, request("client", "show", client_id="a"))
    assert replies[0]["error"]["message"]
    assert replies[1] == {"ok": {"client_id": "a"}}
    assert not recorder.faults


async def test_fault_of_a_handler_is_told_and_the_server_goes_on(tmp_path: Path) -> None:
    recorder = Recorder()
    async with running(tmp_path / "s", recorder):
        (reply,) = await ask(tmp_path / "s", request("client", "show"))
        assert "inside the broker" in reply["error"]["message"]
        await ask(tmp_path / "s", request("client", "show", client_id="a"))
    assert [type(fault) for fault in recorder.faults] == [KeyError]


async def test_endless_request_ends_the_connection(tmp_path: Path) -> None:
    async def send_for_ever() -> None:
        async with await trio.open_unix_socket(tmp_path / "s") as stream:
            while True:
                await stream.send_all(b"x" * 1000)

    async with running(tmp_path / "s", Recorder()):
        with pytest.raises(trio.BrokenResourceError):
            await send_for_ever()


async def test_too_many_connections_are_closed_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "s", Recorder()):
        streams = [await trio.open_unix_socket(tmp_path / "s") for _ in range(CONNECTIONS_MAX)]
        async with await trio.open_unix_socket(tmp_path / "s") as surplus:
            assert await surplus.receive_some() == b""
        for stream in streams:
            await stream.aclose()


async def test_socket_is_for_its_owner_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s"
    async with running(path, Recorder()):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


async def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    async with running(path, Recorder()):
        await ask(path, request("client", "show", client_id="a"))


async def test_socket_of_a_running_broker_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with running(path, Recorder()):
        with pytest.raises(ListenError, match="another broker is running"):
            await ControlServer(str(path), {}, print).serve()
        await ask(path, request("client", "show", client_id="a"))


async def test_paths_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, words in (
        (tmp_path / "file", "another file"),
        (tmp_path / "file" / "s", "File exists"),
        (tmp_path / ("x" * 110), "more than 107 bytes"),
    ):
        with pytest.raises(ListenError, match=words):
            await ControlServer(str(path), {}, print).serve()


async def test_umask_is_as_before(tmp_path: Path) -> None:
    before = os.umask(0o022)
    os.umask(before)
    async with running(tmp_path / "s", Recorder()):
        after = os.umask(before)
        assert after == before
