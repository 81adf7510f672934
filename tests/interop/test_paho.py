"""paho-mqtt in MQTT 3.1.1 and 5.0, over TCP, TLS and WebSocket."""

from __future__ import annotations

import queue
import ssl
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

if TYPE_CHECKING:
    from tests.interop.conftest import Site

pytestmark = pytest.mark.interop
DEADLINE_S = 10


class Client:
    """A connected paho client whose messages arrive in a queue."""

    def __init__(
        self,
        site: Site,
        *,
        version: int = 5,
        listener: str = "tcp",
        client_id: str = "",
        **connect: Any,
    ) -> None:
        websocket = listener.startswith("ws")
        self.paho = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            transport="websockets" if websocket else "tcp",
            **({} if version == 5 else {"clean_session": connect.pop("clean_session", True)}),
        )
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.connected: queue.Queue[Any] = queue.Queue()
        self.subscribed: queue.Queue[Any] = queue.Queue()
        self.published: queue.Queue[Any] = queue.Queue()
        self.disconnected: queue.Queue[Any] = queue.Queue()
        self.paho.on_message = lambda client, data, message: self.messages.put(message)
        self.paho.on_connect = lambda client, data, flags, code, properties: self.connected.put(
            (flags, code, properties)
        )
        self.paho.on_subscribe = lambda client, data, mid, codes, properties: self.subscribed.put(
            codes
        )
        self.paho.on_publish = lambda client, data, mid, code, properties: self.published.put(code)
        self.paho.on_disconnect = lambda client, data, flags, code, properties: (
            self.disconnected.put(code)
        )
        if listener in {"tls", "wss"}:
            self.paho.tls_set_context(ssl.create_default_context(cafile=site.ca))
        if websocket:
            self.paho.ws_set_options(path="/mqtt")
        will = connect.pop("will", None)
        if will is not None:
            self.paho.will_set(**will)
        self.paho.connect("127.0.0.1", getattr(site, listener), **connect)
        self.paho.loop_start()
        self.flags, self.code, self.properties = self.connected.get(timeout=DEADLINE_S)
        assert not self.code.is_failure, self.code

    def subscribe(self, topic_filter: str, **options: Any) -> Any:
        """Subscribe and wait for the SUBACK."""
        self.paho.subscribe(topic_filter, **options)
        return self.subscribed.get(timeout=DEADLINE_S)

    def publish(self, topic: str, payload: bytes, **options: Any) -> Any:
        """Publish and wait for the end of the exchange."""
        self.paho.publish(topic, payload, **options)
        return self.published.get(timeout=DEADLINE_S)

    def next(self) -> paho.MQTTMessage:
        """The next message."""
        return self.messages.get(timeout=DEADLINE_S)

    def close(self) -> None:
        """Disconnect and end the thread."""
        self.paho.disconnect()
        self._stop()

    def die(self) -> None:
        """Lose the connection without DISCONNECT."""
        sock = self.paho.socket()
        assert sock is not None
        self.paho.loop_stop()
        sock.close()
        self._stop()

    def _stop(self) -> None:
        """End the thread; paho leaves the pair of sockets that woke it to the garbage collector."""
        self.paho.loop_stop()
        self.paho._reset_sockets()

    def __enter__(self) -> Client:
        """Use it in a with statement."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("listener", ["tcp", "tls", "ws", "wss"])
def test_all_qos_arrive_in_order_on_every_listener(site: Site, version: int, listener: str) -> None:
    """The main job, everywhere."""
    topic = f"paho/{version}/{listener}"
    with (
        Client(site, version=version, listener=listener) as receiver,
        Client(site, version=version, listener=listener) as sender,
    ):
        receiver.subscribe(topic, qos=2)
        for number in range(30):
            sender.publish(topic, str(number).encode(), qos=number % 3)
        got = [receiver.next() for _ in range(30)]
        for qos in range(3):
            assert [int(m.payload) for m in got if m.qos == qos] == list(range(qos, 30, 3))


def test_mqtt5_properties_travel(site: Site) -> None:
    """User properties in order, response topic, expiry, subscription identifier and the rest."""
    with Client(site) as receiver, Client(site) as sender:
        subscription = Properties(PacketTypes.SUBSCRIBE)
        subscription.SubscriptionIdentifier = 77
        receiver.subscribe("props/#", options=SubscribeOptions(qos=1), properties=subscription)
        sent = Properties(PacketTypes.PUBLISH)
        sent.UserProperty = [("a", "1"), ("b", "2"), ("a", "3")]
        sent.ContentType = "application/json"
        sent.ResponseTopic = "reply/here"
        sent.CorrelationData = b"\x00\x01\xff"
        sent.MessageExpiryInterval = 60
        sent.PayloadFormatIndicator = 1
        sender.publish("props/x", b"{}", qos=1, properties=sent)
        got: Any = receiver.next().properties
        assert got.UserProperty == [("a", "1"), ("b", "2"), ("a", "3")]
        assert (got.ContentType, got.ResponseTopic, got.CorrelationData) == (
            "application/json",
            "reply/here",
            b"\x00\x01\xff",
        )
        assert got.SubscriptionIdentifier == [77]
        assert got.PayloadFormatIndicator == 1
        assert 0 < got.MessageExpiryInterval <= 60


def test_a_publish_that_nobody_wants_is_acknowledged_with_0x10(site: Site) -> None:
    """Reason Code No matching subscribers."""
    with Client(site) as sender:
        assert sender.publish("nobody/here", b"", qos=1).value == 0x10


@pytest.mark.parametrize("version", [4, 5])
def test_a_session_resumes_with_what_was_not_acknowledged(site: Site, version: int) -> None:
    """Subscriptions and queued messages survive the connection."""
    connect: dict[str, Any]
    if version == 5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 300
        connect = {"clean_start": False, "properties": properties}
    else:
        connect = {"clean_session": False}
    first = Client(site, version=version, client_id=f"resume-{version}", **connect)
    first.subscribe(f"resume/{version}", qos=1)
    first.die()
    with Client(site, version=version) as sender:
        for number in range(5):
            sender.publish(f"resume/{version}", str(number).encode(), qos=1)
    with Client(site, version=version, client_id=f"resume-{version}", **connect) as second:
        assert second.flags.session_present
        assert [int(second.next().payload) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_second_client_with_the_same_id_takes_over(site: Site) -> None:
    """The first is told 0x8E Session taken over."""
    first = Client(site, client_id="twin")
    with Client(site, client_id="twin"):
        assert first.disconnected.get(timeout=DEADLINE_S).value == 0x8E
    first.close()


def test_a_will_is_published_when_the_client_dies(site: Site) -> None:
    """Retained too, as the will says."""
    with Client(site) as watcher:
        watcher.subscribe("lwt/#", qos=1)
        Client(site, will={"topic": "lwt/a", "payload": b"gone", "qos": 1, "retain": True}).die()
        assert watcher.next().payload == b"gone"


def test_retain_handling_and_no_local(site: Site) -> None:
    """Subscription options of MQTT 5.0."""
    with Client(site) as client:
        client.publish("opts/kept", b"old", qos=1, retain=True)
        client.subscribe("opts/#", options=SubscribeOptions(qos=1, noLocal=True, retainHandling=2))
        client.publish("opts/own", b"mine", qos=1)
        with Client(site) as other:
            other.publish("opts/other", b"yours", qos=1)
        assert client.next().payload == b"yours"
        assert client.messages.empty()


def test_request_and_response_over_topic_aliases(site: Site) -> None:
    """The client uses an alias for what it publishes again and again."""
    with Client(site) as receiver, Client(site) as sender:
        receiver.subscribe("alias/long/topic/name", qos=0)
        for number in range(5):
            properties = Properties(PacketTypes.PUBLISH)
            properties.TopicAlias = 3
            sender.publish(
                "alias/long/topic/name" if number == 0 else "",
                str(number).encode(),
                properties=properties,
            )
        assert [int(receiver.next().payload) for _ in range(5)] == [0, 1, 2, 3, 4]
