"""Fuzz targets of edge/config: any text is a configuration or a ConfigError that can be shown.

Importing from mosquitto must also never lose a line, and never write what the broker cannot read.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from edge.access.acl import AclFile
from edge.access.passwords import PasswordFile
from edge.config.address import parse_address
from edge.config.dump import to_dict
from edge.config.example import example_toml
from edge.config.import_mosquitto import run
from edge.config.load import from_toml
from edge.config.mosquitto.options import BRIDGE, IGNORED, LEFT, LISTENER, SECURITY
from edge.config.positions import locate
from edge.config.toml_text import toml_path
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnsoundError(AssertionError):
    """A text was accepted, or refused, in a way that it must not be."""


def _load(text: str, environ: dict[str, str]) -> None:
    try:
        config = from_toml(text, "edge.toml", environ)
    except ConfigError as error:
        _check_message(error)
        return
    json.dumps(to_dict(config))
    for listener in config.listener:
        parse_address(listener.address)


def _check_message(error: ConfigError) -> None:
    for line in error.message.split("\n"):
        if not line.isprintable():
            raise UnsoundError(f"not printable: {line!r}")
    if not error.message or len(error.message.split("\n")[0]) > 2000:
        raise UnsoundError(error.message[:200])


def target_config(data: bytes) -> None:
    """from_toml() on any text; behind a NUL, the value of an environment variable."""
    text, _, value = data.decode("utf-8", "replace").partition("\0")
    _load(text, {"ROBUSTMQ_EDGE__NODE__ID": value, "ROBUSTMQ_EDGE__LIMITS__QOS_MAX": value})
    _load(text, {})


# Random bytes are seldom TOML: here they choose among these.
_KEYS = sorted(
    {
        line[1:].partition(" ")[0]
        for line in example_toml().splitlines()
        if line.startswith("#") and " = " in line and not line.startswith("# ")
    }
)
_HEADERS = (
    "[node]", "[log]", "[limits]", "[session]", "[access]", "[metrics]", "[[listener]]",
    "[listener.tls]", "[listener.websocket]", "[[ban]]", "[[rewrite]]", "[[auto_subscribe]]",
    "[listener]", "[[node]]", "[nonsense]", "[node.id]", "",
)  # fmt: skip
_VALUES = (
    "0", "1", "-1", "65535", "1e9", "true", '""', '"a"', '"127.0.0.1:1883"', '"[::]:0"', '"a/#"',
    '"unix:/x"', '"%c/+"', '"(a)|b*"', '"$1/$2"', '"/dev/null"', '"required"', "[]", '["5.0"]',
    "{}", "[{}]", "1979-05-27", "nan", '"10.0.0.0/8"', '"\\u0000"', '"https://a"', "[[[1]]]",
    "0x" + "f" * 2000, '"""\na"""', "'", '"' + "x" * 300 + '"',
)  # fmt: skip


def target_config_pieces(data: bytes) -> None:
    """from_toml() on headers, keys and values that the bytes choose."""
    lines = []
    for index in range(0, len(data) - 2, 3):
        header, key, value = data[index : index + 3]
        if header % 3 == 0:
            lines.append(_HEADERS[header // 3 % len(_HEADERS)])
        lines.append(f"{_KEYS[key % len(_KEYS)]} = {_VALUES[value % len(_VALUES)]}")
    _load("\n".join(lines), {})


def target_positions(data: bytes) -> None:
    """locate() finds what tomllib finds."""
    text = data.decode("utf-8", "replace")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    found = locate(text)
    expected = set(_places(document, ()))
    if set(found) != expected:
        raise UnsoundError(f"{set(found) ^ expected}")
    if found and not 1 <= min(found.values()) <= max(found.values()) <= text.count("\n") + 1:
        raise UnsoundError(f"{found}")


def _places(value: object, path: tuple[str | int, ...]) -> Iterator[str]:
    if path:
        yield toml_path(path)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))


def target_address(data: bytes) -> None:
    """parse_address() on any text."""
    try:
        address = parse_address(data.decode("utf-8", "surrogateescape"))
    except ConfigError:
        return
    if address.port and not address.overlaps(address):
        raise UnsoundError(f"{address}")


_OPTIONS = sorted({*BRIDGE, *IGNORED, *LEFT, *LISTENER, *SECURITY, "nonsense"})
_OPTION_VALUES = (
    "", "0", "1", "-1", "65536", "true", "false", "a", "a b", "a/#", "websockets", "mqtt", "in",
    "both", "# out 1", '"" out 1 a b', "a both 2 l/ r/", "::1", "h:1 [::1]:2 :x", "tlsv1.3", "2m",
    "pem", "\u00e4\x00\x1b", "passwd", "aclfile", "3,5", "10 5", "1883", "0 /x.sock", "localhost",
)  # fmt: skip
_STARTS = ("listener 1883", "connection c", "listener 0 /run/x.sock", "per_listener_settings true")


def target_mosquitto(data: bytes) -> None:
    """run() on options and values that the bytes choose; the rest is password and ACL file."""
    size = data[0] % 40 if data else 0
    chosen, rest = data[1 : size + 1], data[size + 1 :]
    lines = []
    for index in range(0, len(chosen) - 1, 2):
        option, value = chosen[index : index + 2]
        if option % 4 == 0:
            lines.append(_STARTS[value % len(_STARTS)])
        number = (option * 7 + value // len(_OPTION_VALUES)) % len(_OPTIONS)
        lines.append(f"{_OPTIONS[number]} {_OPTION_VALUES[value % len(_OPTION_VALUES)]}")
    passwords, _, rules = rest.partition(b"\0")
    _import("\n".join(lines).encode(), passwords, rules, count=len(lines))


def target_mosquitto_text(data: bytes) -> None:
    """run() on any text; behind NULs, the password and the ACL file."""
    text, _, rest = data.partition(b"\0")
    passwords, _, rules = rest.partition(b"\0")
    _import(b"password_file passwd\nacl_file aclfile\n" + text, passwords, rules, count=None)


def target_mosquitto_acl(data: bytes) -> None:
    """run() on ACL lines that the bytes choose."""
    words = (
        b"user", b"topic", b"pattern", b"read", b"write", b"readwrite", b"deny", b"a/#", b"%u/+",
        b"+", b"#", b"$SYS/#", b'"x', b"$share/g/a", b"\n", b"\n", b"\n", b"a+", b"alice", b"",
    )  # fmt: skip
    rules = b" ".join(words[byte % len(words)] for byte in data)
    _import(b"acl_file aclfile", b"", rules.replace(b" \n ", b"\n"), count=1)


def _import(conf: bytes, passwords: bytes, rules: bytes, *, count: int | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-mosquitto-"))
    try:
        for name, content in (
            ("mosquitto.conf", conf), ("passwd", passwords), ("aclfile", rules),
        ):  # fmt: skip
            (folder / name).write_bytes(content)
        report = run(str(folder / "mosquitto.conf"), str(folder / "new"))
        told = [*report.carried, *report.ignored, *report.not_carried]
        about = [line for line in told if line.startswith(f"{folder}/mosquitto.conf:")]
        if count is not None and len(about) != count:
            raise UnsoundError(f"{len(about)} of {count} lines are told about")
        for line in [*told, *report.notes]:
            if not line.isprintable():
                raise UnsoundError(f"not printable: {line!r}")
        for path in (folder / "new").iterdir():
            if path.suffix == ".toml":
                tomllib.loads(path.read_text("utf-8"))
        if (folder / "new" / "passwords").exists():
            PasswordFile.load(str(folder / "new" / "passwords"))
        if (folder / "new" / "acl").exists():
            AclFile.load(str(folder / "new" / "acl"))
    finally:
        shutil.rmtree(folder)


TARGETS = {
    "config": target_config,
    "config-pieces": target_config_pieces,
    "config-positions": target_positions,
    "config-address": target_address,
    "mosquitto": target_mosquitto,
    "mosquitto-text": target_mosquitto_text,
    "mosquitto-acl": target_mosquitto_acl,
}
