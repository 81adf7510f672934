"""Telling systemd how it goes: the datagrams of sd_notify(3), without its library."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    """Sends states to `NOTIFY_SOCKET`; without one, every method does nothing.

    Args:
        environ: the environment to read `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` from.
    """

    __slots__ = ("_address", "watchdog_interval_s")

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the NUL of Linux's abstract namespace; other names must be paths.
        if address.startswith("@"):
            address = "\0" + address[1:]
        elif not address.startswith("/"):
            address = ""
        self._address = address
        self.watchdog_interval_s = _watchdog_interval_s(environ) if address else None

    def ready(self) -> None:
        """The broker serves, or serves again after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload has begun; ready() ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The drain has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={' '.join(text.splitlines())}")

    def watchdog(self) -> None:
        """Say that the broker is alive; due every `watchdog_interval_s` seconds unless None."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        # trio has loaded it anyway; a command without systemd has not.
        import socket

        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(0)
                sender.sendto(state.encode(), self._address)
        except OSError:
            # systemd decides by its time-outs; a broker that serves does not end because of this.
            return


def _watchdog_interval_s(environ: Mapping[str, str]) -> float | None:
    """Return half of the time after which systemd would kill us; None without a watchdog."""
    try:
        timeout_us = int(environ.get("WATCHDOG_USEC", "0"))
        pid = int(environ.get("WATCHDOG_PID", "0"))
    except ValueError:
        return None
    if timeout_us <= 0 or pid not in (0, os.getpid()):
        return None
    return timeout_us / 2_000_000
