"""The files of an import: edge.toml with the origin of each key, and writing them all or none."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.report import printable
from edge.config.schema import SECTIONS
from edge.config.toml_text import toml_key, toml_string, toml_value
from edge.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.mosquitto.report import Setting

MODE_SECRET: Final = 0o600
MODE_PLAIN: Final = 0o644


class TomlTable:
    """One table in the making: keys with values, and where they come from."""

    def __init__(self, header: str) -> None:
        self.header = header
        self.values: dict[str, object] = {}
        self._origins: dict[str, str] = {}
        self.comments: list[str] = []
        self.nested: list[TomlTable] = []

    def set(self, key: str, value: object, origin: Setting | str = "") -> None:
        """Set a key; the last one wins, as with mosquitto."""
        self.values[key] = value
        self._origins[key] = str(origin)

    def origin(self, key: str) -> str:
        """Return where a key comes from; empty: from nowhere in particular."""
        return self._origins[key]

    def text(self) -> str:
        """Return the table as TOML."""
        lines = [f"# {printable(comment)}" for comment in self.comments]
        lines.append(self.header)
        for key, value in self.values.items():
            origin = self._origins[key]
            behind = f"  # {printable(origin)}" if origin else ""
            lines.append(f"{toml_key(key)} = {_plain(value)}{behind}")
        return "\n".join([*lines, *(table.text() for table in self.nested)])


class EdgeToml:
    """The edge.toml in the making."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._sections = {name: TomlTable(f"[{name}]") for name in SECTIONS}
        self.listeners: list[TomlTable] = []

    def set(self, path: str, value: object, origin: Setting | str) -> str:
        """Set a key of a plain section; return what it says now, for the report."""
        section, _, key = path.partition(".")
        if key not in {each.name for each in fields(SECTIONS[section])}:
            raise KeyError(path)
        self._sections[section].set(key, value, origin)
        return f"{path} = {toml_value(value)}"

    def get(self, path: str) -> object:
        """Return what has been set, or None."""
        section, _, key = path.partition(".")
        return self._sections[section].values.get(key)

    def text(self) -> str:
        """Return the file."""
        tables = [table for table in self._sections.values() if table.values]
        head = (
            f"# edge.toml, made from {printable(self._source)} by "
            "`robustmq-edge config import-mosquitto`.\n"
            "# What is not here has our default: `robustmq-edge config example` shows all keys."
        )
        return "\n\n".join([head, *(each.text() for each in [*tables, *self.listeners])]) + "\n"


def _plain(value: object) -> str:
    """Return a value without digit groups in strings of tables that others read."""
    return toml_string(value) if isinstance(value, str) else toml_value(value)


def write_all(folder: Path, files: dict[str, tuple[str, int]]) -> list[str]:
    """Write new files, each with its permissions, and return their paths.

    Raises:
        ConfigError: one of them exists already, or cannot be written.
    """
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        message = f"{folder}: {', '.join(existing)} would be overwritten"
        raise ConfigError(message, hint="remove what is there, or name another folder with --out")
    wrote = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (text, mode) in files.items():
            path = folder / name
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(path, flags, mode), "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(text)
            wrote.append(str(path))
    except OSError as error:
        where = error.filename or folder
        hint = "name another folder with --out"
        raise ConfigError(f"{where}: {error.strerror}", hint=hint) from error
    return wrote
