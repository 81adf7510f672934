"""`$SYS/brokers/...`: who the broker is, its numbers, and who comes and goes.

Topic Names and payloads are those of RobustMQ. Nothing is computed or sent while nobody listens,
and messages are not retained: whoever subscribes below `$SYS/` gets the numbers at once, because
the broker then calls wake(), and again every interval.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from edge.ops.numbers import GAUGE, NUMBERS, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ops.snapshot import PublishText, Snapshot, TakeSnapshot

# A subscriber that comes and goes makes us send no more often than this.
WAKE_INTERVAL_S: Final = 1.0

_PROTOCOLS: Final = {3: ("MQIsdp", "V3"), 4: ("MQTT", "V4"), 5: ("MQTT", "V5")}


class SysTopics:
    """Publishes the `$SYS` topics of one broker.

    Args:
        node_id: stands in each Topic Name.
        version: of the broker.
        publish: routes a message.
        take_snapshot: asks for the numbers.
        is_listened: whether any subscription begins with `$SYS/`.
        enabled: without it nothing is ever sent.
        interval_s: between two rounds of statistics.
    """

    __slots__ = (
        "_is_listened",
        "_maxima",
        "_node_id",
        "_prefix",
        "_publish",
        "_take",
        "_version",
        "_wake",
        "enabled",
        "interval_s",
    )

    def __init__(
        self,
        *,
        node_id: str,
        version: str,
        publish: PublishText,
        take_snapshot: TakeSnapshot,
        is_listened: Callable[[], bool],
        enabled: bool,
        interval_s: int,
    ) -> None:
        self._node_id = node_id
        self._prefix = f"$SYS/brokers/{topic_level(node_id)}"
        self._version = version
        self._publish = publish
        self._take = take_snapshot
        self._is_listened = is_listened
        self._maxima: dict[str, int] = {}
        self._wake = trio.Event()
        self.enabled = enabled
        self.interval_s = interval_s

    def wake(self) -> None:
        """Somebody has subscribed below `$SYS/`: send the numbers soon."""
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled. Sleeps without a timer while nobody listens."""
        while True:
            if not (self.enabled and self._is_listened()):
                await self._wake.wait()
                self._wake = trio.Event()
                continue
            self.publish_round(await self._take())
            await trio.sleep(WAKE_INTERVAL_S)
            with trio.move_on_after(self.interval_s - WAKE_INTERVAL_S):
                await self._wake.wait()
            self._wake = trio.Event()

    def publish_round(self, snapshot: Snapshot) -> None:
        """Publish all that is published at intervals."""
        import json

        self._publish("$SYS/brokers", json.dumps([{"node_id": self._node_id}]).encode())
        self._send("version", self._version)
        self._send("uptime", format_uptime(snapshot.uptime_s))
        self._send("datetime", time.strftime("%Y-%m-%d %H:%M:%S"))
        self._send("sysdescr", system_description())
        for number in NUMBERS:
            value = value_of(number, snapshot) if number.topic else None
            if value is None:
                continue
            self._send(number.topic, str(value))
            if number.kind == GAUGE and number.topic.startswith("stats/"):
                # The largest that a round has seen; between rounds nobody looks.
                highest = max(value, self._maxima.get(number.topic, 0))
                self._maxima[number.topic] = highest
                self._send(f"{number.topic.removesuffix('count')}max", str(highest))

    def client_connected(
        self,
        client_id: str,
        *,
        username: str | None,
        peer: str,
        protocol_version: int,
        keep_alive_s: int,
        clean_start: bool,
        expiry_s: int,
    ) -> None:
        """Tell that a client is online."""
        if not (self.enabled and self._is_listened()):
            return
        event = _client_event(client_id, username, peer, protocol_version)
        event["keepalive"] = keep_alive_s
        event["expiry_interval"] = expiry_s
        event["connected_at"] = event["ts"]
        event["connect_ack"] = 0
        event["clean_start"] = clean_start
        self._send_event(client_id, "connected", event)

    def client_disconnected(
        self,
        client_id: str,
        *,
        username: str | None,
        peer: str,
        protocol_version: int,
        reason: str,
    ) -> None:
        """Tell that a client is offline, and why in a few words."""
        if not (self.enabled and self._is_listened()):
            return
        event = _client_event(client_id, username, peer, protocol_version)
        event["reason"] = reason
        event["disconnected_at"] = event["ts"]
        self._send_event(client_id, "disconnected", event)

    def client_subscribed(
        self, client_id: str, *, username: str | None, topic_filter: str, qos: int
    ) -> None:
        """Tell that a client has a new subscription."""
        if not (self.enabled and self._is_listened()):
            return
        event: dict[str, object] = {
            "client_id": client_id,
            "username": username or "",
            "ts": _now_ms(),
            "topic": topic_filter,
            "subopts": {"qos": qos},
        }
        self._send_event(client_id, "subscribed", event)

    def client_unsubscribed(
        self, client_id: str, *, username: str | None, topic_filter: str
    ) -> None:
        """Tell that a client has given up a subscription."""
        if not (self.enabled and self._is_listened()):
            return
        event: dict[str, object] = {
            "client_id": client_id,
            "username": username or "",
            "ts": _now_ms(),
            "topic": topic_filter,
        }
        self._send_event(client_id, "unsubscribed", event)

    def _send(self, topic: str, text: str) -> None:
        self._publish(f"{self._prefix}/{topic}", text.encode())

    def _send_event(self, client_id: str, what: str, event: dict[str, object]) -> None:
        import json

        self._send(f"clients/{topic_level(client_id)}/{what}", json.dumps(event))


def topic_level(text: str) -> str:
    """Return the text as one level of a Topic Name: `%`, `/`, `+` and `#` as `%XX`.

    Client Identifiers may hold anything; `clients/+/connected` must match all of them.
    """
    if not set(text) & set("%/+#"):
        return text
    text = text.replace("%", "%25").replace("/", "%2F")
    return text.replace("+", "%2B").replace("#", "%23")


def format_uptime(uptime_s: float) -> str:
    """Return e.g. `0 days, 2 hours, 15 minutes, 30 seconds`."""
    minutes, seconds = divmod(int(uptime_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} days, {hours} hours, {minutes} minutes, {seconds} seconds"


def system_description() -> str:
    """Return the operating system and the machine, e.g. `Debian GNU/Linux 13 (trixie) aarch64`."""
    machine = os.uname().machine
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("PRETTY_NAME="):
            return f"{line[12:].strip().strip(chr(34))} {machine}"
    return f"{os.uname().sysname} {machine}"


def _client_event(
    client_id: str, username: str | None, peer: str, protocol_version: int
) -> dict[str, object]:
    """Return what both events of a client have in common."""
    address, port = split_peer(peer)
    name, version = _PROTOCOLS.get(protocol_version, ("MQTT", ""))
    return {
        "client_id": client_id,
        "username": username or "",
        "ts": _now_ms(),
        "ip_address": address,
        "sock_port": port,
        "proto_name": name,
        "proto_ver": version,
    }


def split_peer(peer: str) -> tuple[str, int]:
    """Split `192.0.2.1:5000` or `[2001:db8::1]:5000`; the port is 0 where there is none."""
    address, _, port = peer.rpartition(":")
    if not address or not port.isascii() or not port.isdigit():
        return peer, 0
    return address.removeprefix("[").removesuffix("]"), int(port)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
