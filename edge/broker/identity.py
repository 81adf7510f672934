"""Who a CONNECT comes from: address, certificate, User Name and Client Identifier.

Pure functions over the packet and the settings; passwords are checked elsewhere.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from edge.broker.refusal import ConnectRefusedError
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from edge.broker.settings import ListenerPolicy
    from edge.config.schema import SessionConfig
    from edge.protocol.packets import Connect


# Event.peer of a connection over a unix socket.
LOCAL: Final = "local"


class Peer:
    """The other end: its address, and what its TLS certificate says."""

    __slots__ = ("address", "common_name", "subject", "text")

    def __init__(self, raw: bytes) -> None:
        """Read Event.peer: address NUL common-name NUL subject; each may be missing."""
        fields = raw.decode("utf-8", "replace").split("\0")
        self.text = fields[0]
        self.common_name = fields[1] if len(fields) > 1 else ""
        self.subject = fields[2] if len(fields) > 2 else ""
        self.address = address_of(self.text)


def address_of(text: str) -> str:
    """Return the IP address of `1.2.3.4:5`, `[::1]:5` or a bare address; "" for a unix socket."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") == 1:
        return text.partition(":")[0]
    return "" if text == LOCAL else text


class Identity:
    """Who a client says it is, or has proven to be with its certificate."""

    __slots__ = ("client_id", "is_assigned", "is_proven", "username")

    def __init__(self, client_id: str, username: str | None) -> None:
        self.client_id = client_id
        self.username = username
        self.is_assigned = False  # the server made the Client Identifier
        self.is_proven = False  # the User Name comes from a verified certificate


def identify(
    connect: Connect, peer: Peer, policy: ListenerPolicy, session: SessionConfig
) -> Identity:
    """Find User Name and Client Identifier.

    Raises:
        ConnectRefusedError: the Client Identifier is not acceptable [MQTT-3.1.3-8], or the listener
            names clients by certificate and this one has no name there.
    """
    identity = Identity(connect.client_id, connect.username)
    # Where certificates are required, an empty subject must not fall back to a claimed name.
    has_certificate = policy.certificate_required or peer.common_name or peer.subject
    if policy.username_from != "none" and has_certificate:
        name = peer.common_name if policy.username_from == "common_name" else peer.subject
        if not name:
            raise ConnectRefusedError(
                ReasonCode.BAD_USER_NAME_OR_PASSWORD, detail="the certificate has no such name"
            )
        identity.username = name
        identity.is_proven = True
    if session.client_id_from == "username" and identity.username:
        identity.client_id = identity.username
    if len(identity.client_id.encode()) > session.client_id_bytes_max:
        raise ConnectRefusedError(
            ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "Client Identifier is too long"
        )
    if not identity.client_id:
        if not session.client_id_empty_allowed:
            raise ConnectRefusedError(
                ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, "Client Identifier is empty"
            )
        identity.client_id = session.client_id_prefix + os.urandom(9).hex()  # [MQTT-3.1.3-6]
        identity.is_assigned = True
    return identity
