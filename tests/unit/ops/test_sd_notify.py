"""The datagrams that systemd gets."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from edge.ops.sd_notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(str(tmp_path / "notify"))
        receiving.settimeout(1)
        yield receiving


def test_each_state_is_one_datagram(receiver: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": receiver.getsockname()})
    notifier.ready()
    notifier.reloading()
    notifier.stopping()
    notifier.status("3 clients\nREADY=1")
    notifier.watchdog()
    states = [receiver.recv(200).decode() for _ in range(5)]
    assert states[0] == "READY=1"
    assert states[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    # A line break in the text must not become a state of its own.
    assert states[2:] == ["STOPPING=1", "STATUS=3 clients READY=1", "WATCHDOG=1"]


def test_abstract_socket_is_reached() -> None:
    name = f"robustmq-edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(f"\0{name}")
        receiving.settimeout(1)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert receiving.recv(200) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nobody/is/here"])
def test_without_a_socket_nothing_happens(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).ready()


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_watchdog_is_due_at_half_its_time(
    environ: dict[str, str], interval_s: float | None
) -> None:
    notifier = Notifier(environ | {"NOTIFY_SOCKET": "/run/notify"})
    assert notifier.watchdog_interval_s == interval_s
