"""Password hashes as mosquitto_passwd writes them: verified, never written.

    $6$SALT$HASH               SHA-512 of the password and, behind it, the salt; up to mosquitto 1.6
    $7$ITERATIONS$SALT$HASH    PBKDF2-HMAC-SHA512, 64 bytes; from mosquitto 2.0

SALT and HASH are base64 with padding. Both are too fast for today's guessing: whoever logs in with
one gets a better one. Argon2 hashes of mosquitto 2.1 are the common form, see hashes.py.
"""

from __future__ import annotations

from typing import Final

# Above a million, a login would take seconds on a small board.
ITERATIONS_MAX: Final = 1_000_000

_HASH_BYTES: Final = 64
_SALT_BYTES_MAX: Final = 1024


class MosquittoHash:
    """One of the two kinds; `iterations` 0 is the older one."""

    __slots__ = ("_expected", "_iterations", "_salt")

    def __init__(self, iterations: int, salt: bytes, expected: bytes) -> None:
        self._iterations = iterations
        self._salt = salt
        self._expected = expected

    @classmethod
    def parse(cls, stored: str) -> MosquittoHash:
        """Read `$6$...` or `$7$...`.

        Raises:
            ValueError: it is none of them, or out of bounds.
        """
        _, kind, *fields = stored.split("$")
        iterations = 0
        if kind == "7" and fields:
            iterations = _iterations(fields.pop(0))
        elif kind != "6":
            raise ValueError("it is neither $6$ nor $7$")
        if len(fields) != 2:
            raise ValueError("it has not the parts of a mosquitto hash")
        salt, expected = (_decode(field) for field in fields)
        if not 1 <= len(salt) <= _SALT_BYTES_MAX or len(expected) != _HASH_BYTES:
            raise ValueError("its salt or hash has the wrong length")
        return cls(iterations, salt, expected)

    def verify(self, password: bytes) -> bool:
        """Return whether the password is right; takes up to seconds."""
        from hashlib import pbkdf2_hmac, sha512
        from hmac import compare_digest

        if self._iterations:
            found = pbkdf2_hmac("sha512", password, self._salt, self._iterations, _HASH_BYTES)
        else:
            found = sha512(password + self._salt).digest()
        return compare_digest(found, self._expected)


def _iterations(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 7:
        raise ValueError("its iterations are no number")
    iterations = int(text)
    if not 1 <= iterations <= ITERATIONS_MAX:
        raise ValueError(f"its iterations must be 1 to {ITERATIONS_MAX}")
    return iterations


def _decode(text: str) -> bytes:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(text, strict_mode=True)
    except Error as error:
        raise ValueError("its base64 is broken") from error
