"""Section 6: MQTT over WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support import configs
from tests.support.client import Client, connect_socket
from tests.support.packets import Connack, Connect, Publish, Subscribe
from tests.support.versions import all_versions, both_versions
from tests.support.websocket import BINARY, CONTINUATION, PING, TEXT, WebSocket, websocket_client

if TYPE_CHECKING:
    from tests.conftest import MqttFactory
    from tests.support.broker import BrokerPool
    from tests.support.mqtt import Mqtt

OpenWebSocket = Callable[..., WebSocket]


@pytest.fixture
def mqtt(mqtt_with: MqttFactory) -> Mqtt:
    """A broker with a TCP and a WebSocket listener; the witness is on TCP."""
    return mqtt_with(configs.TCP_AND_WEBSOCKET)


@pytest.fixture
def open_websocket(mqtt: Mqtt, broker_pool: BrokerPool) -> Iterator[OpenWebSocket]:
    """Open a WebSocket to the second listener; closed after the test."""
    opened: list[WebSocket] = []

    def open_one(**options: object) -> WebSocket:
        address = broker_pool.get(configs.TCP_AND_WEBSOCKET).address_2
        link = WebSocket(connect_socket(address), **options)  # type: ignore[arg-type]
        opened.append(link)
        return link

    yield open_one
    for link in opened:
        link.close()


def connected(mqtt: Mqtt, link: WebSocket, version: int = 5) -> Client:
    """An MQTT client on the WebSocket, after CONNACK."""
    client = websocket_client(link, version)
    client.send(Connect(version=version, client_id=mqtt.new_client_id()))
    assert client.expect(Connack).reason_code == 0
    return client


@pytest.mark.spec("MQTT-6.0.0-4", "MQTT311-6.0.0-4")
@pytest.mark.parametrize("offer", ["mqtt", "chat, mqtt", "mqtt,mqttv3.1"])
def test_server_selects_the_subprotocol_mqtt(open_websocket: OpenWebSocket, offer: str) -> None:
    """Goal: whatever else is offered, mqtt is selected."""
    link = open_websocket(subprotocols=offer)
    assert link.status == 101
    assert link.headers["sec-websocket-protocol"] == "mqtt"


@pytest.mark.spec("MQTT-6.0.0-4", "MQTT311-6.0.0-4")
@pytest.mark.parametrize("offer", [None, "chat", "MQTT"])
def test_server_selects_no_other_subprotocol(
    open_websocket: OpenWebSocket, offer: str | None
) -> None:
    """Goal: a client that does not offer mqtt is refused, or at least told no other name."""
    link = open_websocket(subprotocols=offer)
    assert link.headers.get("sec-websocket-protocol") in (None, "mqtt")
    if offer is not None:
        assert link.status != 101 or "sec-websocket-protocol" not in link.headers


@pytest.mark.spec("MQTT-6.0.0-1", "MQTT311-6.0.0-1", "MQTT-4.2-1")
@all_versions
def test_packets_travel_in_binary_frames(
    mqtt: Mqtt, open_websocket: OpenWebSocket, version: int
) -> None:
    """Goal: all that the server sends is binary, and messages pass between TCP and WebSocket."""
    link = open_websocket()
    client = connected(mqtt, link, version)
    client.subscribe(mqtt.topic(), qos=1)
    mqtt.connect().publish(mqtt.topic(), b"down", qos=1)
    assert client.take().payload == b"down"
    watcher = mqtt.connect()
    watcher.subscribe(mqtt.topic("up"))
    client.publish(mqtt.topic("up"), b"up", qos=2)
    assert watcher.take().payload == b"up"
    assert set(link.frames_from_server) <= {BINARY, CONTINUATION}


@pytest.mark.spec("MQTT-6.0.0-1", "MQTT311-6.0.0-1")
@both_versions
@pytest.mark.parametrize("before_connect", [True, False])
def test_text_frame_ends_the_connection(
    mqtt: Mqtt, open_websocket: OpenWebSocket, version: int, *, before_connect: bool
) -> None:
    """Goal: a text frame is not MQTT, whatever its bytes."""
    link = open_websocket()
    client = websocket_client(link, version) if before_connect else connected(mqtt, link, version)
    link.send_frame(TEXT, b"\xc0\x00" if before_connect else b"hello")
    while client.receive() is not None:
        pass


@pytest.mark.spec("MQTT-6.0.0-2", "MQTT311-6.0.0-2")
@both_versions
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
def test_packets_and_frames_need_not_line_up(
    mqtt: Mqtt, open_websocket: OpenWebSocket, version: int, size: int
) -> None:
    """Goal: one byte in a frame, or several packets in one, mean the same."""
    data = b"".join(
        [
            Connect(version=version, client_id=mqtt.new_client_id()).encode(),
            Subscribe(1, [(mqtt.topic(), 0)]).encode(version),
            Publish(topic_name=mqtt.topic(), payload=b"x" * 200).encode(version),
        ]
    )
    link = open_websocket()
    for start in range(0, len(data), size):
        link.send_frame(BINARY, data[start : start + size])
    client = websocket_client(link, version)
    assert client.expect(Connack).reason_code == 0
    packets = [client.receive(), client.receive()]
    assert [type(packet).__name__ for packet in packets] == ["Suback", "Publish"]


@pytest.mark.spec("MQTT-6.0.0-2", "MQTT311-6.0.0-2")
def test_fragmented_message_with_a_ping_inside_is_read(
    mqtt: Mqtt, open_websocket: OpenWebSocket
) -> None:
    """Goal: WebSocket's own fragments and control frames are allowed everywhere."""
    link = open_websocket()
    client = connected(mqtt, link)
    data = Publish(topic_name=mqtt.topic(), payload=b"x" * 500, qos=1, packet_id=9).encode(5)
    link.send_frame(BINARY, data[:100], final=False)
    link.send_frame(PING, b"still there?")
    link.send_frame(CONTINUATION, data[100:300], final=False)
    link.send_frame(CONTINUATION, data[300:])
    assert client.receive() is not None
    client.expect_nothing()


@pytest.mark.spec("MQTT-6.0.0-1")
@pytest.mark.parametrize(
    "wrong", [{"masked": False}, {"rsv": 1}, {"rsv": 4}], ids=["unmasked", "rsv1", "rsv4"]
)
def test_broken_frame_ends_the_connection(
    mqtt: Mqtt, open_websocket: OpenWebSocket, wrong: dict[str, int]
) -> None:
    """Goal: frames that RFC 6455 forbids to clients are not read."""
    link = open_websocket()
    client = connected(mqtt, link)
    link.send_frame(BINARY, b"\xc0\x00", **wrong)  # type: ignore[arg-type]
    while (packet := client.receive()) is not None:
        assert type(packet).__name__ != "Ping"


def test_large_message_crosses_websocket(mqtt: Mqtt, open_websocket: OpenWebSocket) -> None:
    """Goal: frames with an eight-byte length work both ways."""
    client = connected(mqtt, open_websocket())
    client.subscribe(mqtt.topic())
    payload = bytes(range(256)) * 1000
    client.publish(mqtt.topic(), payload)
    assert client.take().payload == payload
