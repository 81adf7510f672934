"""Enhanced Authentication, MQTT 5.0 section 4.12: the mechanisms, and how to add one.

A mechanism is a class with step(), made anew for each exchange, and a line in METHODS. Which packet
carries what, and who may send it when, is the broker's business: a mechanism sees Authentication
Data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.access.passwords import PasswordFile


class AuthenticationStep(Protocol):
    """What comes of one message of the client."""

    @property
    def reply(self) -> bytes:
        """Authentication Data for the client; may be empty."""

    @property
    def done(self) -> bool:
        """Whether the client is authenticated; until then another message is needed."""

    @property
    def username(self) -> str:
        """Who it is, once done."""


class EnhancedAuthenticator(Protocol):
    """The server's side of one exchange."""

    def step(self, data: bytes) -> AuthenticationStep:
        """Take Authentication Data of the client, the first of it from CONNECT. Must be quick.

        Raises:
            AccessError: the client has failed, and the exchange is over.
        """


def _scram_sha_256(passwords: PasswordFile) -> EnhancedAuthenticator:
    from edge.access.scram import ScramServer

    return ScramServer(passwords.scram_credentials)


# Authentication Method -> what makes its mechanism.
METHODS: Final[Mapping[str, Callable[[PasswordFile], EnhancedAuthenticator]]] = {
    "SCRAM-SHA-256": _scram_sha_256,
}
