"""WebSocket frames."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.gateways import frames
from tests.oracles.gateways import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    read_frames,
    write_frame,
)

OPEN, PROTOCOL_ERROR, UNSUPPORTED = 0, 1002, 1003


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\x01\x02\x03\x04"])
def test_frame_of_any_length_is_unmasked(size: int, mask: bytes) -> None:
    """All three forms of the length, and every tail of the word-wise loop."""
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    assert frames.read([write_frame(BINARY, body, mask)]) == (body, [], OPEN)


@pytest.mark.spec("MQTT-6.0.0-2")
def test_packets_share_and_span_frames() -> None:
    """Frames are joined to one stream."""
    data = write_frame(BINARY, b"ab") + write_frame(BINARY, b"") + write_frame(BINARY, b"cde")
    assert frames.read([data]) == (b"abcde", [], OPEN)


def test_fragments_are_joined_and_may_have_control_frames_between() -> None:
    """RFC 6455 section 5.4."""
    data = (
        write_frame(BINARY, b"a", final=False)
        + write_frame(PING, b"1")
        + write_frame(CONTINUATION, b"b", final=False)
        + write_frame(PONG, b"ignored")
        + write_frame(PING, b"")
        + write_frame(CONTINUATION, b"c")
        + write_frame(BINARY, b"d")
    )
    assert frames.read([data]) == (b"abcd", [b"1", b""], OPEN)


@pytest.mark.spec("MQTT-6.0.0-1")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (write_frame(TEXT, b"hello"), UNSUPPORTED),
        (write_frame(TEXT, b"hello", final=False), UNSUPPORTED),
        (write_frame(TEXT, b"")[:2], UNSUPPORTED),
        (b"\x82\x02ab", PROTOCOL_ERROR),
        (b"\x82\x00", PROTOCOL_ERROR),
        (b"\xc2\x80\0\0\0\0", PROTOCOL_ERROR),
        (b"\xa2\x80\0\0\0\0", PROTOCOL_ERROR),
        (b"\x92\x80\0\0\0\0", PROTOCOL_ERROR),
        (write_frame(3, b""), PROTOCOL_ERROR),
        (write_frame(7, b""), PROTOCOL_ERROR),
        (write_frame(11, b""), PROTOCOL_ERROR),
        (write_frame(15, b""), PROTOCOL_ERROR),
        (write_frame(CONTINUATION, b"x"), PROTOCOL_ERROR),
        (write_frame(BINARY, b"", final=False) + write_frame(BINARY, b""), PROTOCOL_ERROR),
        (write_frame(PING, b"", final=False), PROTOCOL_ERROR),
        (write_frame(PING, b"x" * 126), PROTOCOL_ERROR),
        (write_frame(CLOSE, b"x" * 126), PROTOCOL_ERROR),
        (b"\x82\xfe\0\x7d\0\0\0\0", PROTOCOL_ERROR),
        (b"\x82\xff" + (65_535).to_bytes(8, "big") + bytes(4), PROTOCOL_ERROR),
        (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + bytes(4), PROTOCOL_ERROR),
        (b"\x82\xff" + b"\xff" * 8 + bytes(4), PROTOCOL_ERROR),
    ],
)
def test_forbidden_frame_ends_the_stream(data: bytes, code: int) -> None:
    """What came before it counts, what comes after it does not."""
    before, after = write_frame(BINARY, b"before"), write_frame(BINARY, b"after")
    if data == write_frame(CONTINUATION, b"x"):
        assert frames.read([data]) == (b"", [], code)
    assert frames.read([before + data + after]) == (b"before", [], code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 1000),
        (b"\x03\xe8", 1000),
        (b"\x03\xe8bye", 1000),
        (b"\x03\xe9", 1001),
        (b"\x0f\xa0", 4000),
        (b"\x03", PROTOCOL_ERROR),
        (b"\0\0", PROTOCOL_ERROR),
        (b"\x03\xed", PROTOCOL_ERROR),
        (b"\xff\xff", PROTOCOL_ERROR),
    ],
)
def test_close_is_answered_with_its_code(body: bytes, code: int) -> None:
    """Codes that may not stand in a frame are an error of their own."""
    data = write_frame(BINARY, b"last") + write_frame(CLOSE, body) + write_frame(BINARY, b"late")
    assert frames.read([data]) == (b"last", [], code)


def test_endless_frame_is_a_stream_like_any_other() -> None:
    """Nothing is set aside for a length that a stranger claims."""
    data = b"\x82\xff" + ((1 << 63) - 1).to_bytes(8, "big") + bytes(4) + b"some"
    assert frames.read([data]) == (b"some", [], OPEN)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, b"\x82\0"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\0\x7e"),
        (65_535, b"\x82\x7e\xff\xff"),
        (65_536, b"\x82\x7f\0\0\0\0\0\1\0\0"),
    ],
)
def test_our_frames_have_the_shortest_header_and_no_mask(length: int, expected: bytes) -> None:
    """RFC 6455 sections 5.1 and 5.2."""
    assert frames.header(BINARY, length) == expected


frame = st.builds(
    write_frame,
    st.sampled_from([BINARY, BINARY, CONTINUATION, PING, PONG, CLOSE, TEXT, 3]),
    st.binary(max_size=140),
    st.binary(min_size=4, max_size=4),
    final=st.booleans(),
)
good = st.lists(
    st.builds(
        write_frame,
        st.sampled_from([BINARY, PING, PONG]),
        st.binary(max_size=125),
        st.binary(min_size=4, max_size=4),
    )
)
streams = st.binary(max_size=300) | st.lists(frame, max_size=8).map(b"".join) | good.map(b"".join)


@given(streams, st.lists(st.integers(0, 700), max_size=12))
def test_any_split_gives_what_the_oracle_makes_of_the_whole(data: bytes, cuts: list[int]) -> None:
    """All at once, byte by byte, and cut anywhere."""
    expected = read_frames(data)
    assert frames.read([data]) == expected
    assert frames.read([bytes([byte]) for byte in data]) == expected
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert frames.read(pieces) == expected
