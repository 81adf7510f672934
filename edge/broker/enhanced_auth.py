"""AUTH: Enhanced Authentication while connecting and re-authentication later, section 4.12.

The mechanism itself lives in edge.access; here is the conversation around it: which packet may come
when, and what is answered. The Authentication Method is fixed by the CONNECT [MQTT-4.12.0-5].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.refusal import ConnectRefusedError
from edge.errors import AccessError, ProtocolViolation
from edge.protocol.decode import decode_auth
from edge.protocol.encode import encode_auth
from edge.protocol.packets import Auth
from edge.protocol.properties import Properties
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.access.enhanced import EnhancedAuthenticator
    from edge.broker.clients import Client
    from edge.broker.connect import PendingConnect
    from edge.broker.context import Context

    MakeMechanism = Callable[[str], EnhancedAuthenticator | None]


class Exchange:
    """One run of a mechanism: from the first data of the client to its name."""

    __slots__ = ("_mechanism", "final_data", "is_done", "method", "username")

    def __init__(self, method: str, mechanism: EnhancedAuthenticator) -> None:
        self.method = method
        self._mechanism = mechanism
        self.is_done = False
        self.final_data: bytes | None = None  # for CONNACK, or the AUTH that ends the exchange
        self.username = ""

    def step(self, data: bytes | None) -> bytes | None:
        """Take the client's data; return what to ask next, None once the client is authenticated.

        Raises:
            AccessError: the client has failed.
        """
        if data is None:
            return b""  # the mechanism begins with the client: ask for its first data
        step = self._mechanism.step(data)
        if not step.done:
            return step.reply
        self.is_done = True
        self.final_data = step.reply or None
        self.username = step.username
        return None


class EnhancedAuth:
    """Leads the exchanges. `make_mechanism` returns None for a method that is not offered."""

    def __init__(self, context: Context, make_mechanism: MakeMechanism) -> None:
        self._context = context
        self.make_mechanism = make_mechanism

    # -- while connecting

    def begin(self, pending: PendingConnect) -> bytes:
        """Start with the data of a CONNECT; return the AUTH to send, b"" once that was enough.

        Raises:
            ConnectRefusedError: unknown method [MQTT-4.12.0-1], or the client has failed.
        """
        properties = pending.connect.properties
        method = properties.authentication_method or ""
        mechanism = self.make_mechanism(method)
        if mechanism is None:
            raise ConnectRefusedError(
                ReasonCode.BAD_AUTHENTICATION_METHOD, "unknown Authentication Method"
            )
        pending.exchange = Exchange(method, mechanism)
        return self._advance(pending, pending.exchange, properties.authentication_data)

    def step(self, pending: PendingConnect, packet: bytes) -> bytes:
        """Go on with an AUTH packet; as begin().

        Raises:
            ProtocolError: the packet is malformed, or does not belong here.
            ConnectRefusedError: the client has failed.
        """
        exchange = pending.exchange
        if exchange is None:
            message = "AUTH without Authentication Method in CONNECT"
            raise ProtocolViolation(message, statement="MQTT-4.12.0-6")
        auth = decode_auth(packet)
        check_auth(auth, exchange.method, ReasonCode.CONTINUE_AUTHENTICATION)
        return self._advance(pending, exchange, auth.properties.authentication_data)

    def _advance(self, pending: PendingConnect, exchange: Exchange, data: bytes | None) -> bytes:
        try:
            reply = exchange.step(data)
        except AccessError as error:
            self._context.counters.authentication_failed += 1
            raise ConnectRefusedError(
                ReasonCode.BAD_USER_NAME_OR_PASSWORD, detail=error.message
            ) from error
        if reply is not None:
            return self._auth_packet(
                ReasonCode.CONTINUE_AUTHENTICATION,
                exchange.method,
                reply,
                pending.connect.properties.maximum_packet_size,
            )
        named = pending.connect.username
        if named is not None and named != exchange.username:
            raise ConnectRefusedError(
                ReasonCode.NOT_AUTHORIZED, detail="CONNECT names another user than the exchange"
            )
        self._context.counters.authentication_succeeded += 1
        return b""

    # -- re-authentication, section 4.12.1

    def on_live_auth(self, client: Client, packet: bytes) -> bytes | None:
        """Handle AUTH of a client that is connected; return the AUTH to send back.

        Returns:
            None if the client has failed: it is to be disconnected [MQTT-4.12.1-2].

        Raises:
            ProtocolError: the packet is malformed, or does not belong here.
        """
        rare = client.rare
        if rare is None or not rare.authentication_method:
            message = "AUTH without Authentication Method in CONNECT"
            raise ProtocolViolation(message, statement="MQTT-4.12.0-7")
        auth = decode_auth(packet)
        exchange = rare.reauthentication
        if exchange is None:
            check_auth(auth, rare.authentication_method, ReasonCode.RE_AUTHENTICATE)
            mechanism = self.make_mechanism(rare.authentication_method)
            if mechanism is None:
                return None  # a reload has taken the method away
            exchange = rare.reauthentication = Exchange(rare.authentication_method, mechanism)
        else:
            check_auth(auth, exchange.method, ReasonCode.CONTINUE_AUTHENTICATION)
        try:
            reply = exchange.step(auth.properties.authentication_data)
        except AccessError:
            self._context.counters.authentication_failed += 1
            return None
        if reply is not None:
            code = ReasonCode.CONTINUE_AUTHENTICATION
            return self._auth_packet(code, exchange.method, reply, client.maximum_packet_size)
        rare.reauthentication = None
        if exchange.username != client.username:
            return None  # proven, but somebody else
        self._context.counters.authentication_succeeded += 1
        return self._auth_packet(
            ReasonCode.SUCCESS, exchange.method, exchange.final_data, client.maximum_packet_size
        )

    @staticmethod
    def _auth_packet(code: int, method: str, data: bytes | None, size_max: int | None) -> bytes:
        properties = Properties(authentication_method=method, authentication_data=data or None)
        return encode_auth(Auth(code, properties), size_max)


def check_auth(auth: Auth, method: str, reason_code: int) -> None:
    """Check that an AUTH is the one that may come now.

    Raises:
        ProtocolViolation: another method [MQTT-4.12.0-5], [MQTT-4.12.1-1], or Reason Code.
    """
    if auth.properties.authentication_method != method:
        message = "AUTH with another Authentication Method than CONNECT"
        raise ProtocolViolation(message, statement="MQTT-4.12.0-5")
    if auth.reason_code != reason_code:
        message = f"AUTH with Reason Code 0x{auth.reason_code:02x} does not belong here"
        raise ProtocolViolation(message)
