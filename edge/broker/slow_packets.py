"""The packets of a connected client that the engine leaves to us.

SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH, and the CONNECT that must not come twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.subscriptions import suback_code
from edge.errors import ProtocolError, ProtocolViolation
from edge.protocol.decode import decode_disconnect, decode_subscribe, decode_unsubscribe
from edge.protocol.encode import encode_suback, encode_unsuback
from edge.protocol.kinds import PacketKind
from edge.protocol.packets import Suback, Unsuback
from edge.protocol.properties import Properties
from edge.protocol.reason import FAILURE_MIN, ReasonCode

if TYPE_CHECKING:
    from edge.broker.clients import Client
    from edge.broker.context import Context
    from edge.broker.enhanced_auth import EnhancedAuth
    from edge.broker.sessions import Sessions
    from edge.broker.subscriptions import Subscriptions
    from edge.broker.wills import Wills


class SlowPackets:
    """Answers them, then lets the engine read on."""

    def __init__(
        self,
        context: Context,
        sessions: Sessions,
        subscriptions: Subscriptions,
        wills: Wills,
        enhanced: EnhancedAuth,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._wills = wills
        self._enhanced = enhanced

    def on_packet(self, client: Client, packet: bytes) -> None:
        """Handle one packet of a client that is online."""
        kind = packet[0] >> 4
        try:
            if kind == PacketKind.SUBSCRIBE:
                self._on_subscribe(client, packet)
            elif kind == PacketKind.UNSUBSCRIBE:
                self._on_unsubscribe(client, packet)
            elif kind == PacketKind.DISCONNECT:
                self._on_disconnect(client, packet)
            elif kind == PacketKind.AUTH and client.is_v5:
                self._on_auth(client, packet)
            else:
                message = "a second CONNECT" if kind == PacketKind.CONNECT else "a reserved packet"
                raise ProtocolViolation(message, statement="MQTT-3.1.0-2")
        except ProtocolError as error:
            # [MQTT-4.13.1-1]; before 5.0 the connection is just closed [MQTT311-4.8.0-1].
            self._sessions.disconnect(client, error.reason_code, str(error))

    def _on_subscribe(self, client: Client, packet: bytes) -> None:
        subscribe = decode_subscribe(packet, client.protocol_version)
        identifiers = subscribe.properties.subscription_identifiers
        subscription_id = identifiers[0] if identifiers else 0
        outcomes = [
            self._subscriptions.add(client, wanted, subscription_id)
            for wanted in subscribe.subscriptions
        ]
        codes = [
            suback_code(outcome.reason_code, client.protocol_version, wanted.qos)
            for outcome, wanted in zip(outcomes, subscribe.subscriptions, strict=True)
        ]
        refusals = [outcome.text for outcome in outcomes if outcome.reason_code >= FAILURE_MIN]
        self._context.counters.subscribes += len(outcomes) - len(refusals)
        suback = encode_suback(
            Suback(subscribe.packet_id, codes, _reason("; ".join(dict.fromkeys(refusals)))),
            client.protocol_version,
            client.maximum_packet_size,
            problem_information=client.wants_problem_information,
        )
        if not self._answer(client, suback):
            return
        # The SUBACK is out: now what is retained.
        for outcome in outcomes:
            self._subscriptions.send_retained(client, outcome)
        self._context.engine.resume(client.connection)

    def _on_unsubscribe(self, client: Client, packet: bytes) -> None:
        unsubscribe = decode_unsubscribe(packet, client.protocol_version)
        codes = [
            self._subscriptions.remove(client, topic_filter)
            for topic_filter in unsubscribe.topic_filters
        ]
        self._context.counters.unsubscribes += codes.count(ReasonCode.SUCCESS)
        unsuback = encode_unsuback(
            Unsuback(unsubscribe.packet_id, codes),
            client.protocol_version,
            client.maximum_packet_size,
            problem_information=client.wants_problem_information,
        )
        if self._answer(client, unsuback):
            self._context.engine.resume(client.connection)

    def _answer(self, client: Client, packet: bytes) -> bool:
        """Send it. False: it is above the client's Maximum Packet Size: the connection ends."""
        if packet:
            self._context.engine.send(client.connection, packet)
            return True
        # It must not be sent, and the client must not wait for it for ever [MQTT-3.1.2-24].
        self._sessions.disconnect(client, ReasonCode.PACKET_TOO_LARGE)
        return False

    def _on_disconnect(self, client: Client, packet: bytes) -> None:
        disconnect = decode_disconnect(packet, client.protocol_version)
        if disconnect.properties.server_reference is not None:
            message = "Server Reference from a client"
            raise ProtocolViolation(message)
        expiry_s = disconnect.properties.session_expiry_interval_s
        if expiry_s is not None and not self._sessions.change_expiry(client, expiry_s):
            message = "Session Expiry Interval was 0 in CONNECT"
            raise ProtocolViolation(message)
        if disconnect.reason_code == ReasonCode.NORMAL_DISCONNECTION:
            self._wills.cancel(client)  # [MQTT-3.14.4-3]
        self._context.engine.close(client.connection, b"", disconnect.reason_code)
        self._sessions.leave(client, "disconnected")

    def _on_auth(self, client: Client, packet: bytes) -> None:
        auth = self._enhanced.on_live_auth(client, packet)
        if auth is None:
            self._sessions.disconnect(client, ReasonCode.NOT_AUTHORIZED)
        elif self._answer(client, auth):
            self._context.engine.resume(client.connection)


def _reason(text: str) -> Properties:
    return Properties(reason_string=text) if text else Properties()
