"""Fuzz target of the engine's commands: a control plane that does anything, in any order.

The bytes choose what clients send and what the control plane does: it accepts onto sessions that
are taken, closes what is closing, answers late, twice or never, names handles that are gone.
Commands are queued and flushed in batches, so that the engine carries out many between two reads.
The engine has to stay alive, and once everything is closed it holds nothing.
"""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress
from typing import Any, Final

from edge.engine import engine as native
from edge.engine.testing import memory_used_bytes
from tests.fuzz.engine_programs import (
    FILTERS,
    Program,
    acknowledgement,
    connect,
    mutated,
    publish,
    subscribe,
)

DEADLINE_S: Final = 10.0
LINKS_MAX: Final = 6
HANDLES_KEPT: Final = 12
RUNS_PER_CLEANING: Final = 25
RUNS_PER_ENGINE: Final = 200
TOPICS: Final = (b"a", b"a/b", b"a/b/c", b"$x", b"/", b"m/a", b"m/a/b", b"b" * 2000)
MOUNTS: Final = (b"", b"", b"", b"m/")
PROPERTIES: Final = (b"", b"\x01\1", b"\x26\0\1k\0\1v" * 3, b"\x09\x07\xd0" + b"c" * 2000)


class EngineBrokenError(AssertionError):
    """The engine does not answer, or holds what it should not."""


class _Plane:
    """An engine, raw clients, and what a careless control plane remembers."""

    def __init__(self) -> None:
        self.before_bytes = memory_used_bytes()
        self.engine = native.Engine(
            memory_bytes_max=24 << 20,
            connections_max=8,
            connect_timeout_ms=400,
            packet_timeout_ms=400,
            topic_levels_max=8,
            queued_messages_max=30,
            queued_bytes_max=1 << 16,
            queued_bytes_total_max=1 << 17,
            output_bytes_max=8192,
            inflight_bytes_max=1 << 16,
            drop_oldest=True,
            queue_qos0_offline=True,
            retained_messages_max=10,
            retained_bytes_max=1 << 17,
        )
        self.listen()
        self.engine.start()
        self.links: list[tuple[socket.socket, int]] = []
        self.handles: list[int] = [1]
        self.open_handles: set[int] = set()
        self.pending: list[tuple[int, int, bytes]] = []  # connection, kind, data
        self.sessions: list[int] = []
        self.settle()

    def listen(self) -> None:
        """Add listener 0, again if it was there."""
        self.engine.add_listener(
            0, -1, proxy_header=False, connections_max=0, packet_bytes_max=20_000
        )

    def wait(self, token: int) -> Any:
        """Take events until this query is answered."""
        self.engine.flush()
        while True:
            ready, _, _ = select.select([self.engine.event_fd], [], [], DEADLINE_S)
            if not ready:
                message = "the engine does not answer"
                raise EngineBrokenError(message)
            reply: Any = None
            for event in self.engine.take_events():
                if event.kind == native.EVENT_REPLY:
                    if event.token == token:
                        reply = event.reply
                elif event.connection:
                    self.handles = [*self.handles, event.connection][-HANDLES_KEPT:]
                    if event.kind == native.EVENT_CLOSED:
                        self.open_handles.discard(event.connection)
                    else:
                        self.open_handles.add(event.connection)
                        self.pending.append((event.connection, event.kind, event.data))
            if reply is not None:
                return reply

    def settle(self) -> dict[str, int]:
        """The engine's counters after all that was asked of it."""
        return dict(self.wait(self.engine.query_stats()))

    def session(self, program: Program) -> int:
        """One that exists, or did, or a new one."""
        if not self.sessions or program.number(6) == 0:
            self.sessions = [*self.sessions, self.engine.open_session()][-5:]
        return self.sessions[program.number(len(self.sessions))]

    def handle(self, program: Program) -> int:
        """A connection that exists, or did."""
        return self.handles[-1 - program.number(len(self.handles))]

    def clean(self) -> None:
        """Close everything and look what is left."""
        for link, _ in self.links:
            link.close()
        self.links.clear()
        self.listen()
        for _ in range(200):
            for connection in self.open_handles:
                self.engine.close(connection)
            stats = self.settle()
            self.pending.clear()
            if stats["connections"] == 0:
                break
            select.select([], [], [], 0.01)
        for row in self.wait(self.engine.query_sessions()):
            self.engine.close_session(row[0])
        self.sessions.clear()
        self.wait(self.engine.delete_retained(b"#"))
        stats = self.settle()
        left = {
            name: stats[name]
            for name in ("connections", "sessions", "subscriptions", "queued", "queued_bytes")
            if stats[name]
        }
        if left:
            message = f"left behind: {left}"
            raise EngineBrokenError(message)

    def stop(self) -> None:
        """End the engine; not a byte may stay."""
        self.engine.stop()
        left = memory_used_bytes() - self.before_bytes
        if left:
            message = f"{left} bytes are left of a stopped engine"
            raise EngineBrokenError(message)


