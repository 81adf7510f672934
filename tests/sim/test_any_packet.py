"""Whatever a stranger or a client sends: it is answered or closed, and never a fault of ours."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from edge.protocol import client as codec
from edge.protocol.encode import frame
from edge.protocol.packets import Connect, Subscribe, Subscription, Unsubscribe, Will
from edge.protocol.properties import Properties
from tests.sim.harness import simulated

VERSIONS = st.sampled_from([3, 4, 5])
# The engine hands over these kinds, with the flags that belong to them.
KINDS = st.sampled_from([0x10, 0x82, 0xA2, 0xE0, 0xF0])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@st.composite
def plausible_packets(draw: st.DrawFn, version: int) -> bytes:
    """Packets that are nearly right, then bent a little."""
    kind = draw(KINDS)
    if kind == 0x10:
        packet = codec.encode_connect(
            Connect(
                version, draw(st.booleans()), draw(st.integers(0, 65_535)), draw(TEXT), draw(TEXT)
            )
        )
    elif kind == 0x82:
        filters = draw(st.lists(TEXT | st.sampled_from(["a/#", "$share/g/a", "+"]), min_size=1))
        wanted = [Subscription(each, draw(st.integers(0, 2))) for each in filters]
        packet = codec.encode_subscribe(Subscribe(1, wanted), version)
    elif kind == 0xA2:
        packet = codec.encode_unsubscribe(Unsubscribe(1, draw(st.lists(TEXT, min_size=1))), version)
    else:
        packet = frame(kind >> 4, kind & 15, draw(st.binary(max_size=20)))
    bent = bytearray(packet)
    for _ in range(draw(st.integers(0, 2))):
        bent[draw(st.integers(1, len(bent) - 1))] = draw(st.integers(0, 255))
    return bytes([kind]) + bytes(bent[1:])


def any_packets(version: int) -> st.SearchStrategy[bytes]:
    return st.one_of(
        plausible_packets(version),
        st.builds(
            lambda kind, body: frame(kind >> 4, kind & 15, body), KINDS, st.binary(max_size=60)
        ),
    )


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_packet_is_answered_or_closed(data: st.DataObject) -> None:
    async def play() -> None:
        async with simulated() as sim:
            version = data.draw(VERSIONS)
            if data.draw(st.booleans()):
                client = sim.open()
            else:
                properties = Properties(session_expiry_interval_s=60 if version == 5 else None)
                client = sim.open()
                will = Will("w", b"x")
                client.connect(Connect(version, True, 60, "a", None, None, will, properties))
                client.take()
            for _ in range(data.draw(st.integers(1, 4))):
                client.send(data.draw(any_packets(version)))  # a fault fails the turn
                assert client.is_closed or not client.wire.is_paused
                if client.is_closed:
                    break
            assert sim.plane.connects.pending_count == 0

    trio.run(play, clock=MockClock(autojump_threshold=0))
