"""Password hashes: ours, argon2id, and those of mosquitto."""

from __future__ import annotations

import builtins
import hashlib
from base64 import b64encode
from typing import Any

import pytest

from edge.access import hashes
from edge.access.hashes import hash_password, is_outdated, parse_hash
from edge.errors import AccessError

# The third test vector of RFC 7914, section 12, cut to the 32 bytes that fit our bounds; scrypt
# makes the whole output with PBKDF2, whose first block these are.
RFC_7914 = (
    "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf04648kM5uVlR+d6Qjw4Cj14eYdAV3NW6I"
)

MOSQUITTO_SALT = b64encode(b"twelve bytes").decode()


def mosquitto_6(password: bytes) -> str:
    found = hashlib.sha512(password + b"twelve bytes").digest()
    return f"$6${MOSQUITTO_SALT}${b64encode(found).decode()}"


def mosquitto_7(password: bytes, iterations: int = 101) -> str:
    found = hashlib.pbkdf2_hmac("sha512", password, b"twelve bytes", iterations)
    return f"$7${iterations}${MOSQUITTO_SALT}${b64encode(found).decode()}"


@pytest.mark.parametrize("algorithm", hashes.ALGORITHMS)
def test_password_fits_its_own_hash_only(algorithm: str) -> None:
    stored = hash_password(b"secret", algorithm)
    assert stored.startswith(f"${algorithm}$")
    parsed = parse_hash(stored)
    assert parsed.verify(b"secret")
    assert not parsed.verify(b"Secret")
    assert not parsed.verify(b"")
    assert not is_outdated(parsed)


def test_cost_of_new_hashes_is_a_decision() -> None:
    """Cheaper ones are guessed faster, dearer ones do not fit a board with 512 MiB."""
    assert hash_password(b"secret").startswith("$scrypt$ln=14,r=8,p=1$")
    assert hash_password(b"secret", "argon2id").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_salts_differ() -> None:
    assert hash_password(b"secret") != hash_password(b"secret")


def test_scrypt_is_the_one_of_the_rfc() -> None:
    """The third test vector of RFC 7914, section 12."""
    expected = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    stored = f"$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU${b64encode(expected).decode()}"
    assert parse_hash(stored.rstrip("=")).verify(b"pleaseletmein")


def test_argon2id_of_the_reference_program_is_verified() -> None:
    """Made with `argon2 somesalt -id -t 2 -m 16 -p 1 -l 24`, from the tests of its authors."""
    stored = (
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    )
    assert parse_hash(stored).verify(b"password")
    assert not parse_hash(stored).verify(b"passwort")


@pytest.mark.parametrize(
    "stored", [mosquitto_6(b"secret"), mosquitto_7(b"secret"), mosquitto_7(b"secret", 1)]
)
def test_mosquitto_hash_is_verified_and_outdated(stored: str) -> None:
    parsed = parse_hash(stored)
    assert parsed.verify(b"secret")
    assert not parsed.verify(b"wrong")
    assert is_outdated(parsed)


@pytest.mark.parametrize(
    "stored",
    [
        "$6$GbSPugm8f9mO7D5l$sqgZ18vCCmKQULVCE7u8fyNECOG2GL9fteJ+yKLJBbHVovTmJTsr+spW/FJFjh+8"
        "F5AenFpB/I+hxlteS5BDHg==",
        "$7$101$StBrZRMzFaSYiLj6$vSf/e3n238Kadfjcv0fr1aGTAoT8BxaATJVPXoBJT5mcc5XO8inZPTKZPq7W"
        "bSu9urGfqRz9hBDg9qtuk/imKw==",
    ],
)
def test_hash_that_mosquitto_passwd_wrote_is_verified(stored: str) -> None:
    """Made by Debian's mosquitto_passwd with -H sha512 and without."""
    assert parse_hash(stored).verify(b"secret")
    assert not parse_hash(stored).verify(b"secre")


def test_weaker_scrypt_is_outdated() -> None:
    weak = "$scrypt$ln=10,r=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"
    assert is_outdated(parse_hash(weak))
    assert not parse_hash(weak).verify(b"x")


@pytest.mark.parametrize(
    "stored",
    [
        "$scrypt$",
        "$scrypt$ln=14,r=8,p=1$c29tZXNhbHQ",
        "$scrypt$ln=14,r=8,p=1$c29tZXNhbHQ$",
        "$scrypt$ln=14,r=8,p=1$$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=1$c29tZXNhbHQ$AAA!AAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=1,x=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$r=8,ln=14,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=21,r=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=16,r=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=17,r=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=8,p=9$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=-1,r=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=14,r=99999999999,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=1000000,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=1,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=99,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
        "$6$",
        "$6$AAAA$AAAA",
        "$6$AAAA$AAAA$AAAA",
        "$7$",
        "$7$101$AAAA",
        "$7$x$AAAA$AAAA",
        mosquitto_7(b"").replace("$101$", "$0$"),
        mosquitto_7(b"").replace("$101$", "$1000001$"),
        mosquitto_7(b"").replace("$101$", "$²$"),
        mosquitto_6(b"")[:-2] + "!=",
    ],
)
def test_broken_or_immoderate_hash_is_refused(stored: str) -> None:
    """A login must not cost more than a board has."""
    with pytest.raises(ValueError, match="it"):
        parse_hash(stored)


@pytest.mark.parametrize("stored", ["", "secret", "$5$a$b", "$argon2i$v=19$", "$scrypt"])
def test_unknown_kind_is_refused_with_a_hint(stored: str) -> None:
    with pytest.raises(AccessError, match=r"unknown kind .*robustmq-edge passwd"):
        parse_hash(stored)


def test_missing_argon2_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = hash_password(b"x", "argon2id")
    real_import = builtins.__import__

    def no_argon2(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("argon2"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_argon2)
    with pytest.raises(AccessError, match=r"argon2-cffi.*robustmq-edge\[argon2\]"):
        hash_password(b"x", "argon2id")
    with pytest.raises(AccessError, match="argon2-cffi"):
        parse_hash(stored)
