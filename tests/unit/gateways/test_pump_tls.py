"""TLS clients of the pump, with real sockets and certificates."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.gateways.harness import (
    Harness,
    client_context,
    exchange,
    fill,
    mutual_tls,
    read_exactly,
    read_to_end,
    server_tls,
    wait_until,
)

if TYPE_CHECKING:
    from tests.unit.gateways.pki import Pki

MIB = 1 << 20
PATTERN = bytes(range(256)) * (MIB // 256)
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def shake_by_hand(
    link: socket.socket, context: ssl.SSLContext, *, piece_bytes: int
) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A handshake whose bytes go out in pieces."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        data = outgoing.read()
        for start in range(0, len(data), piece_bytes):
            link.sendall(data[start : start + piece_bytes])
        if done:
            return tls, incoming, outgoing
        incoming.write(link.recv(65_536))


# ---------------------------------------------------------------- bytes


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_cross_both_ways(harness: Harness, pki: Pki, version: ssl.TLSVersion) -> None:
    """Whatever the version, a megabyte comes back as it went."""
    harness.listen(tls=server_tls(pki))
    context = client_context(pki)
    context.minimum_version = context.maximum_version = version
    client = harness.connect_tls(context)
    echo = harness.adopted().echo_until_end()
    assert exchange(client, PATTERN) == PATTERN
    client.unwrap()
    echo.join()


def test_small_records_are_gathered_in_order(harness: Harness, pki: Pki) -> None:
    """A thousand records of a few bytes each arrive as one stream."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    sent = [f"{i};".encode() for i in range(1000)]
    for record in sent:
        client.sendall(record)
    assert read_exactly(engine.link, sum(map(len, sent))) == b"".join(sent)


def test_handshake_and_data_may_come_byte_by_byte(harness: Harness, pki: Pki) -> None:
    """Segments cut a stream anywhere."""
    harness.listen(tls=server_tls(pki))
    link = harness.connect()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls, _, outgoing = shake_by_hand(link, client_context(pki), piece_bytes=1)
    tls.write(b"hello")
    for byte in outgoing.read():
        link.sendall(bytes([byte]))
    assert read_exactly(harness.adopted().link, 5) == b"hello"


def test_data_behind_the_handshake_in_one_segment_is_not_lost(harness: Harness, pki: Pki) -> None:
    """A client's Finished and its CONNECT usually share a segment."""
    harness.listen(tls=server_tls(pki))
    link = harness.connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    link.sendall(outgoing.read())
    while True:
        incoming.write(link.recv(65_536))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            continue
    tls.write(b"CONNECT")
    link.sendall(outgoing.read())
    assert read_exactly(harness.adopted().link, 7) == b"CONNECT"


def test_client_over_a_unix_socket_is_local(harness: Harness, pki: Pki) -> None:
    """There is no address to show."""
    path = str(pki.folder / "pump.sock")
    harness.listen(tls=server_tls(pki), family=socket.AF_UNIX, address=path)
    harness.connect_tls(client_context(pki))
    assert harness.adopted().peer == b"local\0\0"


def test_ipv6_client_has_its_address_in_brackets(harness: Harness, pki: Pki) -> None:
    """As in URLs."""
    harness.listen(tls=server_tls(pki), family=socket.AF_INET6, address=("::1", 0))
    client = harness.connect_tls(client_context(pki))
    assert harness.adopted().address == f"[::1]:{client.getsockname()[1]}"


# ---------------------------------------------------------------- who is it


def test_client_certificate_names_the_client(harness: Harness, pki: Pki) -> None:
    """Common name and RFC 2253 subject stand behind the address."""
    harness.listen(tls=mutual_tls(pki))
    client = harness.connect_tls(client_context(pki, pki.alice))
    engine = harness.adopted()
    assert engine.address == f"127.0.0.1:{client.getsockname()[1]}"
    assert engine.common_name == "alice"
    assert engine.subject == r"CN=alice,O=Works\, Inc."


def test_common_name_is_utf8_and_subject_escapes_it(harness: Harness, pki: Pki) -> None:
    """RFC 2253 has an escape for what is not ASCII."""
    harness.listen(tls=mutual_tls(pki))
    harness.connect_tls(client_context(pki, pki.unicode))
    engine = harness.adopted()
    assert (engine.common_name, engine.subject) == ("Zoë", r"CN=Zo\C3\AB")


def test_certificate_without_common_name_has_a_subject_only(harness: Harness, pki: Pki) -> None:
    """Nothing is made up."""
    harness.listen(tls=mutual_tls(pki))
    harness.connect_tls(client_context(pki, pki.nameless))
    assert harness.adopted().peer.endswith(b"\0\0O=Works")


