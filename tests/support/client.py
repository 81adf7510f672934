"""A synchronous MQTT client that hides nothing: it sends bytes and says what came back.

Each wait has a deadline and ends as soon as the expected packet (or the close) is there. That
nothing arrives is shown with PINGREQ: what the Server had to send is there before PINGRESP.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Self, TypeVar

from tests.support.packets import (
    MQTT_3_1,
    MQTT_5,
    Ack,
    Connack,
    Connect,
    Farewell,
    Packet,
    Ping,
    Publish,
    Suback,
    Subscribe,
    Unsubscribe,
    decode,
    type_of,
)
from tests.support.wire import PacketType, Properties, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

DEADLINE_S: Final = float(os.environ.get("EDGE_TEST_DEADLINE_S", "5"))
RECEIVE_BYTES: Final = 65_536

AnyPacket = TypeVar("AnyPacket", Connack, Publish, Ack, Suback, Ping, Farewell)


def connect_socket(address: tuple[str, int] | str) -> socket.socket:
    """Open a TCP connection, or one to a unix socket if the address is a path."""
    if isinstance(address, str):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(DEADLINE_S)
        link.connect(address)
        return link
    link = socket.create_connection(address, timeout=DEADLINE_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


class Client:
    """One Network Connection; `version` says how its packets are written and read."""

    def __init__(self, link: socket.socket, version: int = MQTT_5) -> None:
        self.version = version
        self.client_id = ""
        self.connack = Connack()
        self.is_closed = False
        self.packet_bytes_seen_max = 0
        self.link = link
        self._buffer = bytearray()
        self._deferred: deque[Packet] = deque()
        self._packet_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ sending

    def send(self, *packets: Packet | bytes) -> None:
        """Send packets, or raw bytes, in one piece."""
        data = b"".join(
            packet if isinstance(packet, bytes) else packet.encode(self.version)
            for packet in packets
        )
        # Whether the Server has closed is what the next expectation sees.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.link.sendall(data)

    def next_packet_id(self) -> int:
        """A Packet Identifier that this connection has not used yet."""
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    # ------------------------------------------------------------------ receiving

    def receive(self, deadline_s: float = DEADLINE_S) -> Packet | None:
        """The next packet in order of arrival, or None once the Server has closed."""
        if self._deferred:
            return self._deferred.popleft()
        return self._read_packet(time.monotonic() + deadline_s)

    def expect(self, kind: type[AnyPacket], deadline_s: float = DEADLINE_S) -> AnyPacket:
        """The next packet, which must be of this kind."""
        packet = self.receive(deadline_s)
        if not isinstance(packet, kind):
            raise AssertionError(f"expected {kind.__name__}, got {describe(packet)}")
        return packet

    def expect_ack(self, packet_type: PacketType, packet_id: int | None = None) -> Ack:
        """The next packet, which must be this acknowledgement."""
        ack = self.expect(Ack)
        if ack.type is not packet_type or packet_id not in (None, ack.packet_id):
            raise AssertionError(f"expected {packet_type.name} {packet_id}, got {ack}")
        return ack

    def wait_for(self, packet_type: PacketType, packet_id: int | None = None) -> Packet:
        """The next packet of this type; others that come before it are kept for later."""
        kept: list[Packet] = []
        while True:
            packet = self.receive()
            if packet is None:
                raise AssertionError(f"closed before {packet_type.name}, after {kept}")
            has_id = packet_id is None or getattr(packet, "packet_id", None) == packet_id
            if type_of(packet) is packet_type and has_id:
                self._deferred.extendleft(reversed(kept))
                return packet
            kept.append(packet)

    def expect_close(self, deadline_s: float = DEADLINE_S) -> None:
        """The Server closes and sends nothing before it does."""
        packet = self.receive(deadline_s)
        if packet is not None:
            raise AssertionError(f"expected the close, got {describe(packet)}")

    def expect_disconnect(
        self, reason_codes: int | Iterable[int], deadline_s: float = DEADLINE_S
    ) -> Farewell | None:
        """The Server gives up: DISCONNECT with one of these codes (5.0 only), then the close."""
        if self.version != MQTT_5:
            self.expect_close(deadline_s)
            return None
        farewell = self.expect(Farewell, deadline_s)
        assert farewell.type is PacketType.DISCONNECT, farewell
        _check_code("DISCONNECT", farewell.reason_code, reason_codes)
        self.expect_close()
        return farewell

    def expect_refusal(self, reason_codes: int | Iterable[int], *, may_be_silent: bool) -> None:
        """The Server refuses a CONNECT: CONNACK with one of these codes, or only the close."""
        packet = self.receive()
        if packet is None and may_be_silent:
            return
        if not isinstance(packet, Connack):
            raise AssertionError(f"expected CONNACK, got {describe(packet)}")
        _check_code("CONNACK", packet.reason_code, reason_codes)
        self.expect_close()

    def collect(self) -> list[Packet]:
        """All that the Server had for us: whatever comes before the answer to a PINGREQ."""
        self.send(Ping(PacketType.PINGREQ))
        collected: list[Packet] = []
        while True:
            packet = self.receive()
            if packet is None:
                raise AssertionError(f"closed before PINGRESP, after {collected}")
            if packet == Ping(PacketType.PINGRESP):
                return collected
            collected.append(packet)

    def expect_nothing(self) -> None:
        """The Server has nothing for us and is alive."""
        collected = self.collect()
        assert not collected, f"expected nothing, got {collected}"

    # ------------------------------------------------------------------ whole exchanges

    def subscribe(
        self,
        *topic_filters: str,
        qos: int = 0,
        options: int = 0,
        properties: Properties | None = None,
    ) -> list[int]:
        """Subscribe to each filter with these options and return the Reason Codes."""
        packet_id = self.next_packet_id()
        pairs: list[tuple[str | bytes, int]] = [(each, qos | options) for each in topic_filters]
        self.send(Subscribe(packet_id, pairs, properties or {}))
        suback = self.wait_for(PacketType.SUBACK, packet_id)
        assert isinstance(suback, Suback)
        return suback.reason_codes

    def unsubscribe(self, *topic_filters: str) -> list[int]:
        """Unsubscribe from each filter and return the Reason Codes."""
        packet_id = self.next_packet_id()
        self.send(Unsubscribe(packet_id, list(topic_filters)))
        unsuback = self.wait_for(PacketType.UNSUBACK, packet_id)
        assert isinstance(unsuback, Suback)
        return unsuback.reason_codes

    def publish(
        self,
        topic_name: str,
        payload: bytes = b"",
        qos: int = 0,
        *,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> Ack | None:
        """Publish and go through the handshake; returns PUBACK or PUBREC.

        At QoS 0 a PINGRESP shows that the Server has taken the message.
        """
        packet_id = self.next_packet_id() if qos else None
        self.send(
            Publish(
                topic_name=topic_name,
                payload=payload,
                qos=qos,
                retain=retain,
                packet_id=packet_id,
                properties=properties or {},
            )
        )
        if packet_id is None:
            self.send(Ping(PacketType.PINGREQ))
            self.wait_for(PacketType.PINGRESP)
            return None
        answer = self.wait_for(PacketType.PUBACK if qos == 1 else PacketType.PUBREC, packet_id)
        assert isinstance(answer, Ack)
        if qos == 2 and answer.reason_code < 0x80:
            self.send(Ack(PacketType.PUBREL, packet_id))
            self.wait_for(PacketType.PUBCOMP, packet_id)
        return answer

    def take(self, deadline_s: float = DEADLINE_S) -> Publish:
        """The next packet, which must be PUBLISH, acknowledged as its QoS asks for."""
        message = self.expect(Publish, deadline_s)
        self.acknowledge(message)
        return message

    def acknowledge(self, message: Publish) -> None:
        """Acknowledge a PUBLISH to the end of its handshake."""
        if message.packet_id is None:
            return
        if message.qos == 1:
            self.send(Ack(PacketType.PUBACK, message.packet_id))
            return
        self.send(Ack(PacketType.PUBREC, message.packet_id))
        self.wait_for(PacketType.PUBREL, message.packet_id)
        self.send(Ack(PacketType.PUBCOMP, message.packet_id))

    # ------------------------------------------------------------------ ends

    def disconnect(self, reason_code: int = 0, properties: Properties | None = None) -> None:
        """Say DISCONNECT and wait until the Server has closed too."""
        self.send(Farewell(PacketType.DISCONNECT, reason_code, properties or {}))
        self._finish()

    def drop(self) -> None:
        """End the Network Connection without DISCONNECT and wait until the Server has noticed."""
        self._finish()

    def close(self) -> None:
        """Close our side at once; for the end of a test."""
        self.is_closed = True
        self.link.close()

    def _finish(self) -> None:
        with contextlib.suppress(OSError):  # the Server was faster
            self.link.shutdown(socket.SHUT_WR)
        while self.receive() is not None:
            pass
        self.close()

    # ------------------------------------------------------------------ bytes

    def _read_packet(self, deadline_mono_s: float) -> Packet | None:
        while True:
            packet = self._cut_packet()
            if packet is not None:
                return packet
            if self.is_closed or not self._fill(deadline_mono_s):
                self.is_closed = True
                if self._buffer:
                    raise WireError(f"closed inside a packet: {self._buffer.hex()}")
                return None

    def _fill(self, deadline_mono_s: float) -> bool:
        left_s = deadline_mono_s - time.monotonic()
        if left_s <= 0:
            raise AssertionError(f"nothing came in time; unread: {self._buffer.hex()!r}")
        self.link.settimeout(left_s)
        try:
            data = self.link.recv(RECEIVE_BYTES)
        except TimeoutError:
            raise AssertionError(f"nothing came in time; unread: {self._buffer.hex()!r}") from None
        except ConnectionResetError:
            return False
        finally:
            if self.link.fileno() >= 0:
                self.link.settimeout(DEADLINE_S)
        self._buffer += data
        return bool(data)

    def _cut_packet(self) -> Packet | None:
        length = 0
        for index in range(1, 5):
            if index >= len(self._buffer):
                return None
            length |= (self._buffer[index] & 0x7F) << (7 * (index - 1))
            if not self._buffer[index] & 0x80:
                if index > 1 and not self._buffer[index]:
                    raise WireError("Remaining Length is longer than it must be")
                end = index + 1 + length
                if len(self._buffer) < end:
                    return None
                first_byte, body = self._buffer[0], bytes(self._buffer[index + 1 : end])
                del self._buffer[:end]
                self.packet_bytes_seen_max = max(self.packet_bytes_seen_max, end)
                return decode(first_byte, body, self.version)
        raise WireError(f"Remaining Length has more than four bytes: {self._buffer[:8].hex()}")


def open_client(
    address: tuple[str, int] | str, connect: Connect, *, reason_code: int = 0
) -> Client:
    """Connect, expect a CONNACK with this code and return the client."""
    client = Client(connect_socket(address), connect.version)
    client.send(connect)
    client.connack = client.expect(Connack)
    assert client.connack.reason_code == reason_code, client.connack
    if isinstance(connect.client_id, str):
        client.client_id = connect.client_id
    return client


def describe(packet: Packet | None) -> str:
    """A packet for an error message."""
    return "the close" if packet is None else repr(packet)


def _check_code(where: str, reason_code: int, allowed: int | Iterable[int]) -> None:
    codes = {allowed} if isinstance(allowed, int) else set(allowed)
    names = ", ".join(f"0x{code:02x}" for code in sorted(codes))
    assert reason_code in codes, f"{where} has code 0x{reason_code:02x}, expected {names}"


__all__ = ["DEADLINE_S", "MQTT_3_1", "Client", "connect_socket", "describe", "open_client"]
