"""Sessions on the simulated broker: resumed, taken over, expired, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from edge.config.schema import ListenerConfig
from edge.engine.engine import CAUSE_PROTOCOL
from tests.sim.harness import configured, simulated

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_session_without_expiry_ends_with_its_connection() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.subscribe("t")
        client.vanish()
        assert len(sim.context.clients) == 0
        assert sim.engine.sessions == {}
        assert sim.plane.subscriptions.count == 0


@pytest.mark.spec("MQTT-3.1.2-5", "MQTT-3.2.2-3")
async def test_session_is_resumed_with_its_subscriptions(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        first = sim.connect("a", session_expiry_interval_s=100)
        first.subscribe("t", qos=1)
        first.disconnect()
        await trio.sleep(99)
        second, session_present = sim.resume("a", session_expiry_interval_s=100)
        assert session_present
        assert second.session == first.session
        assert second.unsubscribe("t").reason_codes == [0]


async def test_session_expires_after_its_interval(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        sim.connect("a", session_expiry_interval_s=100).vanish()
        await trio.sleep(99)
        assert len(sim.context.clients) == 1
        await trio.sleep(2)
        assert len(sim.context.clients) == 0
        assert sim.engine.sessions == {}
        _, session_present = sim.resume("a")
        assert not session_present
        assert sim.context.counters.sessions_expired == 1


async def test_session_that_never_expires_has_no_timer(autojump_clock: MockClock) -> None:
    async with simulated(configured(session={"expiry_s_max": 0xFFFF_FFFF})) as sim:
        client = sim.try_connect("a", session_expiry_interval_s=0xFFFF_FFFF)
        assert client.connack().properties.session_expiry_interval_s is None
        client.vanish()
        assert len(sim.context.timers) == 0


async def test_expiry_above_the_bound_is_lowered_and_told() -> None:
    async with simulated(configured(session={"expiry_s_max": 50})) as sim:
        for wanted in (51, 0xFFFF_FFFF):
            client = sim.try_connect("a", session_expiry_interval_s=wanted)
            assert client.connack().properties.session_expiry_interval_s == 50


async def test_clean_session_0_of_3_1_1_lasts_as_configured(autojump_clock: MockClock) -> None:
    async with simulated(configured(session={"expiry_v311_s": 10})) as sim:
        sim.connect("a", version=4, clean_start=False).vanish()
        await trio.sleep(9)
        client, session_present = sim.resume("a", version=4)
        assert session_present
        client.vanish()
        await trio.sleep(11)
        assert len(sim.context.clients) == 0
        # Clean Session 1 means that nothing is kept.
        sim.connect("b", version=4).vanish()
        assert len(sim.context.clients) == 0


@pytest.mark.spec("MQTT-3.1.2-4", "MQTT-3.2.2-2")
async def test_clean_start_forgets_the_session(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        first = sim.connect("a", session_expiry_interval_s=100)
        first.subscribe("t")
        first.vanish()
        second = sim.connect("a", session_expiry_interval_s=100)
        assert second.session != first.session
        assert list(sim.engine.sessions) == [second.session]
        assert sim.plane.subscriptions.count == 0


@pytest.mark.spec("MQTT-3.1.4-3")
async def test_second_connection_takes_the_session_over() -> None:
    async with simulated() as sim:
        first = sim.connect("a", session_expiry_interval_s=100)
        second, session_present = sim.resume("a", session_expiry_interval_s=100)
        assert first.farewell().reason_code == 0x8E
        assert session_present
        assert second.session == first.session
        assert not second.is_closed
        assert sim.context.clients.online_count == 1


async def test_taken_over_client_of_3_1_1_is_closed_without_a_packet() -> None:
    async with simulated() as sim:
        first = sim.connect("a", version=4)
        sim.connect("a", version=4)
        assert first.is_closed
        assert first.take() == []


async def test_session_of_clean_session_1_is_not_resumed_by_a_take_over() -> None:
    async with simulated() as sim:
        first = sim.connect("a", version=4)
        second, session_present = sim.resume("a", version=4)
        assert not session_present
        assert second.session != first.session


async def test_session_under_another_mount_point_is_not_resumed() -> None:
    listeners = (
        ListenerConfig(address="127.0.0.1:1", mount_point="one/"),
        ListenerConfig(address="127.0.0.1:2", mount_point="two/"),
    )
    async with simulated(configured(listener=listeners)) as sim:
        first = sim.connect("a", session_expiry_interval_s=100)
        first.subscribe("t")
        first.vanish()
        second, session_present = sim.resume("a", listener_index=1)
        assert not session_present
        assert sim.engine.sessions == {second.session: {}}


async def test_disconnect_changes_the_expiry(autojump_clock: MockClock) -> None:
    async with simulated() as sim:
        client = sim.connect("a", session_expiry_interval_s=100)
        client.disconnect(expiry_s=5)
        assert client.take() == []
        await trio.sleep(6)
        assert len(sim.context.clients) == 0


async def test_disconnect_with_expiry_0_ends_the_session() -> None:
    async with simulated() as sim:
        sim.connect("a", session_expiry_interval_s=100).disconnect(expiry_s=0)
        assert len(sim.context.clients) == 0


async def test_disconnect_must_not_make_a_session_last_that_was_not_to() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.disconnect(expiry_s=5)
        assert client.farewell().reason_code == 0x82
        assert len(sim.context.clients) == 0


async def test_expiry_in_disconnect_counts_by_what_connect_asked_for() -> None:
    # The bound lowered the interval to 0, but the client had asked for one.
    async with simulated(configured(session={"expiry_s_max": 0})) as sim:
        client = sim.connect("a", session_expiry_interval_s=100)
        client.disconnect(expiry_s=5)
        assert client.take() == []


async def test_engine_that_closes_a_connection_is_followed() -> None:
    async with simulated() as sim:
        client = sim.connect("a", session_expiry_interval_s=100)
        client.vanish(CAUSE_PROTOCOL, 0x94)
        assert sim.context.clients.online_count == 0
        (line,) = sim.log.named("client.disconnected")
        assert line["why"] == "protocol error: topic alias invalid"


async def test_late_events_of_a_lost_connection_do_not_hurt_its_successor() -> None:
    async with simulated() as sim:
        first = sim.connect("a", session_expiry_interval_s=100)
        # The engine has seen the close, we have not, and the new CONNECT stands behind it.
        sim.engine.lose(first.handle, CAUSE_PROTOCOL, 0x81)
        second, session_present = sim.resume("a", session_expiry_interval_s=100)
        assert session_present
        assert sim.context.clients.online_count == 1
        assert not second.is_closed
        assert second.subscribe("t").reason_codes == [0]


async def test_counters_and_log_tell_what_happened() -> None:
    async with simulated() as sim:
        sim.connect("a", username="u").vanish()
        assert sim.context.counters.connect_accepted == 1
        assert sim.context.counters.disconnected == 1
        (line,) = sim.log.named("client.connected")
        assert line["client_id"] == "a"
        assert line["username"] == "u"
    async with simulated(configured(log={"connections": False})) as sim:
        sim.connect("a").vanish()
        assert sim.log.lines == []
