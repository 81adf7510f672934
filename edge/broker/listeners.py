"""Opening the sockets that clients connect to.

A listener is opened completely or not at all, and whatever goes wrong names the listener, the
reason and what to do. Sockets that systemd hands over (LISTEN_FDS) are used where their address is
that of a listener.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config.address import Address
    from edge.config.schema import ListenerConfig

BACKLOG: Final = 1024

# The first descriptor that systemd passes, see sd_listen_fds(3).
_LISTEN_FDS_START: Final = 3

_HINTS: Final = {
    errno.EADDRINUSE: "another program listens there; stop it or change listener.address",
    errno.EADDRNOTAVAIL: "this machine has no such address; see `ip address`",
    errno.EACCES: "ports below 1024 and foreign folders need a privilege; see CAP_NET_BIND_SERVICE",
    errno.ENOENT: "the folder of the socket does not exist",
    errno.EAFNOSUPPORT: "the kernel does not support this kind of address",
}


class OpenListener:
    """A listening socket, and the file to remove with it if it is a unix socket."""

    __slots__ = ("_inode", "config", "index", "path", "socket")

    def __init__(self, index: int, config: ListenerConfig, listening: socket.socket) -> None:
        self.index = index
        self.config = config
        self.socket = listening
        self.path = ""
        self._inode = 0

    def owns_path(self, path: str) -> None:
        """Remember the file of a unix socket that we have made."""
        self.path = path
        self._inode = Path(path).stat().st_ino

    def close(self) -> None:
        """Close the socket; remove its file unless another broker has put its own there."""
        self.socket.close()
        if not self.path:
            return
        try:
            if Path(self.path).stat().st_ino == self._inode:
                Path(self.path).unlink()
        except OSError:
            return


def describe_bound(listening: socket.socket) -> str:
    """Return the address that a socket is bound to: it has the port that was chosen for port 0."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def open_all(configs: tuple[ListenerConfig, ...], environ: Mapping[str, str]) -> list[OpenListener]:
    """Open every listener of the configuration.

    Raises:
        ListenError: one of them cannot be opened; the others are closed again.
    """
    passed = passed_sockets(environ)
    opened: list[OpenListener] = []
    try:
        for index, config in enumerate(configs):
            opened.append(_open(index, config, passed))
    except BaseException:
        for listener in opened:
            listener.close()
        raise
    finally:
        for unused in passed:
            unused.close()
    return opened


def _open(index: int, config: ListenerConfig, passed: list[socket.socket]) -> OpenListener:
    from edge.config.address import parse_address

    address = parse_address(config.address)
    for candidate in passed:
        if _is_at(candidate, address):
            passed.remove(candidate)
            return OpenListener(index, config, candidate)
    try:
        if address.kind == "unix":
            return _open_unix(index, config, address.path)
        return OpenListener(index, config, _open_tcp(address.host, address.port))
    except OSError as error:
        code = error.errno or 0
        raise ListenError(
            f"listener `{config.name or config.address}` at {config.address}: "
            f"{os.strerror(code) if code > 0 else error}",
            hint=_HINTS.get(code, ""),
        ) from error


def _open_tcp(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(
        _plain(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )
    family, kind, protocol, _, target = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Else [::] would take the IPv4 port too, and a listener on 0.0.0.0 could not be opened.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(target)
        listening.listen(BACKLOG)
        listening.setblocking(False)  # noqa: FBT003
    except BaseException:
        listening.close()
        raise
    return listening


def _plain(host: str) -> bytes | str:
    """Return an ASCII host as bytes: for a str, Python would load its tables of Unicode domains."""
    return host.encode() if host.isascii() else host


def _open_unix(index: int, config: ListenerConfig, path: str) -> OpenListener:
    _remove_stale(path, config)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Nobody may connect before the mode is right.
        umask = os.umask(0o777)
        try:
            listening.bind(path)
        finally:
            os.umask(umask)
        Path(path).chmod(int(config.unix_mode, 8))
        listening.listen(BACKLOG)
        listening.setblocking(False)  # noqa: FBT003
        listener = OpenListener(index, config, listening)
        listener.owns_path(path)
    except BaseException:
        listening.close()
        raise
    return listener


def _remove_stale(path: str, config: ListenerConfig) -> None:
    """Remove a socket file that nobody listens on any more.

    Raises:
        ListenError: somebody does, or the file is no socket.
    """
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    where = f"listener `{config.name or config.address}` at {config.address}"
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"{where}: there is another file of that name", hint="remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                Path(path).unlink(missing_ok=True)
                return
    raise ListenError(f"{where}: another program listens there", hint="stop it first")


# ---------------------------------------------------------------- socket activation


def passed_sockets(environ: Mapping[str, str]) -> list[socket.socket]:
    """Return the listening sockets that systemd has passed on; see sd_listen_fds(3)."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environ.get("LISTEN_FDS", "")
    if not count.isdigit():
        return []
    passed = []
    for fd in range(_LISTEN_FDS_START, _LISTEN_FDS_START + int(count)):
        try:
            os.set_inheritable(fd, False)  # noqa: FBT003
            passed.append(socket.socket(fileno=fd))
        except OSError:
            continue
    return passed


def _is_at(candidate: socket.socket, address: Address) -> bool:
    """Return whether a passed socket is bound to the address of a listener."""
    try:
        name = candidate.getsockname()
    except OSError:
        return False
    if candidate.family == socket.AF_UNIX:
        return address.kind == "unix" and name == address.path
    if address.kind != "tcp" or candidate.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return name[1] == address.port and _same_host(name[0], address.host)


def _same_host(bound: str, wanted: str) -> bool:
    try:
        found = socket.getaddrinfo(_plain(wanted), 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(entry[4][0] == bound for entry in found)
