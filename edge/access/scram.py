"""SCRAM-SHA-256 on the server's side, RFC 5802 and RFC 7677.

    AWAIT_FIRST --- client-first-message, server-first-message --> AWAIT_FINAL
    AWAIT_FINAL --- client-final-message, server-final-message --> DONE

    C: n,,n=user,r=CLIENT_NONCE
    S: r=CLIENT_NONCE SERVER_NONCE,s=SALT,i=ITERATIONS
    C: c=biws,r=CLIENT_NONCE SERVER_NONCE,p=PROOF
    S: v=SIGNATURE

Any failure ends the exchange, and all failures look the same to the client: RFC 5802 lets a server
leave out its error message. An unknown user is led through the whole exchange with made-up
credentials, which the lookup returns.

There is no channel binding: the gateway ends TLS, away from here. A client that says it could have
bound (`y`) but believes that the server cannot is right about that, and welcome; one that insists
(`p=`) is refused. An authorization identity must be that of the user: nobody acts for others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.access.scram_credentials import ScramCredentials

METHOD: Final = "SCRAM-SHA-256"

# Longer messages are refused before they are looked at.
MESSAGE_BYTES_MAX: Final = 4096

_NONCE_BYTES: Final = 18  # 24 characters of base64
_NONCE_CHARACTERS_MIN: Final = 8  # of the client's: fewer would be an accident
_PROOF_BYTES: Final = 32

_AWAIT_FIRST: Final = 0
_AWAIT_FINAL: Final = 1
_DONE: Final = 2


class ScramFailed(AccessError):
    """The exchange is over: malformed message, unknown user or wrong password."""


class ScramStep:
    """What comes of one message."""

    __slots__ = ("done", "reply", "username")

    def __init__(self, reply: bytes, *, done: bool, username: str = "") -> None:
        self.reply = reply
        self.done = done
        self.username = username  # once done


class ScramServer:
    """One exchange with one client."""

    __slots__ = (
        "_auth_message",
        "_credentials",
        "_gs2_header",
        "_lookup",
        "_new_nonce",
        "_nonce",
        "_state",
        "_username",
    )

    def __init__(
        self,
        credentials_lookup: Callable[[str], ScramCredentials],
        *,
        new_nonce: Callable[[], str] | None = None,
    ) -> None:
        """Wait for the client's first message.

        Args:
            credentials_lookup: returns a user's credentials, made-up ones if there is no such user.
            new_nonce: for tests; must return printable characters without comma.
        """
        self._lookup = credentials_lookup
        self._new_nonce = new_nonce or _random_nonce
        self._state = _AWAIT_FIRST
        self._username = ""
        self._nonce = b""
        self._gs2_header = b""
        self._auth_message = b""
        self._credentials: ScramCredentials | None = None

    def step(self, data: bytes) -> ScramStep:
        """Take a message of the client.

        Raises:
            ScramFailed: the client has failed; no further message will do.
        """
        state, self._state = self._state, _DONE
        if len(data) > MESSAGE_BYTES_MAX:
            raise ScramFailed(f"a SCRAM message is above {MESSAGE_BYTES_MAX} bytes")
        if state == _AWAIT_FIRST:
            reply = self._on_first(data)
            self._state = _AWAIT_FINAL
            return ScramStep(reply, done=False)
        if state == _AWAIT_FINAL:
            return ScramStep(self._on_final(data), done=True, username=self._username)
        raise ScramFailed("the SCRAM exchange is over")

    def _on_first(self, message: bytes) -> bytes:
        """Take `gs2-cbind-flag,[a=authzid],n=user,r=nonce[,extensions]`."""
        parts = message.split(b",", 2)
        if len(parts) != 3:
            raise ScramFailed("the first SCRAM message has too few parts")
        binding, authorization, bare = parts
        if binding.startswith(b"p="):
            raise ScramFailed("the client asks for channel binding, which is not offered")
        if binding not in (b"n", b"y"):
            raise ScramFailed("the first SCRAM message has no channel binding flag")
        fields = bare.split(b",")
        if fields[0].startswith(b"m="):
            raise ScramFailed("the client asks for a SCRAM extension that is not known")
        username = _name(_value(fields, 0, b"n"))
        client_nonce = _value(fields, 1, b"r")
        if len(client_nonce) < _NONCE_CHARACTERS_MIN or not _is_printable(client_nonce):
            raise ScramFailed("the client's SCRAM nonce is too short or not printable")
        if authorization and (
            not authorization.startswith(b"a=") or _name(authorization[2:]) != username
        ):
            raise ScramFailed("the client wants to act for somebody else")
        credentials = self._lookup(username)
        self._username = username
        self._credentials = credentials
        self._gs2_header = message[: -len(bare)]
        self._nonce = client_nonce + self._new_nonce().encode()
        reply = b"r=%b,s=%b,i=%d" % (self._nonce, _base64(credentials.salt), credentials.iterations)
        self._auth_message = bare + b"," + reply
        return reply

    def _on_final(self, message: bytes) -> bytes:
        """Take `c=channel-binding,r=nonce[,extensions],p=proof`."""
        from hashlib import sha256
        from hmac import compare_digest, digest

        credentials = self._credentials
        without_proof, comma, proof_field = message.rpartition(b",")
        fields = without_proof.split(b",")
        if not comma or not proof_field.startswith(b"p=") or credentials is None:
            raise ScramFailed("the final SCRAM message has no proof")
        if _value(fields, 0, b"c") != _base64(self._gs2_header):
            raise ScramFailed("the channel binding has changed between the SCRAM messages")
        if not compare_digest(_value(fields, 1, b"r"), self._nonce):
            raise ScramFailed("the final SCRAM message has another nonce")
        proof = _from_base64(proof_field[2:])
        auth_message = self._auth_message + b"," + without_proof
        signature = digest(credentials.stored_key, auth_message, "sha256")
        client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
        if not compare_digest(sha256(client_key).digest(), credentials.stored_key):
            raise ScramFailed("unknown user or wrong password")
        return b"v=" + _base64(digest(credentials.server_key, auth_message, "sha256"))


def _random_nonce() -> str:
    from os import urandom

    return _base64(urandom(_NONCE_BYTES)).decode()


def _value(fields: list[bytes], index: int, name: bytes) -> bytes:
    """Return the value of an attribute that must stand in this place."""
    if index >= len(fields) or not fields[index].startswith(name + b"="):
        raise ScramFailed(f"the SCRAM message has no `{name.decode()}=` in its place")
    return fields[index][2:]


def _name(value: bytes) -> str:
    """Decode a User Name, where `=2C` is a comma and `=3D` an equals sign."""
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise ScramFailed("the SCRAM user name is not UTF-8") from error
    name = text.replace("=2C", ",").replace("=3D", "=")
    if not name or text.count("=") != text.count("=2C") + text.count("=3D"):
        raise ScramFailed("the SCRAM user name is empty or wrongly encoded")
    return name


def _is_printable(data: bytes) -> bool:
    """Return whether it is ASCII from `!` to `~`; the comma ends a field anyway."""
    return all(0x21 <= byte <= 0x7E for byte in data)


def _base64(data: bytes) -> bytes:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False)


def _from_base64(text: bytes) -> bytes:
    from binascii import Error, a2b_base64

    try:
        data = a2b_base64(text, strict_mode=True)
    except Error as error:
        raise ScramFailed("the SCRAM proof is no base64") from error
    if len(data) != _PROOF_BYTES:
        raise ScramFailed("the SCRAM proof has the wrong length")
    return data
