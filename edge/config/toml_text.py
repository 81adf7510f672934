"""Values and paths as TOML writes them: for messages, for the example, for imported files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# From here on, digits are easier to count in groups.
_GROUPED_FROM: Final = 10_000
_DECIMAL_BITS_MAX: Final = 1024

_ESCAPES: Final = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}


def toml_value(value: object) -> str:
    """Return a value as it stands in a file; what TOML does not know becomes a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if value.bit_length() > _DECIMAL_BITS_MAX:
            return hex(value)  # Python refuses to write so many decimals
        return f"{value:_}" if abs(value) >= _GROUPED_FROM else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (f"{toml_key(str(key))} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return toml_string(str(value))


def toml_string(text: str) -> str:
    """Return a basic string, with quotes; a lone surrogate, which TOML cannot hold, becomes `?`."""
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if "\ud800" <= character <= "\udfff":
        return "?"
    # Beyond what TOML demands: nothing in a message may move the cursor of a terminal.
    if character < " " or "\x7f" <= character <= "\x9f":
        return f"\\u{ord(character):04x}"
    return character


def toml_key(key: str) -> str:
    """Return a key, in quotes where it needs them."""
    bare = key and all(
        character.isascii() and (character.isalnum() or character in "_-") for character in key
    )
    return key if bare else toml_string(key)


def toml_path(parts: Sequence[str | int]) -> str:
    """Return the path of a value: `listener[0].tls.key_file`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{toml_key(part)}" if text else toml_key(part)
    return text
