"""Fuzz targets of edge/access: any text is read or refused with AccessError, and nothing else."""

from __future__ import annotations

from edge.access.acl import AclFile
from edge.access.password_lines import parse_lines, username_of, with_stored, without_user
from edge.access.passwords import PasswordFile
from edge.access.scram import ScramFailed, ScramServer
from edge.access.scram_credentials import ScramCredentials, saslprep
from edge.errors import AccessError, ProtocolError
from edge.topic import check_topic_filter, check_topic_name


class UnsoundError(AssertionError):
    """A file was read and then used wrongly."""


def target_acl(data: bytes) -> None:
    """An ACL file, then a User Name, a Client Identifier and a topic in the lines behind U+0001."""
    text, _, rest = data.decode("utf-8", "replace").partition("\x01")
    username, _, rest = rest.partition("\n")
    client_id, _, topic = rest.partition("\n")
    try:
        acl = AclFile.from_text(text)
    except AccessError:
        return
    blob = acl.compile_profile(username, client_id, 7)
    _check_profile(blob)
    if acl.is_unrestricted(username, client_id) != (blob[4:] == b"\x01\0\0"):
        raise UnsoundError("unrestricted, and yet a profile")
    try:
        check_topic_filter(topic, 64)
    except ProtocolError:
        return
    for qos in range(3):
        acl.may_subscribe(username, client_id, topic, qos)
    try:
        check_topic_name(topic, 64)
    except ProtocolError:
        return
    for qos in range(3):
        plain = acl.may_publish(username, client_id, topic, qos, False)
        if acl.may_publish(username, client_id, topic, qos, True) and not plain:
            raise UnsoundError("retained messages only")


def _check_profile(blob: bytes) -> None:
    """Check what the engine checks: it would refuse the profile and leave the old one in force."""
    offset = 7
    for _ in range(int.from_bytes(blob[5:7], "little")):
        end = offset + 5 + int.from_bytes(blob[offset + 3 : offset + 5], "little")
        allow, access, qos_max = blob[offset : offset + 3]
        if allow > 1 or not 0 < access < 8 or qos_max > 2 or end > len(blob):
            raise UnsoundError(f"rule {blob[offset:end]!r}")
        check_topic_filter(blob[offset + 5 : end].decode(), 65_536)
        offset = end
    if offset != len(blob):
        raise UnsoundError("bytes are left over")


def target_passwords(data: bytes) -> None:
    """A password file: read, changed and read again. No password is hashed."""
    text = data.decode("utf-8", "replace")
    try:
        users = parse_lines(text, "fuzz")
    except AccessError:
        return
    file = PasswordFile(users)
    for username in users:
        file.verify_cached(username, b"x")
        file.scram_credentials(username)
        if username in parse_lines(without_user(text, username), "fuzz"):
            raise UnsoundError(f"{username!r} cannot be deleted")
    if parse_lines(with_stored(text, users), "fuzz") != users:
        raise UnsoundError("what was set is not what is read")
    if any(username_of(f"{username}:x") != username for username in users):
        raise UnsoundError("a line is not found again")


_CREDENTIALS = ScramCredentials(4096, bytes(16), bytes(32), bytes(32))


def target_scram(data: bytes) -> None:
    """Two SCRAM messages with U+0000 between them; nobody gets in without the keys."""
    exchange = ScramServer(lambda _: _CREDENTIALS)
    for message in data.split(b"\0", 1):
        try:
            step = exchange.step(message)
        except ScramFailed:
            return
        if step.done:
            raise UnsoundError("a client has got in")


def target_saslprep(data: bytes) -> None:
    """Any password is prepared or refused; preparing it twice changes nothing more."""
    try:
        prepared = saslprep(data.decode("utf-8", "replace"))
    except ValueError:
        return
    if saslprep(prepared) != prepared:
        raise UnsoundError(f"{prepared!r} is not stable")


TARGETS = {
    "acl": target_acl,
    "passwords": target_passwords,
    "scram": target_scram,
    "saslprep": target_saslprep,
}
