"""Reading certificates: whatever is wrong names the file and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.errors import AccessError
from tests.unit.gateways.harness import mutual_tls, server_tls

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.gateways.pki import Pki


def test_good_files_are_taken(pki: Pki) -> None:
    """Every setting at once."""
    mutual_tls(
        pki,
        "optional",
        crl_file=str(pki.crl),
        version_min="1.3",
        ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
    )


@pytest.mark.parametrize(
    ("setting", "content", "words"),
    [
        ("certificate_file", None, r"certificate `.*/it`: No such file or directory \(a PEM file"),
        ("certificate_file", "junk", r"certificate `.*/it`: no start line"),
        ("key_file", None, r"key `.*/it`: No such file or directory"),
        ("key_file", "junk", r"key `.*/it`: "),
        ("client_ca_file", None, r"client authorities `.*/it`: No such file or directory"),
        ("client_ca_file", "junk", r"client authorities `.*/it`: "),
        ("crl_file", None, r"revocation list `.*/it`: No such file or directory"),
        ("crl_file", "junk", r"revocation list `.*/it`: "),
    ],
)
def test_unusable_file_is_named(
    pki: Pki, tmp_path: Path, setting: str, content: str | None, words: str
) -> None:
    """An operator sees at once which of the four files it is."""
    if content is not None:
        (tmp_path / "it").write_text(content)
    with pytest.raises(AccessError, match=words):
        mutual_tls(pki, **{setting: str(tmp_path / "it")})


def test_key_of_another_certificate_is_refused(pki: Pki) -> None:
    """Renewed one and forgot the other."""
    with pytest.raises(AccessError, match=r"key `.*` .*does not belong|key values mismatch"):
        server_tls(pki, key_file=str(pki.server_2[1]))


def test_encrypted_key_is_refused_without_asking_for_its_passphrase(pki: Pki) -> None:
    """Nobody sits at a service's terminal."""
    with pytest.raises(AccessError, match=r"key `.*encrypted`: .*unencrypted PEM"):
        server_tls(pki, key_file=str(pki.encrypted_key))


def test_unknown_ciphers_are_refused(pki: Pki) -> None:
    """A typing error must not leave a listener without any."""
    with pytest.raises(AccessError, match=r"ciphers `AES-9000`: no cipher match"):
        server_tls(pki, ciphers="AES-9000")
