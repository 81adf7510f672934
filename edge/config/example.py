"""The commented `edge.toml`, made from the schema: it explains each key and equals the defaults.

A line of explanation begins with `# `, a key with `#` alone: whoever takes that away gets a line of
TOML. The titles stand here and not in docstrings, which `python -OO` drops.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from edge.config.schema import GIB, KIB, MIB, NESTED, SECTIONS, TABLES, TIB, Rule
from edge.config.toml_text import toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import Field
    from typing import Any

    from _typeshed import DataclassInstance

_WIDTH: Final = 98

_HEAD: Final = """\
# robustmq-edge: configuration of the broker.
#
# Every key is here with its default, commented out: this file as it is changes nothing. Take the
# `#` before a key away and edit. `robustmq-edge config check FILE` finds mistakes before the broker
# does; `systemctl reload robustmq-edge` puts most changes in force without dropping a client.
#
# Numbers carry their unit at the end of the name: _s seconds, _bytes. Relative paths start from the
# folder of this file. Keys of plain [sections] can also be set by the environment:
# ROBUSTMQ_EDGE__LOG__LEVEL=debug is [log] level = "debug"; it wins over this file."""

# In the order of the file.
_TITLES: Final = {
    "node": "Who this broker is and where it keeps things.",
    "log": "What is written to standard error.",
    "listener": "Where clients connect: one [[listener]] for each address.",
    "access": "Who may connect, and what they may do.",
    "limits": "Bounds of the whole broker.",
    "session": "What is kept for a client, and for how long.",
    "retained": "Retained messages.",
    "delayed": "Delayed messages: what is published to $delayed/{seconds}/{topic}.",
    "sys": "Statistics in $SYS/brokers/...",
    "metrics": "Statistics for Prometheus.",
    "flapping": "Clients that connect and vanish again and again.",
    "ban": "Who is refused: each [[ban]] has exactly one of client_id, username and address.",
    "rewrite": "Other topics in place of the clients': the first [[rewrite]] that fits is taken.",
    "auto_subscribe": "Subscriptions that every client gets when it connects.",
}
_NESTED_TITLES: Final = {
    "tls": "Makes it a TLS listener, for TLS 1.2 and 1.3.",
    "websocket": "Makes it MQTT over WebSocket, subprotocol mqtt; with TLS it is wss://.",
}

_LISTENERS: Final = """\
# Without any [[listener]] there is one on 127.0.0.1:1883. Once you write one, only what you write
# counts. On addresses that others can reach, clients need a User Name unless you say otherwise.
#
# For the network, with passwords (see [access]); a second one for IPv6:
#
#[[listener]]
#address = "0.0.0.0:1883"
#[[listener]]
#address = "[::]:1883"
#
# TLS, with client certificates that name the user:
#
#[[listener]]
#address = "0.0.0.0:8883"
#[listener.tls]
#certificate_file = "server.pem"
#key_file = "server.key"
#client_ca_file = "clients-ca.pem"
#client_certificate = "required"
#username_from = "common_name"
#
# WebSocket, for browsers:
#
#[[listener]]
#address = "0.0.0.0:8083"
#[listener.websocket]
#origins = ["https://panel.example.org"]
#
# A unix socket, for programs on this machine:
#
#[[listener]]
#address = "unix:/run/robustmq-edge/mqtt.sock"
#
# All keys of a listener:
#"""


def example_toml() -> str:
    """Return the example file. Parsed, it gives EdgeConfig()."""
    parts = [_HEAD]
    for name, title in _TITLES.items():
        head = f"# {'-' * (_WIDTH - 2)}\n# {title}"
        if name in SECTIONS:
            parts.append(f"{head}\n\n[{name}]")
            parts += _keys(SECTIONS[name])
            continue
        parts.append(f"{head}\n#\n{_LISTENERS}" if name == "listener" else f"{head}\n#")
        parts[-1] += f"\n#[[{name}]]"
        parts += _keys(TABLES[name])
        for nested, cls in NESTED.get(name, {}).items():
            parts.append(f"# {_NESTED_TITLES[nested]}\n#\n#[{name}.{nested}]")
            parts += _keys(cls)
    return "\n\n".join(parts) + "\n"


def _keys(cls: type[DataclassInstance]) -> Iterator[str]:
    """Yield each key: what it means, what it may be, and the key with its default."""
    for field in fields(cls):
        if "rule" not in field.metadata:
            continue  # a table of its own
        rule: Rule = field.metadata["rule"]
        limits = _limits(field, rule)
        one_line = f"# {rule.text}{limits and f' ({limits})'}"
        words = one_line if len(one_line) <= _WIDTH else f"# {rule.text}\n# ({limits})"
        yield f"{words}\n#{field.name} = {_default(field)}"


def _limits(field: Field[Any], rule: Rule) -> str:
    """Say what a value may be, where its type does not."""
    if rule.choices:
        what = "any of " if isinstance(field.default, tuple) else ""
        return what + ", ".join(toml_value(each) for each in rule.choices)
    if isinstance(field.default, bool) or not isinstance(field.default, int):
        return ""
    if _counts_bytes(field.name):
        return f"{_bytes(rule.minimum)} to {_bytes(rule.maximum)}"
    is_time = field.name.endswith(("_s", "_s_max", "_s_default")) and "rate" not in field.name
    unit = " s" if is_time else ""
    return f"{toml_value(rule.minimum)} to {toml_value(rule.maximum)}{unit}"


def _default(field: Field[Any]) -> str:
    """Return the default as TOML, and what it comes to."""
    if field.default is None:
        return "true  # not set by default"
    text = toml_value(field.default)
    if _counts_bytes(field.name) and (human := _bytes(field.default)) != text:
        return f"{text}  # {human}"
    return text


def _counts_bytes(name: str) -> bool:
    return "bytes" in name.split("_")


def _bytes(number: Any) -> str:  # noqa: ANN401 - what dataclasses say a default is
    """Return a number of bytes in the largest unit that needs no fraction."""
    for unit, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if number and number % unit == 0:
            return f"{number // unit} {name}"
    return toml_value(number)
