"""The password file: who has which password, checked slowly and, the second time, quickly.

To verify a password costs tens of milliseconds and many MiB on purpose. So the broker does it in a
worker thread, and a password that was right is remembered for a while, as a keyed hash: a thousand
clients that come back after a power cut of the router cost a thousand short hashes.

A name that is not in the file costs as much as a wrong password of somebody who is: its password is
compared with the hash of another user, chosen by the name, and refused.
"""

from __future__ import annotations

import os
import time
from itertools import islice
from pathlib import Path
from stat import S_IROTH, S_IWGRP, S_IWOTH
from typing import TYPE_CHECKING, Final

from edge.access.hashes import hash_password, is_outdated, parse_hash
from edge.access.password_lines import FILE_BYTES_MAX, parse_lines
from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.access.scram_credentials import ScramCredentials

VERIFIED_MAX: Final = 4096
VERIFIED_TTL_S: Final = 600.0

_KEY_BYTES: Final = 32

# What an unknown user is compared with if there is no user at all.
_DECOY: Final = "$scrypt$ln=14,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43


class Verdict:
    """Whether a password is right, and what to store instead of an outdated hash."""

    __slots__ = ("ok", "rehash")

    def __init__(self, *, ok: bool, rehash: str | None = None) -> None:
        self.ok = ok
        self.rehash = rehash  # for replace_hash()


class PasswordFile:
    """What stands in one password file.

    verify() belongs to one worker thread, everything else to one other thread.
    """

    __slots__ = (
        "_decoy_key",
        "_scram_iterations",
        "_users",
        "_verified",
        "_verified_key",
        "warnings",
    )

    def __init__(self, users: dict[str, str], warnings: tuple[str, ...] = ()) -> None:
        """Take users with what is stored for each, as password_lines.parse_lines() returns them."""
        self._users = users
        self.warnings = warnings  # what an operator should know, in whole sentences
        self._verified: dict[bytes, float] = {}  # keyed hash -> until when; oldest first
        self._verified_key = os.urandom(_KEY_BYTES)
        self._decoy_key = _secret_of(users)
        # What made-up SCRAM credentials have to choose from.
        scram = (stored.partition(";")[2] for stored in users.values())
        self._scram_iterations = sorted({int(each.split("$")[2]) for each in scram if each})

    @classmethod
    def load(cls, path: str | Path) -> PasswordFile:
        """Read a password file; see `warnings` then.

        Raises:
            AccessError: it cannot be read, or a line is wrong.
        """
        try:
            with Path(path).open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            message = f"password file `{path}` cannot be read: {error.strerror}"
            if isinstance(error, PermissionError):
                hint = "the user that the broker runs as must be able to read it: chown it"
            else:
                hint = "see access.password_file; `robustmq-edge passwd` makes one"
            raise AccessError(message, hint=hint) from error
        if len(data) > FILE_BYTES_MAX:
            message = f"password file `{path}` is above {FILE_BYTES_MAX} bytes"
            raise AccessError(message)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line_number = data.count(b"\n", 0, error.start) + 1
            message = f"{path}:{line_number}: not UTF-8"
            raise AccessError(message) from error
        return cls(parse_lines(text, str(path)), _warnings(str(path), mode))

    @classmethod
    def from_text(cls, text: str, source_name: str = "passwords") -> PasswordFile:
        """Read the text of a password file; `source_name` stands in errors.

        Raises:
            AccessError: a line is wrong.
        """
        return cls(parse_lines(text, source_name))

    def __len__(self) -> int:
        """Return how many users there are."""
        return len(self._users)

    def verify(self, username: str, password: bytes) -> Verdict:
        """Check a password. Blocks for tens of milliseconds or more.

        If the hash is outdated, the new one is in force here at once, and in the verdict once.
        """
        decoy = self._decoy(username)
        stored = self._users.get(username)
        stored_hash = (decoy if stored is None else stored).partition(";")[0]
        parsed = parse_hash(stored_hash)
        try:
            is_right = parsed.verify(password)
        except (ValueError, MemoryError):
            return Verdict(ok=False)  # not enough memory to find out
        if stored is None or not is_right:
            return Verdict(ok=False)
        rehash = _new_hash(password) if is_outdated(parsed) else None
        if rehash is not None:
            self._users[username] = rehash + stored[len(stored_hash) :]
            stored_hash = rehash
        self._remember(self._proof(username, password, stored_hash))
        return Verdict(ok=True, rehash=rehash)

    def verify_cached(self, username: str, password: bytes) -> bool | None:
        """Return True if verify() has found these right lately, else None. Takes microseconds."""
        if not self._verified:
            return None
        # Also for an unknown user, whose proof cannot be there: it must not show in the time.
        proof = self._proof(username, password, self._users.get(username, "").partition(";")[0])
        until_mono_s = self._verified.get(proof)
        return True if until_mono_s is not None and time.monotonic() < until_mono_s else None

    def scram_credentials(self, username: str) -> ScramCredentials:
        """Return a user's SCRAM credentials, or made-up ones that no password fits.

        Made-up ones look like those of a user, and the same each time, so that nobody can find out
        who exists [RFC 5802, section 9].
        """
        from hmac import digest

        from edge.access.scram_credentials import ITERATIONS, SALT_BYTES, ScramCredentials

        # Made in any case: it must not show in the time either.
        seed = digest(self._decoy_key, b"salt" + _encoded(username), "sha256")
        iterations = self._scram_iterations or [ITERATIONS]
        made_up = ScramCredentials(
            iterations[seed[-1] % len(iterations)],
            seed[:SALT_BYTES],
            os.urandom(32),
            os.urandom(32),
        )
        scram = self._users.get(username, "").partition(";")[2]
        return ScramCredentials.parse(scram) if scram else made_up

    # -- inside

    def _decoy(self, username: str) -> str:
        """Return what is stored for another user, the same one each time."""
        from hmac import digest

        if not self._users:
            return _DECOY
        number = int.from_bytes(digest(self._decoy_key, b"user" + _encoded(username), "sha256"))
        return next(islice(self._users.values(), number % len(self._users), None))

    def _proof(self, username: str, password: bytes, stored_hash: str) -> bytes:
        """Return the keyed hash under which a verified password is remembered.

        It covers the stored hash: a changed password is forgotten by that.
        """
        from hmac import digest

        name = _encoded(username)
        content = len(name).to_bytes(4) + name + stored_hash.encode() + b"\n" + password
        return digest(self._verified_key, content, "sha256")

    def _remember(self, proof: bytes) -> None:
        """Only verify() writes, so that readers need no lock."""
        verified = self._verified
        verified.pop(proof, None)
        if len(verified) >= VERIFIED_MAX:
            del verified[next(iter(verified))]
        verified[proof] = time.monotonic() + VERIFIED_TTL_S


