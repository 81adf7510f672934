"""The seam to the authentication mechanisms of edge.access: which methods are offered, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.access.passwords import PasswordFile


class Mechanism(Protocol):
    """The server's side of one exchange."""

    def step(self, data: bytes) -> tuple[bytes, bool, str]:
        """Take the client's data; return the reply, whether it is over, and then the User Name.

        Raises:
            AccessError: the client has failed.
        """


class _Scram:
    """SCRAM-SHA-256 over the credentials of the password file."""

    def __init__(self, passwords: PasswordFile) -> None:
        from edge.access.scram import ScramServer

        self._server = ScramServer(passwords.scram_credentials)

    def step(self, data: bytes) -> tuple[bytes, bool, str]:
        """Take a SCRAM message."""
        step = self._server.step(data)
        return step.reply, step.done, step.username


def make_mechanism(method: str, passwords: PasswordFile | None, *, scram: bool) -> Mechanism | None:
    """Return a mechanism for a fresh exchange; None if the method is not offered."""
    if method == "SCRAM-SHA-256" and scram and passwords is not None:
        return _Scram(passwords)
    return None
