"""Bans: by name, wildcard, address and network; for ever and for a while."""

from __future__ import annotations

import pytest

import edge.access.bans
from edge.access.bans import BanList
from edge.config.schema import BanConfig
from edge.errors import AccessError


def test_nobody_is_banned_by_an_empty_list() -> None:
    assert BanList().check("a", "alice", "192.0.2.1", 0.0) is None


@pytest.mark.parametrize(
    ("ban", "client_id", "username", "address", "expected"),
    [
        (BanConfig(client_id="a"), "a", None, "", True),
        (BanConfig(client_id="a"), "ab", "a", "", False),
        (BanConfig(client_id="a*"), "ab", None, "", True),
        (BanConfig(client_id="*"), "", None, "", False),
        (BanConfig(username="al?ce"), "x", "alice", "", True),
        (BanConfig(username="*"), "x", None, "", False),
        (BanConfig(username="alice"), "alice", None, "", False),
        (BanConfig(address="192.0.2.7"), "x", None, "192.0.2.7", True),
        (BanConfig(address="192.0.2.7"), "x", None, "192.0.2.8", False),
        (BanConfig(address="192.0.2.7/24"), "x", None, "192.0.2.8", True),
        (BanConfig(address="192.0.2.0/24"), "x", None, "::ffff:192.0.2.8", True),
        (BanConfig(address="::ffff:192.0.2.8"), "x", None, "192.0.2.8", True),
        (BanConfig(address="::ffff:192.0.2.0/120"), "x", None, "192.0.2.8", True),
        (BanConfig(address="2001:db8::/32"), "x", None, "2001:DB8:0::1", True),
        (BanConfig(address="fe80::/10"), "x", None, "fe80::1%eth0", True),
        (BanConfig(address="2001:db8::/32"), "x", None, "192.0.2.8", False),
        (BanConfig(address="0.0.0.0/0"), "x", None, "", False),
        (BanConfig(address="0.0.0.0/0"), "x", None, "nonsense", False),
    ],
)
def test_ban_covers_whom_it_names(
    ban: BanConfig, client_id: str, username: str | None, address: str, expected: bool
) -> None:
    found = BanList([ban]).check(client_id, username, address, 0.0)
    assert (found is not None) == expected


def test_reason_is_returned_for_the_client() -> None:
    ban = BanList([BanConfig(client_id="a", reason="go away")]).check("a", None, "", 0.0)
    assert ban is not None
    assert ban.reason == "go away"
    assert ban.is_configured


def test_ban_ends_with_its_time() -> None:
    bans = BanList()
    bans.add(client_id="a*", expires_mono_s=10.0)
    assert bans.check("ab", None, "", 9.9) is not None
    assert bans.list(10.0) == []
    assert bans.check("ab", None, "", 10.0) is None
    assert bans.list() == []


def test_ban_of_the_configuration_outlives_one_made_later() -> None:
    """The shorter ban goes away and must take nothing with it."""
    for subject in ({"client_id": "a*"}, {"address": "192.0.2.0/24"}):
        bans = BanList([BanConfig(**subject)])
        bans.add(**subject, expires_mono_s=10.0)
        assert bans.check("ab", None, "192.0.2.1", 20.0) is not None
        assert bans.remove(**subject) <= 1
        assert bans.check("ab", None, "192.0.2.1", 20.0) is not None
        assert bans.remove(**subject) == 0


def test_removed_ban_is_gone_however_its_address_was_written() -> None:
    bans = BanList()
    bans.add(address="2001:0DB8::1")
    assert bans.list()[0].address == "2001:db8::1"
    assert bans.remove(address="2001:db8:0::1/128") == 1
    assert bans.check("a", None, "2001:db8::1", 0.0) is None
    assert bans.remove(address="2001:db8::1") == 0


def test_reload_replaces_the_configured_bans_only() -> None:
    bans = BanList([BanConfig(username="old*")])
    bans.add(username="made*")
    bans.configure([BanConfig(username="new*")])
    verdicts = [bans.check("", name, "", 0.0) is not None for name in ("old1", "new1", "made1")]
    assert verdicts == [False, True, True]


def test_wrong_reload_changes_nothing() -> None:
    bans = BanList([BanConfig(username="alice")])
    with pytest.raises(AccessError, match="no IP address"):
        bans.configure([BanConfig(address="300.1.1.1")])
    assert bans.check("", "alice", "", 0.0) is not None


@pytest.mark.parametrize(
    "subject", [{}, {"client_id": "a", "username": "b"}, {"address": "example.org"}]
)
def test_ban_of_nothing_in_particular_is_refused(subject: dict[str, str]) -> None:
    with pytest.raises(AccessError):
        BanList().add(
            client_id=subject.get("client_id", ""),
            username=subject.get("username", ""),
            address=subject.get("address", ""),
        )


def test_ban_that_ends_first_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.access.bans, "RUNTIME_BANS_MAX", 2)
    bans = BanList()
    bans.add(client_id="for ever")
    bans.add(client_id="soon over", expires_mono_s=10.0)
    bans.add(client_id="later", expires_mono_s=20.0)
    assert [ban.client_id for ban in bans.list()] == ["for ever", "later"]
    bans.add(client_id="later")
    with pytest.raises(AccessError, match="2 bans already"):
        bans.add(client_id="one more")
