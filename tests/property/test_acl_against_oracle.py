"""Access profiles and filter matching against their models."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.engine.testing import AclProbe, does_filter_match, memory_used_bytes
from tests.oracles.routing import READ, RETAIN, WRITE, Profile, Rule
from tests.oracles.topics import topic_matches
from tests.property.topics import topic_filters, topics

rules = st.builds(
    Rule,
    allow=st.booleans(),
    access=st.integers(1, 7),
    qos_max=st.integers(0, 2),
    topic_filter=topic_filters,
)
profiles = st.builds(
    Profile, default_allow=st.booleans(), rules=st.lists(rules, max_size=6).map(tuple)
)


@pytest.mark.spec("MQTT-4.7.2-1")
@settings(max_examples=1000, deadline=None)
@given(topic_filter=topic_filters, topic=topics)
@example(topic_filter=b"a/#", topic=b"a")
@example(topic_filter=b"+/#", topic=b"a")
@example(topic_filter=b"a/+", topic=b"a")
@example(topic_filter=b"a/+", topic=b"a/")
@example(topic_filter=b"#", topic=b"$SYS/x")
@example(topic_filter=b"$SYS/#", topic=b"$SYS")
@example(topic_filter=b"/" * 65_535, topic=b"/" * 65_535)
def test_filter_matches_like_the_oracle(topic_filter: bytes, topic: bytes) -> None:
    """One pass with two pointers against level lists."""
    assert does_filter_match(topic_filter, topic) == topic_matches(topic_filter, topic)


@settings(max_examples=500, deadline=None)
@given(
    profile=profiles,
    topic=topics,
    access=st.sampled_from([READ, WRITE, RETAIN, WRITE | RETAIN, READ | WRITE | RETAIN]),
    qos=st.integers(0, 2),
)
def test_profile_decides_each_access_bit_by_its_first_matching_rule(
    profile: Profile, topic: bytes, access: int, qos: int
) -> None:
    """All bits walk the rules together in the engine, one by one in the model."""
    used_before_bytes = memory_used_bytes()
    acl = AclProbe(profile.blob())
    allowed = profile.allows(access, qos, topic)
    assert acl.allows(access, qos, topic) == allowed
    if not allowed and access == READ:
        assert acl.restricts_read
    if not allowed and access in (WRITE, RETAIN, WRITE | RETAIN):
        assert acl.restricts_write
    del acl
    assert memory_used_bytes() == used_before_bytes


def test_profile_that_allows_everything_restricts_nothing() -> None:
    """Then the router asks no question for each message."""
    rule = Rule(allow=True, access=READ | WRITE, qos_max=0, topic_filter=b"a")
    acl = AclProbe(Profile(default_allow=True, rules=(rule,)).blob())
    assert not acl.restricts_read
    assert not acl.restricts_write


def test_deny_rule_restricts_only_what_it_speaks_of() -> None:
    """A rule on writes must not cost a check at each delivery."""
    rule = Rule(allow=False, access=WRITE, qos_max=2, topic_filter=b"a")
    acl = AclProbe(Profile(default_allow=True, rules=(rule,)).blob())
    assert not acl.restricts_read
    assert acl.restricts_write


@settings(max_examples=300, deadline=None)
@given(blob=st.binary(max_size=60))
def test_any_bytes_are_a_profile_or_refused(blob: bytes) -> None:
    """Malformed blobs never crash."""
    try:
        acl = AclProbe(blob)
    except ValueError:
        return
    acl.allows(READ | WRITE, 1, b"a/b")


@settings(max_examples=200, deadline=None)
@given(profile=profiles, data=st.data())
def test_truncated_or_extended_profile_is_refused(profile: Profile, data: st.DataObject) -> None:
    """No byte may be missing or left over."""
    blob = profile.blob()
    cut = data.draw(st.integers(0, len(blob) - 1))
    with pytest.raises(ValueError, match="malformed"):
        AclProbe(blob[:cut])
    with pytest.raises(ValueError, match="malformed"):
        AclProbe(blob + b"\0")


@pytest.mark.parametrize(
    "topic_filter", [b"", b"a#", b"#/a", b"a+", b"+a/b", b"a/#/", b"##", b"++"]
)
def test_profile_with_a_misplaced_wildcard_is_refused(topic_filter: bytes) -> None:
    """A deny rule that silently never matches would be a hole."""
    rule = Rule(allow=False, access=READ, qos_max=0, topic_filter=topic_filter)
    with pytest.raises(ValueError, match="malformed"):
        AclProbe(Profile(default_allow=True, rules=(rule,)).blob())
