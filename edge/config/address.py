"""Listener addresses: `HOST:PORT`, `[IPv6]:PORT` or `unix:/path`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.errors import ConfigError

PORT_MAX: Final = 65_535
UNIX_PATH_BYTES_MAX: Final = 107        # sun_path of Linux, without its NUL

_HINT: Final = "write HOST:PORT, [IPv6]:PORT or unix:/path/to/socket"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: `kind` is "tcp" (host and port) or "unix" (path)."""

    kind: str
    host: str
    port: int
    path: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it; a unix socket counts."""
        if self.kind == "unix":
            return True
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")


def parse_address(text: str) -> Address:
    """Split a listener address.

    Raises:
        ConfigError: the text is none; the message says what is wrong with it.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ConfigError(f"address `{text}`: the path of a unix socket starts with /", hint=_HINT)
        if len(path.encode()) > UNIX_PATH_BYTES_MAX:
            raise ConfigError(
                f"address `{text}`: the path has more than {UNIX_PATH_BYTES_MAX} bytes", hint=_HINT
            )
        return Address("unix", "", 0, path)
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ConfigError(f"address `{text}` has no port", hint=_HINT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"address `{text}`: an IPv6 address stands in brackets", hint=_HINT)
    if not host:
        raise ConfigError(f"address `{text}` has no host; 0.0.0.0 is every IPv4 address", hint=_HINT)
    if not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise ConfigError(f"address `{text}`: the port must be 0 to {PORT_MAX}", hint=_HINT)
    return Address("tcp", host, int(port), "")
