"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), for tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets


class ScramClient:
    """One exchange: `first`, then `final(server_first)`, then `check(server_final)`."""

    def __init__(self, user_name: str, password: str) -> None:
        self._password = password.encode()
        self._nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        self._first_bare = f"n={user_name},r={self._nonce}"
        self._server_signature = b""

    @property
    def first(self) -> bytes:
        """The client-first-message."""
        return b"n,," + self._first_bare.encode()

    def final(self, server_first: bytes) -> bytes:
        """The client-final-message for the server's challenge."""
        fields = dict(each.split("=", 1) for each in server_first.decode().split(","))
        assert fields["r"].startswith(self._nonce)
        assert len(fields["r"]) > len(self._nonce)
        salt, iterations = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        stored_key = hashlib.sha256(client_key).digest()
        without_proof = f"c=biws,r={fields['r']}"
        message = ",".join([self._first_bare, server_first.decode(), without_proof]).encode()
        signature = hmac.digest(stored_key, message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self._server_signature = hmac.digest(server_key, message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        """The server knows the password too."""
        assert server_final == b"v=" + base64.b64encode(self._server_signature)
