"""The options that `pub` and `sub` share: where to, as whom, how; and properties by name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.commands.link import Address
from edge.errors import ConfigError
from edge.protocol.kinds import MQTT_3_1, MQTT_3_1_1, MQTT_5, PacketKind
from edge.protocol.packets import Connect, Will
from edge.protocol.properties import (
    FORM_BINARY,
    FORM_PAIR,
    FORM_TEXT,
    FORM_U8,
    FORM_U16,
    FORM_VARINT,
    PROPERTY_TABLE,
    Properties,
    PropertyRow,
)

if TYPE_CHECKING:
    import ssl

PORT: Final = 1883
PORT_TLS: Final = 8883
KEEP_ALIVE_S: Final = 60

VERSIONS: Final = {
    "3.1": MQTT_3_1,
    "3.1.1": MQTT_3_1_1,
    "5.0": MQTT_5,
    "5": MQTT_5,
}

_PROPERTY_HELP: Final = (
    "MQTT 5.0 property, e.g. content-type=text/plain, message-expiry-interval=60 or"
    " user=KEY=VALUE; may be given several times"
)


def add_mqtt_options(parser: argparse.ArgumentParser) -> None:
    """Add what a CONNECT needs."""
    where = parser.add_argument_group("where to")
    where.add_argument("-H", "--host", default="127.0.0.1", help="host (default: %(default)s)")
    where.add_argument("-p", "--port", type=port_number, help="port (default: 1883, TLS: 8883)")
    where.add_argument("--unix", metavar="PATH", help="unix socket, in place of host and port")
    where.add_argument("--tls", action="store_true", help="encrypt, check against the system's CAs")
    where.add_argument("--ca-file", metavar="FILE", help="encrypt, check against these CAs (PEM)")
    where.add_argument("--cert", metavar="FILE", help="certificate to show (PEM)")
    where.add_argument("--key", metavar="FILE", help="its private key (PEM)")
    where.add_argument(
        "--insecure", action="store_true", help="encrypt without checking who the broker is"
    )
    who = parser.add_argument_group("as whom")
    who.add_argument("-u", "--username", metavar="NAME", help="User Name")
    who.add_argument("-P", "--password", metavar="TEXT", help="Password; other users can see it")
    who.add_argument("--password-file", metavar="FILE", help="file whose first line it is")
    who.add_argument("-i", "--id", default="", metavar="ID", help="Client Identifier")
    how = parser.add_argument_group("how")
    how.add_argument("-q", "--qos", type=int, choices=(0, 1, 2), default=0, help="QoS (default: 0)")
    how.add_argument(
        "-V",
        "--mqtt-version",
        choices=tuple(VERSIONS),
        default="5.0",
        help="MQTT version (default: %(default)s)",
    )
    how.add_argument(
        "-k",
        "--keep-alive",
        type=int,
        default=KEEP_ALIVE_S,
        metavar="S",
        help="Keep Alive in seconds (default: %(default)s)",
    )
    how.add_argument("--property", action="append", metavar="NAME=VALUE", help=_PROPERTY_HELP)
    how.add_argument(
        "--connect-property", action="append", metavar="NAME=VALUE", help="the same for CONNECT"
    )
    how.add_argument("--will-topic", metavar="TOPIC", help="topic of a Will Message")
    how.add_argument("--will-message", metavar="TEXT", default="", help="its payload")
    how.add_argument("--will-qos", type=int, choices=(0, 1, 2), default=0, help="its QoS")
    how.add_argument("--will-retain", action="store_true", help="make it a retained message")


def port_number(text: str) -> int:
    """Read a port, as argparse wants it."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= 0xFFFF:
        return int(text)
    message = f"{text!r} is not 1 to 65535"
    raise argparse.ArgumentTypeError(message)


def address_of(options: argparse.Namespace) -> Address:
    """Return where the options point to.

    Raises:
        ConfigError: a certificate file cannot be used.
    """
    if options.unix:
        return Address("", 0, options.unix, None)
    tls = None
    if options.tls or options.ca_file or options.cert or options.insecure:
        tls = _tls_context(options)
    port = options.port or (PORT_TLS if tls else PORT)
    return Address(options.host, port, None, tls)


def _tls_context(options: argparse.Namespace) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if options.cert:
            context.load_cert_chain(options.cert, options.key)
    except OSError as error:  # ssl.SSLError is one too
        names = ", ".join(name for name in (options.ca_file, options.cert, options.key) if name)
        message = f"{names or 'TLS'}: {error.strerror or error}"
        raise ConfigError(message, hint="PEM files are expected") from error
    return context


