"""A password hash for use outside of test functions; see the fixture cheap_hashes."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

from edge.access import hashes

CHEAP_LN: Final = 4


def cheap_hash(password: bytes, salt: bytes = b"sixteen bytes ..") -> str:
    """Hash like hash_password() while cheap_hashes is in use."""
    found = hashes._scrypt(password, salt, 32, ln=CHEAP_LN, r=hashes.SCRYPT_R, p=hashes.SCRYPT_P)
    fields = (b2a_base64(data, newline=False).decode().rstrip("=") for data in (salt, found))
    return f"$scrypt$ln={CHEAP_LN},r={hashes.SCRYPT_R},p={hashes.SCRYPT_P}${'$'.join(fields)}"
