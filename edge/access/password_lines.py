"""The lines of a password file.

    USER:HASH
    USER:HASH;SCRAM

HASH is of any kind in hashes.py, SCRAM as in scram_credentials.py. Empty lines and lines that begin
with `#` are kept and mean nothing. A User Name has no `:`, no control character, and does not begin
with `#`; blanks belong to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.access.hashes import parse_hash
from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
USERNAME_BYTES_MAX: Final = 65_535


def check_username(username: str) -> None:
    """Check that a name can stand in a line.

    Raises:
        ValueError: it cannot; the message goes on from "the User Name".
    """
    if not username:
        raise ValueError("is empty")
    if ":" in username:
        raise ValueError("has a `:`")
    if username.startswith("#"):
        raise ValueError("begins with `#`")
    if username.startswith("\ufeff"):
        raise ValueError("begins with a byte order mark")  # lost in the first line of a file
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in username):
        raise ValueError("has a control character")
    try:
        if len(username.encode()) > USERNAME_BYTES_MAX:
            raise ValueError(f"is above {USERNAME_BYTES_MAX} bytes")
    except UnicodeEncodeError as error:
        raise ValueError("is not UTF-8") from error


def parse_lines(text: str, source_name: str) -> dict[str, str]:
    """Return what is stored for each User Name: `HASH` or `HASH;SCRAM`, checked.

    Raises:
        AccessError: a line is wrong; the message never shows what is stored.
    """
    users: dict[str, str] = {}
    for line_number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        stripped = line.rstrip("\r")
        if not stripped or stripped.startswith("#"):
            continue
        try:
            username, stored = _parse_line(stripped)
            if username in users:
                raise AccessError(f"the user `{username}` is there twice")
        except AccessError as error:
            message = f"{source_name}:{line_number}: {error.message}"
            raise AccessError(message, hint=error.hint) from error
        users[username] = stored
    return users


def _parse_line(line: str) -> tuple[str, str]:
    username, colon, stored = line.partition(":")
    if not colon:
        message = "no `:` in the line"
        raise AccessError(message, hint="a line is USER:HASH, see `robustmq-edge passwd --help`")
    try:
        check_username(username)
    except ValueError as error:
        raise AccessError(f"the User Name {error}") from error
    stored_hash, semicolon, scram = stored.partition(";")
    try:
        parse_hash(stored_hash)
        if semicolon:
            from edge.access.scram_credentials import ScramCredentials

            ScramCredentials.parse(scram)
    except ValueError as error:
        message = f"what is stored for `{username}` cannot be used: {error}"
        raise AccessError(message, hint="set the password anew") from error
    except AccessError as error:
        message = f"what is stored for `{username}` cannot be used: {error.message}"
        raise AccessError(message, hint=error.hint) from error
    return username, stored


def username_of(line: str) -> str | None:
    """Return whom a line is for; None for a comment and the like."""
    username, colon, _ = line.partition(":")
    return username if colon and username and not line.startswith("#") else None


def with_stored(text: str, stored_by_username: Mapping[str, str]) -> str:
    """Return the file with these users set: lines are replaced, new ones stand at the end."""
    remaining = dict(stored_by_username)
    lines = []
    for line in _lines(text):
        username = username_of(line)
        stored = None if username is None else remaining.pop(username, None)
        lines.append(line if stored is None else f"{username}:{stored}")
    lines.extend(f"{username}:{stored}" for username, stored in remaining.items())
    return _joined(lines)


def without_user(text: str, username: str) -> str:
    """Return the file without a user's line."""
    return _joined(line for line in _lines(text) if username_of(line) != username)


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").removesuffix("\n").split("\n") if text else []


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
