"""Clients that try to make the engine hold too much, stall, or hurt others."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from edge.engine import engine as native
from tests.unit.engine.packets import acknowledge, packet, publish, read_packet, string, subscribe

if TYPE_CHECKING:
    from tests.support.engine_rig import Rig
    from tests.unit.engine.conftest import MakeRig

MIB = 1 << 20
PUBACK, PUBREC, PUBREL, PUBCOMP = 0x40, 0x50, 0x62, 0x70
PINGREQ = b"\xc0\0"


def ready(
    rig: Rig, link: socket.socket, topic_filter: bytes, options: int = 0, *, v5: bool = False
) -> None:
    """Subscribe and take the SUBACK."""
    link.sendall(subscribe(topic_filter, options, v5=v5))
    rig.settle()
    assert read_packet(link)[0] == 0x90


def push(link: socket.socket, data: bytes, times: int) -> int:
    """Send `data` again and again until the engine stops reading; bytes that went out."""
    link.settimeout(0.3)
    sent = 0
    view = memoryview(data)
    with suppress(TimeoutError):
        for _ in range(times):
            offset = 0
            while offset < len(data):
                took = link.send(view[offset:])
                offset += took
                sent += took
    link.settimeout(10)
    return sent


@pytest.mark.parametrize("flood", [PINGREQ, publish(b"t", b"", qos=1, packet_id=1)])
def test_a_client_that_does_not_take_its_answers_is_not_read_any_further(
    make_rig: MakeRig, flood: bytes
) -> None:
    """Goal: answers are bounded like everything else, and none is lost once the client reads."""
    rig = make_rig(output_bytes_max=100_000)
    link = rig.connect()
    before = rig.stats()["memory_bytes"]
    chunk = flood * (65_536 // len(flood))
    sent = push(link, chunk, 300)
    assert sent < 4 * MIB
    assert rig.stats()["memory_bytes"] < before + MIB
    answer_bytes = 2 if flood == PINGREQ else 4
    expected = sent // len(flood) * answer_bytes
    got = 0
    while got < expected:
        got += len(link.recv(65_536))
    assert got == expected


def test_others_are_served_while_a_client_is_not_read(make_rig: MakeRig) -> None:
    """Goal: a clogged connection costs neither time nor turns, and ends when its peer does."""
    rig = make_rig(output_bytes_max=65_536)
    link = rig.connect(client_id="clogged")
    push(link, PINGREQ * 32_768, 100)
    receiver, sender = rig.connect(client_id="r"), rig.connect(client_id="s")
    ready(rig, receiver, b"t")
    sender.sendall(publish(b"t", b"1"))
    assert read_packet(receiver)[1][-1:] == b"1"
    turns = rig.stats()["turns"]
    time.sleep(0.1)
    assert rig.stats()["turns"] - turns < 20
    link.close()
    rig.settle()
    assert rig.stats()["connections"] == 2


def test_messages_in_flight_to_many_deaf_sessions_keep_the_memory_budget(make_rig: MakeRig) -> None:
    """Goal: what is sent and not acknowledged counts, not only what is queued."""
    budget = 8 * MIB
    rig = make_rig(memory_bytes_max=budget)
    sender = rig.connect(client_id="s")
    links = []
    for number in range(60):
        link = rig.connect(client_id=f"deaf{number}")
        link.sendall(subscribe(b"t%d" % number, 1))
        links.append(link)
    rig.settle()
    for number in range(60):
        for packet_id in range(1, 40):
            sender.sendall(publish(b"t%d" % number, b"x" * 15_000, qos=1, packet_id=packet_id))
            assert read_packet(sender)[0] == PUBACK
    stats = rig.stats()
    assert stats["memory_bytes"] < budget + 2 * MIB
    assert stats["dropped_memory"] > 500
    # Who takes and acknowledges what there is, is served.
    receiver = links[-1]
    assert read_packet(receiver)[0] == 0x90
    for packet_id in range(100, 110):
        first, body = read_packet(receiver)
        assert first == 0x32
        receiver.sendall(acknowledge(PUBACK, int.from_bytes(body[5:7], "big")))
        rig.settle()
        sender.sendall(publish(b"t59", b"x" * 15_000, qos=1, packet_id=packet_id))
        assert read_packet(sender)[0] == PUBACK


def test_large_properties_are_shared_among_receivers_like_large_payloads(
    make_rig: MakeRig,
) -> None:
    """Goal: one packet to many receivers costs one copy, wherever its bytes stand."""
    rig = make_rig(terms={"packet_bytes_max": 4 * MIB})
    sender = rig.connect(5, "s")
    links = []
    for number in range(20):
        link = rig.connect(5 if number % 2 else 4, f"r{number}")
        link.sendall(subscribe(b"t", number % 2, v5=number % 2 == 1))
        links.append(link)
    rig.settle()
    for link in links:
        read_packet(link)
    before = rig.stats()["memory_bytes"]
    user = (b"\x26" + string(b"k") + string(b"v" * 60_000)) * 15
    body = string(b"t") + b"\xb4\xba\x37"[:0] + _varint(len(user)) + user + b"payload"
    sender.sendall(packet(0x30, body))
    stats = rig.stats()
    assert stats["memory_bytes"] < before + 3 * len(user)
    for number, link in enumerate(links):
        first, got = read_packet(link)
        if number % 2 == 0:
            assert (first, got) == (0x30, string(b"t") + b"payload")
        else:
            assert (first, got) == (0x30, body)


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value % 128 | (0x80 if value > 127 else 0))
        value //= 128
        if not value:
            return bytes(out)


def test_a_message_that_fits_into_no_queue_pushes_nothing_out(make_rig: MakeRig) -> None:
    """Goal: with drop_oldest one oversized message must not empty the queue."""
    rig = make_rig(keep_sessions=True, queued_bytes_max=20_000, drop_oldest=True)
    sleeper = rig.connect(client_id="sleeper")
    ready(rig, sleeper, b"t", 1)
    sleeper.close()
    rig.settle()
    for payload in (b"1", b"2", b"x" * 30_000, b"3"):
        rig.engine.publish(b"t", payload, qos=1)
    assert rig.stats()["dropped_queue_full"] == 1
    sleeper = rig.connect(client_id="sleeper")
    assert [read_packet(sleeper)[1][-1:] for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_profile_change_under_memory_pressure_drops_only_what_is_forbidden(
    make_rig: MakeRig,
) -> None:
    """Goal: a queue is filtered in place, without asking the bounds again."""

    def profile(*filters: bytes) -> bytes:
        rows = b"".join(struct.pack("<BBBH", 1, 1, 2, len(text)) + text for text in filters)
        return struct.pack("<IBH", 1, 0, len(filters)) + rows

    rig = make_rig(keep_sessions=True, memory_bytes_max=2 * MIB, queued_bytes_max=0)
    rig.engine.set_acl_profile(profile(b"#"))
    sleeper = rig.connect(client_id="sleeper", acl_profile_id=1)
    ready(rig, sleeper, b"#", 1)
    sleeper.close()
    rig.settle()
    for number in range(500):
        rig.engine.publish((b"open", b"secret")[number % 2], b"x" * 10_000, qos=1)
        rig.settle(1)
    queued = rig.stats()["queued"]
    assert queued > 50
    rig.engine.set_acl_profile(profile(b"open"))
    rig.engine.set_acl_profile(profile(b"open", b"other"))
    stats = rig.stats()
    assert stats["queued"] == (queued + 1) // 2
    assert stats["dropped_denied"] == queued // 2
    rig.engine.set_acl_profile(profile(b"nothing"))
    assert rig.stats()["queued"] == 0


def test_a_live_message_does_not_overtake_a_queued_one_of_qos_0(make_rig: MakeRig) -> None:
    """Goal: order per topic and QoS, when the queue holds QoS 0 [MQTT-4.6.0-5]."""
    rig = make_rig(keep_sessions=True, queue_qos0_offline=True, output_bytes_max=20_000)
    sleeper = rig.connect(client_id="sleeper")
    ready(rig, sleeper, b"t")
    sleeper.close()
    rig.settle()
    for number in range(500):
        rig.engine.publish(b"t", number.to_bytes(2, "big") + b"x" * 2000)
    rig.settle()
    sleeper = rig.connect_raw()
    sleeper.sendall(packet(0x10, b"\0\4MQTT\4\2\0\0" + string(b"sleeper")))
    rig.settle()
    assert read_packet(sleeper)[0] == 0x20
    got = [int.from_bytes(read_packet(sleeper)[1][3:5], "big") for _ in range(100)]
    for number in range(500, 600):
        rig.engine.publish(b"t", number.to_bytes(2, "big") + b"x" * 2000)
    rig.settle()
    got += [int.from_bytes(read_packet(sleeper)[1][3:5], "big") for _ in range(500)]
    assert got == list(range(600))
    assert rig.stats()["queued"] == 0


def test_a_refused_retained_message_of_a_3_1_1_client_is_still_routed_once(
    make_rig: MakeRig,
) -> None:
    """Goal: QoS 2 is exactly once for clients that cannot be told of a failure."""
    rig = make_rig(retained_bytes_max=10)
    receiver, sender = rig.connect(client_id="r"), rig.connect(client_id="s")
    ready(rig, receiver, b"t", 0)
    for dup in (False, True):
        sender.sendall(publish(b"t", b"1", qos=2, packet_id=7, retain=True, dup=dup))
        assert read_packet(sender) == (PUBREC, b"\0\7")
    sender.sendall(acknowledge(PUBREL, 7))
    assert read_packet(sender) == (PUBCOMP, b"\0\7")
    rig.engine.publish(b"t", b"end")
    rig.settle()
    assert read_packet(receiver)[1] == b"\0\1t1"
    assert read_packet(receiver)[1] == b"\0\1tend"


def test_a_large_window_is_sent_again_without_a_stall(make_rig: MakeRig) -> None:
    """Goal: resending is not quadratic, and keeps order through a smaller Receive Maximum."""
    count = 20_000
    rig = make_rig(keep_sessions=True, queued_messages_max=0)
    receiver = rig.connect(client_id="r", inflight_max=65_535)
    ready(rig, receiver, b"t", 1)
    for number in range(count):
        rig.engine.publish(b"t", number.to_bytes(4, "big"), qos=1)
    rig.engine.flush()
    for _ in range(count):
        read_packet(receiver)
    receiver.close()
    rig.settle()
    rig.accept_terms = {"inflight_max": 10}
    receiver = rig.connect(client_id="r")
    started = time.monotonic()
    for number in range(count):
        first, body = read_packet(receiver)
        assert (first, body[5:]) == (0x3A, number.to_bytes(4, "big"))
        receiver.sendall(acknowledge(PUBACK, int.from_bytes(body[3:5], "big")))
    assert time.monotonic() - started < 8


@pytest.mark.slow
def test_a_deaf_client_is_ended_while_the_memory_budget_is_used_up(make_rig: MakeRig) -> None:
    """Goal: those who never read do not starve everybody else for ever."""
    rig = make_rig(memory_bytes_max=4 * MIB, output_bytes_max=8 * MIB)
    deaf, alert = rig.connect(client_id="deaf"), rig.connect(client_id="alert")
    ready(rig, deaf, b"d")
    ready(rig, alert, b"a")
    end = time.monotonic() + 20
    while rig.stats()["connections"] == 2 and time.monotonic() < end:
        for _ in range(20):
            rig.engine.publish(b"d", b"x" * 50_000)
        rig.engine.publish(b"a", b"1")
        rig.engine.flush()
        assert read_packet(alert)[1] == b"\0\1a1"
        time.sleep(0.05)
    assert [event.cause for event in rig.events if event.kind == native.EVENT_CLOSED] == [
        native.CAUSE_QUOTA
    ]
    assert rig.stats()["memory_bytes"] < 2 * MIB


def test_connections_of_a_listener_that_is_added_again_still_count(make_rig: MakeRig) -> None:
    """Goal: connections_max survives a reload."""
    rig = make_rig()
    door = socket.create_server(("127.0.0.1", 0))
    door.setblocking(False)
    try:
        for _ in range(2):
            rig.engine.add_listener(
                5, door.fileno(), proxy_header=False, connections_max=1, packet_bytes_max=1000
            )
            rig.settle()
            link = socket.create_connection(door.getsockname(), timeout=10)
            rig.links.append(link)
            rig.settle()
        assert link.recv(1) == b""
        assert rig.stats()["accept_refused"] == 1
    finally:
        door.close()


def test_an_engine_that_was_stopped_says_so_instead_of_crashing() -> None:
    """Goal: no method touches memory that stop() has freed."""
    engine = native.Engine()
    engine.start()
    engine.stop()
    engine.stop()
    engine.flush()
    assert engine.take_events() == []
    with pytest.raises(RuntimeError):
        engine.query_stats()


def test_a_filter_that_is_too_long_with_its_mount_point_is_refused() -> None:
    """Goal: a 16-bit length that wraps would subscribe to somebody else's topics."""
    engine = native.Engine()
    with pytest.raises(ValueError, match="65,535"):
        engine.subscribe(
            1,
            b"m/" + b"x" * 65_534,
            qos=0,
            no_local=False,
            retain_as_published=False,
            subscription_id=0,
            group=b"",
        )
    with pytest.raises(ValueError, match="65,535"):
        engine.unsubscribe(1, b"", b"")


