"""Certificates for tests, made with the openssl command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_CA_CONFIG: Final = """
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 30
default_crl_days = 30
policy = anything
unique_subject = no
copy_extensions = copy
[anything]
commonName = optional
organizationName = optional
[req]
distinguished_name = none
[none]
"""


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.certificate = folder / "ca.pem"
        folder.mkdir()
        (folder / "ca.conf").write_text(_CA_CONFIG)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
            " -keyout ca.key -out ca.pem -addext keyUsage=critical,keyCertSign,cRLSign",
            "-subj",
            f"/CN={name}",
        )

    def issue(self, name: str, subject: str, *more: str) -> tuple[Path, Path]:
        """Return certificate and key of `subject`, as files called `name`."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -utf8 -config ca.conf"
            f" -keyout {key.name} -out {name}.csr",
            "-subj",
            subject,
            *more,
        )
        self._openssl(
            "ca -batch -notext -utf8 -preserveDN -config ca.conf -cert ca.pem -keyfile ca.key"
            f" -in {name}.csr -out {certificate.name}"
        )
        return certificate, key

    def revoke(self, *certificates: Path) -> Path:
        """Return a revocation list of all that were revoked so far and these."""
        for certificate in certificates:
            self._openssl(f"ca -config ca.conf -cert ca.pem -keyfile ca.key -revoke {certificate}")
        self._openssl("ca -config ca.conf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem")
        return self.folder / "crl.pem"

    def encrypt(self, key: Path) -> Path:
        """Return the key under a passphrase."""
        out = key.with_suffix(".encrypted")
        self._openssl(f"ec -in {key} -aes256 -passout pass:secret -out {out}")
        return out

    def _openssl(self, command: str, *more: str) -> None:
        subprocess.run(
            ["openssl", *command.split(), *more], cwd=self.folder, check=True, capture_output=True
        )


class Pki:
    """What the tests need: one authority with its clients, and a stranger's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "ours", "Test CA")
        stranger = Authority(folder / "theirs", "Another CA")
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        self.server = self.authority.issue("server", "/CN=localhost", "-addext", names)
        self.server_2 = self.authority.issue("server2", "/CN=renewed", "-addext", names)
        self.alice = self.authority.issue("alice", "/O=Works, Inc./CN=alice")
        self.mallory = self.authority.issue("mallory", "/CN=mallory")
        self.unicode = self.authority.issue("unicode", "/CN=Zoë")
        self.nameless = self.authority.issue("nameless", "/O=Works")
        self.stranger = stranger.issue("alice", "/CN=alice")
        self.crl = self.authority.revoke(self.mallory[0])
        self.encrypted_key = self.authority.encrypt(self.server[1])
