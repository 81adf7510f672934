"""The PROXY protocol parser."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.gateways import proxy_header
from tests.oracles.gateways import PROXY_SIGNATURE, parse_proxy_header


def version_2(command: int, family: int, body: bytes, *, version: int = 2) -> bytes:
    """A binary header."""
    return (
        PROXY_SIGNATURE
        + struct.pack("!BBH", version << 4 | command, family << 4 | 1, len(body))
        + body
    )


IPV4 = bytes((203, 0, 113, 9, 192, 0, 2, 1)) + struct.pack("!HH", 51_234, 8883)
IPV6 = bytes.fromhex("20010db8" + "0" * 23 + "1") * 2 + struct.pack("!HH", 80, 8883)

GOOD = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 8883\r\n", "203.0.113.9:51234"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 80 8883\r\n", "[2001:db8::1]:80"),
    (b"PROXY TCP6 2001:DB8:0:0::0001 ::1 80 8883\r\n", "[2001:db8::1]:80"),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (version_2(1, 1, IPV4), "203.0.113.9:51234"),
    (version_2(1, 2, IPV6), "[2001:db8::1]:80"),
    (version_2(1, 1, IPV4 + b"\x20\0\3tls" * 50), "203.0.113.9:51234"),
    (version_2(0, 1, IPV4), None),
    (version_2(0, 0, b""), None),
    (version_2(1, 0, b"whatever"), None),
    (version_2(1, 3, bytes(216)), None),
    (version_2(1, 1, IPV4 + bytes(4096 - 16 - 12)), "203.0.113.9:51234"),
]

BAD = [
    b"\x10",
    b"\x16\x03\x01",
    b"GET / HTTP/1.1\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"proxy TCP4 203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2 3\r\n",
    b"PROXY TCP4  203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2 \r\n",
    b"PROXY TCP4 203.0.113.256 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2 1 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 65536 2\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 99999\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 -1 2\r\n",
    b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
    b"PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY TCP6 2001:db8::1%lo 2001:db8::2 1 2\r\n",
    b"PROXY TCP6 2001:db8::1\0 2001:db8::2 1 2\r\n",
    b"PROXY UDP4 203.0.113.9 192.0.2.1 1 2\r\n",
    b"PROXY UNKNOWNX\r\n",
    b"PROXY TCP4 " + b"1" * 96,
    PROXY_SIGNATURE[:-1] + b"\r" + bytes(4),
    version_2(1, 1, IPV4, version=1),
    version_2(2, 1, IPV4),
    version_2(1, 4, IPV4),
    version_2(1, 1, IPV4[:-1]),
    version_2(1, 2, IPV6[:-1]),
    version_2(1, 1, bytes(4096 - 15)),
]


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_good_header_names_its_source_and_leaves_the_rest(header: bytes, source: str) -> None:
    """Whatever stands behind it belongs to the client."""
    assert proxy_header.parse(header) == (len(header), source)
    assert proxy_header.parse(header + b"\x10\x0c\0\x04MQTT") == (len(header), source)


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_every_shorter_prefix_asks_for_more(header: bytes, source: str) -> None:
    """A header may come in any number of pieces."""
    for end in range(len(header)):
        assert proxy_header.parse(header[:end]) == (0, None), end


@pytest.mark.parametrize("header", BAD)
def test_anything_else_is_refused(header: bytes) -> None:
    """A header that is nearly right was not written by a proxy."""
    assert proxy_header.parse(header) == (-1, None)


words = st.sampled_from(
    b"PROXY|TCP4|TCP6|UNKNOWN|203.0.113.9|2001:db8::1|::ffff:1.2.3.4|1|0|65535|65536||x".split(b"|")
)
lines = st.builds(
    lambda parts, end: b"PROXY " + b" ".join(parts) + end,
    st.lists(words, max_size=7),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"", b"\r\nmore"]),
)
binaries = st.builds(
    lambda head, length, body: PROXY_SIGNATURE + head + length.to_bytes(2, "big") + body,
    st.binary(min_size=2, max_size=2) | st.sampled_from([b"\x21\x11", b"\x21\x21", b"\x20\x00"]),
    st.integers(0, 60) | st.integers(4070, 4100),
    st.binary(max_size=80),
)


@given(st.binary(max_size=200) | lines | binaries)
def test_parser_agrees_with_the_oracle_on_everything(data: bytes) -> None:
    """The specification, twice."""
    assert proxy_header.parse(data) == parse_proxy_header(data)
