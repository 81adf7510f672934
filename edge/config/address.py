"""Addresses to listen on: `HOST:PORT`, `[IPv6]:PORT` or `unix:/path`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.errors import ConfigError

PORT_MAX: Final = 65_535
UNIX_PATH_BYTES_MAX: Final = 107  # sun_path of Linux, without its NUL
HOST_CHARACTERS_MAX: Final = 253

_HINT: Final = "write HOST:PORT, [IPv6]:PORT or unix:/path/to/socket"
_EVERY_HOST: Final = "0.0.0.0 is every IPv4 address, [::] every IPv6 address"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: `kind` is "tcp" (host and port) or "unix" (path)."""

    kind: str
    host: str
    port: int
    path: str

    @property
    def family(self) -> str:
        """What kind of host it is: "unix", "ipv4", "ipv6", or "name", which is to be looked up."""
        if self.kind == "unix":
            return "unix"
        if ":" in self.host:
            return "ipv6"
        return "ipv4" if _is_ipv4(self.host) else "name"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it; a unix socket counts.

        A name but `localhost` is not trusted, even if it begins like 127.0.0.1 does.
        """
        family = self.family
        if family == "ipv4":
            return self.host.startswith("127.")
        if family == "ipv6":
            return _packed_ipv6(self.host) == bytes(15) + b"\x01"
        return family == "unix" or self.host.lower() == "localhost"

    def overlaps(self, other: Address) -> bool:
        """Return whether both cannot be listened on at once. Names are not looked up."""
        if self.kind != other.kind or self.port != other.port:
            return False
        if self.kind == "unix":
            return self.path == other.path
        if self.port == 0:
            return False  # each gets a port of its own
        if self.family != other.family:
            return False
        hosts = (_canonical(self), _canonical(other))
        return hosts[0] == hosts[1] or not all(any(host) for host in hosts)


def parse_address(text: str) -> Address:
    """Split the address of a listener.

    Raises:
        ConfigError: the text is none; the message says what is wrong with it.
    """
    if text.startswith("unix:"):
        return _unix(text)
    if "://" in text:
        raise _wrong(text, "is a URL")
    host, colon, port = text.rpartition(":")
    if not colon:
        if _is_port(text):
            hint = f"write 127.0.0.1:{text} or 0.0.0.0:{text}; {_EVERY_HOST}"
            raise _wrong(text, "has no host", hint)
        raise _wrong(text, "has no port")
    if not _is_port(port):
        raise _wrong(text, f"has no port from 0 to {PORT_MAX} behind its last `:`")
    if host in {"", "*"}:
        raise _wrong(text, "has no host", _EVERY_HOST)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if _packed_ipv6(host) is None:
            raise _wrong(text, "has no IPv6 address between its brackets")
    elif ":" in host:
        raise _wrong(text, "has an IPv6 address without brackets")
    elif not _is_name(host):
        raise _wrong(text, "has no host name or IPv4 address before its `:`")
    return Address("tcp", host, int(port), "")


def _unix(text: str) -> Address:
    path = text.removeprefix("unix:")
    if not path.startswith("/"):
        raise _wrong(text, "is no absolute path behind `unix:`")
    if "\0" in path:
        raise _wrong(text, "has U+0000 in its path")
    if len(path.encode(errors="surrogateescape")) > UNIX_PATH_BYTES_MAX:
        raise _wrong(text, f"has a path of more than {UNIX_PATH_BYTES_MAX} bytes")
    return Address("unix", "", 0, path)


def _wrong(text: str, what: str, hint: str = _HINT) -> ConfigError:
    return ConfigError(f"address `{text}` {what}", hint=hint)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= PORT_MAX


def _is_name(host: str) -> bool:
    """Return whether the host is an IPv4 address or may be a name."""
    if host.replace(".", "").isdigit():
        return _is_ipv4(host)
    return len(host) <= HOST_CHARACTERS_MAX and all(
        character.isalnum() or character in "-_." for character in host
    )


def _is_ipv4(host: str) -> bool:
    """Return whether the host is four numbers; Python's socket module would take fewer."""
    parts = host.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in parts
    )


def _packed_ipv6(host: str) -> bytes | None:
    import socket

    try:
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        return None


def _canonical(address: Address) -> bytes:
    """Return the host so that equal ones are equal; all zeros is every address."""
    if address.family == "ipv6":
        return _packed_ipv6(address.host) or b""
    if address.family == "ipv4":
        return bytes(int(part) for part in address.host.split("."))
    return address.host.lower().encode(errors="surrogateescape")
