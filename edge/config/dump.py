"""The whole configuration as plain values, for `config check --output json`.

There is no secret in it: passwords and keys are in files of their own, of which it has the names.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.config.schema import EdgeConfig


def to_dict(config: EdgeConfig) -> dict[str, object]:
    """Return the tree as dicts, lists, strings, numbers, booleans and None; JSON can hold it."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
