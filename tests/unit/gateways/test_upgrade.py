"""The opening handshake of a WebSocket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.gateways import upgrade
from tests.oracles.gateways import REQUEST_BYTES_MAX, accept_key, answer_upgrade

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = {
    b"Host": b"example.com",
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Key": KEY,
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Protocol": b"mqtt",
}
ORIGINS = (b"https://a.example", b"https://b.example:8443")


def request(
    headers: dict[bytes, bytes | None] | None = None,
    line: bytes = b"GET /mqtt HTTP/1.1",
    more: bytes = b"",
) -> bytes:
    """A request with some headers replaced, left out (None) or added."""
    fields = HEADERS | (headers or {})
    text = b"".join(
        name + b": " + value + b"\r\n" for name, value in fields.items() if value is not None
    )
    return line + b"\r\n" + text + more + b"\r\n"


def status_of(data: bytes, *, path: bytes = b"/mqtt", origins: tuple[bytes, ...] = ()) -> int:
    """Parse a complete request; return the status and check the form of the response."""
    answer = upgrade.parse(data, path, origins)
    assert answer is not None
    accepted, _, response = answer
    head, _, body = response.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert accepted == (status == 101)
    if not accepted:
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"Connection: close" in head
    return status


@pytest.mark.spec("MQTT-6.0.0-4")
def test_request_of_the_rfc_is_accepted_with_its_key() -> None:
    """RFC 6455 section 1.3 computes this very answer."""
    data = request()
    answer = upgrade.parse(data + b"frames", b"/mqtt", ())
    assert answer is not None
    assert answer[:2] == (True, len(data))
    assert answer[2] == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
    )
    assert accept_key(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_every_shorter_prefix_asks_for_more() -> None:
    """A request may come in any number of pieces."""
    data = request()
    for end in range(len(data)):
        assert upgrade.parse(data[:end]) is None, end


@pytest.mark.parametrize(
    "headers",
    [
        {b"Upgrade": b"WebSocket"},
        {b"Upgrade": b"h2c, websocket"},
        {b"Connection": b"keep-alive, Upgrade"},
        {b"Connection": b"close", b"CONNECTION": b"upgrade"},
        {b"Sec-WebSocket-Protocol": b"chat, mqtt"},
        {b"Sec-WebSocket-Protocol": b"mqttv3.1"},
        {b"Sec-WebSocket-Key": b"\t" + KEY + b" \t"},
        {b"Content-Length": b"0"},
        {b"Sec-WebSocket-Extensions": b"permessage-deflate"},
        {b"Cookie": b"x" * 4000},
    ],
)
def test_harmless_variants_are_accepted(headers: dict[bytes, bytes | None]) -> None:
    """What browsers and libraries really send; extensions are simply not taken up."""
    answer = upgrade.parse(request(headers))
    assert answer is not None
    assert answer[0]
    assert b"Extensions" not in answer[2]


@pytest.mark.spec("MQTT-6.0.0-4")
def test_mqtt_is_chosen_before_the_old_name() -> None:
    """Whatever the order of the offer."""
    answer = upgrade.parse(request({b"Sec-WebSocket-Protocol": b"mqttv3.1, mqtt"}))
    assert answer is not None
    assert b"\r\nSec-WebSocket-Protocol: mqtt\r\n" in answer[2]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x10\x0c\0\x04MQTT", 405),
        (b"POST /mqtt HTTP/1.1\r\n", 405),
        (b"get /mqtt HTTP/1.1\r\n", 405),
        (request(line=b"GET /mqtt HTTP/1.0"), 400),
        (request(line=b"GET /mqtt HTTP/2.0"), 400),
        (request(line=b"GET /mqtt"), 400),
        (request(line=b"GET  /mqtt HTTP/1.1"), 400),
        (request(line=b"GET /other HTTP/1.1"), 404),
        (request(line=b"GET /mqtt/ HTTP/1.1"), 404),
        (request({b"Host": None}), 400),
        (request(more=b"host: twice\r\n"), 400),
        (request({b"Upgrade": None}), 426),
        (request({b"Upgrade": b"websockets"}), 426),
        (request({b"Connection": None}), 426),
        (request({b"Connection": b"keep-alive"}), 426),
        (request({b"Sec-WebSocket-Version": None}), 426),
        (request({b"Sec-WebSocket-Version": b"8"}), 426),
        (request(more=b"Sec-WebSocket-Version: 8\r\n"), 426),
        (request({b"Sec-WebSocket-Key": None}), 400),
        (request({b"Sec-WebSocket-Key": b""}), 400),
        (request({b"Sec-WebSocket-Key": KEY[:-1]}), 400),
        (request({b"Sec-WebSocket-Key": KEY[:-3] + b"A=="[:3] + b"="}), 400),
        (request({b"Sec-WebSocket-Key": b"!" * 22 + b"=="}), 400),
        (request(more=b"Sec-WebSocket-Key: " + KEY + b"\r\n"), 400),
        (request({b"Sec-WebSocket-Protocol": None}), 400),
        (request({b"Sec-WebSocket-Protocol": b"chat"}), 400),
        (request({b"Sec-WebSocket-Protocol": b"MQTT"}), 400),
        (request({b"Content-Length": b"5"}), 400),
        (request(more=b"Content-Length: 5\r\nContent-Length: 0\r\n"), 400),
        (request({b"Transfer-Encoding": b"chunked"}), 400),
        (request(more=b" folded\r\n"), 400),
        (request(more=b"no colon\r\n"), 400),
        (request(more=b"nocolon\r\n"), 400),
        (request(more=b": no name\r\n"), 400),
        (request(more=b"a b: c\r\n"), 400),
        (request(more=b"a: \0\r\n"), 400),
        (request(more=b"a: \x7f\r\n"), 400),
        (request(more=b"a: b\rc\r\n"), 400),
        (request(more=b"a: b\n"), 400),
        (request(more=b"\n"), 400),
        (request(more=b"a: " + b"x" * REQUEST_BYTES_MAX + b"\r\n"), 431),
        (request(more=b"a: " + b"x" * REQUEST_BYTES_MAX)[:-2], 431),
    ],
)
def test_anything_else_is_refused_with_its_status(data: bytes, status: int) -> None:
    """A refusal tells a person with a browser or curl what is missing."""
    assert status_of(data) == status


def test_path_may_have_a_query_and_may_be_any() -> None:
    """Some cloud clients put tokens there."""
    assert status_of(request(line=b"GET /mqtt?token=1 HTTP/1.1")) == 101
    assert status_of(request(line=b"GET /any HTTP/1.1"), path=b"") == 101


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        (b"https://a.example", 101),
        (b"HTTPS://A.example", 101),
        (b"https://b.example:8443", 101),
        (b"https://b.example", 403),
        (b"https://a.example.evil", 403),
        (b"null", 403),
        (b"", 403),
    ],
)
def test_origin_is_compared_with_the_list(origin: bytes | None, status: int) -> None:
    """Only browsers send one, and only they can be led astray by a foreign page."""
    assert status_of(request({b"Origin": origin}), origins=ORIGINS) == status
    assert status_of(request({b"Origin": origin})) == 101


def test_two_origins_are_none() -> None:
    """A page cannot smuggle a good one in behind its own."""
    data = request({b"Origin": ORIGINS[0]}, more=b"origin: https://evil\r\n")
    assert status_of(data, origins=ORIGINS) == 400


def test_request_of_the_greatest_length_is_accepted() -> None:
    """8 KiB with everything."""
    filler = REQUEST_BYTES_MAX - len(request(more=b"a: \r\n"))
    data = request(more=b"a: " + b"x" * filler + b"\r\n")
    assert len(data) == REQUEST_BYTES_MAX
    assert status_of(data) == 101
    assert status_of(request(more=b"a: x" + b"x" * filler + b"\r\n")) == 431


names = st.sampled_from([*HEADERS, b"Origin", b"Content-Length", b"Transfer-Encoding", b"X", b""])
values = st.sampled_from(
    [
        *HEADERS.values(),
        b"",
        b"0",
        b"upgrade, x",
        b"mqttv3.1,mqtt",
        b",,",
        b"\t13 ",
        *ORIGINS,
        b"\0",
    ]
)
requests = st.builds(
    lambda line, lines, end: b"\r\n".join([line, *lines]) + end,
    st.sampled_from(
        [b"GET /mqtt HTTP/1.1", b"GET /mqtt?x HTTP/1.1", b"GET / HTTP/1.1", b"GET", b"PUT"]
    ),
    st.permutations([name + b": " + value for name, value in HEADERS.items()]).flatmap(
        lambda good: st.builds(
            lambda keep, extra: good[:keep] + extra,
            st.integers(0, len(good)),
            st.lists(
                st.builds(
                    lambda name, colon, value: name + colon + value,
                    names,
                    st.sampled_from([b":", b": ", b" :", b""]),
                    values,
                ),
                max_size=3,
            ),
        )
    ),
    st.sampled_from([b"\r\n\r\n", b"\r\n\r\nframes", b"\r\n", b"\n\n", b""]),
)


@given(requests | st.binary(max_size=60).map(lambda tail: b"GET " + tail))
def test_parser_agrees_with_the_oracle_on_everything(data: bytes) -> None:
    """The RFC, twice; and the first prefix that decides, decides as the whole does."""
    expected = answer_upgrade(data, b"/mqtt", ORIGINS)
    answer = upgrade.parse(data, b"/mqtt", ORIGINS)
    if expected is None:
        assert answer is None
        return
    assert answer is not None
    assert (int(answer[2].split(b" ")[1]), answer[1]) == expected
    prefixes = (upgrade.parse(data[:end], b"/mqtt", ORIGINS) for end in range(len(data) + 1))
    assert next(early for early in prefixes if early is not None) == answer
