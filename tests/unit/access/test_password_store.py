"""Password files on disk: replaced as a whole, by one writer at a time."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from edge.access import atomic_file
from edge.access.atomic_file import locked, replace_file
from edge.access.password_lines import check_username, with_stored, without_user
from edge.access.password_store import delete, edit
from edge.errors import AccessError
from tests.unit.access.cheap import cheap_hash

SECRET = cheap_hash(b"secret")


def test_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    before = os.umask(0)
    try:
        assert edit(path, lambda _: {"alice": SECRET}) == 1
    finally:
        os.umask(before)
    assert path.read_text() == f"alice:{SECRET}\n"
    assert path.stat().st_mode & 0o7777 == 0o600


def test_mode_owner_and_link_stay(tmp_path: Path) -> None:
    target = tmp_path / "real"
    target.write_text("")
    target.chmod(0o640)
    if os.getuid() == 0:
        os.chown(target, 12, 34)
    owner = (target.stat().st_uid, target.stat().st_gid)
    link = tmp_path / "link"
    link.symlink_to(target)
    edit(link, lambda _: {"alice": SECRET})
    assert link.is_symlink()
    assert target.read_text() == f"alice:{SECRET}\n"
    assert target.stat().st_mode & 0o7777 == 0o640
    assert (target.stat().st_uid, target.stat().st_gid) == owner


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_owner_of_the_folder_then_of_the_file(
    tmp_path: Path,
) -> None:
    """`sudo robustmq-edge passwd` must leave what the broker's user can read, and lock."""
    path = tmp_path / "passwords"
    os.chown(tmp_path, 12, 34)
    edit(path, lambda _: {"alice": SECRET})
    owners = {each.name: (each.stat().st_uid, each.stat().st_gid) for each in tmp_path.iterdir()}
    assert owners == {"passwords": (12, 34), "passwords.lock": (12, 34)}
    assert path.stat().st_mode & 0o7777 == 0o600
    other = tmp_path / "other"
    other.write_text("")
    os.chown(other, 56, 78)
    edit(other, lambda _: {"alice": SECRET})
    for each in (other, tmp_path / "other.lock"):
        assert (each.stat().st_uid, each.stat().st_gid) == (56, 78)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_root_gives_no_lock_file_away_that_it_has_not_made(tmp_path: Path) -> None:
    """Who owns the folder could have linked a file there that root alone may read."""
    secret = tmp_path / "shadow"
    secret.write_text("x")
    folder = tmp_path / "folder"
    folder.mkdir()
    os.chown(folder, 12, 34)
    (folder / "passwords.lock").hardlink_to(secret)
    edit(folder / "passwords", lambda _: {"alice": SECRET})
    assert secret.stat().st_uid == 0
    assert secret.read_text() == "x"


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_fd: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_content_is_synced_before_it_takes_the_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave an empty file under the good name."""
    path = tmp_path / "file"
    steps: list[str] = []
    real_fsync = os.fsync
    real_replace = Path.replace

    def fsync(fd: int) -> None:
        target = Path(f"/proc/self/fd/{fd}").readlink()
        steps.append(f"sync {target.name if target != tmp_path else 'folder'}")
        real_fsync(fd)

    def replace(self: Path, target: Path) -> Path:
        steps.append(f"name {target.name}")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    replace_file(path, b"new")
    assert steps == ["sync file.new", "name file", "sync folder"]


def test_rest_of_an_interrupted_write_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "file.new").write_bytes(b"half")
    replace_file(tmp_path / "file", b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_second_writer_waits_and_then_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_file, "LOCK_WAIT_S", 0.0)
    path = tmp_path / "file"
    with locked(path), pytest.raises(AccessError, match="another process"), locked(path):
        pass
    with locked(path):
        pass


def _set(username: str, _: dict[str, str]) -> dict[str, str]:
    return {username: SECRET}


def test_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "passwords"

    def write(number: int) -> None:
        for index in range(5):
            edit(path, partial(_set, f"u{number}-{index}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(path.read_text().splitlines()) == 20


def test_nothing_to_set_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"alice:{SECRET}")
    before = path.stat()
    assert edit(path, lambda _: {}) == 0
    assert path.stat().st_ino == before.st_ino


def test_user_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"# alice:\nalice:{SECRET}\nalice2:{SECRET}\n")
    assert delete(path, "alice")
    assert not delete(path, "alice")
    assert path.read_text() == f"# alice:\nalice2:{SECRET}\n"


def test_file_that_is_no_password_file_is_not_changed(tmp_path: Path) -> None:
    """A slip of the hand must not cost /etc/passwd."""
    path = tmp_path / "notes"
    for content in (b"hello\n", b"root:x:0:0\n", b"\xff\n"):
        path.write_bytes(content)
        with pytest.raises(AccessError):
            edit(path, lambda _: {"alice": SECRET})
        with pytest.raises(AccessError):
            delete(path, "root")
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a:H\n"),
        ("b:x", "b:x\na:H\n"),
        ("a:x\nb:x\n", "a:H\nb:x\n"),
        ("\ufeffa:x\r\n\n#a:x\nab:x\n", "a:H\n\n#a:x\nab:x\n"),
    ],
)
def test_line_of_a_user_is_set_where_it_stands(text: str, expected: str) -> None:
    assert with_stored(text, {"a": "H"}) == expected
    assert "a:H" not in without_user(expected, "a").splitlines()


@pytest.mark.parametrize(
    "name", ["", "a:b", "#a", "a\nb", "a\0", "a\x7f", "\ud800", "\ufeffa", "x" * 65_536]
)
def test_name_that_fits_no_line_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is|has|begins"):
        check_username(name)
