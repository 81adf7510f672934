"""The commented `edge.toml`, made from the schema: it explains every key and equals the defaults."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final

from edge.config import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import Field

_WIDTH: Final = 96

_HEAD: Final = """\
# robustmq-edge: configuration of the broker.
#
# Every key stands here with its default, commented out: this file as it is changes nothing. Take the
# `#` away and edit. `robustmq-edge config check FILE` tells you what is wrong before the broker does;
# `systemctl reload robustmq-edge` puts most changes in force without dropping a client.
# Any key of a plain section can be overridden by the environment: ROBUSTMQ_EDGE__SECTION__KEY.
"""

# Tables that may stand more than once: an example of each, commented out as a whole.
_REPEATED: Final[tuple[tuple[str, str, Any], ...]] = (
    ("listener", "One [[listener]] for each address. Without any, there is this one.", schema.ListenerConfig),
    ("ban", "Who is refused. Repeat [[ban]] as often as needed; set exactly one of the three.", schema.BanConfig),
    ("rewrite", "Another topic in place of the client's; the last rule that matches wins.", schema.RewriteConfig),
    ("auto_subscribe", "Subscriptions that every client gets when it connects.", schema.AutoSubscribeConfig),
)

_LISTENER_VARIANTS: Final = """\
# TLS, with client certificates that name the user:
#
# [[listener]]
# address = "0.0.0.0:8883"
# [listener.tls]
# certificate_file = "/etc/robustmq-edge/server.pem"
# key_file = "/etc/robustmq-edge/server.key"
# client_ca_file = "/etc/robustmq-edge/clients-ca.pem"
# client_certificate = "required"
# username_from = "common_name"

# MQTT over WebSocket; with [listener.tls] as well it is wss://
#
# [[listener]]
# address = "0.0.0.0:8083"
# [listener.websocket]
# origins = ["https://panel.example.org"]

# A unix socket for local programs:
#
# [[listener]]
# address = "unix:/run/robustmq-edge/mqtt.sock"
"""


def example_toml() -> str:
    """Return the example file. Parsed, it gives EdgeConfig()."""
    parts = [_HEAD]
    for section in fields(schema.EdgeConfig):
        if section.default_factory is MISSING:
            continue
        cls = section.default_factory
        parts.append(f"{_rule_line(_summary(cls))}\n[{section.name}]\n" + "\n".join(_keys(cls)))
        if section.name == "access":
            parts.append(_repeated("listener") + "\n\n" + _LISTENER_VARIANTS.rstrip())
    parts += [_repeated(name) for name in ("ban", "rewrite", "auto_subscribe")]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _repeated(name: str) -> str:
    _, intro, cls = next(row for row in _REPEATED if row[0] == name)
    lines = [_rule_line(intro), f"# [[{name}]]", *_keys(cls)]
    for nested, nested_cls in (("tls", schema.TlsConfig), ("websocket", schema.WebSocketConfig)):
        if name == "listener":
            lines += [f"# [listener.{nested}]          # {_summary(nested_cls)}", *_keys(nested_cls)]
    return "\n".join(lines)


def _summary(cls: Any) -> str:
    """What a section is for: its docstring behind the colon."""
    text = (cls.__doc__ or "").splitlines()[0]
    return text.partition(":")[2].strip() or text


def _rule_line(text: str) -> str:
    return f"# {'-' * (_WIDTH - 2)}\n# {text[0].upper()}{text[1:]}"


def _keys(cls: Any) -> Iterator[str]:
    """Two lines for each key: what it means, and the key with its default."""
    for field in fields(cls):
        if field.name in {"tls", "websocket"}:
            continue
        rule: schema.Rule = field.metadata["rule"]
        limits = ""
        if rule.choices:
            limits = f" [{' | '.join(rule.choices)}]"
        elif rule.maximum is not None:
            limits = f" [{rule.minimum} to {rule.maximum}]"
        yield f"#   {rule.text}{limits}"
        yield f"# {field.name} = {_literal(field)}"


def _literal(field: Field[Any]) -> str:
    """Return the default as TOML."""
    value = field.default
    if value is None:
        return "false                # unset by default"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"'
