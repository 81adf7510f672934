"""Password hashes: how they are written, read and compared.

    $scrypt$ln=14,r=8,p=1$SALT$HASH                    ours, from the standard library
    $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH           if argon2-cffi is installed
    $6$..., $7$...                                     read only, see mosquitto_hashes.py

The parameters stand in the hash, so stronger defaults do not break old files. They are bounded when
a file is read: a login must not take the memory of the board. SALT and HASH are base64 without
padding, the common form of password hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from edge.access.mosquitto_hashes import MosquittoHash
from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Callable

ALGORITHMS: Final = ("scrypt", "argon2id")

# 16 MiB and 50 to 100 ms of one core of a Raspberry Pi 4: what one login at a time may cost a board
# with 512 MiB while it works. The 128 MiB that are recommended for servers would not leave room.
SCRYPT_LN: Final = 14
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
ARGON2_MEMORY_KIB: Final = 19_456
ARGON2_ROUNDS: Final = 2

# What is accepted from a file.
MEMORY_BYTES_MAX: Final = 64 * 1024 * 1024
SCRYPT_P_MAX: Final = 8
ARGON2_ROUNDS_MAX: Final = 16
ARGON2_LANES_MAX: Final = 8

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_BYTES_MIN: Final = 8
_BYTES_MAX: Final = 128


class PasswordHash(Protocol):
    """What a password is compared with."""

    def verify(self, password: bytes) -> bool:
        """Return whether the password is right; takes up to seconds."""


class ScryptHash:
    """`$scrypt$`, RFC 7914."""

    __slots__ = ("_expected", "_ln", "_p", "_r", "_salt")

    def __init__(self, ln: int, r: int, p: int, salt: bytes, expected: bytes) -> None:
        self._ln = ln  # log2 of N
        self._r = r
        self._p = p
        self._salt = salt
        self._expected = expected

    @classmethod
    def parse(cls, stored: str) -> ScryptHash:
        """Read `$scrypt$...`.

        Raises:
            ValueError: it is malformed or out of bounds.
        """
        parts = stored.split("$")
        if len(parts) != 5:
            raise ValueError("it has not the parts of a scrypt hash")
        ln, r, p = _parameters(parts[2], ("ln", "r", "p"))
        if not 1 <= ln <= 20 or not r or not 1 <= p <= SCRYPT_P_MAX:
            raise ValueError(f"its parameters `{parts[2]}` are out of bounds")
        if ln >= 16 * r:
            raise ValueError(f"its parameters `{parts[2]}` break RFC 7914: ln must be below 16 r")
        if (128 * r) << ln > MEMORY_BYTES_MAX:
            raise ValueError(f"it needs more than {MEMORY_BYTES_MAX} bytes of memory")
        return cls(ln, r, p, _decode(parts[3]), _decode(parts[4]))

    @property
    def is_weak(self) -> bool:
        """Whether it costs less than what is written today."""
        return (1 << self._ln) * self._r * self._p < (1 << SCRYPT_LN) * SCRYPT_R * SCRYPT_P

    def verify(self, password: bytes) -> bool:
        """Return whether the password is right; takes some 50 ms and 16 MiB by default."""
        from hmac import compare_digest

        found = _scrypt(
            password, self._salt, len(self._expected), ln=self._ln, r=self._r, p=self._p
        )
        return compare_digest(found, self._expected)


class Argon2Hash:
    """`$argon2id$`, RFC 9106, by argon2-cffi."""

    __slots__ = ("_stored", "_verify")

    def __init__(self, stored: str, verify: Callable[[bytes, bytes], bool]) -> None:
        self._stored = stored
        self._verify = verify

    @classmethod
    def parse(cls, stored: str) -> Argon2Hash:
        """Read `$argon2id$...`.

        Raises:
            AccessError: argon2-cffi is not installed.
            ValueError: it is malformed or out of bounds.
        """
        parts = stored.split("$")
        if len(parts) != 6 or parts[2] != "v=19":
            raise ValueError("it has not the parts of an argon2id hash")
        memory_kib, rounds, lanes = _parameters(parts[3], ("m", "t", "p"))
        if not 1 <= rounds <= ARGON2_ROUNDS_MAX or not 1 <= lanes <= ARGON2_LANES_MAX:
            raise ValueError(f"its parameters `{parts[3]}` are out of bounds")
        if not 8 * lanes <= memory_kib <= MEMORY_BYTES_MAX // 1024:
            raise ValueError(f"it needs more than {MEMORY_BYTES_MAX} bytes of memory, or too few")
        _decode(parts[4])
        _decode(parts[5])
        return cls(stored, _argon2_verify())

    def verify(self, password: bytes) -> bool:
        """Return whether the password is right; takes some 50 ms and 19 MiB by default."""
        return self._verify(self._stored.encode(), password)


def parse_hash(stored: str) -> PasswordHash:
    """Read a stored hash of any kind.

    Raises:
        AccessError: its kind is unknown, or argon2-cffi is missing; the message has no place.
        ValueError: it is malformed or out of bounds.
    """
    if stored.startswith("$scrypt$"):
        return ScryptHash.parse(stored)
    if stored.startswith("$argon2id$"):
        return Argon2Hash.parse(stored)
    if stored.startswith(("$6$", "$7$")):
        return MosquittoHash.parse(stored)
    raise AccessError(
        "the hash is of an unknown kind",
        hint="set the password with `robustmq-edge passwd`",
    )


def is_outdated(parsed: PasswordHash) -> bool:
    """Return whether a new hash is to take its place at the next login."""
    if isinstance(parsed, ScryptHash):
        return parsed.is_weak
    return isinstance(parsed, MosquittoHash)


def hash_password(password: bytes, algorithm: str = "scrypt") -> str:
    """Hash a password with a new salt; takes some 50 ms.

    Raises:
        AccessError: argon2-cffi is not installed.
    """
    from secrets import token_bytes

    salt = token_bytes(_SALT_BYTES)
    if algorithm == "argon2id":
        return _argon2_hash(password, salt)
    found = _scrypt(password, salt, _HASH_BYTES, ln=SCRYPT_LN, r=SCRYPT_R, p=SCRYPT_P)
    parameters = f"ln={SCRYPT_LN},r={SCRYPT_R},p={SCRYPT_P}"
    return f"$scrypt${parameters}${_encode(salt)}${_encode(found)}"


def _scrypt(password: bytes, salt: bytes, length: int, *, ln: int, r: int, p: int) -> bytes:
    from hashlib import scrypt

    # OpenSSL counts a little more than the 128 * N * r bytes of the big table.
    memory_bytes_max = 128 * r * ((1 << ln) + p + 2) + 65_536
    return scrypt(password, salt=salt, n=1 << ln, r=r, p=p, maxmem=memory_bytes_max, dklen=length)


def _argon2_verify() -> Callable[[bytes, bytes], bool]:
    """Return the function that compares a stored hash with a password."""
    try:
        from argon2.exceptions import Argon2Error
        from argon2.low_level import Type, verify_secret
    except ImportError as error:
        raise _no_argon2() from error

    def verify(stored: bytes, password: bytes) -> bool:
        try:
            return verify_secret(stored, password, Type.ID)
        except Argon2Error:
            return False

    return verify


def _argon2_hash(password: bytes, salt: bytes) -> str:
    try:
        from argon2.low_level import Type, hash_secret
    except ImportError as error:
        raise _no_argon2() from error
    return hash_secret(
        password,
        salt,
        time_cost=ARGON2_ROUNDS,
        memory_cost=ARGON2_MEMORY_KIB,
        parallelism=1,
        hash_len=_HASH_BYTES,
        type=Type.ID,
    ).decode()


def _no_argon2() -> AccessError:
    return AccessError(
        "argon2id needs the package argon2-cffi",
        hint="install robustmq-edge[argon2], or hash with scrypt",
    )


def _parameters(text: str, names: tuple[str, str, str]) -> tuple[int, int, int]:
    """Read `a=1,b=2,c=3` with just these names in this order."""
    numbers = []
    fields = text.split(",")
    for name, field in zip(names, fields, strict=False):
        found, _, number = field.partition("=")
        if found != name or not number.isascii() or not number.isdigit() or len(number) > 9:
            break
        numbers.append(int(number))
    if len(fields) != 3 or len(numbers) != 3:
        raise ValueError(f"its parameters are not {', '.join(f'{name}=...' for name in names)}")
    return numbers[0], numbers[1], numbers[2]


def _encode(data: bytes) -> str:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False).decode().rstrip("=")


def _decode(text: str) -> bytes:
    from binascii import Error, a2b_base64

    try:
        data = a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except Error as error:
        raise ValueError("its base64 is broken") from error
    if not _BYTES_MIN <= len(data) <= _BYTES_MAX:
        raise ValueError("its salt or hash has the wrong length")
    return data
