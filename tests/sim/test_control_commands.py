"""What an operator may ask of the simulated broker, and tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from edge.broker.control_commands import ControlCommands
from edge.broker.snapshots import SnapshotTaker, control_numbers
from edge.config.schema import BanConfig, FlappingConfig
from edge.errors import AccessError, ControlError
from edge.protocol.packets import Will
from tests.sim.harness import Sim, configured, simulated

if TYPE_CHECKING:
    from trio.testing import MockClock


class Operator:
    """Sends commands to a simulation."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self.reload_count = 0
        commands = ControlCommands(
            sim.plane, SnapshotTaker(sim.plane), self._reload, node_id="node", version="1"
        )
        self._handlers = commands.handlers()

    async def _reload(self) -> object:
        self.reload_count += 1
        return {}

    async def __call__(self, command: str, **arguments: Any) -> Any:
        """Carry out a command; the engine answers in the same turn."""
        result: list[object] = []
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:

                async def ask() -> None:
                    result.append(await self._handlers[command](arguments))

                nursery.start_soon(ask)
                while not result and not nursery.cancel_scope.cancel_called:
                    await trio.lowlevel.checkpoint()
                    self._sim.turn()
        return result[0]


async def test_status_tells_how_the_broker_is() -> None:
    async with simulated() as sim:
        sim.engine.stats = {"connections": 1, "publish_received": 7}
        sim.connect("a")
        status = await Operator(sim)("status")
        assert status["clients_online"] == 1
        assert status["messages_received"] == 7
        assert status["listeners"] == [{"name": "127.0.0.1:1883", "address": "127.0.0.1:1883"}]


async def test_clients_are_listed_and_shown() -> None:
    async with simulated() as sim:
        client = sim.connect("a", username="u", will=Will("w", b"x"))
        client.subscribe("t", qos=1, subscription_id=5)
        sim.connect("b", version=4, clean_start=False).vanish()
        operator = Operator(sim)
        rows = {row["client_id"]: row for row in await operator("client.list")}
        assert rows["a"]["online"]
        assert rows["a"]["bytes_out"] == 700
        assert not rows["b"]["online"]
        assert rows["b"]["session_expiry_s"] == 604_800
        shown = await operator("client.show", client_id="a")
        assert shown["username"] == "u"
        assert shown["will"]["topic"] == "w"
        assert shown["subscriptions"] == [
            {
                "topic_filter": "t",
                "qos": 1,
                "no_local": False,
                "retain_as_published": False,
                "subscription_identifier": 5,
                "exclusive": False,
            }
        ]


async def test_kicked_client_is_told_and_its_will_published() -> None:
    async with simulated() as sim:
        client = sim.connect("a", will=Will("w", b"x"), session_expiry_interval_s=100)
        operator = Operator(sim)
        assert await operator("client.kick", client_id="a") == {
            "client_id": "a",
            "disconnected": True,
        }
        assert client.farewell().reason_code == 0x98
        assert sim.published() == [("w", b"x")]
        assert len(sim.context.clients) == 1
        await operator("client.kick", client_id="a", end_session=True)
        assert len(sim.context.clients) == 0


async def test_mistakes_are_told_in_words() -> None:
    async with simulated() as sim:
        operator = Operator(sim)
        for command, arguments in (
            ("client.show", {"client_id": "nobody"}),
            ("client.show", {}),
            ("client.kick", {"client_id": 5}),
            ("retained.delete", {}),
            ("retained.list", {"filter": "a#"}),
            ("retained.list", {"filter": "\ud800"}),
            ("retained.list", {"limit": True}),
            ("ban.add", {}),
            ("ban.add", {"client_id": "a", "username": "b"}),
            ("ban.add", {"client_id": "a", "seconds": "soon"}),
        ):
            with pytest.RaisesGroup(ControlError, flatten_subgroups=True):
                await operator(command, **arguments)
        with pytest.RaisesGroup(AccessError, flatten_subgroups=True):
            await operator("ban.add", address="nowhere")


async def test_retained_messages_are_listed_and_deleted() -> None:
    async with simulated() as sim:
        operator = Operator(sim)
        assert await operator("retained.list") == [
            {"topic": "a/b", "payload_bytes": 3, "qos": 1, "expiry_s": None}
        ]
        assert await operator("retained.delete", filter="a/#") == {"deleted": 1}


async def test_ban_disconnects_refuses_and_is_lifted(autojump_clock: MockClock) -> None:
    async with simulated(configured(ban=(BanConfig(username="mallory", reason="no"),))) as sim:
        operator = Operator(sim)
        refused = sim.try_connect("m", username="mallory").connack()
        assert refused.reason_code == 0x8A
        assert refused.properties.reason_string == "no"
        client = sim.connect("a", peer=b"192.0.2.7:1")
        other = sim.connect("b", peer=b"[2001:db8::1]:1")
        added = await operator("ban.add", address="192.0.2.0/24", seconds=60)
        assert added == {"disconnected": 1}
        assert client.farewell().reason_code == 0x8A
        assert not other.is_closed
        assert sim.try_connect("a", peer=b"192.0.2.8:1", version=4).take() == [b"\x20\x02\x00\x05"]
        assert [row["seconds_left"] for row in await operator("ban.list")] == [None, 60]
        await trio.sleep(61)
        sim.connect("a", peer=b"192.0.2.7:1")
        await operator("ban.add", client_id="a")
        assert await operator("ban.remove", client_id="a") == {"removed": 1}
        sim.connect("a")


async def test_reload_is_passed_on() -> None:
    async with simulated() as sim:
        operator = Operator(sim)
        await operator("reload")
        assert operator.reload_count == 1


async def test_numbers_of_the_control_plane_are_whole_numbers() -> None:
    async with simulated() as sim:
        sim.connect("a").subscribe("$share/g/t")
        numbers = control_numbers(sim.plane)
        assert all(isinstance(value, int) for value in numbers.values())
        assert numbers["clients_online"] == 1
        assert numbers["subscriptions_shared"] == 1
        assert numbers["connect_accepted"] == 1


async def test_flapping_client_is_banned_for_a_while(autojump_clock: MockClock) -> None:
    flapping = FlappingConfig(enabled=True, disconnects_max=3, window_s=60, ban_s=100)
    async with simulated(configured(flapping=flapping)) as sim:
        for _ in range(3):
            sim.connect("a").vanish()
        assert sim.try_connect("a").connack().reason_code == 0x8A
        sim.connect("b")
        await trio.sleep(101)
        sim.connect("a")


async def test_connects_of_one_address_are_limited_by_rate(autojump_clock: MockClock) -> None:
    async with simulated(configured(limits={"connect_rate_per_address_s": 2})) as sim:
        codes = [sim.try_connect("a").connack().reason_code for _ in range(3)]
        assert codes == [0, 0, 0x9F]
        sim.connect("b", peer=b"192.0.2.1:1")
        await trio.sleep(1)
        sim.connect("a")


async def test_connects_of_one_client_are_limited_by_rate(autojump_clock: MockClock) -> None:
    async with simulated(configured(limits={"connect_rate_per_client_s": 2})) as sim:
        codes = [sim.try_connect("a").connack().reason_code for _ in range(3)]
        assert codes == [0, 0, 0x9F]
        sim.connect("b")
        await trio.sleep(1)
        sim.connect("a")
