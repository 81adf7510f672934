"""Writing results: aligned text for people, JSON for programs.

Names come from clients, so text for people is freed of control characters: a Client Identifier
cannot move the cursor of the operator's terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

VALUE_CHARACTERS_MAX: Final = 60


def print_json(value: object) -> None:
    """Write a value as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_result(value: object, output: str, *, empty: str = "none") -> None:
    """Write what a command found.

    Args:
        value: a list of objects becomes a table, an object a list of its fields.
        output: `table` or `json`.
        empty: what to say to people where a list is empty.
    """
    if output == "json":
        print_json(value)
    elif isinstance(value, Mapping):
        sys.stdout.write("".join(f"{line}\n" for line in field_lines(value)))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        rows = [row for row in value if isinstance(row, Mapping)]
        lines = table_lines(rows) if rows else [empty]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    else:
        sys.stdout.write(f"{printable(value)}\n")


def field_lines(value: Mapping[str, object], indent: str = "") -> list[str]:
    """Return `name  value` lines; objects inside are indented below their name."""
    lines = []
    plain = {name: item for name, item in value.items() if not isinstance(item, Mapping | list)}
    width = max((len(name) for name in plain), default=0)
    for name, item in value.items():
        label = name.replace("_", " ")
        if isinstance(item, Mapping):
            lines.append(f"{indent}{label}")
            lines += field_lines(item, f"{indent}  ")
        elif isinstance(item, list):
            lines.append(f"{indent}{label}" if item else f"{indent}{label}  none")
            rows = [row for row in item if isinstance(row, Mapping)]
            inner = table_lines(rows) if rows else [printable(row) for row in item]
            lines += [f"{indent}  {line}" for line in inner]
        else:
            lines.append(f"{indent}{label:<{width}}  {printable(item)}")
    return lines


def table_lines(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a header and one line a row; numbers stand right, everything else left."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cut(printable(row.get(name))) for name in columns] for row in rows]
    heads = [name.replace("_", " ").upper() for name in columns]
    widths = [
        max(len(head), *(len(line[index]) for line in cells)) for index, head in enumerate(heads)
    ]
    right = [all(_is_number(row.get(name)) for row in rows) for name in columns]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in (heads, *cells)
    ]


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cut(text: str) -> str:
    if len(text) <= VALUE_CHARACTERS_MAX:
        return text
    return f"{text[: VALUE_CHARACTERS_MAX - 3]}..."


def printable(value: object) -> str:
    """Return a value as people read it: `-` for nothing, no control characters."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
