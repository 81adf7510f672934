"""Opening the sockets that clients connect to."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from edge.broker.listeners import describe_bound, open_all, passed_sockets
from edge.config.schema import ListenerConfig
from edge.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def short_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose sockets have paths that are short enough."""
    folder = tmp_path_factory.mktemp("s")
    yield folder
    for path in folder.iterdir():
        path.unlink()


def configs(*addresses: str, **settings: str) -> tuple[ListenerConfig, ...]:
    return tuple(ListenerConfig(address=address, **settings) for address in addresses)  # type: ignore[arg-type]


def test_ipv4_and_ipv6_listen_on_one_port_side_by_side() -> None:
    (first,) = open_all(configs("0.0.0.0:0"), {})
    port = first.socket.getsockname()[1]
    (second,) = open_all(configs(f"[::]:{port}"), {})
    try:
        assert describe_bound(first.socket) == f"0.0.0.0:{port}"
        assert describe_bound(second.socket) == f"[::]:{port}"
        assert not first.socket.getblocking()
    finally:
        first.close()
        second.close()


def test_address_in_use_is_told_with_its_listener() -> None:
    (first,) = open_all(configs("127.0.0.1:0"), {})
    port = first.socket.getsockname()[1]
    try:
        with pytest.raises(
            ListenError, match=f"listener `mine` at 127.0.0.1:{port}: Address"
        ) as error:
            open_all(configs(f"127.0.0.1:{port}", name="mine"), {})
        assert "another program" in error.value.hint
    finally:
        first.close()


def test_one_failure_closes_the_others(short_dir: Path) -> None:
    path = short_dir / "a.sock"
    with pytest.raises(ListenError):
        open_all(configs(f"unix:{path}", "192.0.2.1:1"), {})
    assert not path.exists()


def test_unknown_host_is_told() -> None:
    with pytest.raises(ListenError, match=r"nowhere\.invalid"):
        open_all(configs("nowhere.invalid:1"), {})


def test_unix_socket_has_its_mode_and_goes_with_the_broker(short_dir: Path) -> None:
    path = short_dir / "a.sock"
    (listener,) = open_all(configs(f"unix:{path}", unix_mode="0620"), {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o620
    assert describe_bound(listener.socket) == f"unix:{path}"
    listener.close()
    assert not path.exists()


def test_stale_unix_socket_is_replaced_and_a_live_one_is_not(short_dir: Path) -> None:
    path = short_dir / "a.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    (listener,) = open_all(configs(f"unix:{path}"), {})
    with pytest.raises(ListenError, match="another program listens"):
        open_all(configs(f"unix:{path}"), {})
    assert path.exists()
    listener.close()


def test_file_that_is_no_socket_is_left_alone(short_dir: Path) -> None:
    path = short_dir / "a.sock"
    path.write_text("precious")
    with pytest.raises(ListenError, match="another file"):
        open_all(configs(f"unix:{path}"), {})
    assert path.read_text() == "precious"


def test_socket_of_a_successor_is_not_removed(short_dir: Path) -> None:
    path = short_dir / "a.sock"
    (old,) = open_all(configs(f"unix:{path}"), {})
    path.unlink()
    (new,) = open_all(configs(f"unix:{path}"), {})
    old.close()
    assert path.exists()
    new.close()


def test_passed_sockets_are_used_where_the_address_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = socket.create_server(("127.0.0.1", 0))
    port = passed.getsockname()[1]
    monkeypatch.setattr("edge.broker.listeners._LISTEN_FDS_START", passed.fileno())
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    (listener,) = open_all(configs(f"127.0.0.1:{port}"), environ)
    assert listener.socket.fileno() == passed.detach()
    assert not listener.socket.get_inheritable()
    listener.close()


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())}]
)
def test_nothing_is_passed_to_another_process(environ: dict[str, str]) -> None:
    assert passed_sockets(environ) == []
