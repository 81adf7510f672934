"""The ACL file at work: what clients may do, and the profiles for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import edge.access.acl
import edge.access.acl_text
from edge.access.acl import AclFile
from edge.errors import AccessError

if TYPE_CHECKING:
    from pathlib import Path


def may_publish(acl: AclFile, topic: str, who: str | None = "alice", client_id: str = "c1") -> bool:
    return acl.may_publish(who, client_id, topic, 0, False)


def may_subscribe(
    acl: AclFile, topic_filter: str, who: str | None = "alice", client_id: str = "c1", qos: int = 0
) -> bool:
    return acl.may_subscribe(who, client_id, topic_filter, qos)


def test_file_without_rules_denies_everything() -> None:
    acl = AclFile.from_text("")
    assert not may_publish(acl, "a")
    assert not may_subscribe(acl, "a")
    assert not acl.is_unrestricted("alice", "c1")
    assert acl.compile_profile("alice", "c1", 9) == b"\x09\0\0\0\0\0\0"


def test_default_allow_restricts_nobody_until_a_rule_denies() -> None:
    acl = AclFile.from_text("default allow\nallow all x\nuser bob\ndeny all b\nallow all c")
    assert acl.is_unrestricted("alice", "c1")
    assert acl.compile_profile("alice", "c1", 9) == b"\x09\0\0\0\x01\0\0"
    assert not acl.is_unrestricted("bob", "c1")
    assert may_publish(acl, "z", "bob")
    assert not may_publish(acl, "b", "bob")


def test_sections_apply_to_whom_they_name() -> None:
    acl = AclFile.from_text(
        "allow all everybody\n"
        "user alice\nallow all u\n"
        "client c1\nallow all c\n"
        "client c?\nallow all cc\n"
        "anonymous\nallow all n\n"
        "user alice\nallow all u2\n"
    )
    topics = ["everybody", "u", "c", "cc", "n", "u2"]

    def allowed(username: str | None, client_id: str) -> list[str]:
        return [topic for topic in topics if may_publish(acl, topic, username, client_id)]

    assert allowed("alice", "c1") == ["everybody", "u", "c", "cc", "u2"]
    assert allowed("alice", "x") == ["everybody", "u", "u2"]
    assert allowed("bob", "c2") == ["everybody", "cc"]
    assert allowed(None, "x") == ["everybody", "n"]
    assert allowed("", "x") == ["everybody"]
    assert allowed("ALICE", "C1") == ["everybody"]


def test_first_rule_wins_across_sections_in_the_order_of_the_file() -> None:
    acl = AclFile.from_text(
        "client c1\ndeny publish a/x\nuser alice\nallow publish a/#\nall\ndeny all #\nallow all z"
    )
    assert not may_publish(acl, "a/x")
    assert may_publish(acl, "a/y")
    assert may_publish(acl, "a/x", client_id="c2")
    assert not may_publish(acl, "z")


def test_retained_message_needs_both_answers() -> None:
    acl = AclFile.from_text(
        "allow publish noretain events/#\ndeny publish retain archive/#\nallow publish archive/#"
    )

    def may(topic: str, *, retain: bool) -> bool:
        return acl.may_publish("alice", "c1", topic, 0, retain)

    assert may("events/1", retain=False)
    assert not may("events/1", retain=True)
    assert may("archive/1", retain=False)
    assert not may("archive/1", retain=True)


def test_qos_above_the_limit_falls_to_the_next_rule() -> None:
    acl = AclFile.from_text("allow all qos<=1 a\nallow publish b\nallow all qos<=0 b")
    assert [acl.may_publish("u", "c", "a", qos, False) for qos in (0, 1, 2)] == [True, True, False]
    assert acl.may_publish("u", "c", "b", 2, True)
    assert [acl.may_subscribe("u", "c", "a", qos) for qos in (0, 1, 2)] == [True, True, False]


def test_names_are_filled_in() -> None:
    acl = AclFile.from_text("allow all home/%u/%c/#\nallow publish x%c%u")
    assert may_publish(acl, "home/alice/c1/a")
    assert not may_publish(acl, "home/bob/c1/a")
    assert may_publish(acl, "xc1alice")


@pytest.mark.parametrize("name", ["+", "#", "a/b", "a+", "", "/", "#x", "\ud800"])
def test_name_that_is_no_plain_level_fills_nothing_in(name: str) -> None:
    """Or a client named `#` would read everybody's messages."""
    acl = AclFile.from_text("allow all by-user/%u/#\nallow all by-client/%c")
    assert acl.compile_profile(name, name, 1) == b"\x01\0\0\0\0\0\0"
    assert not may_subscribe(acl, "by-user/+/x", name, name)
    assert not may_subscribe(acl, f"by-client/{name}", name, name)


def test_name_is_not_filled_in_twice() -> None:
    """A User Name `%c` is just a name."""
    acl = AclFile.from_text("allow all %u/%c")
    assert may_publish(acl, "%c/%u", "%c", "%u")
    assert not may_publish(acl, "%u/%u", "%c", "%u")


def test_client_cannot_call_itself_by_a_topic_of_the_server() -> None:
    acl = AclFile.from_text("allow all %u/#\nallow all x/%c")
    assert not may_subscribe(acl, "$SYS/#", "$SYS")
    assert may_publish(acl, "x/$SYS", client_id="$SYS")


