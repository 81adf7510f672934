"""ACL files against slow models: sets of Topic Names written out, and the engine's own profiles."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.access.acl import AclFile
from edge.access.filter_sets import covers, intersection
from edge.engine.testing import AclProbe
from tests.oracles.routing import READ, RETAIN, WRITE, Profile, Rule
from tests.oracles.topics import topic_matches
from tests.property.topics import topic_filters

# Every level that the filters use, and one that none of them names: with names one level deeper
# than any filter, what holds for these names holds for all.
LEVELS: Final = (b"a", b"b", b"$s", b"", b"other")
NAMES: Final = [
    name
    for depth in range(1, 5)
    for levels in product(LEVELS, repeat=depth)
    if (name := b"/".join(levels))
]

small_filters = (
    st.tuples(st.lists(st.sampled_from([b"a", b"b", b"$s", b"", b"+"]), max_size=2), st.booleans())
    .map(lambda parts: b"/".join([*parts[0], b"#"] if parts[1] else parts[0]))
    .filter(bool)
)

# What may stand behind `allow` and `deny`, and the bits that it speaks of.
ALLOWED: Final = {
    "subscribe": READ,
    "publish": WRITE | RETAIN,
    "publish retain": WRITE | RETAIN,
    "publish noretain": WRITE,
    "all": READ | WRITE | RETAIN,
    "all noretain": READ | WRITE,
}
DENIED: Final = {
    "subscribe": READ,
    "publish": WRITE | RETAIN,
    "publish retain": RETAIN,
    "all": READ | WRITE | RETAIN,
}

allow_rules = st.tuples(st.just("allow"), st.sampled_from(sorted(ALLOWED)), st.integers(0, 2))
deny_rules = st.tuples(st.just("deny"), st.sampled_from(sorted(DENIED)), st.just(2))
rules = st.tuples(st.one_of(allow_rules, deny_rules), small_filters)
WHO: Final = ("all", "anonymous", "user u", "user v", "client c", "client c*", "client d")
COVERING: Final = {
    ("u", "c"): {"all", "user u", "client c", "client c*"},
    (None, "c2"): {"all", "anonymous", "client c*"},
    ("v", "d"): {"all", "user v", "client d"},
    ("", "x"): {"all"},
}
sections = st.lists(st.tuples(st.sampled_from(WHO), st.lists(rules, max_size=3)), max_size=5)
Sections = list[tuple[str, list[tuple[tuple[str, str, int], bytes]]]]


@cache
def names_of(topic_filter: bytes) -> frozenset[bytes]:
    return frozenset(name for name in NAMES if topic_matches(topic_filter, name))


def text_of(written: Sections, *, default_allow: bool) -> str:
    lines = ["default allow"] if default_allow else []
    for who, members in written:
        lines.append(who)
        for (verb, action, qos_max), topic_filter in members:
            word, _, option = action.partition(" ")
            limit = f" qos<={qos_max}" if qos_max < 2 else ""
            lines.append(f'{verb} {word}{limit} {option} "{topic_filter.decode()}"')
    return "\n".join(lines)


def profile_of(
    written: Sections, identity: tuple[str | None, str], *, default_allow: bool
) -> Profile:
    return Profile(
        default_allow=default_allow,
        rules=tuple(
            Rule(
                allow=verb == "allow",
                access=(ALLOWED if verb == "allow" else DENIED)[action],
                qos_max=qos_max,
                topic_filter=topic_filter,
            )
            for who, members in written
            if who in COVERING[identity]
            for (verb, action, qos_max), topic_filter in members
        ),
    )


@settings(max_examples=300, deadline=None)
@given(outer=small_filters, inner=small_filters)
@example(outer=b"+/#", inner=b"#")
@example(outer=b"#", inner=b"$s")
@example(outer=b"a/#", inner=b"a")
@example(outer=b"a/+/#", inner=b"a/#")
@example(outer=b"/+/#", inner=b"/#")
@example(outer=b"/#", inner=b"+")
def test_filters_are_compared_as_the_sets_that_they_are(outer: bytes, inner: bytes) -> None:
    outer_names, inner_names = names_of(outer), names_of(inner)
    assert covers(outer.decode(), inner.decode()) == (inner_names <= outer_names)
    common = intersection(outer.decode(), inner.decode())
    common_names = frozenset() if common is None else names_of(common.encode())
    assert common_names == outer_names & inner_names
    assert (common is None) == (not common_names)


@settings(max_examples=300, deadline=None)
@given(first=topic_filters, second=topic_filters)
def test_deep_filters_keep_the_laws_of_sets(first: bytes, second: bytes) -> None:
    one, other = first.decode(), second.decode()
    assert covers(one, one)
    common = intersection(one, other)
    if common is not None:
        assert covers(one, common)
        assert covers(other, common)
    assert (common is not None and covers(common, one)) == covers(other, one)


@settings(max_examples=150, deadline=None)
@given(
    written=sections,
    default_allow=st.booleans(),
    identity=st.sampled_from(sorted(COVERING, key=str)),
    topic=st.sampled_from(NAMES),
    qos=st.integers(0, 2),
)
def test_file_and_its_profile_decide_like_the_model(
    written: Sections,
    default_allow: bool,
    identity: tuple[str | None, str],
    topic: bytes,
    qos: int,
) -> None:
    """What the engine is given means what the file says, and may_publish() says the same."""
    acl = AclFile.from_text(text_of(written, default_allow=default_allow))
    model = profile_of(written, identity, default_allow=default_allow)
    blob = acl.compile_profile(*identity, 7)
    compiled = parse_profile(blob)
    in_engine = AclProbe(blob)
    for access in (READ, WRITE, RETAIN, WRITE | RETAIN):
        expected = model.allows(access, qos, topic)
        assert compiled.allows(access, qos, topic) == expected
        assert in_engine.allows(access, qos, topic) == expected
    for retain in (False, True):
        assert acl.may_publish(*identity, topic.decode(), qos, retain) == model.allows(
            WRITE | RETAIN if retain else WRITE, qos, topic
        )
    if acl.is_unrestricted(*identity):
        assert model.allows(READ | WRITE | RETAIN, qos, topic)


@settings(max_examples=150, deadline=None)
@given(
    written=sections,
    default_allow=st.booleans(),
    identity=st.sampled_from(sorted(COVERING, key=str)),
    topic_filter=small_filters,
    qos=st.integers(0, 2),
)
def test_subscription_is_granted_like_the_model_says(
    written: Sections,
    default_allow: bool,
    identity: tuple[str | None, str],
    topic_filter: bytes,
    qos: int,
) -> None:
    """The rule in the documentation, with sets of names in place of filters."""
    acl = AclFile.from_text(text_of(written, default_allow=default_allow))
    model = profile_of(written, identity, default_allow=default_allow)
    granted = acl.may_subscribe(*identity, topic_filter.decode(), qos)
    assert granted == model_grants(model, names_of(topic_filter), qos)
    readable = [name for name in names_of(topic_filter) if model.allows(READ, 0, name)]
    limited = any(rule.allow and rule.qos_max < qos for rule in model.rules)
    if readable and not limited:
        assert granted, "something could have been received"


def model_grants(model: Profile, names: frozenset[bytes], qos: int) -> bool:
    denied: list[frozenset[bytes]] = []
    for rule in model.rules:
        if not rule.access & READ:
            continue
        rule_names = names_of(rule.topic_filter)
        if not rule.allow:
            if names <= rule_names:
                return False
            denied.append(rule_names)
        elif rule.qos_max >= qos:
            common = names & rule_names
            if common and not any(common <= each for each in denied):
                return True
    return model.default_allow


def parse_profile(blob: bytes) -> Profile:
    """Read the form that the engine reads, independent of how it was written."""
    found = []
    offset = 7
    for _ in range(int.from_bytes(blob[5:7], "little")):
        end = offset + 5 + int.from_bytes(blob[offset + 3 : offset + 5], "little")
        found.append(
            Rule(
                allow=bool(blob[offset]),
                access=blob[offset + 1],
                qos_max=blob[offset + 2],
                topic_filter=blob[offset + 5 : end],
            )
        )
        offset = end
    assert offset == len(blob)
    return Profile(
        default_allow=bool(blob[4]),
        rules=tuple(found),
        profile_id=int.from_bytes(blob[:4], "little"),
    )
