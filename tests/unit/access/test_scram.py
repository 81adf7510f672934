"""SCRAM-SHA-256: the exchange of the RFC, and everything that must not pass."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from hmac import digest

import pytest

from edge.access.enhanced import METHODS
from edge.access.hashes import hash_password
from edge.access.passwords import PasswordFile
from edge.access.scram import MESSAGE_BYTES_MAX, METHOD, ScramFailed, ScramServer
from edge.access.scram_credentials import ScramCredentials, saslprep

NONCE = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CREDENTIALS = ScramCredentials.from_password("pencil", salt=SALT, iterations=4096)
HASH = hash_password(b"pencil")
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"


def server(credentials: ScramCredentials = CREDENTIALS) -> ScramServer:
    """A server with the nonce of RFC 7677, section 3."""
    return ScramServer(lambda _: credentials, new_nonce=lambda: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")


class Client:
    """What a client does, RFC 5802 section 3, by itself."""

    def __init__(self, password: str, name: bytes = b"user", header: bytes = b"n,,") -> None:
        self.password = password
        self.header = header
        self.bare = b"n=" + name + b",r=client-nonce"
        self.first = header + self.bare
        self.expected = b""

    def final(self, server_first: bytes, **changes: bytes) -> bytes:
        values = dict(field.split(b"=", 1) for field in server_first.split(b","))
        salted = pbkdf2_hmac(
            "sha256", self.password.encode(), b64decode(values[b"s"]), int(values[b"i"])
        )
        binding = changes.get("binding", b64encode(self.header))
        nonce = changes.get("nonce", values[b"r"])
        without_proof = b"c=" + binding + b",r=" + nonce + changes.get("extension", b"")
        message = self.bare + b"," + server_first + b"," + without_proof
        client_key = digest(salted, b"Client Key", "sha256")
        signature = digest(sha256(client_key).digest(), message, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        server_key = digest(salted, b"Server Key", "sha256")
        self.expected = b"v=" + b64encode(digest(server_key, message, "sha256"))
        return without_proof + b",p=" + changes.get("proof", b64encode(proof))


def test_exchange_of_the_rfc_goes_as_written_there() -> None:
    """RFC 7677, section 3."""
    exchange = server()
    first = exchange.step(FIRST)
    assert first.reply == b"r=" + NONCE + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert (first.done, first.username) == (False, "")
    final = exchange.step(b"c=biws,r=" + NONCE + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert final.reply == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert (final.done, final.username) == (True, "user")


@pytest.mark.parametrize(
    ("name", "header", "username"),
    [
        (b"user", b"y,,", "user"),
        (b"user", b"n,a=user,", "user"),
        (b"a=2Cb=3Dc", b"n,a=a=2Cb=3Dc,", "a,b=c"),
        (b"=3D2C", b"n,,", "=2C"),
        ("jürgen".encode(), b"n,,", "jürgen"),
    ],
)
def test_names_and_headers_are_understood(name: bytes, header: bytes, username: str) -> None:
    client = Client("pencil", name, header)
    exchange = server()
    final = exchange.step(client.final(exchange.step(client.first).reply))
    assert final.username == username
    assert final.reply == client.expected


def test_extensions_that_may_be_ignored_are_ignored() -> None:
    client = Client("pencil")
    client.first += b",x=1"
    client.bare += b",x=1"
    exchange = server()
    final = client.final(exchange.step(client.first).reply, extension=b",y=2")
    assert exchange.step(final).done


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,n=user",
        b"n,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"x,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b",,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,a=root,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,user,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,m=ext,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=us=er,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=us=2cer,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=\xff,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,r=rOprNGfwEbeRWgbNEkqO,n=user",
        b"n,,n=user,r=",
        b"n,,n=user,r=short",
        b"n,,n=user,r=rOprNGfwEbe RWgbNEkqO",
        b"n,,n=user,r=rOprNGfwEbe\x7fRWgbNEkqO",
        b"n,,n=user,r=" + b"x" * MESSAGE_BYTES_MAX,
    ],
)
def test_first_message_that_is_wrong_fails(message: bytes) -> None:
    exchange = server()
    with pytest.raises(ScramFailed):
        exchange.step(message)
    with pytest.raises(ScramFailed, match="is over"):
        exchange.step(FIRST)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": b"rOprNGfwEbeRWgbNEkqO"},
        {"nonce": NONCE + b"x"},
        {"binding": b64encode(b"y,,")},
        {"binding": b""},
        {"proof": b""},
        {"proof": b"!"},
        {"proof": b64encode(b"short")},
        {"proof": b64encode(bytes(32))},
    ],
)
def test_final_message_that_is_wrong_fails(changes: dict[str, bytes]) -> None:
    """Signed with the right password all the same."""
    client = Client("pencil")
    exchange = server()
    message = client.final(exchange.step(client.first).reply, **changes)
    with pytest.raises(ScramFailed):
        exchange.step(message)
    with pytest.raises(ScramFailed, match="is over"):
        exchange.step(client.final(b"r=x,s=AAAA,i=1"))


@pytest.mark.parametrize("message", [b"", b"c=biws", b"c=biws,r=x", b"r=x,c=biws,p=AAAA", b",p="])
def test_final_message_without_its_parts_fails(message: bytes) -> None:
    exchange = server()
    exchange.step(FIRST)
    with pytest.raises(ScramFailed):
        exchange.step(message)


def test_exchange_that_is_over_takes_nothing_more() -> None:
    client = Client("pencil")
    exchange = server()
    final = client.final(exchange.step(client.first).reply)
    assert exchange.step(final).done
    with pytest.raises(ScramFailed, match="is over"):
        exchange.step(final)


def test_server_nonces_differ() -> None:
    nonces = {ScramServer(lambda _: CREDENTIALS).step(FIRST).reply for _ in range(20)}
    assert len(nonces) == 20


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "pencil")])
def test_unknown_user_and_wrong_password_fail_alike(user: str, password: str) -> None:
    scram = ScramCredentials.from_password("pencil", iterations=4096)
    file = PasswordFile.from_text(f"alice:{HASH};{scram}\nno scram:{HASH}")
    exchange = METHODS[METHOD](file)
    client = Client(password, user.encode())
    reply = exchange.step(client.first).reply
    assert reply.endswith(b",i=4096")
    with pytest.raises(ScramFailed, match="unknown user or wrong password"):
        exchange.step(client.final(reply))


def test_user_of_the_password_file_is_let_in() -> None:
    scram = ScramCredentials.from_password("pencil", iterations=4096)
    exchange = METHODS["SCRAM-SHA-256"](PasswordFile.from_text(f"alice:{HASH};{scram}"))
    client = Client("pencil", b"alice")
    step = exchange.step(client.final(exchange.step(client.first).reply))
    assert (step.done, step.username, step.reply) == (True, "alice", client.expected)


def test_credentials_survive_being_stored() -> None:
    stored = str(CREDENTIALS)
    assert str(ScramCredentials.parse(stored)) == stored
    assert stored.startswith("$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert "pencil" not in stored


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("$scram-sha-256$", "$scram-sha-1$"),
        ("$4096$", "$4095$"),
        ("$4096$", "$1000001$"),
        ("$4096$", "$many$"),
        ("$4096$", "$²$"),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "AAAA"),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "!"),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gQ==$W22ZaJ0SNY7soEsUEjb6gQ=="),
    ],
)
def test_stored_credentials_that_are_wrong_are_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="it"):
        ScramCredentials.parse(str(CREDENTIALS).replace(old, new))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user", "user"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("Stra\u00dfe", "Stra\u00dfe"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_password_is_prepared_as_rfc_4013_says(text: str, expected: str) -> None:
    assert saslprep(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "\u00ad", "\x07", "a\nb", "\u0627\u0031", "\u0627a", "\ue000", "\ud800", "\U0001f600"],
)
def test_prohibited_password_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it"):
        saslprep(text)
