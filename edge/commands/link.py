"""A blocking MQTT connection for `pub` and `sub`: sockets around edge/protocol/client.py."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Final

from edge.errors import EdgeError, ProtocolError
from edge.protocol import client
from edge.protocol.kinds import MQTT_5, PacketKind
from edge.protocol.packets import Connack, Connect, Disconnect
from edge.protocol.reason import FAILURE_MIN, reason_name

if TYPE_CHECKING:
    import ssl

    from edge.protocol.client import Publish

CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 30.0

_RECEIVE_BYTES: Final = 65_536

# What a client can do about a refusal, by Reason Code, or Return Code of MQTT 3.1.1.
_HINTS: Final = {
    1: "try another MQTT version with -V",
    2: "try another Client Identifier with --id",
    4: "check User Name and Password: -u and -P",
    5: "name a User Name and Password: -u and -P",
    0x84: "try another MQTT version with -V",
    0x85: "try another Client Identifier with --id",
    0x86: "check User Name and Password: -u and -P",
    0x87: "name a User Name and Password: -u and -P",
}

_RETURN_CODES: Final = (
    "accepted",
    "unacceptable protocol version",
    "identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorized",
)


class LinkError(EdgeError):
    """The broker cannot be reached, refuses, or has closed the connection."""


class Address:
    """Where the broker is: a host and port, or the path of a unix socket."""

    __slots__ = ("host", "path", "port", "tls")

    def __init__(self, host: str, port: int, path: str | None, tls: ssl.SSLContext | None) -> None:
        self.host = host
        self.port = port
        self.path = path
        self.tls = tls

    def __str__(self) -> str:
        """Return it as error messages name it."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """Open the socket, with TLS if it is asked for.

        Raises:
            LinkError: nobody listens there, or the certificates do not fit.
        """
        try:
            if self.path is not None:
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.settimeout(CONNECT_TIMEOUT_S)
                connection.connect(self.path)
                return connection
            connection = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is None:
                return connection
            return self.tls.wrap_socket(connection, server_hostname=self.host)
        except OSError as error:  # ssl.SSLError is one too
            reason = error.strerror or str(error)
            message = f"cannot connect to {self}: {reason}"
            hint = "is a broker listening there?"
            if type(error).__module__ == "ssl":
                hint = (
                    "name the broker's authority with --ca-file; or does that port expect no TLS?"
                )
            raise LinkError(message, hint=hint) from error


class Link:
    """One Network Connection. Sends PINGREQ by itself while it waits."""

    __slots__ = (
        "_buffer",
        "_connection",
        "_keep_alive_s",
        "_sent_mono_s",
        "address",
        "close_hint",
        "protocol_version",
    )

    def __init__(self, address: Address, connection: socket.socket, connect: Connect) -> None:
        self.address = address
        self.protocol_version = connect.protocol_version
        # What to say if the broker closes without a word.
        self.close_hint = "" if address.tls else "does that port expect TLS? see --tls"
        self._connection = connection
        self._keep_alive_s = connect.keep_alive_s
        self._buffer = bytearray()
        self._sent_mono_s = time.monotonic()

    def fileno(self) -> int:
        """Return the socket's file descriptor, for select."""
        return self._connection.fileno()

    def send(self, packet: bytes) -> None:
        """Send a whole Control Packet."""
        try:
            self._connection.settimeout(ANSWER_TIMEOUT_S)
            self._connection.sendall(packet)
        except OSError as error:
            raise self._lost(error) from error
        self._sent_mono_s = time.monotonic()

    def receive(self, timeout_s: float | None = None) -> bytes | None:
        """Return the next Control Packet, answers to our PINGREQ aside.

        Args:
            timeout_s: how long to wait; None: for ever, 0: not at all.

        Returns:
            The packet, or None after `timeout_s`.

        Raises:
            LinkError: the broker has closed the connection; with the reason, if it said one.
        """
        deadline_mono_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            packet = self._take()
            if packet == client.PINGRESP:
                continue
            if packet is not None:
                return packet
            wait_s = self._ping_if_due()
            if deadline_mono_s is not None:
                left_s = max(0.0, deadline_mono_s - time.monotonic())
                wait_s = left_s if wait_s is None else min(left_s, wait_s)
            if not self._fill(wait_s) and (
                deadline_mono_s is not None and time.monotonic() >= deadline_mono_s
            ):
                return None

    def expect(self, kind: PacketKind, what: str) -> bytes:
        """Return the next packet, which must be of one kind.

        Raises:
            LinkError: it does not come in time, or another comes.
        """
        packet = self.receive(ANSWER_TIMEOUT_S)
        if packet is None:
            message = f"{self.address}: no {kind.name} within {ANSWER_TIMEOUT_S:.0f} s"
            raise LinkError(message, hint=what)
        if client.packet_kind(packet) is not kind:
            message = f"{self.address}: {client.packet_kind(packet).name} in place of {kind.name}"
            raise LinkError(message, hint="is that an MQTT broker?")
        return packet

    def set_keep_alive(self, keep_alive_s: int) -> None:
        """Take over the Server Keep Alive [MQTT-3.2.2-21]."""
        self._keep_alive_s = keep_alive_s

    def close(self, *, with_will: bool = False) -> None:
        """Say DISCONNECT and close; failures no longer matter."""
        disconnect = Disconnect(0x04 if with_will else 0)
        try:
            self._connection.settimeout(CONNECT_TIMEOUT_S)
            self._connection.sendall(client.encode_disconnect(disconnect, self.protocol_version))
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Close without DISCONNECT, as after an error."""
        self._connection.close()

    def next_ping_s(self) -> float | None:
        """Return how long until a PINGREQ is due; None if never."""
        if self._keep_alive_s == 0:
            return None
        # Half of Keep Alive leaves room for a slow network.
        due_mono_s = self._sent_mono_s + self._keep_alive_s / 2
        return max(0.0, due_mono_s - time.monotonic())

    def _ping_if_due(self) -> float | None:
        """Send PINGREQ if it is time; return how long until the next."""
        wait_s = self.next_ping_s()
        if wait_s == 0.0:
            self.send(client.PINGREQ)
            wait_s = self.next_ping_s()
        return wait_s

    def _take(self) -> bytes | None:
        """Take a packet out of the buffer; a DISCONNECT ends the link."""
        try:
            packet = client.take_packet(self._buffer)
            if packet is None or client.packet_kind(packet) is not PacketKind.DISCONNECT:
                return packet
            said = client.decode_disconnect(packet)
        except ProtocolError as error:
            message = f"{self.address}: {error.message}"
            raise LinkError(message, hint="is that an MQTT broker?") from error
        text = said.properties.reason_string
        message = f"{self.address}: the broker closed the connection: " + explain(
            said.reason_code, text
        )
        raise LinkError(message)

    def _fill(self, wait_s: float | None) -> bool:
        """Wait for bytes and add them to the buffer; False if none came."""
        pending = getattr(self._connection, "pending", None)  # TLS may hold decrypted bytes
        if pending is None or not pending():
            ready, _, _ = select.select([self._connection], [], [], wait_s)
            if not ready:
                return False
        try:
            self._connection.settimeout(ANSWER_TIMEOUT_S)
            data = self._connection.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            message = f"{self.address}: the broker closed the connection"
            raise LinkError(message, hint=self.close_hint)
        self._buffer += data
        return True

    def _lost(self, error: OSError) -> LinkError:
        """Return why the connection is lost; the broker may have said it before."""
        try:
            while self._take() is not None:
                pass
        except LinkError as said:
            return said
        reason = error.strerror or str(error)
        return LinkError(f"{self.address}: the connection is lost: {reason}")


def explain(reason_code: int, reason_string: str | None) -> str:
    """Return a Reason Code in words, with what the broker adds."""
    text = f"{reason_name(reason_code)} (0x{reason_code:02x})"
    return f"{text}: {reason_string!r}" if reason_string else text


def open_link(address: Address, connect: Connect) -> tuple[Link, Connack]:
    """Connect, send CONNECT and wait for the CONNACK.

    Raises:
        LinkError: the broker cannot be reached or refuses.
    """
    link = Link(address, address.connect(), connect)
    try:
        link.send(client.encode_connect(connect))
        packet = link.expect(PacketKind.CONNACK, "is that an MQTT broker?")
        connack = client.decode_connack(packet, connect.protocol_version)
        if connack.reason_code:
            raise _refused(address, connack, connect.protocol_version)
    except ProtocolError as error:
        link.abandon()
        message = f"{address}: {error.message}"
        raise LinkError(message, hint="is that an MQTT broker?") from error
    except BaseException:
        link.abandon()
        raise
    link.close_hint = ""
    if connack.properties.server_keep_alive_s is not None:
        link.set_keep_alive(connack.properties.server_keep_alive_s)
    return link, connack


def _refused(address: Address, connack: Connack, protocol_version: int) -> LinkError:
    code = connack.reason_code
    if protocol_version == MQTT_5 and code >= FAILURE_MIN:
        reason = explain(code, connack.properties.reason_string)
    elif code < len(_RETURN_CODES):
        reason = f"{_RETURN_CODES[code]} (return code {code})"
    else:
        reason = f"return code {code}"
    message = f"{address} refused the connection: {reason}"
    return LinkError(message, hint=_HINTS.get(code, ""))


def check_ack(ack: client.Ack, publish: Publish) -> None:
    """Raise LinkError if an acknowledgement says that the message was not taken."""
    if ack.reason_code >= FAILURE_MIN:
        reason = explain(ack.reason_code, ack.properties.reason_string)
        message = f"the message to `{publish.topic}` was refused: {reason}"
        raise LinkError(message)
