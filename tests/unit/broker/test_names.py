"""Placeholders, rewriting, addresses: small pure functions of the control plane."""

from __future__ import annotations

import pytest

from edge.broker.clients import Client
from edge.broker.connack import bounded_keep_alive
from edge.broker.delayed import bounded_expiry
from edge.broker.identity import Peer, address_of
from edge.broker.placeholders import fill
from edge.broker.rewrite import Rewriter, split_target
from edge.config.schema import RewriteConfig, SessionConfig


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a/%c/%u/b", "a/client/user/b"),
        ("%c%c", "clientclient"),
        ("100%", "100%"),
        ("%x/%c", "%x/client"),
        ("%%c", "%client"),
    ],
)
def test_placeholders_are_filled_in(template: str, filled: str) -> None:
    assert fill(template, client_id="client", username="user") == filled


@pytest.mark.parametrize("value", ["", "a/b", "+", "#", "a#"])
def test_value_that_is_no_single_level_is_not_filled_in(value: str) -> None:
    assert fill("x/%c", client_id=value, username="u") is None
    assert fill("x/%u", client_id="c", username=value) is None
    assert fill("x/%u", client_id="c", username=None) is None
    assert fill("x", client_id=value, username=None) == "x"


def test_value_that_looks_like_a_placeholder_is_taken_as_it_is() -> None:
    assert fill("%c/%u", client_id="%u", username="u") == "%u/u"


@pytest.mark.parametrize(
    ("target", "pieces"),
    [
        ("a", ("a",)),
        ("$1", (1,)),
        ("a/$1/%c/$9", ("a/", 1, "/", "%c", "/", 9)),
        ("$0$a$", ("$0$a$",)),
        ("", ()),
    ],
)
def test_rewrite_target_is_cut_at_its_marks(target: str, pieces: tuple[str | int, ...]) -> None:
    assert split_target(target) == pieces


def rewritten(topic: str, *rules: RewriteConfig, client_id: str = "c", username: str = "u") -> str:
    client = Client(client_id, 1)
    client.username = username
    return Rewriter(rules).publish_target(client, topic)


def test_first_rule_that_matches_rewrites() -> None:
    rules = (
        RewriteConfig(source="a/#", pattern="^a/x/(.*)/(.*)$", target="one/$2/$1"),
        RewriteConfig(source="a/#", pattern="^a/(.*)$", target="two/$1/$2"),
        RewriteConfig(source="", pattern="^two", target="never"),
    )
    assert rewritten("a/x/1/2", *rules) == "one/2/1"
    assert rewritten("a/y", *rules) == "two/y/"
    assert rewritten("b", *rules) == "b"


def test_what_is_filled_into_a_target_is_not_looked_at_again() -> None:
    rule = RewriteConfig(pattern="^(.*)$", target="%c/%u/$1")
    assert rewritten("%u$1", rule, client_id="$1", username="%c") == "$1/%c/%u$1"


def test_name_that_would_leave_its_level_refuses_the_topic() -> None:
    rule = RewriteConfig(pattern="^(.*)$", target="%c/$1")
    assert rewritten("t", rule, client_id="a/b") == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1:1883", "192.0.2.1"),
        ("[2001:db8::1]:1883", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("192.0.2.1", "192.0.2.1"),
        ("local", ""),
        ("", ""),
    ],
)
def test_address_is_taken_from_the_peer(text: str, address: str) -> None:
    assert address_of(text) == address


def test_peer_may_lack_a_certificate_or_hold_any_bytes() -> None:
    assert Peer(b"1.2.3.4:5").common_name == ""
    peer = Peer(b"1.2.3.4:5\0name\0CN=name")
    assert (peer.address, peer.common_name, peer.subject) == ("1.2.3.4", "name", "CN=name")
    assert Peer(b"1.2.3.4:5\0\xff\0").common_name == "\ufffd"
    assert Peer(b"").address == ""


def test_keep_alive_bound() -> None:
    assert bounded_keep_alive(0, 65_535) == 0
    assert bounded_keep_alive(0, 60) == 60
    assert bounded_keep_alive(61, 60) == 60


def test_message_expiry_bounds() -> None:
    unbounded = SessionConfig()
    assert bounded_expiry(None, unbounded) == -1
    assert bounded_expiry(0, unbounded) == 0
    bounded = SessionConfig(message_expiry_s_max=10)
    assert bounded_expiry(None, bounded) == 10
    assert bounded_expiry(11, bounded) == 10
    assert bounded_expiry(None, SessionConfig(message_expiry_s_default=5)) == 5
