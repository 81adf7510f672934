"""What the engine holds is bounded, and what a bound drops is counted."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from edge.engine import engine as native
from tests.unit.engine.packets import acknowledge, publish, read_packet, subscribe

if TYPE_CHECKING:
    import socket

    from tests.unit.engine.conftest import MakeRig

PUBACK = 0x40


def ready(rig: object, link: socket.socket, topic_filter: bytes, options: int) -> None:
    """Subscribe and take the SUBACK."""
    link.sendall(subscribe(topic_filter, options))
    rig.settle()  # type: ignore[attr-defined]
    assert read_packet(link)[0] == 0x90


def test_a_subscriber_that_never_reads_neither_blocks_others_nor_fills_memory(
    make_rig: MakeRig,
) -> None:
    """Goal: output_bytes_max holds for QoS 0, everybody else gets everything."""
    rig = make_rig(output_bytes_max=100_000, memory_bytes_max=32 << 20)
    deaf, alert, sender = (
        rig.connect(client_id="d"),
        rig.connect(client_id="a"),
        rig.connect(client_id="s"),
    )
    ready(rig, deaf, b"t", 0)
    ready(rig, alert, b"t", 0)
    before = rig.stats()["memory_bytes"]
    payload = b"x" * 1000
    for number in range(5000):
        sender.sendall(publish(b"t", payload + number.to_bytes(4, "big")))
        assert read_packet(alert)[1][-4:] == number.to_bytes(4, "big")
    stats = rig.stats()
    assert stats["dropped_slow"] > 3000
    assert stats["memory_bytes"] < before + 600_000


@pytest.mark.parametrize(("drop_oldest", "kept"), [(False, range(10)), (True, range(10, 20))])
def test_a_full_queue_drops_the_end_that_the_operator_chose(
    make_rig: MakeRig, drop_oldest: bool, kept: range
) -> None:
    """Goal: queued_messages_max, both policies, counted."""
    rig = make_rig(keep_sessions=True, queued_messages_max=10, drop_oldest=drop_oldest)
    sleeper = rig.connect(client_id="sleeper")
    ready(rig, sleeper, b"t", 1)
    sleeper.close()
    sender = rig.connect(client_id="s")
    for number in range(20):
        sender.sendall(publish(b"t", bytes((number,)), qos=1, packet_id=number + 1))
        assert read_packet(sender)[0] == PUBACK
    assert rig.stats()["dropped_queue_full"] == 10
    sleeper = rig.connect(client_id="sleeper")
    assert [read_packet(sleeper)[1][-1] for _ in kept] == list(kept)


def test_queued_bytes_are_bounded_per_session_and_in_all(make_rig: MakeRig) -> None:
    """Goal: queued_bytes_max and queued_bytes_total_max."""
    rig = make_rig(keep_sessions=True, queued_bytes_max=30_000, queued_bytes_total_max=50_000)
    for name in ("one", "two"):
        link = rig.connect(client_id=name)
        ready(rig, link, b"t", 1)
        link.close()
    sender = rig.connect(client_id="s")
    for number in range(100):
        sender.sendall(publish(b"t", b"x" * 1000, qos=1, packet_id=number + 1))
        read_packet(sender)
    stats = rig.stats()
    assert 45_000 < stats["queued_bytes"] <= 50_000
    assert stats["dropped_queue_full"] == 200 - stats["queued"]


def test_queued_messages_are_bounded_in_all(make_rig: MakeRig) -> None:
    """Goal: queued_messages_total_max, over two sessions."""
    rig = make_rig(keep_sessions=True, queued_messages_total_max=15)
    for name in ("one", "two"):
        link = rig.connect(client_id=name)
        ready(rig, link, b"t", 1)
        link.close()
        rig.settle()
    for _ in range(10):
        rig.engine.publish(b"t", b"x", qos=1)
    stats = rig.stats()
    assert (stats["queued"], stats["dropped_queue_full"]) == (15, 5)


def test_the_memory_budget_holds_against_readers_that_never_acknowledge(make_rig: MakeRig) -> None:
    """Goal: memory_bytes_max with many full queues; the engine goes on and says so once."""
    budget = 8 << 20
    rig = make_rig(memory_bytes_max=budget, queued_messages_max=0)
    links = [rig.connect(client_id=f"deaf{number}") for number in range(10)]
    for link in links:
        ready(rig, link, b"big", 1)
    sender = rig.connect(client_id="s")
    for number in range(3000):
        sender.sendall(
            publish(b"big", number.to_bytes(4, "big") * 1000, qos=1, packet_id=number % 60000 + 1)
        )
        assert read_packet(sender)[0] == PUBACK
    stats = rig.stats()
    assert stats["memory_bytes"] < budget + (1 << 20)
    assert stats["dropped_memory"] > 1000
    assert [event.flag for event in rig.events if event.kind == 7][:1] == [1]


def test_a_client_over_its_rate_is_read_later_and_loses_nothing(make_rig: MakeRig) -> None:
    """Goal: rate_messages_s pauses reading."""
    rig = make_rig()
    receiver = rig.connect(client_id="r")
    ready(rig, receiver, b"t", 0)
    sender = rig.connect(client_id="s", rate_messages_s=50)
    sender.sendall(b"".join(publish(b"t", bytes((number,))) for number in range(60)))
    started = time.monotonic()
    assert [read_packet(receiver)[1][-1] for _ in range(60)] == list(range(60))
    assert rig.stats()["throttled"] >= 1
    assert time.monotonic() - started < 10


def test_a_packet_that_comes_too_slowly_ends_the_connection(make_rig: MakeRig) -> None:
    """Goal: packet_timeout_ms against a slow loris."""
    rig = make_rig(packet_timeout_ms=300)
    link = rig.connect()
    link.sendall(publish(b"t", b"x" * 100)[:50])
    assert read_packet(link) == (0, b"")
    rig.settle()
    assert rig.stats()["closed_timeout"] == 1


def test_a_connection_without_connect_is_closed_in_time(make_rig: MakeRig) -> None:
    """Goal: connect_timeout_ms, for silence and for half a CONNECT."""
    rig = make_rig(connect_timeout_ms=300)
    silent, slow = rig.connect_raw(), rig.connect_raw()
    slow.sendall(b"\x10\x20\0\4MQ")
    assert silent.recv(1) == b""
    assert slow.recv(1) == b""


def test_packets_above_the_limit_are_refused_before_they_arrive(make_rig: MakeRig) -> None:
    """Goal: packet_bytes_max is checked on the header; 0x95 for MQTT 5.0."""
    rig = make_rig(terms={"packet_bytes_max": 1000})
    link = rig.connect(version=5)
    link.sendall(b"\x30\xff\xff\xff\x7f")
    assert read_packet(link) == (0xE0, b"\x95")


def test_memory_of_an_announced_packet_grows_with_what_arrives(make_rig: MakeRig) -> None:
    """Goal: a header that promises much costs little."""
    rig = make_rig(terms={"packet_bytes_max": 200 << 20})
    before = rig.stats()["memory_bytes"]
    links = [rig.connect(client_id=f"c{number}") for number in range(8)]
    for link in links:
        link.sendall(b"\x30\xff\xff\xff\x3f" + b"\0\1t" + b"x" * 1000)
    rig.settle()
    assert rig.stats()["memory_bytes"] < before + 1_000_000


def test_the_window_stops_at_inflight_max_and_goes_on_with_each_acknowledgement(
    make_rig: MakeRig,
) -> None:
    """Goal: at most inflight_max unacknowledged, identifiers in sequence."""
    rig = make_rig()
    receiver = rig.connect(client_id="r", inflight_max=3)
    ready(rig, receiver, b"t", 1)
    sender = rig.connect(client_id="s")
    for number in range(8):
        sender.sendall(publish(b"t", bytes((number,)), qos=1, packet_id=number + 1))
        read_packet(sender)
    got = [read_packet(receiver)[1] for _ in range(3)]
    rig.settle()
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(1)
    receiver.settimeout(10)
    for _ in range(5):
        oldest = got[-3]
        receiver.sendall(acknowledge(PUBACK, int.from_bytes(oldest[3:5], "big")))
        got.append(read_packet(receiver)[1])
    assert [int.from_bytes(body[3:5], "big") for body in got] == list(range(1, 9))
    assert [body[-1] for body in got] == list(range(8))


def test_packet_identifiers_wrap_without_ever_being_zero_or_in_use(make_rig: MakeRig) -> None:
    """Goal: 70,000 messages, one identifier held back for ever [MQTT-2.2.1-3]."""
    rig = make_rig()
    receiver = rig.connect(client_id="r", inflight_max=4)
    ready(rig, receiver, b"t", 1)
    seen: list[int] = []
    for number in range(70_000):
        rig.engine.publish(b"t", b"", qos=1)
        if number % 500 == 499:
            rig.engine.flush()
            while len(seen) < number + 1:
                packet_id = int.from_bytes(read_packet(receiver)[1][3:5], "big")
                seen.append(packet_id)
                if len(seen) != 1:  # the first is never acknowledged
                    receiver.sendall(acknowledge(PUBACK, packet_id))
    assert 0 not in seen
    assert seen[0] == 1
    assert 1 not in seen[1:]
    wraps = [index for index in range(1, len(seen)) if seen[index] < seen[index - 1]]
    assert len(wraps) == 1
    # In sequence: only identifiers whose place the held one takes are passed over.
    steps = {after - before for before, after in itertools.pairwise(seen)}
    assert {step for step in steps if step > 0} <= {1, 2}


def test_delayed_messages_wait_for_the_control_plane_one_at_a_time(make_rig: MakeRig) -> None:
    """Goal: a flood of $delayed does not fill the mailbox; nothing is lost or reordered."""
    rig = make_rig()
    sender = rig.connect(client_id="s")
    for number in range(50):
        sender.sendall(publish(b"$delayed/1/t", bytes((number,))))
    while sum(event.kind == native.EVENT_DELAYED for event in rig.events) < 50:
        before = len(rig.events)
        rig.stats()
        assert len(rig.events) <= before + 2
    assert [event.payload[0] for event in rig.events] == list(range(50))
    assert {event.topic for event in rig.events} == {b"$delayed/1/t"}


def test_clients_of_one_address_share_a_publish_rate(make_rig: MakeRig) -> None:
    """Goal: rate_group pauses both, a third one passes, and nothing is lost."""
    rig = make_rig()
    receiver = rig.connect(client_id="r")
    ready(rig, receiver, b"#", 0)
    shared = {"rate_group": b"192.0.2.1", "group_messages_s": 40}
    first = rig.connect(client_id="a", **shared)
    second = rig.connect(client_id="b", **shared)
    other = rig.connect(client_id="c", rate_group=b"192.0.2.2", group_messages_s=40)
    for link, topic in ((first, b"a"), (second, b"b"), (other, b"c")):
        link.sendall(b"".join(publish(topic, bytes((number,))) for number in range(30)))
    got = [read_packet(receiver)[1] for _ in range(90)]
    for topic in (b"a", b"b", b"c"):
        assert [body[-1] for body in got if body[2:3] == topic] == list(range(30))
    assert rig.stats()["throttled"] >= 1
    # 60 messages at 40 a second in a bucket of 40: the other address was done long before.
    assert max(i for i, body in enumerate(got) if body[2:3] == b"c") < 80
    first.close()
    second.close()
    rig.settle()
