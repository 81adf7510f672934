"""Will Messages on the simulated broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from edge.config.schema import ListenerConfig
from edge.engine.engine import CAUSE_KEEP_ALIVE, CAUSE_PROTOCOL
from edge.protocol.packets import Will
from tests.sim.harness import configured, simulated

if TYPE_CHECKING:
    from trio.testing import MockClock

WILL = Will("w", b"gone", qos=1, retain=True)


@pytest.mark.spec("MQTT-3.1.2-8")
@pytest.mark.parametrize("version", [3, 4, 5])
async def test_will_is_published_when_the_connection_is_lost(version: int) -> None:
    async with simulated() as sim:
        sim.connect("a", version=version, will=WILL).vanish(CAUSE_KEEP_ALIVE)
        (message,) = sim.engine.published
        assert message.topic == b"w"
        assert message.payload == b"gone"
        assert message.options["qos"] == 1
        assert message.options["retain"]
        assert message.options["expiry_s"] == -1


@pytest.mark.spec("MQTT-3.1.2-10", "MQTT-3.14.4-3")
async def test_will_is_forgotten_by_an_orderly_disconnect() -> None:
    async with simulated() as sim:
        client = sim.connect("a", will=WILL)
        client.disconnect()
        assert client.is_closed
        assert sim.published() == []


async def test_disconnect_0x04_publishes_the_will() -> None:
    async with simulated() as sim:
        sim.connect("a", will=WILL).disconnect(0x04)
        assert sim.published() == [("w", b"gone")]


async def test_protocol_error_publishes_the_will() -> None:
    async with simulated() as sim:
        sim.connect("a", will=WILL).vanish(CAUSE_PROTOCOL, 0x81)
        assert sim.published() == [("w", b"gone")]
        client = sim.connect("b", will=WILL)
        client.send(b"\x82\x02\x00\x01")
        assert client.farewell().reason_code in (0x81, 0x82)
        assert sim.published() == [("w", b"gone")]


async def test_will_is_published_once() -> None:
    async with simulated() as sim:
        client = sim.connect("a", will=WILL, session_expiry_interval_s=100)
        client.vanish()
        assert len(sim.published()) == 1
        sim.connect("a")
        assert sim.published() == []


@pytest.mark.spec("MQTT-3.1.3-9")
async def test_will_waits_for_its_delay(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        will = Will("w", b"late", delay_interval_s=10)
        sim.connect("a", will=will, session_expiry_interval_s=100).vanish()
        await trio.sleep(9)
        assert sim.published() == []
        await trio.sleep(2)
        assert sim.published() == [("w", b"late")]


async def test_client_that_is_back_in_time_keeps_its_will(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        will = Will("w", b"late", delay_interval_s=10)
        sim.connect("a", will=will, session_expiry_interval_s=100).vanish()
        await trio.sleep(5)
        _, session_present = sim.resume("a", session_expiry_interval_s=100)
        assert session_present
        await trio.sleep(100)
        assert sim.published() == []


async def test_will_comes_with_the_end_of_the_session(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        will = Will("w", b"late", delay_interval_s=1000)
        sim.connect("a", will=will, session_expiry_interval_s=20).vanish()
        await trio.sleep(19)
        assert sim.published() == []
        await trio.sleep(2)
        assert sim.published() == [("w", b"late")]
        # Session Expiry Interval 0 leaves nothing to wait for.
        sim.connect("b", will=will).vanish()
        assert sim.published() == [("w", b"late")]


async def test_clean_start_ends_the_session_and_publishes_the_will() -> None:
    async with simulated() as sim:
        will = Will("w", b"late", delay_interval_s=1000)
        sim.connect("a", will=will, session_expiry_interval_s=100).vanish()
        assert sim.published() == []
        sim.connect("a")
        assert sim.published() == [("w", b"late")]


async def test_take_over_publishes_the_will_unless_it_has_a_delay() -> None:
    async with simulated() as sim:
        sim.connect("a", will=WILL, session_expiry_interval_s=100)
        sim.resume("a", session_expiry_interval_s=100)
        assert sim.published() == [("w", b"gone")]
        delayed = Will("w", b"late", delay_interval_s=5)
        sim.connect("b", will=delayed, session_expiry_interval_s=100)
        sim.resume("b", session_expiry_interval_s=100)
        assert sim.published() == []
        sim.connect("b", will=None)
        sim.connect("c", will=delayed, session_expiry_interval_s=100)
        sim.connect("c")  # Clean Start 1: the Session ends, so the delay is over
        assert sim.published() == [("w", b"late")]


async def test_new_will_replaces_the_old_one() -> None:
    async with simulated() as sim:
        sim.connect("a", will=Will("w", b"1", delay_interval_s=5), session_expiry_interval_s=100)
        second, _ = sim.resume("a", will=Will("w", b"2"), session_expiry_interval_s=100)
        second.vanish()
        assert sim.published() == [("w", b"2")]


async def test_will_goes_below_the_mount_point() -> None:
    listener = (ListenerConfig(address="127.0.0.1:1", mount_point="m/%c/"),)
    async with simulated(configured(listener=listener)) as sim:
        sim.connect("a", will=WILL).vanish()
        assert sim.published() == [("m/a/w", b"gone")]


@pytest.mark.parametrize("topic", ["$SYS/brokers", "$share/g/t", "a/" * 64 + "a"])
async def test_will_to_a_topic_of_the_server_is_not_published(topic: str) -> None:
    async with simulated(configured(limits={"topic_levels_max": 1024})) as sim:
        client = sim.connect("a", will=Will(topic, b""))
        sim.context.settings.replace(configured(limits={"topic_levels_max": 10}))
        client.vanish()
        assert sim.published() == []
        assert sim.log.named("will.denied")


async def test_will_takes_the_configured_expiry() -> None:
    session = {"message_expiry_s_max": 60, "message_expiry_s_default": 30}
    async with simulated(configured(session=session)) as sim:
        sim.connect("a", will=Will("w", b"")).vanish()
        sim.connect("a", will=Will("w", b"", message_expiry_interval_s=100)).vanish()
        sim.connect("a", will=Will("w", b"", message_expiry_interval_s=10)).vanish()
        assert [each.options["expiry_s"] for each in sim.engine.published] == [30, 60, 10]


async def test_delayed_will_topic_is_published_later(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        sim.connect("a", will=Will("$delayed/5/w", b"x")).vanish()
        await trio.sleep(4)
        assert sim.published() == []
        await trio.sleep(2)
        assert sim.published() == [("w", b"x")]
