"""Addresses to listen on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.address import Address, parse_address
from edge.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:1883", Address("tcp", "127.0.0.1", 1883, "")),
        ("0.0.0.0:0", Address("tcp", "0.0.0.0", 0, "")),
        ("[::1]:1883", Address("tcp", "::1", 1883, "")),
        ("[fe80::1%eth0]:1883", Address("tcp", "fe80::1%eth0", 1883, "")),
        ("broker-1.example.org:65535", Address("tcp", "broker-1.example.org", 65_535, "")),
        ("küche:1883", Address("tcp", "küche", 1883, "")),
        ("unix:/run/mqtt.sock", Address("unix", "", 0, "/run/mqtt.sock")),
    ],
)
def test_an_address_is_split(text: str, expected: Address) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1883", "address `1883` has no host (write 127.0.0.1:1883 or 0.0.0.0:1883; "),
        (":1883", "address `:1883` has no host (0.0.0.0 is every IPv4 address, "),
        ("*:1883", "address `*:1883` has no host (0.0.0.0 is "),
        ("localhost", "address `localhost` has no port (write HOST:PORT, "),
        ("", "address `` has no port ("),
        ("a:", "address `a:` has no port from 0 to 65535 behind its last `:` ("),
        ("a:65536", "address `a:65536` has no port from 0 to 65535"),
        ("a:-1", "address `a:-1` has no port from"),
        ("a:\u0661", "address `a:\u0661` has no port from"),
        ("a:" + "9" * 5_000, "address `a:999"),
        ("tcp://a:1883", "address `tcp://a:1883` is a URL ("),
        ("::1:1883", "address `::1:1883` has an IPv6 address without brackets ("),
        ("[::1]", "address `[::1]` has no port from"),
        ("[127.0.0.1]:1883", "address `[127.0.0.1]:1883` has no IPv6 address between"),
        ("[::1:1883", "address `[::1:1883` has an IPv6 address without brackets"),
        ("300.0.0.1:1883", "address `300.0.0.1:1883` has no host name or IPv4 address"),
        ("127.1:1883", "address `127.1:1883` has no host name or IPv4 address"),
        ("a b:1883", "address `a b:1883` has no host name or IPv4 address"),
        ("a/b:1883", "address `a/b:1883` has no host name or IPv4 address"),
        ("unix:mqtt.sock", "address `unix:mqtt.sock` is no absolute path behind `unix:`"),
        ("unix:/" + "x" * 107, "has a path of more than 107 bytes"),
        ("unix:/a\0b", "has U+0000 in its path"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.255.255.254:1", True),
        ("[::1]:1", True),
        ("[0:0:0:0:0:0:0:1]:1", True),
        ("localhost:1", True),
        ("unix:/run/mqtt.sock", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("[::ffff:127.0.0.1]:1", False),
        ("128.0.0.1:1", False),
        # Names that begin like it, or end so, can be anywhere.
        ("127.0.0.1.example.org:1", False),
        ("127.example.org:1", False),
        ("localhost.example.org:1", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(text: str, *, expected: bool) -> None:
    """Goal: on any other address, anonymous clients are refused."""
    assert parse_address(text).is_loopback is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("127.0.0.1:1883", "127.0.0.1:1883", True),
        ("127.0.0.1:1883", "127.0.0.1:1884", False),
        ("127.0.0.1:1883", "127.0.0.2:1883", False),
        ("0.0.0.0:1883", "127.0.0.1:1883", True),
        ("[::]:1883", "[::1]:1883", True),
        ("[::1]:1883", "[0:0::1]:1883", True),
        ("[::]:1883", "0.0.0.0:1883", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("localhost:1883", "LOCALHOST:1883", True),
        ("localhost:1883", "127.0.0.1:1883", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "127.0.0.1:0", False),
    ],
)
def test_addresses_overlap_if_only_one_can_be_opened(
    one: str, other: str, *, expected: bool
) -> None:
    first, second = parse_address(one), parse_address(other)
    assert first.overlaps(second) is expected
    assert second.overlaps(first) is expected


@given(st.text(alphabet="127.0:[]unix/*l %", max_size=20) | st.text(max_size=20))
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    assert address.is_loopback in {True, False}
    if address.port:
        assert address.overlaps(address)
