"""How the control plane says no to a client: as an exception, and as the packet that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.protocol.encode import encode_disconnect
from edge.protocol.packets import Disconnect
from edge.protocol.properties import Properties

if TYPE_CHECKING:
    from edge.broker.clients import Client


class ConnectRefusedError(Exception):
    """A CONNECT is not accepted.

    Args:
        reason_code: of MQTT 5.0, 0x80 or above.
        text: for the Reason String; must not tell a stranger more than the code does.
        detail: for the log only.
    """

    def __init__(self, reason_code: int, text: str = "", *, detail: str = "") -> None:
        super().__init__(text or detail)
        self.reason_code = reason_code
        self.text = text
        self.detail = detail or text


def disconnect_packet(client: Client, reason_code: int, text: str = "") -> bytes:
    """Return the DISCONNECT for a client; no bytes for MQTT 3.x, which has none from servers."""
    properties = Properties(reason_string=text) if text else Properties()
    return encode_disconnect(
        Disconnect(reason_code, properties), client.protocol_version, client.maximum_packet_size
    )