def connect_of(options: argparse.Namespace, *, clean_start: bool = True) -> Connect:
    """Return the CONNECT that the options describe.

    Raises:
        ConfigError: an option does not fit the others.
    """
    version = VERSIONS[options.mqtt_version]
    if not 0 <= options.keep_alive <= 0xFFFF:
        message = f"--keep-alive {options.keep_alive}: must be 0 to 65535"
        raise ConfigError(message)
    will = None
    if options.will_topic:
        will = Will(
            options.will_topic, options.will_message.encode(), options.will_qos, options.will_retain
        )
    client_id = options.id
    if not client_id and (version == MQTT_3_1 or (version == MQTT_3_1_1 and not clean_start)):
        client_id = _some_client_id()
    return Connect(
        version,
        clean_start,
        options.keep_alive,
        client_id,
        options.username,
        _password(options),
        will,
    )


def _some_client_id() -> str:
    import os

    return f"edge-{os.getpid()}"


def _password(options: argparse.Namespace) -> bytes | None:
    if options.password_file is None:
        return None if options.password is None else options.password.encode()
    try:
        lines = Path(options.password_file).read_bytes().splitlines()
    except OSError as error:
        message = f"--password-file {options.password_file}: {error.strerror}"
        raise ConfigError(message) from error
    return lines[0] if lines else b""


def set_properties(
    options: argparse.Namespace, connect: Connect, properties: Properties, kind: PacketKind
) -> None:
    """Put each --property where it belongs: into the packet of the command, else into CONNECT.

    Args:
        options: the command line.
        connect: gets what only a CONNECT may have, and each --connect-property.
        properties: those of the command's own packet.
        kind: of that packet.

    Raises:
        ConfigError: an unknown name, a bad value, or an MQTT version without properties.
    """
    given = options.property or []
    for_connect = options.connect_property or []
    if (given or for_connect) and connect.protocol_version != MQTT_5:
        message = f"--property needs MQTT 5.0, not {options.mqtt_version}"
        raise ConfigError(message, hint="leave -V out")
    for text in given:
        row, value = _find(text, (kind, PacketKind.CONNECT))
        mine = bool(row.packets >> kind & 1)
        _set(properties if mine else connect.properties, row, value, text)
    for text in for_connect:
        row, value = _find(text, (PacketKind.CONNECT,))
        _set(connect.properties, row, value, text)


def _find(text: str, kinds: tuple[PacketKind, ...]) -> tuple[PropertyRow, str]:
    """Return the property of `NAME=VALUE` that one of the packets may have."""
    name, equals, value = text.partition("=")
    allowed = {
        property_name(row): row
        for row in PROPERTY_TABLE
        if any(row.packets >> kind & 1 for kind in kinds)
    }
    row = allowed.get(name.lower().replace("_", "-"))
    if row is None or not equals:
        message = f"--property {text}: not NAME=VALUE with a name that fits here"
        raise ConfigError(message, hint="names: " + ", ".join(sorted(allowed)))
    return row, value


def property_name(row: PropertyRow) -> str:
    """Return what users call a property: as in the specification, in lower case with hyphens."""
    if row.form == FORM_PAIR:
        return "user"
    if row.form == FORM_VARINT:
        return "subscription-identifier"
    return row.name.removesuffix("_s").replace("_", "-")


def _set(properties: Properties, row: PropertyRow, value: str, text: str) -> None:
    if row.form == FORM_PAIR:
        key, equals, rest = value.partition("=")
        if not equals:
            message = f"--property {text}: a user property is user=KEY=VALUE"
            raise ConfigError(message)
        properties.user_properties.append((key, rest))
    elif row.form == FORM_TEXT:
        setattr(properties, row.name, value)
    elif row.form == FORM_BINARY:
        setattr(properties, row.name, value.encode())
    else:
        number = _number(row, value, text)
        if row.form == FORM_VARINT:
            properties.subscription_identifiers.append(number)
        else:
            setattr(properties, row.name, number)


def _number(row: PropertyRow, value: str, text: str) -> int:
    maximum = row.maximum
    if row.form in (FORM_U8, FORM_U16):
        maximum = min(maximum, 0xFF if row.form == FORM_U8 else 0xFFFF)
    if value.isascii() and value.isdigit() and row.minimum <= int(value) <= maximum:
        return int(value)
    message = f"--property {text}: must be {row.minimum} to {maximum}"
    raise ConfigError(message)
