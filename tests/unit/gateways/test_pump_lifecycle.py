"""Listeners, limits, and how the pump itself ends."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.engine.testing import memory_used_bytes
from edge.gateways.pump import Pump
from tests.unit.gateways.harness import (
    ANY_PATH,
    Harness,
    client_context,
    fill,
    read_exactly,
    read_to_end,
    server_tls,
    wait_until,
)
from tests.unit.gateways.test_pump_websocket import REQUEST, read_frame, upgraded

if TYPE_CHECKING:
    from tests.unit.gateways.pki import Pki

CLOSE_GOING_AWAY = (8, b"\x03\xe9")


def open_descriptors() -> set[str]:
    """What this process has open."""
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_listeners_are_told_apart(harness: Harness, pki: Pki) -> None:
    """Each client comes with the index of its listener."""
    harness.listen(3, tls=server_tls(pki))
    harness.listen(7, websocket=ANY_PATH)
    harness.connect_tls(client_context(pki), 3)
    assert harness.adopted().index == 3
    harness.connect(7).sendall(REQUEST)
    assert harness.adopted().index == 7


def test_listener_may_be_added_before_the_pump_starts(pki: Pki) -> None:
    """The broker opens everything first."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        came = threading.Event()

        def adopt(_index: int, fd: int, _peer: bytes) -> None:
            os.close(fd)
            came.set()

        pump = Pump(None, adopt=adopt)
        pump.add_listener(
            0,
            listening.fileno(),
            proxy_header=False,
            tls=server_tls(pki),
            websocket=None,
            connections_max=0,
        )
        pump.start()
        with (
            socket.create_connection(listening.getsockname()) as link,
            client_context(pki).wrap_socket(link, server_hostname="localhost") as client,
        ):
            assert came.wait(5)
            assert client.recv(1) == b""
        pump.stop()


def test_pump_that_never_started_gives_everything_back(pki: Pki) -> None:
    """A start-up may fail half-way."""
    before, used = open_descriptors(), memory_used_bytes()
    with socket.socket() as listening:
        pump = Pump(None, adopt=lambda *_: None)
        pump.add_listener(
            0,
            listening.fileno(),
            proxy_header=False,
            tls=server_tls(pki),
            websocket=None,
            connections_max=0,
        )
        pump.stop()
        del pump
    assert open_descriptors() == before
    assert memory_used_bytes() == used


@pytest.mark.parametrize("index", [0, 4096])
def test_listener_that_cannot_be_added_is_an_error(harness: Harness, index: int) -> None:
    """A taken index, and one that the engine does not know."""
    harness.listen(0, websocket=ANY_PATH)
    with pytest.raises(ValueError, match=f"listener {index} cannot be added"):
        harness.listen(index, websocket=ANY_PATH)


def test_listener_without_any_layer_is_an_error(harness: Harness) -> None:
    """Plain TCP is the engine's."""
    with pytest.raises(ValueError, match="TLS or WebSocket"):
        harness.listen()


def test_stopped_pump_says_so(pki: Pki) -> None:
    """It cannot be started again."""
    harness = Harness()
    harness.close()
    assert harness.pump.stats() == {}
    with pytest.raises(RuntimeError, match="has stopped"):
        harness.listen(tls=server_tls(pki))
    harness.pump.start()
    harness.close()