def replace_hash(path: str | Path, username: str, stored_hash: str) -> bool:
    """Put a verdict's `rehash` into the file; SCRAM credentials stay. Blocks.

    Returns:
        False if nothing was to be replaced: the user is gone, or has a new password by now.

    Raises:
        AccessError: the file is wrong by now, or another process does not let go of it.
        OSError: it cannot be written; the old one stays.
    """
    return bool(replace_hashes(path, {username: stored_hash}))


def replace_hashes(path: str | Path, hash_by_username: Mapping[str, str]) -> int:
    """Do what replace_hash() does for many users, writing once; return how many were replaced.

    Raises:
        AccessError: the file is wrong by now, or another process does not let go of it.
        OSError: it cannot be written; the old one stays.
    """
    from edge.access.password_store import edit

    def upgrade(users: dict[str, str]) -> dict[str, str]:
        upgraded = {}
        for username, new_hash in hash_by_username.items():
            stored_hash, semicolon, scram = users.get(username, "").partition(";")
            if stored_hash and is_outdated(parse_hash(stored_hash)):
                upgraded[username] = f"{new_hash}{semicolon}{scram}"
        return upgraded

    return edit(path, upgrade)


def _encoded(username: str) -> bytes:
    return username.encode(errors="surrogatepass")


def _new_hash(password: bytes) -> str | None:
    """Hash a password; None if there is not enough memory: the old hash will do once more."""
    try:
        return hash_password(password)
    except (ValueError, MemoryError):
        return None


def _secret_of(users: dict[str, str]) -> bytes:
    """Derive a key from the first user's hash: nobody knows it who cannot read the file.

    Not even that user, because its salt is random and secret. The key outlives a restart and most
    changes of the file, so that made-up salts do not give themselves away by changing.
    """
    from hashlib import sha256

    if not users:
        return os.urandom(_KEY_BYTES)
    stored_hash = next(iter(users.values())).partition(";")[0]
    return sha256(b"edge decoys\n" + stored_hash.encode()).digest()


def _warnings(path: str, mode: int) -> tuple[str, ...]:
    if mode & S_IROTH or mode & (S_IWGRP | S_IWOTH):
        what = "read" if mode & S_IROTH else "changed"
        return (f"password file `{path}` can be {what} by others: chmod 640 or 600",)
    return ()
