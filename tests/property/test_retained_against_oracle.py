"""The retained store against a dictionary, over random histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.engine.testing import RetainedProbe, memory_used_bytes
from tests.oracles.routing import RetainedModel
from tests.property.topics import topic_filters, topics

steps = st.one_of(
    st.tuples(
        st.just("set"), topics, st.binary(max_size=40), st.sampled_from([0, 0, 5, 10, 11, 30, 90])
    ),
    st.tuples(st.just("remove"), topics),
    st.tuples(st.just("expire"), st.integers(0, 100)),
)


@pytest.mark.spec("MQTT-3.3.1-5", "MQTT-3.3.1-6", "MQTT-4.7.2-1")
@settings(max_examples=300, deadline=None)
@given(history=st.lists(steps, max_size=40), wanted=st.lists(topic_filters, min_size=1, max_size=4))
def test_any_history_of_retained_messages_matches_like_the_model(
    history: list[tuple[Any, ...]], wanted: list[bytes]
) -> None:
    """Each step may leave a message behind, lose one or miscount."""
    used_before_bytes = memory_used_bytes()
    store = RetainedProbe()
    model = RetainedModel()
    for number, step in enumerate(history):
        match step:
            case ("set", topic, payload, expires_ms):
                assert store.set(topic, payload, expires_ms)
                model.messages[topic] = (payload, expires_ms)
            case ("remove", topic):
                assert store.remove(topic) == (model.messages.pop(topic, None) is not None)
            case ("expire", now_ms):
                assert store.expire(now_ms) == model.expire(now_ms)
        topic_filter = wanted[number % len(wanted)]
        assert sorted(store.match(topic_filter)) == model.match(topic_filter)
        assert store.count == len(model.messages)
        assert store.next_expiry_ms == model.next_expiry_ms()
    for topic_filter in wanted:
        assert sorted(store.match(topic_filter)) == model.match(topic_filter)
    for topic, (payload, _) in model.messages.items():
        assert store.get(topic) == payload
    for topic in model.messages:
        assert store.remove(topic)
    assert (store.count, store.size_bytes) == (0, 0)
    store.close()
    assert memory_used_bytes() == used_before_bytes


@settings(max_examples=100, deadline=None)
@given(
    expiries=st.lists(st.integers(1, 1000), max_size=120),
    nows=st.lists(st.integers(0, 1000), max_size=10).map(sorted),
)
def test_messages_expire_when_due_and_never_before(expiries: list[int], nows: list[int]) -> None:
    """Enough of them that the heap grows, shrinks and is taken from in any order."""
    store = RetainedProbe()
    model = RetainedModel()
    for number, expires_ms in enumerate(expiries):
        topic = b"t/%d" % (number % 50)
        store.set(topic, b"x", expires_ms)
        model.messages[topic] = (b"x", expires_ms)
    for now_ms in nows:
        assert store.expire(now_ms) == model.expire(now_ms)
        assert store.next_expiry_ms == model.next_expiry_ms()
        assert sorted(store.match(b"#")) == model.match(b"#")
    store.close()


def test_new_topic_beyond_the_count_is_refused_and_a_known_one_replaced() -> None:
    """The bound is on messages, not on updates."""
    store = RetainedProbe(count_max=2)
    assert store.set(b"a", b"1")
    assert store.set(b"b", b"1")
    assert not store.set(b"c", b"1")
    assert store.set(b"a", b"2")
    assert sorted(store.match(b"#")) == [(b"a", b"2"), (b"b", b"1")]
    assert store.remove(b"b")
    assert store.set(b"c", b"1")


def test_message_beyond_the_bytes_is_refused_and_the_earlier_one_stays() -> None:
    """Growth counts, and so do the nodes that a deep topic needs."""
    store = RetainedProbe(bytes_max=4096)
    assert store.set(b"a", b"x" * 1000)
    size_before_bytes = store.size_bytes
    assert not store.set(b"a", b"x" * 5000)
    assert not store.set(b"b", b"x" * 4000)
    assert not store.set(b"/" * 200, b"x")
    assert store.size_bytes == size_before_bytes
    assert store.match(b"#") == [(b"a", b"x" * 1000)]
    assert store.set(b"a", b"x")


def test_deepest_possible_topic_overflows_no_stack() -> None:
    """The number of levels comes from a stranger, so nothing may recurse over it."""
    used_before_bytes = memory_used_bytes()
    store = RetainedProbe()
    deepest = b"/" * 65_535
    assert store.set(deepest, b"x")
    assert store.set(b"/" * 40_000 + b"a", b"y")
    for topic_filter in (deepest, b"#", b"/#", b"+/" * 32_767 + b"#", b"/" * 65_532 + b"+/#"):
        assert (deepest, b"x") in store.match(topic_filter)
    assert store.match(b"/+" * 32_767) == []
    assert store.remove(deepest)
    assert store.match(b"#") == [(b"/" * 40_000 + b"a", b"y")]
    store.close()
    assert memory_used_bytes() == used_before_bytes
