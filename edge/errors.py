"""One tree of typed errors: each says what is wrong, where, and what to do next."""

from __future__ import annotations


class EdgeError(Exception):
    """Root of everything this package raises on purpose.

    Args:
        message: what is wrong and where, in one sentence.
        hint: what the operator can do next; empty if there is nothing to add.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message, with the hint behind it."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(EdgeError):
    """A configuration file, environment variable or command line value cannot be used."""


class AccessError(EdgeError):
    """A password, ACL or certificate file cannot be used."""


class ListenError(EdgeError):
    """A listener cannot be opened."""


class ControlError(EdgeError):
    """A command could not be carried out by the running broker."""


class ProtocolError(EdgeError):
    """A client's packet breaks the MQTT specification.

    Args:
        message: what is wrong.
        reason_code: the MQTT 5.0 Reason Code to answer with, 0x80 or above.
        statement: the normative statement, e.g. `MQTT-3.1.0-2`.
    """

    def __init__(self, message: str, *, reason_code: int, statement: str = "") -> None:
        super().__init__(f"{message} [{statement}]" if statement else message)
        self.reason_code = reason_code
        self.statement = statement


class MalformedPacket(ProtocolError):
    """The packet cannot be parsed: Reason Code 0x81."""

    def __init__(self, message: str, *, statement: str = "", reason_code: int = 0x81) -> None:
        super().__init__(message, reason_code=reason_code, statement=statement)


class ProtocolViolation(ProtocolError):
    """The packet parses and is not allowed here: Reason Code 0x82 unless another fits better."""

    def __init__(self, message: str, *, statement: str = "", reason_code: int = 0x82) -> None:
        super().__init__(message, reason_code=reason_code, statement=statement)