def _profile(program: Program) -> bytes:
    rows = b""
    count = program.number(3)
    for _ in range(count):
        text = FILTERS[program.number(3)]
        rows += struct.pack(
            "<BBBH", program.number(2), 1 + program.number(7), program.number(3), len(text)
        )
        rows += text
    return struct.pack("<IBH", 1 + program.number(2), program.number(2), count) + rows


def _accept(plane: _Plane, program: Program, connection: int, packet: bytes = b"") -> None:
    version = (3, 4, 5)[program.number(3)]
    if program.number(8) and packet[4:8] == b"MQTT":
        version = packet[8]
    plane.engine.accept(
        connection,
        plane.session(program),
        b"\x20\2\0\0",
        protocol_version=version,
        ends_with_connection=program.number(2) == 0,
        keep_alive_s=program.number(3),
        inflight_max=(1, 2, 5, 65_535)[program.number(4)],
        receive_max=(1, 5, 65_535)[program.number(3)],
        packet_bytes_max=(200, 20_000)[program.number(2)],
        client_packet_bytes_max=(0, 0, 60)[program.number(3)],
        alias_in_max=(0, 2)[program.number(2)] if version == 5 else 0,
        alias_out_max=(0, 2)[program.number(2)] if version == 5 else 0,
        qos_max=2 - program.number(8) // 6,
        retain_available=program.number(8) != 0,
        mount=MOUNTS[program.number(len(MOUNTS))],
        acl_profile_id=program.number(3),
        rate_messages_s=(0, 0, 0, 20)[program.number(4)],
        rate_bytes_s=(0, 0, 0, 2000)[program.number(4)],
        needs_map=program.number(4) == 0,
    )


def _answer(plane: _Plane, program: Program) -> None:
    """React to something that a client did; or not."""
    if not plane.pending:
        return
    connection, kind, data = plane.pending.pop(program.number(len(plane.pending)))
    choice = program.number(8)
    if kind == native.EVENT_TOPIC and choice < 7:
        plane.engine.map_topic(connection, data, (b"", b"a/b", data)[program.number(3)])
        plane.engine.resume(connection)
    elif choice < 5 and data[:1] == b"\x10":
        _accept(plane, program, connection, data)
    elif choice < 7:
        plane.engine.send(connection, b"\x90\3\0\1\0")
        plane.engine.resume(connection)
    else:
        plane.engine.close(connection, b"\xe0\0", 0x80)


