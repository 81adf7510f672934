"""What a server keeps to let a user log in with SCRAM-SHA-256, RFC 5802 and RFC 7677.

    $scram-sha-256$ITERATIONS$SALT$STORED_KEY$SERVER_KEY          base64 with padding

It stands behind the password hash, after a semicolon. The client pays for the iterations at each
login, and it may be a microcontroller, so there are fewer than a password hash would deserve: who
does not use SCRAM should not store this.
"""

from __future__ import annotations

from typing import Final

ITERATIONS: Final = 16_384
ITERATIONS_MIN: Final = 4096  # RFC 7677, section 4
ITERATIONS_MAX: Final = 1_000_000
SALT_BYTES: Final = 16

_KEY_BYTES: Final = 32
_SALT_BYTES_MAX: Final = 128
_PREFIX: Final = "$scram-sha-256$"


class ScramCredentials:
    """Salted keys of one user; the password cannot be computed from them, only guessed."""

    __slots__ = ("iterations", "salt", "server_key", "stored_key")

    def __init__(self, iterations: int, salt: bytes, stored_key: bytes, server_key: bytes) -> None:
        self.iterations = iterations
        self.salt = salt
        self.stored_key = stored_key
        self.server_key = server_key

    @classmethod
    def from_password(
        cls, password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS
    ) -> ScramCredentials:
        """Derive the keys; takes some 10 ms.

        Raises:
            ValueError: the password has characters that SASLprep prohibits.
        """
        from hashlib import pbkdf2_hmac, sha256
        from hmac import digest
        from secrets import token_bytes

        salt = salt or token_bytes(SALT_BYTES)
        salted = pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
        client_key = digest(salted, b"Client Key", "sha256")
        server_key = digest(salted, b"Server Key", "sha256")
        return cls(iterations, salt, sha256(client_key).digest(), server_key)

    @classmethod
    def parse(cls, stored: str) -> ScramCredentials:
        """Read the stored form.

        Raises:
            ValueError: it is malformed or out of bounds.
        """
        fields = stored.removeprefix(_PREFIX).split("$")
        if not stored.startswith(_PREFIX) or len(fields) != 4:
            raise ValueError("it has not the parts of SCRAM credentials")
        number = fields[0]
        if not number.isascii() or not number.isdigit() or len(number) > 7:
            raise ValueError("its iterations are no number")
        iterations = int(number)
        if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
            raise ValueError(f"its iterations must be {ITERATIONS_MIN} to {ITERATIONS_MAX}")
        salt, stored_key, server_key = (_decode(field) for field in fields[1:])
        if not 8 <= len(salt) <= _SALT_BYTES_MAX:
            raise ValueError("its salt has the wrong length")
        if len(stored_key) != _KEY_BYTES or len(server_key) != _KEY_BYTES:
            raise ValueError("its keys have the wrong length")
        return cls(iterations, salt, stored_key, server_key)

    def __str__(self) -> str:
        """Return the stored form."""
        from binascii import b2a_base64

        fields = (
            b2a_base64(data, newline=False).decode()
            for data in (self.salt, self.stored_key, self.server_key)
        )
        return f"{_PREFIX}{self.iterations}${'$'.join(fields)}"


def saslprep(text: str) -> str:
    """Prepare a password as RFC 4013 says, so that keyboards that differ agree.

    Raises:
        ValueError: it holds a prohibited character, e.g. a control character, mixes directions, or
            nothing is left of it.
    """
    if text and text.isascii() and text.isprintable():
        return text
    import stringprep
    import unicodedata

    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if not prepared:
        raise ValueError("it is empty, or nothing of it counts")
    prohibited = (
        stringprep.in_table_a1,  # unassigned
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(is_in(character) for character in prepared for is_in in prohibited):
        raise ValueError("it has a control character or another one that SASLprep prohibits")
    if any(map(stringprep.in_table_d1, prepared)) and (
        any(map(stringprep.in_table_d2, prepared))
        or not stringprep.in_table_d1(prepared[0])
        or not stringprep.in_table_d1(prepared[-1])
    ):
        raise ValueError("it mixes text from right to left with other text")
    return prepared


def _decode(text: str) -> bytes:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(text, strict_mode=True)
    except Error as error:
        raise ValueError("its base64 is broken") from error
