"""Topic Names, Topic Filters and Shared Subscriptions, sections 4.7 and 4.8.2."""

from __future__ import annotations

import pytest

from edge.errors import MalformedPacket, ProtocolViolation
from edge.topic import SharedFilter, check_topic_filter, check_topic_name, matches, parse_shared

LEVELS_MAX = 8


@pytest.mark.parametrize("name", ["a", "/", "a/b c/d", "$SYS/x", "a" * 65_535, "ä/€/😀"])
def test_good_topic_names_pass(name: str) -> None:
    check_topic_name(name, LEVELS_MAX)


@pytest.mark.spec("MQTT-4.7.0-1", "MQTT-4.7.3-1")
@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("", "MQTT-4.7.3-1"),
        ("a/+", "MQTT-4.7.0-1"),
        ("a#b", "MQTT-4.7.0-1"),
        ("a" * 65_536, "MQTT-4.7.3-3"),
        ("€" * 21_846, "MQTT-4.7.3-3"),
        ("1/2/3/4/5/6/7/8/9", ""),
    ],
)
def test_bad_topic_names_are_refused_with_0x90(name: str, statement: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        check_topic_name(name, LEVELS_MAX)
    assert caught.value.statement == statement
    assert caught.value.reason_code == 0x90


@pytest.mark.spec("MQTT-4.7.3-2", "MQTT311-4.7.3-2")
@pytest.mark.parametrize("check", [check_topic_name, check_topic_filter])
def test_nul_is_malformed(check: object) -> None:
    assert callable(check)
    with pytest.raises(MalformedPacket) as caught:
        check("a\0b", LEVELS_MAX)
    assert caught.value.statement == "MQTT-4.7.3-2"


@pytest.mark.parametrize(
    "topic_filter", ["#", "a/#", "+", "+/a/+", "/+", "a//#", "1/2/3/4/5/6/7/8"]
)
def test_good_topic_filters_pass(topic_filter: str) -> None:
    check_topic_filter(topic_filter, LEVELS_MAX)


@pytest.mark.spec(
    "MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-4.7.3-1", "MQTT311-4.7.1-2", "MQTT311-4.7.1-3"
)
@pytest.mark.parametrize(
    ("topic_filter", "statement"),
    [
        ("", "MQTT-4.7.3-1"),
        ("a#", "MQTT-4.7.1-1"),
        ("a/#/b", "MQTT-4.7.1-1"),
        ("##", "MQTT-4.7.1-1"),
        ("#/", "MQTT-4.7.1-1"),
        ("#/#", "MQTT-4.7.1-1"),
        ("a+", "MQTT-4.7.1-2"),
        ("a/+b/c", "MQTT-4.7.1-2"),
        ("++", "MQTT-4.7.1-2"),
        ("1/2/3/4/5/6/7/8/#", ""),
    ],
)
def test_bad_topic_filters_are_refused_with_0x8f(topic_filter: str, statement: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        check_topic_filter(topic_filter, LEVELS_MAX)
    assert caught.value.statement == statement
    assert caught.value.reason_code == 0x8F


@pytest.mark.spec("MQTT-4.7.2-1", "MQTT-4.7.3-4", "MQTT311-4.7.2-1")
@pytest.mark.parametrize(
    ("topic_filter", "topic_name", "expected"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("$SYS/+", "$SYS/x", True),
        ("a/+/#", "a/$x", True),
        ("ACCOUNTS", "Accounts", False),
        ("/a", "a", False),
    ],
)
def test_matching_follows_the_examples_of_section_4_7(
    topic_filter: str, topic_name: str, expected: bool
) -> None:
    assert matches(topic_filter, topic_name) is expected


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("a/b", None),
        ("$share", None),
        ("$shared/g/a", None),
        ("$queue", None),
        ("$share/g/a/+", SharedFilter("g", "a/+")),
        ("$share/g//a", SharedFilter("g", "/a")),
        ("$share/g//", SharedFilter("g", "/")),
        ("$queue/a", SharedFilter("$queue", "a")),
        ("$queue//a", SharedFilter("$queue", "/a")),
    ],
)
def test_shared_filters_are_split(filter_: str, expected: SharedFilter | None) -> None:
    assert parse_shared(filter_) == expected


@pytest.mark.spec("MQTT-4.8.2-1", "MQTT-4.8.2-2")
@pytest.mark.parametrize(
    "filter_",
    ["$share/", "$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/#", "$queue/"],
)
def test_malformed_shared_filters_are_refused_with_0x8f(filter_: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        parse_shared(filter_)
    assert caught.value.reason_code == 0x8F
