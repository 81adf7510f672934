"""Section 4.7: how Topic Filters match Topic Names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.versions import both_versions

if TYPE_CHECKING:
    from tests.support.mqtt import Mqtt

# filter, names that match, names that do not; all below the prefix of the test
MATCHES: Final = [
    ("a/b", ["a/b"], ["a", "a/b/", "/a/b", "A/b", "a/B", "a/b/c", "a//b"]),
    ("a/#", ["a", "a/", "a/b", "a/b/c", "a//"], ["b", "ab", "/a"]),
    ("#", ["a", "a/b", "/", "a/", "/a"], []),
    ("a/+", ["a/b", "a/", "a/$b"], ["a", "a/b/c", "a//"]),
    ("+", ["a", " "], ["a/b", "/", "a/"]),
    ("+/+", ["a/b", "/", "a/", "/b"], ["a", "a/b/c", "//"]),
    ("/+", ["/", "/a"], ["a", "a/b", "//"]),
    ("+/b/+", ["a/b/c", "/b/"], ["a/b", "a/b/c/d", "a/c/c"]),
    ("+/b/#", ["a/b", "a/b/c", "/b/c/d"], ["b", "a/c/b"]),
    ("a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/b/c"]),
    ("a/+/+/d", ["a/b/c/d", "a///d"], ["a/b/d", "a/b/c/e/d"]),
    ("a//b", ["a//b"], ["a/b", "a///b"]),
    ("a/", ["a/"], ["a", "a//"]),
    ("/", ["/"], ["", "//", "a/"]),
    ("a b", ["a b"], ["ab", "a  b", "a"]),
    ("é", ["é"], ["e", "e\u0301", "É"]),
    ("e\u0301", ["e\u0301"], ["é", "e"]),
    ("a.b*c?d", ["a.b*c?d"], ["aXb*c?d", "a.b"]),
    ("%2F", ["%2F"], ["/"]),
    ("a\\b", ["a\\b"], ["a/b", "ab"]),
]


@pytest.mark.spec(
    "MQTT-3.3.2-3",
    "MQTT-4.7.1-1",
    "MQTT-4.7.1-2",
    "MQTT-4.7.3-4",
    "MQTT311-3.3.2-3",
    "MQTT311-4.7.1-2",
    "MQTT311-4.7.1-3",
    "MQTT311-4.7.3-4",
)
@both_versions
@pytest.mark.parametrize(("topic_filter", "yes", "no"), MATCHES, ids=[m[0] for m in MATCHES])
def test_filter_matches_exactly_these_names(
    mqtt: Mqtt, version: int, topic_filter: str, yes: list[str], no: list[str]
) -> None:
    """Goal: the subscriber gets the names that match, once each, and no others."""
    watcher, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    assert watcher.subscribe(mqtt.topic(topic_filter), qos=1) == [1]
    expected = []
    for name in [*no, *yes, *no]:
        publisher.publish(mqtt.topic(name), name.encode(), qos=1)
        if name in yes:
            expected.append(mqtt.topic(name))
    received = [watcher.take().topic_name for _ in expected]
    assert received == expected
    watcher.expect_nothing()


@pytest.mark.spec("MQTT-4.7.2-1", "MQTT311-4.7.2-1")
@both_versions
@pytest.mark.parametrize("topic_filter", ["#", "+/{0}/x", "+/#", "+/{0}/+"])
def test_leading_wildcard_does_not_match_a_topic_with_dollar(
    mqtt: Mqtt, version: int, topic_filter: str
) -> None:
    """Goal: $anything/... is hidden from filters that begin with a wildcard."""
    tag = mqtt.prefix.replace("/", "-")
    watcher, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    watcher.subscribe(topic_filter.format(tag), qos=1)
    publisher.publish(f"$private/{tag}/x", b"hidden", qos=1)
    publisher.publish(f"public/{tag}/x", b"seen", qos=1)
    names = {getattr(packet, "topic_name", "") for packet in watcher.collect()}
    assert f"public/{tag}/x" in names
    assert not [name for name in names if name.startswith("$")]


@pytest.mark.spec("MQTT-4.7.2-1", "MQTT311-4.7.2-1")
def test_leading_wildcard_does_not_get_the_servers_own_topics(mqtt: Mqtt) -> None:
    """Goal: # subscribes to no $SYS topic, retained ones included; $SYS/# does."""
    watcher = mqtt.connect()
    watcher.subscribe("#", "+/#", options=0)
    for packet in watcher.collect():
        assert not getattr(packet, "topic_name", "").startswith("$SYS"), packet


@pytest.mark.spec("MQTT-4.7.1-1", "MQTT-4.7.1-2")
@both_versions
def test_dollar_topic_matches_a_filter_that_names_it(mqtt: Mqtt, version: int) -> None:
    """Goal: wildcards behind the first level match under $ as elsewhere."""
    tag = mqtt.prefix.replace("/", "-")
    watcher, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    for topic_filter in (f"$private/{tag}/+", f"$private/{tag}/#"):
        watcher.subscribe(topic_filter)
        publisher.publish(f"$private/{tag}/x", b"x")
        assert watcher.take().payload == b"x"
        watcher.unsubscribe(topic_filter)


@pytest.mark.spec("MQTT-4.7.1-1", "MQTT-4.7.1-2")
@both_versions
def test_deep_topic_matches_wildcards_at_each_depth(mqtt: Mqtt, version: int) -> None:
    """Goal: 30 levels, with + at each place in turn and # behind each level."""
    levels = [f"l{index}" for index in range(30)]
    watcher, publisher = mqtt.connect(version=version), mqtt.connect(version=version)
    for index in range(30):
        plus = [*levels[:index], "+", *levels[index + 1 :]]
        pound = [*levels[:index], "#"]
        for parts in (plus, pound):
            topic_filter = mqtt.topic("/".join(parts))
            watcher.subscribe(topic_filter)
            publisher.publish(mqtt.topic("/".join(levels)), b"x")
            assert watcher.take().payload == b"x"
            watcher.unsubscribe(topic_filter)
    watcher.expect_nothing()
