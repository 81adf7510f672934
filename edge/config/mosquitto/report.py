"""What became of each line of a mosquitto configuration.

Every setting ends in exactly one of three lists: carried over, ignored because nothing is lost, or
not carried, with what to do instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_VALUE_CHARACTERS_MAX: Final = 60

# Their values are secrets: a report ends in terminals and tickets.
_SECRET: Final = frozenset({"password", "remote_password", "local_password", "bridge_psk"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One line: where it is, the option and what stands behind it."""

    where: str  # FILE:LINE
    name: str
    value: str

    @property
    def word(self) -> str:
        """The first word of the value: numbers and booleans have only one."""
        words = self.value.split(None, 1)
        return words[0] if words else ""

    def __str__(self) -> str:
        """Return `FILE:LINE: option value`, without secrets and control characters."""
        value = "..." if self.name in _SECRET or "_opt_" in self.name else self.value
        return f"{printable(self.where)}: {_cut(self.name)} {_cut(value)}".rstrip()


def printable(text: str) -> str:
    """Return text without anything that could move a cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _cut(text: str) -> str:
    shown = printable(text[:_VALUE_CHARACTERS_MAX])
    if len(text) <= _VALUE_CHARACTERS_MAX:
        return shown
    return f"{shown[: _VALUE_CHARACTERS_MAX - 3]}..."


@dataclass(slots=True)
class ImportReport:
    """What an import has done.

    Attributes:
        wrote: the files that are new.
        carried: settings, and what they are now.
        ignored: settings without which nothing is missing, and why.
        not_carried: settings, and what to do instead.
        notes: what else an operator should know.
        check: what `config check` says about the new edge.toml; empty: nothing is wrong.
    """

    wrote: list[str] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    not_carried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)

    def carry(self, setting: Setting, becomes: str) -> None:
        """Note what a setting has become."""
        self.carried.append(f"{setting} -> {printable(becomes)}")

    def ignore(self, setting: Setting, why: str) -> None:
        """Note a setting that nobody will miss."""
        self.ignored.append(f"{setting}: {printable(why)}")

    def leave(self, setting: Setting, instead: str) -> None:
        """Note a setting that has no equal here."""
        self.not_carried.append(f"{setting}: {printable(instead)}")

    def note(self, text: str) -> None:
        """Note something that is about no single setting; once."""
        shown = printable(text)
        if shown not in self.notes:
            self.notes.append(shown)

    def sort(self) -> None:
        """Bring what is about single settings into the order of the files."""
        for told in (self.carried, self.ignored, self.not_carried):
            told.sort(key=_file_and_line)

    def as_dict(self) -> dict[str, list[str]]:
        """Return everything, for a table or JSON; a line each, what needs work last."""
        return {
            "wrote": self.wrote,
            "carried": self.carried,
            "ignored": self.ignored,
            "notes": self.notes,
            "not_carried": self.not_carried,
            "check": self.check,
        }


def _file_and_line(text: str) -> tuple[str, int]:
    """Return what a text of a report begins with."""
    where, _, _ = text.partition(": ")
    path, _, line = where.rpartition(":")
    return path, int(line) if line.isascii() and line.isdigit() else 0