def test_anonymous_client_has_no_user_name_to_fill_in() -> None:
    acl = AclFile.from_text("allow all by/%u\nallow all %u%c")
    assert not may_publish(acl, "by/", None)
    assert not may_publish(acl, "c1", None)


def test_name_that_makes_the_filter_too_long_fills_nothing_in() -> None:
    acl = AclFile.from_text("allow all a/%c")
    assert acl.compile_profile(None, "x" * 65_533, 0)[5:7] == b"\x01\0"
    assert acl.compile_profile(None, "x" * 65_534, 0)[5:7] == b"\0\0"


@pytest.mark.parametrize(
    ("text", "topic_filter", "expected"),
    [
        ("allow subscribe a/b", "a/b", True),
        ("allow subscribe a/b", "a/#", True),
        ("allow subscribe a/b", "#", True),
        ("allow subscribe a/b", "+/+", True),
        ("allow subscribe a/b", "c", False),
        ("allow subscribe a/b", "a", False),
        ("allow subscribe a/#", "a", True),
        ("allow publish a/b", "a/b", False),
        ("allow subscribe $SYS/#", "#", False),
        ("allow subscribe #", "$SYS/#", False),
        ("allow subscribe #", "$SYS", False),
        ("deny subscribe a/#\nallow subscribe #", "a/b/+", False),
        ("deny subscribe a/#\nallow subscribe #", "a", False),
        ("deny subscribe a/#\nallow subscribe #", "+", True),
        ("deny subscribe a/#\nallow subscribe #", "#", True),
        ("deny subscribe a/#\nallow subscribe a/b", "#", False),
        ("deny subscribe a/#\nallow subscribe +/b", "#", True),
        ("allow subscribe a/b\ndeny subscribe a/#", "a/#", True),
        ("deny subscribe +/#\nallow subscribe #", "#", False),
        ("deny publish a\nallow subscribe a", "a", True),
        ("default allow\ndeny subscribe a/#", "a/x", False),
        ("default allow\ndeny subscribe a/#", "#", True),
        ("default allow\ndeny subscribe a/b", "a/#", True),
        ("default allow\ndeny subscribe #", "#", False),
        ("default allow\ndeny subscribe #", "$SYS/#", True),
    ],
)
def test_subscription_is_granted_if_something_under_it_may_be_received(
    text: str, topic_filter: str, expected: bool
) -> None:
    assert may_subscribe(AclFile.from_text(text), topic_filter) == expected


def test_profiles_of_equal_rules_are_equal() -> None:
    """So that clients share them in the engine; what cannot matter is left out."""
    acl = AclFile.from_text(
        "allow all a\nuser bob\ndeny all b\nanonymous\ndeny all x\n"
        "user carol\nallow all %u\ndeny all c"
    )
    alice = acl.compile_profile("alice", "c1", 1)
    assert acl.compile_profile("bob", "c2", 1) == alice
    assert acl.compile_profile(None, "c3", 1) == alice
    assert acl.compile_profile("carol", "c1", 1) != alice


def test_profile_has_the_form_that_the_engine_reads() -> None:
    acl = AclFile.from_text("deny publish retain b\nallow all qos<=1 é/%c")
    assert acl.compile_profile(None, "c1", 0x01020304) == (
        b"\x04\x03\x02\x01\0\x02\0" + b"\0\x04\x02\x01\0b" + b"\x01\x07\x01\x05\0\xc3\xa9/c1"
    )


def test_rules_are_compiled_once_for_a_client_and_the_store_is_bounded() -> None:
    acl = AclFile.from_text("allow all %c")
    first = acl._rules_for(None, "c")
    assert acl._rules_for(None, "c") is first
    for index in range(1000):
        acl._rules_for(None, str(index))
    assert len(acl._compiled) == edge.access.acl._COMPILED_MAX
    assert acl._rules_for(None, "c") is not first


def test_more_rules_than_a_profile_can_count_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users do not add up: nobody has two names."""
    monkeypatch.setattr(edge.access.acl, "RULES_PER_CLIENT_MAX", 3)
    AclFile.from_text("allow all a\nuser b\nallow all a\nallow all b\nuser c\nallow all d")
    with pytest.raises(AccessError, match="might have 4 rules"):
        AclFile.from_text(
            "allow all a\nuser b\nallow all a\nclient *\nallow all b\nclient c\ndeny all d"
        )


def test_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "acl"
    path.write_bytes("allow all ü/#\r\n".encode())
    assert may_publish(AclFile.load(path), "ü/1")
    assert may_publish(AclFile.load(str(path)), "ü/1")


def test_file_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessError, match=r"missing` cannot be read: No such file"):
        AclFile.load(tmp_path / "missing")
    path = tmp_path / "acl"
    path.write_bytes(b"allow all a\n# \xff\n")
    with pytest.raises(AccessError, match=r"acl:2: not UTF-8"):
        AclFile.load(path)
    path.write_bytes(b"\nallow what a\n")
    with pytest.raises(AccessError, match=r"acl:2: action is `what` \(write publish"):
        AclFile.load(path)
    monkeypatch.setattr(edge.access.acl, "FILE_BYTES_MAX", 5)
    with pytest.raises(AccessError, match="above 5 bytes"):
        AclFile.load(path)
