"""Text that is no TOML: where it stops being so, what stands there and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

_EXCERPT_CHARACTERS_MAX: Final = 72

_TWICE: Final = (
    "this is here for the second time",
    "a key or a [section] stands once; [[listener]] and the like, in double brackets, may repeat",
)

# What tomllib's messages begin with, and what an operator makes more of.
_EXPLAINED: Final[tuple[tuple[str, tuple[str, str]], ...]] = (
    (
        "Invalid value",
        ("a value is expected here", "text stands in quotes, true and false are small"),
    ),
    ("Invalid statement", ("this is no line of TOML", "a line is `key = value` or `[section]`")),
    ("Expected '='", ("`=` is missing behind the key", "a line is `key = value`")),
    (
        "Expected newline",
        ("there is more behind the value", "text stands in quotes; one key in a line"),
    ),
    ("Expected ']", ("the closing bracket is missing", "")),
    ("Unclosed array", ("the closing ] is missing", "")),
    ("Unclosed inline table", ("the closing } is missing", "")),
    ("Illegal character '\\n'", ("the closing quote is missing in this line", "")),
    ("Unterminated string", ("the closing quote is missing", "")),
    (
        "Unescaped",
        ("a backslash means something in double quotes", "write \\\\, or use single quotes"),
    ),
    ("Cannot declare", _TWICE),
    ("Cannot overwrite", _TWICE),
    ("Cannot mutate", _TWICE),
    ("Cannot redefine", _TWICE),
    ("Duplicate inline", _TWICE),
)


def parse_toml(text: str, source_name: str) -> dict[str, Any]:
    """Parse TOML text.

    Raises:
        ConfigError: it is none; the message has line, column and what stands there.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _explain(str(error), text, source_name) from error
    except RecursionError as error:
        message = f"{source_name}: brackets within brackets, too many of them"
        raise ConfigError(message) from error
    except ValueError as error:
        # Only from int(): thousands of digits.
        raise ConfigError(f"{source_name}: a number has too many digits") from error


def _explain(message: str, text: str, source_name: str) -> ConfigError:
    """Turn `what (at line 3, column 5)` of tomllib into a message with an excerpt."""
    what, _, where = message.rpartition(" (at ")
    numbers = [int(word.strip(",)")) for word in where.split() if word.strip(",)").isdigit()]
    lines = text.replace("\r\n", "\n").split("\n")
    at_end = len(numbers) != 2
    line, column = (len(lines), len(lines[-1]) + 1) if at_end else (numbers[0], numbers[1])
    words, hint = next(
        (explained for start, explained in _EXPLAINED if what.startswith(start)),
        (what[:1].lower() + what[1:], ""),
    )
    if at_end:
        return ConfigError(f"{source_name}:{line}: the file ends too early: {words}", hint=hint)
    return ConfigError(
        f"{source_name}:{line}:{column}: {words}\n{_excerpt(lines[line - 1], column)}",
        hint=hint,
    )


def _excerpt(line: str, column: int) -> str:
    """Return a line, or the part of it around a column, and a mark below that column."""
    start = max(0, column - 1 - _EXCERPT_CHARACTERS_MAX // 2)
    shown = line[start : start + _EXCERPT_CHARACTERS_MAX]
    plain = "".join(character if character.isprintable() else " " for character in shown)
    return f"    {plain.rstrip()}\n    {' ' * (column - 1 - start)}^"
