"""The password file: lines, verdicts, what is remembered, and what an outsider can learn."""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from edge.access import hashes, passwords
from edge.access.hashes import hash_password
from edge.access.passwords import PasswordFile, replace_hash, replace_hashes
from edge.access.scram_credentials import ScramCredentials
from edge.errors import AccessError
from tests.unit.access.cheap import cheap_hash

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("cheap_hashes")

SECRET = cheap_hash(b"secret")
SCRAM = str(ScramCredentials.from_password("secret", iterations=4096))


def mosquitto(password: bytes) -> str:
    found = hashlib.pbkdf2_hmac("sha512", password, b"twelve bytes", 101)
    return f"$7$101${b64encode(b'twelve bytes').decode()}${b64encode(found).decode()}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the password file, to be set."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_right_password_is_right() -> None:
    file = PasswordFile.from_text(f"# users\n\nalice:{SECRET}\r\nb ö b:{SECRET};{SCRAM}")
    assert len(file) == 2
    assert file.verify("alice", b"secret").ok
    assert file.verify("b ö b", b"secret").ok
    assert not file.verify("alice", b"Secret").ok
    assert file.verify("alice", b"secret").rehash is None


@pytest.mark.parametrize("username", ["bob", "", "# users", "\ud800", "alice "])
def test_unknown_user_is_refused(username: str) -> None:
    file = PasswordFile.from_text(f"alice:{SECRET}")
    assert not file.verify(username, b"secret").ok
    assert file.verify_cached(username, b"secret") is None


def test_file_without_users_refuses_everybody() -> None:
    file = PasswordFile.from_text("")
    assert not file.verify("alice", b"").ok


def test_unknown_user_costs_what_a_known_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same slow function is called with the parameters of a hash in the file."""
    calls = []
    real = hashes._scrypt

    def counted(password: bytes, salt: bytes, length: int, *, ln: int, r: int, p: int) -> bytes:
        calls.append((ln, r, p))
        return real(password, salt, length, ln=ln, r=r, p=p)

    monkeypatch.setattr(hashes, "_scrypt", counted)
    file = PasswordFile.from_text("alice:$scrypt$ln=10,r=4,p=2$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
    file.verify("alice", b"x")
    file.verify("nobody", b"x")
    PasswordFile.from_text("").verify("nobody", b"x")
    assert calls == [(10, 4, 2), (10, 4, 2), (14, 8, 1)], "what hash_password() does by default"


def test_name_without_user_is_compared_with_the_same_hash_each_time() -> None:
    """Or repeated attempts would tell who exists in a file with several kinds of hashes."""
    users = "\n".join(f"u{index}:{SECRET[:-2]}{index:02}" for index in range(50))
    file, again = PasswordFile.from_text(users), PasswordFile.from_text(users)
    decoys = [file._decoy(f"x{index}") for index in range(50)]
    assert [again._decoy(f"x{index}") for index in range(50)] == decoys
    assert len(set(decoys)) > 10


def test_verified_password_is_remembered_for_a_while(clock: list[float]) -> None:
    file = PasswordFile.from_text(f"alice:{SECRET}\nbob:{SECRET}")
    assert file.verify_cached("alice", b"secret") is None
    file.verify("alice", b"wrong")
    assert file.verify_cached("alice", b"wrong") is None
    file.verify("alice", b"secret")
    assert file.verify_cached("alice", b"secret") is True
    assert file.verify_cached("alice", b"wrong") is None
    assert file.verify_cached("bob", b"secret") is None
    clock[0] += passwords.VERIFIED_TTL_S - 0.1
    assert file.verify_cached("alice", b"secret") is True
    clock[0] += 0.1
    assert file.verify_cached("alice", b"secret") is None


def test_memory_of_verified_passwords_is_bounded_and_holds_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "VERIFIED_MAX", 2)
    text = "\n".join(f"{name}:{mosquitto(b'secret')}" for name in "abc")
    monkeypatch.setattr(passwords, "is_outdated", lambda _: False)
    file = PasswordFile.from_text(text)
    for name in "abc":
        file.verify(name, b"secret")
    cached = [file.verify_cached(name, b"secret") for name in "abc"]
    assert cached == [None, True, True]
    assert len(file._verified) == 2
    assert all(len(proof) == 32 and b"secret" not in proof for proof in file._verified)


def test_outdated_hash_is_replaced_once_and_at_once() -> None:
    file = PasswordFile.from_text(f"alice:{mosquitto(b'secret')};{SCRAM}")
    assert file.verify("alice", b"wrong").rehash is None
    verdict = file.verify("alice", b"secret")
    assert verdict.ok
    assert verdict.rehash is not None
    assert hashes.parse_hash(verdict.rehash).verify(b"secret")
    assert file.verify_cached("alice", b"secret") is True
    assert file.verify("alice", b"secret").rehash is None
    assert str(file.scram_credentials("alice")) == SCRAM


def test_hash_that_needs_too_much_memory_refuses_and_does_not_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(*_: object, **__: object) -> bytes:
        raise MemoryError

    file = PasswordFile.from_text(f"alice:{SECRET}")
    monkeypatch.setattr(hashes, "_scrypt", no_memory)
    assert not file.verify("alice", b"secret").ok


def test_login_goes_on_if_there_is_no_memory_for_a_better_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(*_: object, **__: object) -> bytes:
        raise MemoryError

    file = PasswordFile.from_text(f"alice:{mosquitto(b'secret')}")
    monkeypatch.setattr(hashes, "_scrypt", no_memory)
    verdict = file.verify("alice", b"secret")
    assert verdict.ok
    assert verdict.rehash is None
    assert file.verify_cached("alice", b"secret") is True


def test_memory_of_verified_passwords_is_asked_about_unknown_users_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or the time of an answer would tell who exists."""
    asked = []
    real = PasswordFile._proof

    def proof(self: PasswordFile, username: str, password: bytes, stored_hash: str) -> bytes:
        asked.append(username)
        return real(self, username, password, stored_hash)

    file = PasswordFile.from_text(f"alice:{SECRET}")
    file.verify("alice", b"secret")
    monkeypatch.setattr(PasswordFile, "_proof", proof)
    for username in ("alice", "nobody"):
        assert file.verify_cached(username, b"x") is None
    assert asked == ["alice", "nobody"]


