"""`robustmq-edge passwd`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from edge.access.passwd_command import PASSWORD_BYTES_MAX, credentials_of, run
from edge.access.passwords import PasswordFile
from edge.errors import AccessError

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "passwords")


@pytest.mark.parametrize("algorithm", ["scrypt", "argon2id"])
def test_password_from_standard_input_can_be_used_both_ways(path: str, algorithm: str) -> None:
    stdin = io.StringIO("s3cret \r\nnot this\n")
    assert run(path, "alice", password_stdin=True, algorithm=algorithm, stdin=stdin) == 0
    file = PasswordFile.load(path)
    assert file.verify("alice", b"s3cret ").ok
    assert not file.verify("alice", b"s3cret").ok
    assert file._users["alice"].startswith(f"${algorithm}$")
    assert ";$scram-sha-256$" in file._users["alice"]


def test_password_is_changed_and_the_user_deleted(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for password in ("old", "new"):
        run(path, "alice", password_stdin=True, stdin=io.StringIO(password))
    assert len(PasswordFile.load(path)) == 1
    assert PasswordFile.load(path).verify("alice", b"new").ok
    assert run(path, "alice", delete=True) == 0
    assert len(PasswordFile.load(path)) == 0
    with pytest.raises(AccessError, match="no user `alice`"):
        run(path, "alice", delete=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert "is set" in told.err
    assert "is deleted" in told.err
    assert "new" not in told.err.split()


def test_delete_in_a_missing_file_makes_none(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="no user `alice`"):
        run(str(tmp_path / "missing"), "alice", delete=True)
    assert list(tmp_path.iterdir()) == []


def test_many_users_are_set_in_one_go(path: str) -> None:
    assert run(path, None, stdin=io.StringIO("alice:a:b\nbob:c\n")) == 0
    file = PasswordFile.load(path)
    assert file.verify("alice", b"a:b").ok
    assert file.verify("bob", b"c").ok
    with pytest.raises(AccessError, match="line 2 of standard input"):
        run(path, None, stdin=io.StringIO("carol:a\nbob\n"))
    assert len(PasswordFile.load(path)) == 2


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [
        ("a:b", "x", "User Name has a `:`"),
        ("", "x", "User Name is empty"),
        ("alice", "", "password is empty"),
        ("alice", "\n", "password is empty"),
        ("alice", "x" * (PASSWORD_BYTES_MAX + 1), "password is above"),
    ],
)
def test_name_or_password_that_cannot_be_used_is_refused(
    path: str, user: str, password: str, message: str
) -> None:
    with pytest.raises(AccessError, match=message):
        run(path, user, password_stdin=True, stdin=io.StringIO(password))


def test_standard_input_in_another_encoding_is_told(path: str) -> None:
    for user in (None, "alice"):
        stdin = io.TextIOWrapper(io.BytesIO(b"alice:gr\xfc\xdfe\n"), encoding="utf-8")
        with pytest.raises(AccessError, match="not UTF-8"):
            run(path, user, password_stdin=user is not None, stdin=stdin)


def test_password_that_scram_cannot_take_works_in_connect(path: str) -> None:
    run(path, "alice", password_stdin=True, stdin=io.StringIO("tab\there"))
    assert PasswordFile.load(path).verify("alice", b"tab\there").ok
    assert ";" not in credentials_of("tab\there")
    assert ";" not in credentials_of("\udcff")


def test_terminal_is_asked_twice(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["one", "two", "same", "same"]
    monkeypatch.setattr("getpass.getpass", lambda _: answers.pop(0))
    with pytest.raises(AccessError, match="differ"):
        run(path, "alice")
    assert run(path, "alice") == 0
    assert PasswordFile.load(path).verify("alice", b"same").ok

    def end(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", end)
    with pytest.raises(AccessError, match=r"no password was typed.*--password-stdin"):
        run(path, "alice")


def test_file_that_others_can_read_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "passwords"
    path.write_text("")
    path.chmod(0o644)
    run(str(path), "alice", password_stdin=True, stdin=io.StringIO("x"))
    assert "warning: password file" in capsys.readouterr().err


def test_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="cannot be changed: No such file"):
        run(str(tmp_path / "no" / "file"), "alice", password_stdin=True, stdin=io.StringIO("x"))
