"""What every broker under test has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bench.credentials import Logins, TlsFiles
    from tools.bench.processes import Command

# Closed runs keep up to publishers * window messages on their way. Brokers that bound queues by
# default would drop some and then be compared by what they lost, so every broker is configured
# with bounds that no scenario reaches.
QUEUE_MESSAGES: int = 1_000_000
INFLIGHT_MESSAGES: int = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One start of a broker: an empty folder of its own, a port on loopback, and extras."""

    folder: Path
    port: int
    tls: TlsFiles | None = None  # serve TLS instead of plain TCP
    logins: Logins | None = None  # besides anonymous clients, these must show the password
    hog_ms: int = 0  # of Python work every 100 ms in the control plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """Which scenarios a broker can take part in."""

    qos_max: int = 2
    has_tls: bool = True
    has_logins: bool = False
    has_hog: bool = False


class Broker(Protocol):
    """A broker that the harness can start."""

    @property
    def name(self) -> str:
        """The word for `--brokers` and the report."""

    @property
    def ability(self) -> Ability:
        """What it can do."""

    def install(self, cache: Path) -> str:
        """Make sure that it can be started and return its version.

        Raises:
            PeerMissingError: it cannot be installed here.
        """

    def command(self, setting: Setting) -> Command:
        """Write its configuration and return how to start it."""
