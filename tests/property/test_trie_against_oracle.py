"""The filter trie and its match cache against a dictionary, over random histories."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.engine.testing import AclProbe, TrieProbe, memory_used_bytes
from tests.oracles.routing import Profile, Rule, Subscription, TrieModel, TurnsModel
from tests.property.topics import topic_filters, topics

SESSIONS = st.integers(1, 5)
GROUPS = st.sampled_from([None, None, b"red", b"blue"])

subscribes = st.tuples(
    st.just("subscribe"),
    SESSIONS,
    topic_filters,
    GROUPS,
    st.builds(
        Subscription,
        qos=st.integers(0, 2),
        options=st.integers(0, 3),
        subscription_id=st.sampled_from([0, 0, 1, 127, 128, 16_384, 268_435_455]),
    ),
)
unsubscribes = st.tuples(st.just("unsubscribe"), SESSIONS, topic_filters, GROUPS)
repeats = st.tuples(st.just("unsubscribe_known"), st.integers(0, 1000))
drops = st.tuples(st.just("drop"), SESSIONS)
restrictions = st.tuples(
    st.just("restrict"),
    SESSIONS,
    st.none()
    | st.builds(
        Profile,
        default_allow=st.booleans(),
        rules=st.lists(
            st.builds(
                Rule,
                allow=st.booleans(),
                access=st.integers(1, 7),
                qos_max=st.integers(0, 2),
                topic_filter=topic_filters,
            ),
            max_size=2,
        ).map(tuple),
    ),
)
histories = st.lists(
    st.one_of(subscribes, subscribes, subscribes, unsubscribes, repeats, drops, restrictions),
    max_size=40,
)


def subscription_ids(wire: bytes) -> list[int]:
    """Decode (0x0B, Variable Byte Integer) pairs; sorted, since their order means nothing."""
    found = []
    index = 0
    while index < len(wire):
        assert wire[index] == 0x0B
        value = shift = 0
        while True:
            index += 1
            value |= (wire[index] & 0x7F) << shift
            shift += 7
            if not wire[index] & 0x80:
                break
        found.append(value)
        index += 1
    return sorted(found)


def check_match(trie: TrieProbe, model: TrieModel, topic: bytes) -> None:
    """Compare one look-up with the model."""
    found = {
        session_id: (qos, options, subscription_ids(wire))
        for session_id, (qos, options, wire) in trie.match(topic).items()
    }
    assert found == model.match(topic)
    groups = sorted(trie.match_groups(topic), key=lambda pair: (pair[0], sorted(pair[1].items())))
    assert groups == model.match_groups(topic)


def apply(trie: TrieProbe, model: TrieModel, step: tuple[Any, ...]) -> None:
    """Do one step of a history on both sides."""
    match step:
        case ("subscribe", session_id, topic_filter, group, asked):
            key = (session_id, topic_filter, group)
            existed = trie.subscribe(
                session_id, topic_filter, asked.qos, asked.options, asked.subscription_id, group
            )
            assert existed == (key in model.subscriptions)
            model.subscriptions[key] = asked
        case ("unsubscribe", session_id, topic_filter, group):
            existed = trie.unsubscribe(session_id, topic_filter, group)
            known = model.subscriptions.pop((session_id, topic_filter, group), None)
            assert existed == (known is not None)
        case ("unsubscribe_known", number):
            if model.subscriptions:
                key = list(model.subscriptions)[number % len(model.subscriptions)]
                assert trie.unsubscribe(*key)
                del model.subscriptions[key]
        case ("drop", session_id):
            trie.drop(session_id)
            model.drop(session_id)
        case ("restrict", session_id, profile):
            trie.restrict(session_id, None if profile is None else AclProbe(profile.blob()))
            model.profiles.pop(session_id, None)
            if profile is not None:
                model.profiles[session_id] = profile


@pytest.mark.spec("MQTT-3.3.4-2", "MQTT-3.3.4-3", "MQTT-3.3.4-4", "MQTT-3.8.4-3", "MQTT-4.7.2-1")
@settings(max_examples=300, deadline=None)
@given(history=histories, names=st.lists(topics, min_size=1, max_size=4))
def test_any_history_of_subscriptions_matches_like_the_model(
    history: list[tuple[Any, ...]], names: list[bytes]
) -> None:
    """Each step may leave a stale cache entry, a wrong place or a leaked node behind."""
    gc.collect()
    used_before_bytes = memory_used_bytes()
    trie = TrieProbe()
    model = TrieModel()
    for number, step in enumerate(history):
        apply(trie, model, step)
        check_match(trie, model, names[number % len(names)])
        assert trie.sub_count == len(model.subscriptions)
        assert trie.node_count == model.node_count()
        assert trie.places_are_sound()
    for name in names:
        check_match(trie, model, name)
    trie.close()
    assert memory_used_bytes() == used_before_bytes


turn_steps = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "turn", "turn"]), st.integers(1, 7)), max_size=80
)


@settings(max_examples=300, deadline=None)
@given(steps=turn_steps)
def test_share_group_serves_nobody_twice_before_everybody_once(
    steps: list[tuple[str, int]],
) -> None:
    """Members come and go in the middle of a round, and the round stays fair."""
    trie = TrieProbe()
    model = TurnsModel()
    for action, session_id in steps:
        if action == "join":
            trie.subscribe(session_id, b"work/+", 1, group=b"crew")
            model.join(session_id)
        elif action == "leave":
            trie.unsubscribe(session_id, b"work/+", b"crew")
            model.leave(session_id)
        elif model.waiting or model.served:
            served = trie.take_turn(b"work/1")
            assert served in model.candidates()
            model.serve(served)
    trie.close()


def test_dropping_every_session_leaves_only_the_root() -> None:
    """Ten thousand subscriptions on shared and private filters give all their memory back."""
    trie = TrieProbe()
    trie.subscribe(0, b"seed")
    trie.drop(0)
    used_before_bytes = memory_used_bytes()
    for session_id in range(1, 1001):
        trie.subscribe(session_id, b"fleet/#", 1)
        trie.subscribe(session_id, b"work", 1, group=b"crew")
        for number in range(8):
            trie.subscribe(session_id, b"device/%d/%d" % (session_id, number))
    assert trie.sub_count == 10_000
    for session_id in range(1, 1001, 2):
        trie.drop(session_id)
    assert trie.places_are_sound()
    assert len(trie.match(b"fleet/news")) == 500
    for session_id in range(2, 1001, 2):
        trie.drop(session_id)
    assert (trie.sub_count, trie.node_count) == (0, 1)
    assert trie.match(b"fleet/news") == {}
    trie.close()
    # The probe's root is the only thing that was there before and is gone now.
    assert memory_used_bytes() < used_before_bytes


def test_filters_that_churn_leave_no_memory_behind() -> None:
    """A device that subscribes to ever new filters must not make the broker grow."""
    trie = TrieProbe()
    trie.subscribe(1, b"kept")
    used_before_bytes = memory_used_bytes()
    for number in range(5000):
        trie.subscribe(1, b"job/%d/+/#" % number, 1, subscription_id=9)
        if number >= 100:
            assert trie.unsubscribe(1, b"job/%d/+/#" % (number - 100))
    for number in range(4900, 5000):
        assert trie.unsubscribe(1, b"job/%d/+/#" % number)
    # Arrays keep at most a few spare slots, so that they do not resize at each step.
    assert memory_used_bytes() - used_before_bytes < 256
    trie.close()


@pytest.mark.parametrize(
    "topic_filter", [b"/" * 65_535, b"+/" * 32_767 + b"#", b"/" * 65_532 + b"+/#"]
)
def test_deepest_possible_filter_overflows_no_stack(topic_filter: bytes) -> None:
    """The number of levels comes from a stranger, so nothing may recurse over it."""
    trie = TrieProbe()
    trie.subscribe(1, topic_filter, 1)
    trie.subscribe(2, b"+/" * 20_000 + b"#", 1)
    trie.subscribe(3, b"/+" * 20_000 + b"/#", 1)
    assert trie.match(b"/" * 65_535).keys() == {1, 2, 3}
    assert trie.match(b"/" * 30_000).keys() <= {2, 3}
    assert trie.unsubscribe(1, topic_filter)
    trie.drop(2)
    trie.drop(3)
    assert trie.node_count == 1
    trie.close()


def test_overlapping_filters_by_the_thousand_merge_all_identifiers() -> None:
    """Every `+` or literal in twelve levels: one message, one target, 4096 identifiers."""
    trie = TrieProbe()
    for number in range(4096):
        levels = [b"+" if number >> bit & 1 else b"x" for bit in range(12)]
        trie.subscribe(1, b"/".join(levels), 0, subscription_id=number + 1)
    ((_, _, wire),) = trie.match(b"/".join([b"x"] * 12)).values()
    assert subscription_ids(wire) == list(range(1, 4097))
    trie.close()


def test_repeating_a_subscription_keeps_cached_matches() -> None:
    """Devices subscribe again at each reconnect: only a change may cost the cache."""
    trie = TrieProbe()
    trie.subscribe(1, b"a", 1, 0, 5)
    trie.match(b"a")
    misses = trie.miss_count
    assert trie.subscribe(1, b"a", 1, 0, 5)
    trie.match(b"a")
    assert trie.miss_count == misses
    assert trie.subscribe(1, b"a", 1, 0, 6)
    assert trie.match(b"a") == {1: (1, 0, b"\x0b\x06")}
    assert trie.miss_count == misses + 1


def test_cache_is_bounded_in_entries_and_emptied_as_a_whole() -> None:
    """A publisher that invents topics must not make the broker grow."""
    trie = TrieProbe()
    trie.subscribe(1, b"#")
    generation = trie.cache_generation
    for number in range(16_384):
        trie.match(b"topic/%d" % number)
    assert (trie.cache_count, trie.cache_generation) == (16_384, generation)
    trie.match(b"one more")
    assert (trie.cache_count, trie.cache_generation) == (1, generation + 1)
    trie.close()


def test_cache_is_bounded_in_bytes() -> None:
    """Long topics and wide fan-out fill it sooner than the count does."""
    trie = TrieProbe()
    for session_id in range(500):
        trie.subscribe(session_id, b"#")
    for number in range(1000):
        assert len(trie.match(b"%d/" % number + b"x" * 5000)) == 500
        assert trie.cache_bytes < 4 * 1024 * 1024 + 64 * 1024
    assert trie.cache_generation > 1
    trie.close()


def test_share_group_members_are_asked_for_read_permission_one_by_one() -> None:
    """Denied members stay in the group: the router skips them."""
    trie = TrieProbe()
    trie.subscribe(1, b"work", 1, group=b"crew")
    trie.restrict(1, AclProbe(Profile(default_allow=False, rules=()).blob()))
    assert trie.match_groups(b"work") == [(b"crew", {1: 1})]
    assert not trie.may_read(1, b"work")
    assert trie.may_read(2, b"work")
