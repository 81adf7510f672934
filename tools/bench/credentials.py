"""Keys, certificates and passwords that exist only while a benchmark runs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.bench.network import LOOPBACK
from tools.bench.processes import run_quietly

if TYPE_CHECKING:
    from pathlib import Path

OPENSSL_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A self-signed certificate, which is also the authority that the load generator trusts."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """User names `prefix0` to `prefix(count - 1)`, all with one password (salted one by one)."""

    prefix: str
    count: int
    password: str

    def names(self) -> list[str]:
        """Return every User Name."""
        return [f"{self.prefix}{index}" for index in range(self.count)]


def make_tls_files(folder: Path) -> TlsFiles:
    """Make a key on P-256, as devices use today, and a certificate for a day."""
    files = TlsFiles(certificate_file=folder / "tls.crt", key_file=folder / "tls.key")
    run_quietly(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
            "-addext",
            f"subjectAltName=IP:{LOOPBACK}",
            "-keyout",
            str(files.key_file),
            "-out",
            str(files.certificate_file),
        ],
        timeout_s=OPENSSL_TIMEOUT_S,
    )
    # The harness may run as root and a broker may drop to a user of its own.
    files.key_file.chmod(0o644)
    return files


def make_logins(count: int) -> Logins:
    """Make up a password for `count` users."""
    return Logins(prefix="storm", count=count, password=secrets.token_hex(8))
