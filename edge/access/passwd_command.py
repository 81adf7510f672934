"""`robustmq-edge passwd`: set and delete users of a password file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.access.hashes import hash_password
from edge.access.password_lines import check_username
from edge.access.password_store import delete as delete_user
from edge.access.password_store import edit
from edge.access.passwords import PasswordFile
from edge.access.scram_credentials import ScramCredentials
from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

# Bytes that an MQTT password may have.
PASSWORD_BYTES_MAX: Final = 65_535


def run(
    path: str,
    user: str | None,
    *,
    password_stdin: bool = False,
    delete: bool = False,
    algorithm: str = "scrypt",
    stdin: TextIO | None = None,
) -> int:
    """Do what the command line says; return its exit code.

    Args:
        path: of the password file; made with mode 0600 if it is missing.
        user: whose password to set or delete; None: each line of standard input is USER:PASSWORD.
        password_stdin: the first line of standard input is the password; else the terminal is
            asked, twice.
        delete: delete the user instead.
        algorithm: scrypt or argon2id.
        stdin: in place of standard input.

    Raises:
        AccessError: a name or password cannot be used, the user to delete is not there, or the
            file is no password file.
    """
    stdin = stdin or sys.stdin
    try:
        if user is None:
            return _set_many(path, stdin, algorithm)
        _check(user)
        if delete:
            return _delete(path, user)
        password = _first_line(stdin) if password_stdin else _ask(user)
        _set(path, {user: password}, algorithm)
    except OSError as error:
        message = f"password file `{path}` cannot be changed: {error.strerror}"
        raise AccessError(message) from error
    except UnicodeDecodeError as error:
        raise AccessError("standard input is not UTF-8") from error
    _tell(path, f"password of `{user}` is set; a running broker takes it over with SIGHUP")
    return 0


def credentials_of(password: str, algorithm: str = "scrypt") -> str:
    """Return what is stored for a password, `HASH;SCRAM`; takes some 60 ms.

    A password that SASLprep refuses gets no SCRAM credentials: it can be used in CONNECT only.

    Raises:
        AccessError: it is empty, too long, or the algorithm is missing.
    """
    data = password.encode(errors="surrogateescape")
    if not data:
        raise AccessError("the password is empty")
    if len(data) > PASSWORD_BYTES_MAX:
        raise AccessError(f"the password is above {PASSWORD_BYTES_MAX} bytes")
    stored_hash = hash_password(data, algorithm)
    try:
        return f"{stored_hash};{ScramCredentials.from_password(password)}"
    except ValueError:
        return stored_hash


def _set(path: str, password_by_user: Mapping[str, str], algorithm: str) -> None:
    # Hashed before the file is locked: the broker may wait for it.
    stored = {
        username: credentials_of(password, algorithm)
        for username, password in password_by_user.items()
    }
    edit(path, lambda _: stored)


def _set_many(path: str, stdin: TextIO, algorithm: str) -> int:
    password_by_user: dict[str, str] = {}
    for line_number, line in enumerate(stdin, 1):
        username, colon, password = line.rstrip("\r\n").partition(":")
        if not colon:
            message = f"line {line_number} of standard input has no `:`"
            raise AccessError(message, hint="write USER:PASSWORD")
        _check(username)
        password_by_user[username] = password
    _set(path, password_by_user, algorithm)
    _tell(path, f"{len(password_by_user)} passwords are set")
    return 0


def _delete(path: str, user: str) -> int:
    if not Path(path).exists() or not delete_user(path, user):
        raise AccessError(f"there is no user `{user}` in `{path}`")
    _tell(path, f"`{user}` is deleted; a running broker forgets it with SIGHUP")
    return 0


def _check(username: str) -> None:
    try:
        check_username(username)
    except ValueError as error:
        raise AccessError(f"the User Name {error}") from error


def _first_line(stdin: TextIO) -> str:
    return stdin.readline(PASSWORD_BYTES_MAX + 2).rstrip("\r\n")


def _ask(user: str, ask: Callable[[str], str] | None = None) -> str:
    """Ask the terminal twice, without showing what is typed."""
    if ask is None:
        from getpass import getpass

        ask = getpass
    try:
        password = ask(f"Password for {user}: ")
        if password != ask("Again: "):
            raise AccessError("the two passwords differ")
    except EOFError as error:
        raise AccessError("no password was typed", hint="or use --password-stdin") from error
    return password


def _tell(path: str, message: str) -> None:
    """Say what was done, and what is wrong with the file, on standard error."""
    sys.stderr.write(f"{message}\n")
    for warning in PasswordFile.load(path).warnings:
        sys.stderr.write(f"warning: {warning}\n")
