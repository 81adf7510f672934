"""Passwords and Enhanced Authentication on the simulated broker."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trio

from edge.broker import logins
from edge.errors import AccessError
from edge.protocol import client as codec
from edge.protocol.kinds import PacketKind
from tests.sim.harness import Sim, SimClient, configured, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock


class Verdict:
    """What a password check says."""

    def __init__(self, ok: bool, rehash: str | None = None) -> None:
        self.ok = ok
        self.rehash = rehash


class Passwords:
    """Users and their passwords; a check waits until the test lets it go."""

    def __init__(self, **users: bytes) -> None:
        self.users = users
        self.go = threading.Semaphore(0)
        self.checked: list[str] = []
        self.rehash: str | None = None
        self.threads: set[int] = set()
        self.cache: dict[tuple[str, bytes], bool] = {}

    def verify_cached(self, username: str, password: bytes) -> bool | None:
        return self.cache.get((username, password))

    def verify(self, username: str, password: bytes) -> Verdict:
        self.threads.add(threading.get_ident())
        assert self.go.acquire(timeout=5)
        self.checked.append(username)
        ok = self.users.get(username) == password
        if ok:
            self.cache[username, password] = True
        return Verdict(ok, self.rehash if ok else None)


@dataclass
class Step:
    """What edge.access.enhanced calls AuthenticationStep."""

    reply: bytes
    done: bool = False
    username: str = ""


class Echo:
    """A mechanism of two steps: user name, then the password `yes`."""

    def __init__(self) -> None:
        self.username = ""

    def step(self, data: bytes) -> Step:
        if not self.username:
            self.username = data.decode()
            return Step(b"prove it")
        if data != b"yes":
            message = "no"
            raise AccessError(message)
        return Step(b"welcome", done=True, username=self.username)


def offer_echo(sim: Sim) -> None:
    """Offer the method ECHO and no other."""
    enhanced = sim.plane.authentication.enhanced
    enhanced.make_mechanism = lambda method: Echo() if method == "ECHO" else None


async def until(condition: Callable[[], object]) -> None:
    """Wait for what a worker thread brings about."""
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - a thread brings it about
            await trio.sleep(0.001)


async def test_right_password_is_let_in_and_wrong_one_is_not() -> None:
    passwords = Passwords(alice=b"secret")
    async with simulated(passwords=passwords) as sim:
        right = sim.try_connect("a", username="alice", password=b"secret")
        wrong = sim.try_connect("b", username="alice", password=b"guess")
        unknown = sim.try_connect("c", username="bob", password=b"secret", version=4)
        missing = sim.try_connect("d", username="alice")
        assert right.wire.is_paused
        assert sim.plane.connects.pending_count == 4
        passwords.go.release(4)
        await until(lambda: sim.plane.connects.pending_count == 0)
        sim.turn()
        assert right.connack().reason_code == 0
        assert wrong.connack().reason_code == 0x86
        assert unknown.take() == [b"\x20\x02\x00\x04"]
        assert missing.connack().reason_code == 0x86
        assert threading.get_ident() not in passwords.threads
        assert sim.context.counters.authentication_succeeded == 1
        assert sim.context.counters.authentication_failed == 3


async def test_known_password_is_not_checked_again() -> None:
    passwords = Passwords(alice=b"secret")
    passwords.cache["alice", b"secret"] = True
    async with simulated(passwords=passwords) as sim:
        sim.connect("a", username="alice", password=b"secret")
        assert passwords.checked == []


async def test_password_that_became_known_while_waiting_is_not_checked_again() -> None:
    passwords = Passwords(alice=b"secret")
    async with simulated(passwords=passwords) as sim:
        clients = [
            sim.try_connect(f"c{index}", username="alice", password=b"secret")
            for index in range(20)
        ]
        passwords.go.release(1)
        await until(lambda: sim.plane.connects.pending_count == 0)
        assert [client.connack().reason_code for client in clients] == [0] * 20
        assert passwords.checked == ["alice"]


async def test_client_that_gives_up_is_not_checked() -> None:
    passwords = Passwords(alice=b"secret")
    async with simulated(passwords=passwords) as sim:
        first = sim.try_connect("a", username="alice", password=b"1")
        second = sim.try_connect("b", username="bob", password=b"2")
        third = sim.try_connect("c", username="carol", password=b"3")
        second.vanish()
        passwords.go.release(3)
        await until(lambda: first.is_closed and third.is_closed)
        assert passwords.checked == ["alice", "carol"]


async def test_too_many_logins_at_once_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logins, "PENDING_MAX", 1)
    passwords = Passwords()
    async with simulated(passwords=passwords) as sim:
        sim.try_connect("a", username="u", password=b"1")
        assert sim.try_connect("b", username="u", password=b"2").connack().reason_code == 0x89
        passwords.go.release(1)
        await until(lambda: sim.plane.connects.pending_count == 0)


async def test_anonymous_clients_follow_the_listener_even_with_a_password_file() -> None:
    async with simulated(passwords=Passwords()) as sim:
        sim.connect("a")


def begin(sim: Sim, username: str = "alice", **fields: object) -> SimClient:
    """Connect with the method ECHO and take the question."""
    client = sim.try_connect(
        authentication_method="ECHO", authentication_data=username.encode(), **fields
    )
    auth = codec.decode_auth(client.take_one(PacketKind.AUTH))
    assert auth.reason_code == 0x18
    assert auth.properties.authentication_method == "ECHO"
    assert auth.properties.authentication_data == b"prove it"
    assert not client.wire.is_paused
    return client


@pytest.mark.spec("MQTT-4.12.0-2", "MQTT-4.12.0-5")
async def test_enhanced_authentication_ends_in_a_connack_with_its_last_data() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = begin(sim)
        client.auth(0x18, "ECHO", b"yes")
        connack = client.connack()
        assert connack.reason_code == 0
        assert connack.properties.authentication_method == "ECHO"
        assert connack.properties.authentication_data == b"welcome"
        record = sim.context.clients.get("c")
        assert record is not None
        assert record.username == "alice"


@pytest.mark.spec("MQTT-4.12.0-1")
async def test_unknown_method_is_refused() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = sim.try_connect(authentication_method="OTHER")
        assert client.connack().reason_code == 0x8C
        assert client.is_closed


async def test_method_without_first_data_is_asked_for_it() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = sim.try_connect(authentication_method="ECHO")
        auth = codec.decode_auth(client.take_one(PacketKind.AUTH))
        assert auth.properties.authentication_data is None
        client.auth(0x18, "ECHO", b"alice")
        client.take_one(PacketKind.AUTH)
        client.auth(0x18, "ECHO", b"yes")
        assert client.connack().reason_code == 0


@pytest.mark.spec("MQTT-4.12.0-4")
async def test_failed_exchange_is_refused() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = begin(sim)
        client.auth(0x18, "ECHO", b"no")
        assert client.connack().reason_code == 0x86
        assert client.is_closed


async def test_wrong_packets_during_the_exchange_end_it() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        other_method = begin(sim)
        other_method.auth(0x18, "OTHER", b"yes")
        assert other_method.connack().reason_code == 0x82
        too_early = begin(sim)
        too_early.auth(0x19, "ECHO", b"yes")
        assert too_early.connack().reason_code == 0x82
        subscribing = begin(sim)
        subscribing.send(b"\x82\x07\x00\x01\x00\x00\x01t\x00")
        assert subscribing.connack().reason_code == 0x82
        leaving = begin(sim)
        leaving.disconnect()
        assert leaving.take() == []
        assert leaving.is_closed
        assert sim.plane.connects.pending_count == 0


async def test_user_name_of_connect_must_be_the_proven_one() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = begin(sim, username="alice")
        assert client
        other = sim.try_connect(
            username="bob", authentication_method="ECHO", authentication_data=b"alice"
        )
        other.take()
        other.auth(0x18, "ECHO", b"yes")
        assert other.connack().reason_code == 0x87


async def test_exchange_that_takes_too_long_is_ended(autojump_clock: MockClock) -> None:
    async with simulated(configured(limits={"connect_timeout_s": 5})) as sim:
        offer_echo(sim)
        client = begin(sim)
        await trio.sleep(6)
        assert client.connack().reason_code == 0x87
        assert client.is_closed
        sim.turn()
        finished = begin(sim)
        finished.auth(0x18, "ECHO", b"yes")
        finished.take()
        await trio.sleep(6)
        assert not finished.is_closed


async def test_session_named_by_user_gets_the_proven_name() -> None:
    async with simulated(configured(session={"client_id_from": "username"})) as sim:
        offer_echo(sim)
        begin(sim).auth(0x18, "ECHO", b"yes")
        assert [client.client_id for client in sim.context.clients] == ["alice"]


@pytest.mark.spec("MQTT-4.12.1-1")
async def test_client_proves_itself_again_while_it_is_connected() -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = begin(sim)
        client.auth(0x18, "ECHO", b"yes")
        client.take()
        client.auth(0x19, "ECHO", b"alice")
        assert codec.decode_auth(client.take_one(PacketKind.AUTH)).reason_code == 0x18
        assert not client.wire.is_paused
        # Ordinary packets may stand in between.
        assert client.subscribe("t").reason_codes == [0]
        client.auth(0x18, "ECHO", b"yes")
        done = codec.decode_auth(client.take_one(PacketKind.AUTH))
        assert done.reason_code == 0
        assert done.properties.authentication_data == b"welcome"


@pytest.mark.spec("MQTT-4.12.1-2")
@pytest.mark.parametrize(("username", "proof"), [(b"alice", b"no"), (b"bob", b"yes")])
async def test_failed_re_authentication_disconnects(username: bytes, proof: bytes) -> None:
    async with simulated() as sim:
        offer_echo(sim)
        client = begin(sim)
        client.auth(0x18, "ECHO", b"yes")
        client.take()
        client.auth(0x19, "ECHO", username)
        client.take()
        client.auth(0x18, "ECHO", proof)
        assert client.farewell().reason_code == 0x87


@pytest.mark.spec("MQTT-4.12.0-7")
async def test_auth_of_a_client_without_method_is_a_protocol_error() -> None:
    async with simulated() as sim:
        client = sim.connect("a")
        client.auth(0x19, "ECHO", b"alice")
        assert client.farewell().reason_code == 0x82


async def test_outdated_hashes_are_replaced_once_everybody_is_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[dict[str, str]] = []

    def replace_hashes(path: str, hash_by_username: dict[str, str]) -> int:
        written.append(dict(hash_by_username))
        return len(hash_by_username)

    monkeypatch.setattr("edge.access.passwords.replace_hashes", replace_hashes)
    passwords = Passwords(alice=b"1", bob=b"2")
    passwords.rehash = "better"
    async with simulated(passwords=passwords) as sim:
        sim.try_connect("a", username="alice", password=b"1")
        sim.try_connect("b", username="bob", password=b"2")
        sim.try_connect("c", username="bob", password=b"wrong")
        passwords.go.release(3)
        await until(lambda: sim.log.named("passwords.rehashed"))
        assert written == [{"alice": "better", "bob": "better"}]
        # The queue is ready for the next one.
        again = sim.try_connect("d", username="bob", password=b"no")
        passwords.go.release(1)
        await until(lambda: again.is_closed)