@pytest.mark.parametrize("how", ["remove_listener", "stop_listening"])
def test_removed_listener_takes_its_handshakes_and_leaves_its_clients(
    harness: Harness, pki: Pki, how: str
) -> None:
    """Draining begins with it."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    halfway = harness.connect()
    halfway.sendall(b"\x16\x03\x01")
    wait_until(lambda: harness.pump.stats()["accepted"] == 2, "accepted")
    if how == "remove_listener":
        harness.pump.remove_listener(0)
    else:
        harness.pump.stop_listening()
    assert halfway.recv(1) == b""
    client.sendall(b"still here")
    assert read_exactly(engine.link, 10) == b"still here"
    harness.forget()
    wait_until(lambda: harness.pump.stats()["open"] == 1, "the half-open one is gone")
    client.close()
    engine.link.close()
    wait_until(lambda: harness.pump.stats()["open"] == 0, "the last one is gone")


def test_limit_of_a_listener_refuses_the_next_one(harness: Harness, pki: Pki) -> None:
    """Until somebody leaves."""
    harness.listen(tls=server_tls(pki), connections_max=2)
    context = client_context(pki)
    first, _ = harness.connect_tls(context), harness.connect_tls(context)
    engine, _ = harness.adopted(), harness.adopted()
    assert harness.connect().recv(1) == b""
    wait_until(lambda: harness.pump.stats()["refused"] == 1, "counted")
    first.close()
    engine.link.close()
    wait_until(lambda: harness.pump.stats()["open"] == 1, "room again")
    harness.connect_tls(context)
    harness.adopted()


# ---------------------------------------------------------------- stop


def test_stop_sends_the_last_words_first(harness: Harness, pki: Pki) -> None:
    """DISCONNECT 0x8B must arrive."""
    harness.listen(0, tls=server_tls(pki))
    harness.listen(1, websocket=ANY_PATH)
    client = harness.connect_tls(client_context(pki))
    tls_engine = harness.adopted()
    browser = harness.connect(1)
    browser.sendall(REQUEST)
    web_engine = harness.adopted()
    for engine in (tls_engine, web_engine):
        engine.link.sendall(b"DISCONNECT")
    harness.pump.stop()
    assert read_to_end(client) == b"DISCONNECT"
    response = read_to_end(browser)
    assert response.endswith(b"\x82\x0aDISCONNECT\x88\x02\x03\xe9")
    assert read_to_end(web_engine.link) == b""


def test_stop_waits_for_slow_clients_within_bounds(harness: Harness) -> None:
    """Who does not read is cut off after a second; who reads gets everything."""
    harness.listen(websocket=ANY_PATH)
    reading, engine = upgraded(harness)
    stuck, stuck_engine = upgraded(harness)
    sent = fill(engine.link)
    fill(stuck_engine.link)
    received = 0

    def read() -> None:
        nonlocal received
        while (frame := read_frame(reading)) != CLOSE_GOING_AWAY:
            received += len(frame[1])

    reader = threading.Thread(target=read)
    reader.start()
    harness.pump.stop()
    reader.join()
    assert received == sent
    assert stuck.fileno() >= 0


def test_stop_gives_everything_back(pki: Pki) -> None:
    """Descriptors and memory, in every stage a client can be in."""
    before, used = open_descriptors(), memory_used_bytes()
    harness = Harness()
    harness.listen(0, tls=server_tls(pki))
    harness.listen(1, websocket=ANY_PATH, proxy_header=True)
    harness.connect(0)
    harness.connect(0).sendall(b"\x16\x03\x01")
    harness.connect(1).sendall(b"PROXY TC")
    harness.connect(1).sendall(b"PROXY UNKNOWN\r\nGET /")
    harness.connect_tls(client_context(pki))
    stuck = harness.adopted()
    fill(stuck.link)
    wait_until(lambda: harness.pump.stats()["accepted"] == 5, "accepted")
    harness.close()
    assert open_descriptors() == before
    assert memory_used_bytes() == used


# ---------------------------------------------------------------- floods


@pytest.mark.slow
def test_flood_of_half_open_handshakes_leaves_room_for_others(pki: Pki) -> None:
    """600 silent connections; the listener rests, makes room after two seconds, and serves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    harness = Harness(handshake_timeout_ms=60_000)
    try:
        harness.listen(tls=server_tls(pki))
        silent = [harness.connect() for _ in range(600)]
        wait_until(lambda: harness.pump.stats()["greeting"] == 512, "the limit")
        harness.connect_tls(client_context(pki))
        harness.adopted()
        wait_until(lambda: int(harness.pump.stats()["handshakes_late"]) >= 89, "counted")
        assert len(silent) == 600
    finally:
        harness.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


OUT_OF_DESCRIPTORS = """
import os, resource, socket
from tests.unit.gateways.harness import ANY_PATH, Harness, wait_until
from tests.unit.gateways.test_pump_websocket import REQUEST, read_response
harness = Harness()
harness.listen(websocket=ANY_PATH)
clients = [harness.connect() for _ in range(4)]
address = clients[0].getpeername()
wait_until(lambda: harness.pump.stats()["accepted"] == 4, "accepted")
late = [socket.socket() for _ in range(3)]
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 4096))
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
except OSError:
    pass
for link in late:
    link.settimeout(5)
    link.connect(address)
# The pump can accept nobody, and an upgrade finds no socketpair.
print([link.recv(1) for link in late])
clients[0].sendall(REQUEST)
assert read_response(clients[0]).startswith(b"HTTP/1.1 101 ")
print(clients[0].recv(1))
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
clients[1].sendall(REQUEST)
harness.adopted()
print(harness.pump.stats()["refused"])
harness.close()
"""


def test_without_descriptors_newcomers_are_refused_and_others_stay() -> None:
    """No spinning on a connection that cannot be accepted."""
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", OUT_OF_DESCRIPTORS],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.stdout.splitlines() == ["[b'', b'', b'']", "b''", "4"], result.stderr