def _command(plane: _Plane, program: Program) -> None:
    """One command that no client asked for."""
    engine = plane.engine
    choice = program.number(16)
    topic_filter = FILTERS[program.number(4)]
    if choice < 4:
        engine.subscribe(
            plane.session(program),
            topic_filter,
            qos=program.number(3),
            no_local=program.number(4) == 0,
            retain_as_published=program.number(2) == 0,
            subscription_id=(0, 1, 200, 268_435_455)[program.number(4)],
            group=(b"", b"", b"g", b"h")[program.number(4)],
        )
    elif choice == 4:
        engine.unsubscribe(plane.session(program), topic_filter, (b"", b"g")[program.number(2)])
    elif choice < 8:
        for _ in range(1 + program.number(20)):
            engine.publish(
                TOPICS[program.number(len(TOPICS))],
                b"p" * (0, 1, 500, 1500, 9000)[program.number(5)],
                qos=program.number(3),
                retain=program.number(4) == 0,
                properties=PROPERTIES[program.number(len(PROPERTIES))],
                expiry_s=(-1, -1, 0, 1)[program.number(4)],
                origin_session=plane.sessions[-1] if plane.sessions else 0,
                acl_profile_id=program.number(3),
            )
    elif choice == 8:
        engine.close_session(plane.session(program))
    elif choice == 9:
        engine.close(plane.handle(program), (b"", b"\xe0\0")[program.number(2)], 0x98)
    elif choice == 10:
        engine.send_retained(
            plane.session(program), topic_filter, qos=program.number(3), subscription_id=7
        )
    elif choice == 11:
        engine.set_acl_profile(_profile(program))
        if program.number(4) == 0:
            engine.drop_acl_profile(1 + program.number(2))
    elif choice == 12:
        engine.set_session_acl(plane.session(program), program.number(3))
        engine.set_session_ends_with_connection(plane.session(program), program.number(2) == 0)
    elif choice == 13:
        engine.set_map_filters([b"a/#", b"+", b""][: program.number(4)])
    elif choice == 14:
        plane.wait(engine.query_retained(topic_filter, program.number(3)))
        plane.wait(engine.query_sessions(plane.session(program)))
    else:
        (engine.resume, engine.remove_listener)[program.number(8) == 0](plane.handle(program) % 5)
        _accept(plane, program, plane.handle(program))
        plane.listen()


def _client(plane: _Plane, program: Program) -> None:
    """Something that one client does."""
    if len(plane.links) < LINKS_MAX and (not plane.links or program.number(5) == 0):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        ours.setblocking(False)
        plane.engine.adopt(0, theirs.detach(), b"peer\0\0")
        version = (3, 4, 5)[program.number(3)]
        plane.links.append((ours, version))
        data = connect(program, version)
        link = ours
    else:
        link, version = plane.links[program.number(len(plane.links))]
        choice = program.number(12)
        if choice == 0:
            link.close()
            plane.links.remove((link, version))
            return
        if choice == 1:
            with suppress(OSError):
                link.shutdown((socket.SHUT_WR, socket.SHUT_RD)[program.number(2)])
            return
        if choice == 2:
            with suppress(OSError):
                link.recv(1 << program.number(17))
            return
        make = (publish, publish, publish, acknowledgement, acknowledgement, subscribe)
        data = b"".join(
            make[program.number(len(make))](program, version) for _ in range(1 + program.number(4))
        )
        if program.number(8) == 0:
            data = mutated(program, data)
        data *= (1, 1, 1, 30)[program.number(4)]
    with suppress(OSError):
        link.send(data)


_plane: _Plane | None = None
_runs = 0


def target_engine_control(data: bytes) -> None:
    """Run a program of clients and of the control plane."""
    global _plane, _runs  # noqa: PLW0603  (an engine serves many programs: starting one costs more)
    if _plane is None:
        _plane = _Plane()
    plane = _plane
    program = Program(data)
    while program:
        choice = program.number(8)
        if choice < 3:
            _client(plane, program)
        elif choice < 5:
            _answer(plane, program)
        elif choice < 7:
            _command(plane, program)
        else:
            plane.settle()
    plane.settle()
    _runs += 1
    if _runs % RUNS_PER_CLEANING == 0:
        plane.clean()
    if _runs % RUNS_PER_ENGINE == 0:
        _plane = None
        plane.stop()


TARGETS = {"engine_control": target_engine_control}