def test_optional_certificate_may_be_missing(harness: Harness, pki: Pki) -> None:
    """The fields are there and empty."""
    harness.listen(tls=mutual_tls(pki, "optional"))
    client = harness.connect_tls(client_context(pki))
    assert harness.adopted().peer == f"127.0.0.1:{client.getsockname()[1]}\0\0".encode()


def test_resumed_session_still_has_its_certificate(harness: Harness, pki: Pki) -> None:
    """A ticket saves the signatures, not the identity."""
    harness.listen(tls=mutual_tls(pki))
    context = client_context(pki, pki.alice)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = harness.connect_tls(context).session
    assert harness.adopted().common_name == "alice"
    assert harness.connect_tls(context, session=session).session_reused
    assert harness.adopted().common_name == "alice"


# ---------------------------------------------------------------- who is turned away


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (None, "peer did not return a certificate"),
        ("mallory", "certificate revoked"),
        ("stranger", "unable to get local issuer certificate"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_unwanted_client_is_refused_with_an_alert(
    harness: Harness, pki: Pki, identity: str | None, words: str, version: ssl.TLSVersion
) -> None:
    """The client reads the alert, the operator the words."""
    harness.listen(tls=mutual_tls(pki, crl_file=str(pki.crl)))
    context = client_context(pki, None if identity is None else getattr(pki, identity))
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"ALERT|alert"):
        # In TLS 1.3 the client has finished before the server has seen its certificate.
        harness.connect_tls(context).recv(1)
    assert harness.nobody_was_adopted()
    wait_until(lambda: harness.pump.stats()["handshakes_failed"] == 1, "counted")
    assert words in str(harness.pump.stats()["last_failure"])
    assert str(harness.pump.stats()["last_failure"]).startswith("127.0.0.1:")


def test_good_client_passes_the_revocation_list(harness: Harness, pki: Pki) -> None:
    """Only who is listed is refused."""
    harness.listen(tls=mutual_tls(pki, crl_file=str(pki.crl)))
    harness.connect_tls(client_context(pki, pki.alice))
    assert harness.adopted().common_name == "alice"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("version_min", "client_max"),
    [("1.2", ssl.TLSVersion.TLSv1_1), ("1.3", ssl.TLSVersion.TLSv1_2)],
)
def test_old_tls_is_refused(
    harness: Harness, pki: Pki, version_min: str, client_max: ssl.TLSVersion
) -> None:
    """Below version_min there is no handshake."""
    harness.listen(tls=server_tls(pki, version_min=version_min))
    context = client_context(pki)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = client_max
    with pytest.raises(ssl.SSLError, match=r"VERSION|version"):
        harness.connect_tls(context)


