"""A test's view of one broker: names of its own, clients that end with it, and a witness."""

from __future__ import annotations

import itertools
import os
import time
from typing import Final, TypedDict, Unpack

from tests.support.client import Client, connect_socket, open_client
from tests.support.packets import MQTT_5, Connect, Publish, Will
from tests.support.wire import P, Properties

_NUMBERS: Final = itertools.count(1)


class ConnectFields(TypedDict, total=False):
    """The fields of a CONNECT that a test may choose."""

    version: int
    client_id: str | bytes
    clean_start: bool
    keep_alive_s: int
    will: Will | None
    user_name: str | bytes | None
    password: bytes | None
    properties: Properties | bytes


class Witness:
    """Another client of the same broker, which nothing that a test does may disturb."""

    def __init__(self, address: tuple[str, int] | str, **fields: Unpack[ConnectFields]) -> None:
        name = f"witness-{os.getpid()}-{next(_NUMBERS)}"
        self._topic = f"{name}/heartbeat"
        fields.setdefault("client_id", name)
        self._client = open_client(address, Connect(**fields))
        self._client.subscribe(self._topic)
        self._count = 0

    def check(self) -> None:
        """The witness is connected, gets its own messages and no others."""
        self._count += 1
        payload = b"%d" % self._count
        self._client.publish(self._topic, payload)
        message = self._client.take()
        assert (message.topic_name, message.payload) == (self._topic, payload), message
        self._client.expect_nothing()

    def close(self) -> None:
        """Leave."""
        self._client.close()


class Mqtt:
    """Opens clients on one broker and closes them when the test is over.

    `witness` are the CONNECT fields of the witness, where the broker lets in not everybody.
    """

    def __init__(self, address: tuple[str, int] | str, **witness: Unpack[ConnectFields]) -> None:
        self.address = address
        self._version = witness.get("version", MQTT_5)
        self.prefix = f"t{os.getpid()}/{next(_NUMBERS)}"
        self._clients: list[Client] = []
        self._expiring: list[str] = []
        self._witness = Witness(address, **witness)

    def topic(self, name: str = "a") -> str:
        """A Topic Name that no other test uses."""
        return f"{self.prefix}/{name}"

    def new_client_id(self) -> str:
        """A Client Identifier that nobody uses: at most 23 letters and digits."""
        return f"c{os.getpid()}x{next(_NUMBERS)}"

    def open(self, version: int = MQTT_5) -> Client:
        """A Network Connection on which nothing was sent yet."""
        client = Client(connect_socket(self.address), version)
        self._clients.append(client)
        return client

    def connect(self, **fields: Unpack[ConnectFields]) -> Client:
        """A client that is connected; without a client_id it gets a fresh one."""
        fields.setdefault("client_id", self.new_client_id())
        client = open_client(self.address, Connect(**fields))
        self._clients.append(client)
        return client

    def connect_persistent(
        self, session_expiry_interval_s: int = 600, **fields: Unpack[ConnectFields]
    ) -> Client:
        """A client whose Session outlives its Network Connection; removed after the test."""
        version = fields.get("version", MQTT_5)
        fields.setdefault("client_id", self.new_client_id())
        if version == MQTT_5:
            more = fields.get("properties") or {}
            assert not isinstance(more, bytes)
            fields["properties"] = {P.SESSION_EXPIRY_INTERVAL: session_expiry_interval_s, **more}
        else:
            fields.setdefault("clean_start", False)
        client = self.connect(**fields)
        self._expiring.append(client.client_id)
        return client

    def resume(self, client: Client, **fields: Unpack[ConnectFields]) -> Client:
        """The same Client Identifier again, with Clean Start 0."""
        fields.setdefault("version", client.version)
        fields.setdefault("client_id", client.client_id)
        fields.setdefault("clean_start", False)
        return self.connect_persistent(**fields)

    def settle(self) -> None:
        """Return once the broker has dealt with every connection that ended before.

        A CONNECT and its end pass through the same queue as the ends before them.
        """
        self.connect().disconnect()

    def get_retained(self, topic_filter: str, version: int = MQTT_5) -> list[Publish]:
        """The retained messages that a new subscriber gets."""
        client = self.connect(version=version)
        client.subscribe(topic_filter, qos=2)
        messages: list[Publish] = []
        for packet in client.collect():
            assert isinstance(packet, Publish)
            client.acknowledge(packet)
            messages.append(packet)
        client.disconnect()
        return messages

    def check_witness(self) -> None:
        """Another client of this broker was not disturbed."""
        self._witness.check()

    def close(self) -> None:
        """End all clients and the Sessions that would outlive the test."""
        for client in self._clients:
            client.close()
        for client_id in dict.fromkeys(self._expiring):
            connect = Connect(version=self._version, client_id=client_id)
            open_client(self.address, connect).disconnect()
        self._witness.close()


def wait_out(interval_s: float) -> None:
    """Let time pass, because what is tested is an interval and nothing tells its end."""
    time.sleep(interval_s)
