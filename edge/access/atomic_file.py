"""Replace a file so that a reader, or a power cut, finds the old one or the new one, never half.

The new content is written beside the old one and synced, it takes the name, the folder is synced.
Mode and owner stay. Writers take turns by a lock file, which is left behind: to delete it would let
two writers hold two locks. What root makes belongs to the owner of the file, or of the folder: the
broker, which is not root, has to read the file and take the lock.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, Final

from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_WAIT_S: Final = 10.0

_MODE_OF_NEW_FILES: Final = 0o600
_LOCK_POLL_S: Final = 0.05


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other writers of the file out; waits for them at most LOCK_WAIT_S.

    Raises:
        AccessError: another process holds the lock.
        OSError: the lock file cannot be made.
    """
    import fcntl
    import time

    fd = _open_lock(path)
    try:
        deadline_mono_s = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline_mono_s:
                    message = f"`{path}` is being changed by another process"
                    raise AccessError(message, hint=f"it holds `{path}.lock`") from None
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(fd)


def _open_lock(path: Path) -> int:
    lock_path = f"{path}.lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(lock_path, flags | os.O_EXCL, _MODE_OF_NEW_FILES)
    except FileExistsError:
        # Not given away: in a folder of somebody else it may be a hard link to anything.
        return os.open(lock_path, flags, _MODE_OF_NEW_FILES)
    with suppress(OSError):  # a file system without owners
        _keep_owner(fd, path)
    return fd


def replace_file(path: Path, data: bytes) -> None:
    """Give the file a new content, or make it with mode 0600; the caller holds the lock.

    Raises:
        OSError: disk full, no permission, or owner and group cannot be kept. The old file stays.
    """
    new_path = Path(f"{path}.new")
    new_path.unlink(missing_ok=True)  # left by a power cut
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(new_path, flags, _MODE_OF_NEW_FILES)
    try:
        try:
            _keep_owner_and_mode(fd, path)
            remaining = memoryview(data)
            while remaining:
                remaining = remaining[os.write(fd, remaining) :]
            os.fsync(fd)  # noqa: TID251  (the atomic replacement)
        finally:
            os.close(fd)
        new_path.replace(path)
    except BaseException:
        new_path.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _keep_owner_and_mode(fd: int, path: Path) -> None:
    _keep_owner(fd, path)
    with suppress(FileNotFoundError):
        os.fchmod(fd, S_IMODE(path.stat().st_mode))


def _keep_owner(fd: int, path: Path) -> None:
    """Give an open file the owner and group of another; if there is none, root asks the folder."""
    try:
        old = path.stat()
    except FileNotFoundError:
        if os.geteuid() != 0:
            return
        old = path.parent.stat()
    new = os.fstat(fd)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(fd, old.st_uid, old.st_gid)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)  # noqa: TID251  (the atomic replacement)
    finally:
        os.close(fd)
