"""Overrides from the environment: `ROBUSTMQ_EDGE__SECTION__KEY=value`.

The value is TOML, or else a string: `5`, `true`, `["5.0"]`, `/etc/passwords`. A key that takes a
string takes the value as it is, so that `ROBUSTMQ_EDGE__NODE__ID=42` needs no quotes; it may have
them.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from edge.config.schema import SECTIONS, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "ROBUSTMQ_EDGE__"


def override(
    document: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Put what the environment says into a document.

    Returns:
        Name and value of the variable for each place that was set, and what is wrong with others.
    """
    variables: dict[str, tuple[str, str]] = {}
    wrong: list[str] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        defaults = _defaults(section)
        if key not in defaults:
            wrong.append(f"environment: {name}: {_unknown(section, key)}")
            continue
        table = document.setdefault(section, {})
        if isinstance(table, dict):  # else the file is wrong there, and will be told so
            table[key] = _value(environ[name], takes_string=isinstance(defaults[key], str))
            variables[f"{section}.{key}"] = (name, environ[name])
    return variables, wrong


def _defaults(section: str) -> dict[str, object]:
    cls = SECTIONS.get(section)
    return {} if cls is None else {each.name: each.default for each in fields(cls)}


def _unknown(section: str, key: str) -> str:
    """Say that there is no such variable."""
    from edge.config.problems import nearest

    if section in TABLES:
        return f"only the file can set [[{section}]]"
    names = [f"{name}__{each}" for name in SECTIONS for each in _defaults(name)]
    near = nearest(f"{section}__{key}", names)
    if near is None:
        return f"no such key; the form is {PREFIX}SECTION__KEY"
    return f"no such key; did you mean {PREFIX}{near.upper()}?"


def _value(text: str, *, takes_string: bool) -> object:
    """Read the value of a variable."""
    import tomllib

    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value: object = document.get("value")
    if len(document) != 1 or (takes_string and not isinstance(value, str)):
        return text
    return value
