"""Random histories of clients against what must always hold between registry, engine and timers.

The simulated clock runs inside each example, so a history that fails is printed and fails again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from edge.broker.clients import EXPIRES_NEVER
from edge.broker.filters import EXCLUSIVE, target_of_key
from edge.engine.engine import CAUSE_KEEP_ALIVE
from edge.protocol.packets import Will
from tests.sim.harness import Sim, SimClient, configured, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT_IDS: Final = ("a", "b", "c")
FILTERS: Final = (
    "t",
    "t/+",
    "$exclusive/t",
    "$exclusive/u",
    "$share/g/t",
    "$queue/t",
    "bad#",
    "$SYS/#",
)

STEP = st.one_of(
    st.tuples(
        st.just("connect"),
        st.sampled_from(CLIENT_IDS),
        st.booleans(),
        st.sampled_from([0, 5, 50, EXPIRES_NEVER]),
        st.sampled_from([None, 0, 3, 100]),
        st.sampled_from([3, 4, 5]),
    ),
    st.tuples(st.just("subscribe"), st.sampled_from(CLIENT_IDS), st.sampled_from(FILTERS)),
    st.tuples(st.just("unsubscribe"), st.sampled_from(CLIENT_IDS), st.sampled_from(FILTERS)),
    st.tuples(
        st.just("disconnect"),
        st.sampled_from(CLIENT_IDS),
        st.sampled_from([0, 4]),
        st.sampled_from([None, 0, 20]),
    ),
    st.tuples(st.just("vanish"), st.sampled_from(CLIENT_IDS)),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 60])),
    st.tuples(st.just("kick"), st.sampled_from(CLIENT_IDS)),
)


class History:
    """Plays steps and keeps what is needed to check them."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._links: dict[str, SimClient] = {}
        self._will_count = 0
        self._play: dict[str, Callable[..., None]] = {
            "connect": self.connect,
            "subscribe": self.subscribe,
            "unsubscribe": self.unsubscribe,
            "disconnect": self.disconnect,
            "vanish": self.vanish,
            "kick": self.kick,
        }

    async def play(self, step: tuple[object, ...]) -> None:
        """Play one step, then check what must hold."""
        name, *arguments = step
        if name == "wait":
            await trio.sleep(arguments[0])  # type: ignore[arg-type]
        else:
            self._play[str(name)](*arguments)
        check(self._sim)

    def connect(
        self, client_id: str, clean: bool, expiry_s: int, delay_s: int | None, version: int
    ) -> None:
        will = None
        if delay_s is not None:
            self._will_count += 1
            delay_s = delay_s if version == 5 else 0
            will = Will("w", b"%d" % self._will_count, delay_interval_s=delay_s)
        properties = {"session_expiry_interval_s": expiry_s} if version == 5 else {}
        link = self._sim.try_connect(
            client_id, clean_start=clean, will=will, version=version, **properties
        )
        assert link.connack().reason_code == 0
        self._links[client_id] = link

    def _online(self, client_id: str) -> SimClient | None:
        link = self._links.get(client_id)
        return None if link is None or link.is_closed else link

    def subscribe(self, client_id: str, topic_filter: str) -> None:
        link = self._online(client_id)
        if link is not None:
            link.subscribe(topic_filter)

    def unsubscribe(self, client_id: str, topic_filter: str) -> None:
        link = self._online(client_id)
        if link is not None:
            link.unsubscribe(topic_filter)

    def disconnect(self, client_id: str, code: int, expiry_s: int | None) -> None:
        link = self._online(client_id)
        if link is not None:
            link.disconnect(
                code if link.version == 5 else 0, expiry_s if link.version == 5 else None
            )

    def vanish(self, client_id: str) -> None:
        link = self._online(client_id)
        if link is not None:
            link.vanish(CAUSE_KEEP_ALIVE)

    def kick(self, client_id: str) -> None:
        client = self._sim.context.clients.get(client_id)
        if client is not None and client.connection:
            self._sim.plane.sessions.disconnect(client, 0x98)
            self._sim.turn()


def check(sim: Sim) -> None:
    """Check what must hold after each step."""
    clients = list(sim.context.clients)
    assert sorted(client.session for client in clients) == sorted(sim.engine.sessions)
    timer_count = 0
    for client in clients:
        is_online = client.connection != 0
        rare = client.rare
        expiry_timer = rare.expiry_timer if rare else None
        will_timer = rare.will_timer if rare else None
        assert is_online or client.expiry_s > 0
        assert (expiry_timer is not None) == (not is_online and client.expiry_s != EXPIRES_NEVER)
        assert will_timer is None or not is_online
        assert will_timer is None or client.will is not None
        assert is_online or client.will is None or will_timer is not None
        timer_count += (expiry_timer is not None) + (will_timer is not None)
        held = {
            (target.topic_filter.encode(), target.group.encode())
            for key in client.subscriptions or ()
            for target in [target_of_key(client, key)]
        }
        assert held == set(sim.engine.sessions[client.session])
        if is_online:
            wire = sim.engine.connections[client.connection]
            assert wire.session == client.session
            assert not wire.is_closed
            assert not wire.is_paused
            assert sim.context.clients.at(client.connection) is client
    assert len(sim.context.timers) == timer_count
    assert sim.context.clients.online_count == sum(client.connection != 0 for client in clients)
    keys = [key for client in clients for key in client.subscriptions or ()]
    assert sim.plane.subscriptions.count == len(keys)
    exclusive = [key for key in keys if key.startswith(EXCLUSIVE)]
    assert len(exclusive) == len(set(exclusive))
    published = [message.payload for message in sim.engine.published]
    assert len(published) == len(set(published)), "a will was published twice"


@pytest.mark.sim
@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_registry_engine_and_timers_agree_at_all_times(history: list[tuple[object, ...]]) -> None:
    async def play() -> None:
        config = configured(session={"expiry_s_max": EXPIRES_NEVER, "expiry_v311_s": 30})
        async with simulated(config) as sim:
            player = History(sim)
            for step in history:
                await player.play(step)
            # In the end everybody goes, and whoever does not come back leaves nothing behind.
            for client_id in CLIENT_IDS:
                player.connect(client_id, True, 0, None, 5)
                player.vanish(client_id)
            check(sim)
            assert sim.engine.sessions == {}
            assert len(sim.context.timers) == 0

    trio.run(play, clock=MockClock(autojump_threshold=0))