def test_an_accept_without_a_session_ends_the_connection(make_rig: MakeRig) -> None:
    """Goal: a session forgotten in between leaves nobody waiting for ever."""
    rig = make_rig()
    link = rig.connect_raw()
    link.sendall(packet(0x10, b"\0\4MQTT\4\2\0\0" + string(b"x")))
    rig.engine.close_session(1)  # serial numbers: the session that the rig is about to open ...
    original = rig.engine.open_session
    assert original() == 1
    rig.engine.close_session(1)
    rig.by_client_id["x"] = 1
    rig.keep_sessions = True  # ... and that it believes to know
    rig.settle()
    assert link.recv(1) == b""


def test_what_a_client_sent_before_it_left_is_handled_although_it_had_to_wait(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: a hang-up during a pause loses neither messages nor the DISCONNECT [MQTT-3.14.4-3]."""
    rig = make_rig()
    receiver = rig.connect(client_id="r")
    ready(rig, receiver, b"t")
    seen: list[int] = []
    answer = rig._on_other

    def spy(event: native.Event, data: bytes) -> None:
        seen.append(data[0])
        answer(event, data)

    monkeypatch.setattr(rig, "_on_other", spy)
    for pause in (b"", publish(b"$delayed/9/x", b"")):
        leaver = rig.connect(client_id="leaver")
        leaver.sendall(subscribe(b"x") + pause + publish(b"t", b"last words") + b"\xe0\0")
        leaver.close()
        turns = rig.stats()["turns"]
        rig.settle(5)
        assert read_packet(receiver)[1] == b"\0\1tlast words"
        assert seen[-1] == 0xE0
        assert rig.stats()["turns"] - turns < 50
        assert rig.stats()["connections"] == 1
