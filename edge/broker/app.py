"""The way in: run the broker in this process.

Kept apart from the server so that trio can be imported lean, before anybody else imports it.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

from edge.broker.system import raise_file_limit

if TYPE_CHECKING:
    from edge.config.schema import EdgeConfig

# What trio imports for its TLS and DTLS streams, which the broker never makes: TLS is the pump's.
# Without them an idle broker has 16 instead of 19 MiB (Python 3.11, OpenSSL 3).
_UNUSED_BY_US: Final = ("ssl", "hmac")


def run(config: EdgeConfig, *, config_path: str | None) -> int:
    """Run the broker until a signal ends it.

    Args:
        config: the checked configuration, with what the command line changed in it.
        config_path: the file to read again at SIGHUP; None: there is none.

    Returns:
        The exit status of the process.

    Raises:
        ListenError: an address cannot be listened on.
        AccessError: a password, ACL or certificate file cannot be used.
    """
    raise_file_limit()
    import_trio_lean()
    import trio

    from edge.broker.server import serve

    trio.run(serve, config, config_path, os.environ)
    return 0


class _Absent(ModuleType):
    """Stands in for a module while another one is imported that only mentions it."""

    def __getattr__(self, name: str) -> type[Exception]:
        """Return some class: it may be caught or named, and never comes up."""
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


def import_trio_lean() -> None:
    """Import trio without the modules that its unused parts need.

    Whoever imports one of these modules later gets the real one. Does nothing if trio is there.
    """
    if "trio" in sys.modules:
        return
    absent = [name for name in _UNUSED_BY_US if name not in sys.modules]
    for name in absent:
        sys.modules[name] = _Absent(name)
    try:
        import trio  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]
