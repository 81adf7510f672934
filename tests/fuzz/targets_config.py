"""Fuzz targets of edge/config: any text is a configuration or a ConfigError that can be shown."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

from edge.config.address import parse_address
from edge.config.dump import to_dict
from edge.config.example import example_toml
from edge.config.load import from_toml
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


TARGETS = {
    "config": target_config,
    "config-pieces": target_config_pieces,
    "config-positions": target_positions,
    "config-address": target_address,
}
