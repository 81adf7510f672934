"""`$delayed/{seconds}/{topic}` on the simulated broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from edge.broker.delayed import split_delayed
from edge.config.schema import ListenerConfig, RewriteConfig
from tests.sim.harness import configured, simulated
from tests.sim.test_subscriptions import Rules

if TYPE_CHECKING:
    from trio.testing import MockClock


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("$delayed/5/a", (5, "a")),
        ("$delayed/0/a/b", (0, "a/b")),
        ("$delayed/60//a", (60, "/a")),
        ("$delayed/61/a", None),
        ("$delayed/-1/a", None),
        ("$delayed/1.5/a", None),
        ("$delayed/²/a", None),
        ("$delayed/x/a", None),
        ("$delayed//a", None),
        ("$delayed/5/", None),
        ("$delayed/5", None),
        ("$delayed/" + "1" * 5000 + "/a", None),
    ],
)
def test_delay_and_topic_are_split(topic: str, expected: tuple[int, str] | None) -> None:
    assert split_delayed(topic, 60) == expected


async def test_message_is_published_after_its_delay(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        sim.engine.receive_delayed(
            client.handle, b"$delayed/10/t", b"x", qos=2, retain=1, properties=b"\x01\x01"
        )
        sim.turn()
        await trio.sleep(9)
        assert sim.engine.published == []
        await trio.sleep(2)
        (message,) = sim.engine.published
        assert message.topic == b"t"
        assert message.payload == b"x"
        assert message.options == {
            "qos": 2,
            "retain": True,
            "properties": b"\x01\x01",
            "expiry_s": -1,
            "origin_session": client.session,
            "acl_profile_id": 0,
        }
        assert sim.plane.delayed.waiting_bytes == 0


async def test_messages_leave_by_time_and_then_in_order_of_arrival(
    autojump_clock: MockClock,
) -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        for delay, payload in ((5, b"1"), (3, b"2"), (5, b"3"), (3, b"4"), (1, b"5")):
            sim.engine.receive_delayed(client.handle, b"$delayed/%d/t" % delay, payload)
        sim.turn()
        await trio.sleep(6)
        assert [payload for _, payload in sim.published()] == [b"5", b"2", b"4", b"1", b"3"]
        assert len(sim.context.timers) == 0


async def test_message_that_overlaps_with_our_close_is_not_lost(
    autojump_clock: MockClock,
) -> None:
    """It was acknowledged before the engine heard of the close, and is on its way to us."""
    async with simulated() as sim:
        client = sim.connect("a")
        record = sim.context.clients.get("a")
        assert record is not None
        sim.plane.sessions.disconnect(record, 0x98)
        (closed,) = sim.engine.take_events()
        sim.engine.receive_delayed(client.handle, b"$delayed/1/t", b"x")
        sim.engine.events.append(closed)
        sim.turn()
        await trio.sleep(2)
        assert sim.published() == [("t", b"x")]


async def test_message_that_expires_while_it_waits_is_dropped(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        sim.engine.receive_delayed(client.handle, b"$delayed/10/t", b"x", expiry_s=10)
        sim.engine.receive_delayed(client.handle, b"$delayed/10/t", b"y", expiry_s=25)
        sim.turn()
        await trio.sleep(11)
        (message,) = sim.engine.published
        assert message.payload == b"y"
        assert message.options["expiry_s"] == 15


async def test_bounds_drop_and_count() -> None:
    async with simulated(configured(delayed={"messages_max": 2, "bytes_max": 450})) as sim:
        client = sim.connect("a")
        for payload in (b"1", b"x" * 300, b"2", b"3"):
            sim.engine.receive_delayed(client.handle, b"$delayed/10/t", payload)
        sim.turn()
        assert len(sim.plane.delayed) == 2
        assert sim.context.counters.delayed_dropped == 2


@pytest.mark.parametrize("topic", ["$delayed/x/t", "$delayed/1/$SYS/a", "$delayed/1/a/+"])
async def test_impossible_targets_are_dropped(topic: str) -> None:
    async with simulated() as sim:
        sim.engine.receive_delayed(sim.connect("a").handle, topic.encode(), b"")
        sim.turn()
        assert len(sim.plane.delayed) == 0
        assert sim.context.counters.delayed_dropped == 1


async def test_acl_mount_point_and_rewriting_speak_of_the_target(
    autojump_clock: MockClock,
) -> None:
    listener = (ListenerConfig(address="127.0.0.1:1", mount_point="m/"),)
    rewrite = (RewriteConfig(source="old/#", pattern="^old/(.+)", target="new/$1"),)
    config = configured(listener=listener, rewrite=rewrite)
    async with simulated(config, acl=Rules("m/secret")) as sim:
        client = sim.connect("a")
        for topic in (b"$delayed/1/secret", b"$delayed/1/open", b"$delayed/1/old/x"):
            sim.engine.receive_delayed(client.handle, topic, b"")
        sim.turn()
        await trio.sleep(2)
        assert [topic for topic, _ in sim.published()] == ["m/open", "m/new/x"]
        assert sim.context.counters.acl_denied == 1
