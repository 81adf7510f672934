"""Change a password file on disk: one at a time, and never halfway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.access.atomic_file import locked, replace_file
from edge.access.password_lines import parse_lines, with_stored, without_user
from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Callable


def edit(path: str | Path, change: Callable[[dict[str, str]], dict[str, str]]) -> int:
    """Set users of a file that may be missing.

    Args:
        path: of the password file; a link is followed.
        change: gets what is stored for each user, returns what to set.

    Returns:
        How many users were set; without any, the file is not touched.

    Raises:
        AccessError: the file is no password file, or another process does not let go of it.
        OSError: it cannot be read or written; the old one stays.
    """
    real_path = Path(path).resolve()
    with locked(real_path):
        text = _read(real_path)
        stored_by_username = change(parse_lines(text, str(path)))
        if stored_by_username:
            replace_file(real_path, with_stored(text, stored_by_username).encode())
    return len(stored_by_username)


def delete(path: str | Path, username: str) -> bool:
    """Delete a user; return whether there was one.

    Raises:
        AccessError: the file is no password file, or another process does not let go of it.
        OSError: it cannot be read or written; the old one stays.
    """
    real_path = Path(path).resolve()
    with locked(real_path):
        text = _read(real_path)
        if username not in parse_lines(text, str(path)):
            return False
        replace_file(real_path, without_user(text, username).encode())
    return True


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        message = f"`{path}` is no password file: it is not UTF-8"
        raise AccessError(message) from error