@pytest.mark.parametrize(
    "words", [b"GET / HTTP/1.1\r\n\r\n", b"\x10\x0c\0\x04MQTT\x04\0\0\0\0\0", b"\xff" * 99]
)
def test_who_speaks_no_tls_is_turned_away(harness: Harness, pki: Pki, words: bytes) -> None:
    """A plain client on the TLS port is told off, not left waiting."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect()
    client.sendall(words)
    read_to_end(client)
    assert harness.nobody_was_adopted()


def test_handshake_that_takes_too_long_is_given_up(pki: Pki) -> None:
    """Silence, and a ClientHello that never ends."""
    harness = Harness(handshake_timeout_ms=100)
    try:
        harness.listen(tls=server_tls(pki))
        silent, slow = harness.connect(), harness.connect()
        slow.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        assert (silent.recv(1), slow.recv(1)) == (b"", b"")
        wait_until(lambda: harness.pump.stats()["handshakes_late"] == 2, "counted")
    finally:
        harness.close()


def test_renegotiation_is_refused(harness: Harness, pki: Pki) -> None:
    """It costs us much more than the client."""
    harness.listen(tls=server_tls(pki))
    host, port = harness.address()
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2"],
        input=b"R\n",
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert b"RENEGOTIATING" in result.stderr
    assert b"no renegotiation" in result.stderr
    assert read_to_end(harness.adopted().link) == b""


def test_forged_record_ends_the_connection_and_what_came_before_is_kept(
    harness: Harness, pki: Pki
) -> None:
    """A record that fails its check is an attack or a broken path."""
    harness.listen(tls=server_tls(pki))
    link = harness.connect()
    tls, _, outgoing = shake_by_hand(link, client_context(pki), piece_bytes=65_536)
    tls.write(b"genuine")
    genuine = outgoing.read()
    tls.write(b"forged!")
    forged = bytearray(outgoing.read())
    forged[-1] ^= 1
    link.sendall(genuine + forged)
    engine = harness.adopted()
    assert read_to_end(engine.link) == b"genuine"
    engine.link.close()
    read_to_end(link)


# ---------------------------------------------------------------- reload


def test_reload_serves_new_clients_and_keeps_old_ones(harness: Harness, pki: Pki) -> None:
    """A renewed certificate is for those who come after."""
    harness.listen(tls=server_tls(pki))
    context = client_context(pki)
    old = harness.connect_tls(context)
    old_engine = harness.adopted()
    certificate, key = pki.server_2
    harness.pump.reload_tls(
        0, server_tls(pki, certificate_file=str(certificate), key_file=str(key))
    )
    new = harness.connect_tls(context)
    new_engine = harness.adopted()
    subjects = [dict(pair[0] for pair in link.getpeercert()["subject"]) for link in (old, new)]  # type: ignore[index, misc]
    assert [subject["commonName"] for subject in subjects] == ["localhost", "renewed"]
    for link, engine in ((old, old_engine), (new, new_engine)):
        link.sendall(b"still here")
        assert read_exactly(engine.link, 10) == b"still here"


def test_reload_ends_the_life_of_tickets(harness: Harness, pki: Pki) -> None:
    """Else a client that was revoked meanwhile could go on with an old ticket."""
    harness.listen(tls=mutual_tls(pki))
    context = client_context(pki, pki.mallory)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = harness.connect_tls(context).session
    harness.adopted()
    harness.pump.reload_tls(0, mutual_tls(pki, crl_file=str(pki.crl)))
    with pytest.raises(ssl.SSLError, match=r"REVOKED|revoked"):
        harness.connect_tls(context, session=session)


# ---------------------------------------------------------------- the end


def test_end_of_the_engine_reaches_the_client_as_close_notify(harness: Harness, pki: Pki) -> None:
    """All that was said arrives before; a truncated stream would raise SSLEOFError here."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    client.suppress_ragged_eofs = False  # type: ignore[attr-defined]
    engine = harness.adopted()
    engine.link.sendall(b"DISCONNECT")
    engine.link.close()
    assert read_to_end(client) == b"DISCONNECT"
    client.close()
    wait_until(lambda: harness.pump.stats()["open"] == 0, "forgotten")


def test_half_close_of_the_engine_is_enough(harness: Harness, pki: Pki) -> None:
    """The engine says FIN first and waits for the client's."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    engine.link.sendall(b"bye")
    engine.link.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b"bye"
    client.close()
    assert engine.link.recv(1) == b""


@pytest.mark.parametrize("how", ["unwrap", "fin", "reset"])
def test_end_of_the_client_reaches_the_engine_behind_its_data(
    harness: Harness, pki: Pki, how: str
) -> None:
    """With or without close_notify."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    client.sendall(b"DISCONNECT")
    assert read_exactly(engine.link, 10) == b"DISCONNECT"
    if how == "unwrap":
        engine.echo_until_end()
        client.unwrap().close()
    else:
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert engine.link.recv(1) == b""
        engine.link.close()
    wait_until(lambda: harness.pump.stats()["open"] == 0, "forgotten")


def test_engine_may_answer_a_client_that_has_said_its_last(harness: Harness, pki: Pki) -> None:
    """Half-open towards us: what the engine still says is delivered."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    client.sendall(b"ask")
    socket.socket.shutdown(client, socket.SHUT_WR)
    assert read_to_end(engine.link) == b"ask"
    engine.link.sendall(b"answer")
    engine.link.close()
    assert read_to_end(client) == b"answer"


# ---------------------------------------------------------------- back-pressure


def test_client_waits_while_the_engine_does_not_read(harness: Harness, pki: Pki) -> None:
    """Nothing piles up in between, and nothing is lost."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    sent = fill(client, PATTERN[:65_536])
    assert sent < 1 << 25
    expected = (PATTERN[:65_536] * (sent // 65_536 + 1))[:sent]
    assert read_exactly(engine.link, sent) == expected


def test_engine_waits_while_the_client_does_not_read(harness: Harness, pki: Pki) -> None:
    """The same the other way; then the engine closes, and the client still gets everything."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    sent = fill(engine.link, PATTERN[:65_536])
    assert sent < 1 << 25
    engine.link.close()
    expected = (PATTERN[:65_536] * (sent // 65_536 + 1))[:sent]
    assert read_to_end(client) == expected


def test_both_ways_at_full_load_with_a_slow_end_lose_nothing(harness: Harness, pki: Pki) -> None:
    """Held bytes, partial writes and wake-ups of both sides at once."""
    harness.listen(tls=server_tls(pki))
    client = harness.connect_tls(client_context(pki))
    engine = harness.adopted()
    echo = engine.echo_until_end()
    assert exchange(client, PATTERN * 8, read_bytes=3001) == PATTERN * 8
    client.close()
    echo.join()