def test_scram_credentials_of_nobody_look_like_those_of_somebody() -> None:
    """A client can tell neither by salt nor by iterations, not even after a restart."""
    text = f"alice:{SECRET};{SCRAM}"
    file, restarted = PasswordFile.from_text(text), PasswordFile.from_text(text)
    assert str(file.scram_credentials("alice")) == SCRAM
    made_up = file.scram_credentials("nobody")
    again = restarted.scram_credentials("nobody")
    assert (made_up.salt, made_up.iterations) == (again.salt, 4096)
    assert len(made_up.salt) == len(file.scram_credentials("alice").salt)
    assert made_up.stored_key != again.stored_key
    assert file.scram_credentials("nobody2").salt != made_up.salt
    grown = PasswordFile.from_text(f"alice:{SECRET};{SCRAM}\nbob:{SECRET}")
    assert grown.scram_credentials("nobody").salt == made_up.salt
    assert grown.scram_credentials("bob").salt == file.scram_credentials("bob").salt
    other = PasswordFile.from_text(f"alice:{hash_password(b'secret')};{SCRAM}")
    assert other.scram_credentials("nobody").salt != made_up.salt


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("alice", "no `:` in the line"),
        (f":{SECRET}", "the User Name is empty"),
        (f"a\tb:{SECRET}", "has a control character"),
        ("alice:", "`alice` cannot be used: the hash is of an unknown kind"),
        ("alice:hunter2", "`alice` cannot be used: the hash is of an unknown kind"),
        ("alice:$7$101$x$y", "`alice` cannot be used: its base64 is broken"),
        (f"alice:{SECRET};", "`alice` cannot be used: it has not the parts of SCRAM"),
        (f"alice:{SECRET};{SCRAM};x", "`alice` cannot be used"),
        (f"x:{SECRET}", "the user `x` is there twice"),
    ],
)
def test_wrong_line_is_named_without_what_is_stored(line: str, message: str) -> None:
    with pytest.raises(AccessError, match=message) as caught:
        PasswordFile.from_text(f"x:{SECRET}\n# c\n{line}", "users")
    assert caught.value.message.startswith("users:3: ")
    assert "hunter2" not in str(caught.value)


def test_file_is_loaded_and_tells_who_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"alice:{SECRET}\n")
    outcomes = []
    for mode in (0o600, 0o640, 0o644, 0o660):
        path.chmod(mode)
        outcomes.append(PasswordFile.load(path).warnings)
    assert outcomes[:2] == [(), ()]
    assert "can be read by others: chmod" in outcomes[2][0]
    assert "can be changed by others: chmod" in outcomes[3][0]


def test_file_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessError, match=r"missing` cannot be read: No such file.*passwd"):
        PasswordFile.load(tmp_path / "missing")
    path = tmp_path / "passwords"
    path.write_bytes(b"# a\n\xff")
    with monkeypatch.context() as patched:
        patched.setattr(type(path), "open", _forbidden)
        with pytest.raises(AccessError, match=r"Permission denied.*chown"):
            PasswordFile.load(path)
    with pytest.raises(AccessError, match=r"passwords:2: not UTF-8"):
        PasswordFile.load(str(path))
    monkeypatch.setattr(passwords, "FILE_BYTES_MAX", 3)
    with pytest.raises(AccessError, match="above 3 bytes"):
        PasswordFile.load(path)


def _forbidden(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_new_hash_goes_into_the_file_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    text = f"# users\nalice:{mosquitto(b'a')};{SCRAM}\n\nbob:{mosquitto(b'b')}"
    path.write_text(text)
    path.chmod(0o640)
    assert replace_hash(path, "alice", SECRET)
    assert path.read_text() == f"# users\nalice:{SECRET};{SCRAM}\n\nbob:{mosquitto(b'b')}\n"
    assert path.stat().st_mode & 0o7777 == 0o640


def test_new_hash_does_not_undo_what_happened_in_between(tmp_path: Path) -> None:
    """The user was deleted, or got another password, while the login was checked."""
    path = tmp_path / "passwords"
    newer = hash_password(b"newer")
    path.write_text(f"alice:{newer}\nbob:{mosquitto(b'b')}\ncarol:{mosquitto(b'c')}\n")
    changed = replace_hashes(path, {"alice": SECRET, "bob": SECRET, "dave": SECRET})
    assert changed == 1
    assert path.read_text() == f"alice:{newer}\nbob:{SECRET}\ncarol:{mosquitto(b'c')}\n"
    assert not replace_hash(path, "dave", SECRET)
    assert not replace_hash(tmp_path / "gone", "alice", SECRET)
    assert not (tmp_path / "gone").exists()
