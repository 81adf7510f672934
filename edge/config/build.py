"""From a TOML document to the tree: every value against the rule of its field.

Mistakes are collected; a value that cannot be used leaves the default in its place, so that the
rest can still be looked at.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from edge.config.problems import ABSENT, Problem, nearest
from edge.config.schema import NESTED, SECTIONS, TABLES, EdgeConfig, Rule
from edge.config.toml_text import toml_key, toml_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field

    from _typeshed import DataclassInstance

_Table = TypeVar("_Table", bound="DataclassInstance")

# A section with more keys than these is not listed in a message.
_LISTED_MAX: Final = 12


def build(
    document: Mapping[str, object], *, base_dir: str, from_environment: Mapping[str, object]
) -> tuple[EdgeConfig, list[Problem]]:
    """Build the tree.

    Args:
        document: what tomllib has read, and the environment has changed in it.
        base_dir: the folder that relative paths of the file start from; empty: left as they are.
        from_environment: the places that the environment has set: paths there are left alone.

    Returns:
        The tree, with defaults where the document is silent or wrong, and what is wrong.
    """
    builder = _Builder(base_dir, from_environment)
    parts: dict[str, Any] = {}
    for name, content in document.items():
        if name in SECTIONS:
            parts[name] = builder.section(name, content)
        elif name in TABLES:
            rows = builder.tables(name, content)
            if rows is not None:
                parts[name] = rows
        else:
            builder.unknown_section(name, content)
    return EdgeConfig(**parts), builder.problems


class _Builder:
    def __init__(self, base_dir: str, from_environment: Mapping[str, object]) -> None:
        self.problems: list[Problem] = []
        self._base_dir = base_dir
        self._from_environment = from_environment

    def _note(self, place: str, message: str, value: object = ABSENT) -> None:
        self.problems.append(Problem(place, message, value))

    def section(self, name: str, content: object) -> DataclassInstance:
        """Build what stands under `[name]`."""
        if isinstance(content, dict):
            return self._table(SECTIONS[name], content, name)
        if isinstance(content, list) and content and isinstance(content[0], dict):
            self._note(name, f"stands once: write [{name}] in single brackets")
        else:
            self._note(name, f"is a section: write [{name}] and its keys below", content)
        empty: DataclassInstance = SECTIONS[name]()
        return empty

    def tables(self, name: str, content: object) -> tuple[DataclassInstance, ...] | None:
        """Build what stands under each `[[name]]`."""
        how = f"write [[{name}]] in double brackets, once for each"
        if isinstance(content, dict):
            self._note(name, how)
            return None
        if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
            self._note(name, how, content)
            return None
        return tuple(
            self._table(TABLES[name], row, f"{name}[{index}]") for index, row in enumerate(content)
        )

    def unknown_section(self, name: str, content: object) -> None:
        """Note a section that does not exist, or a key that stands outside of any."""
        is_table = isinstance(content, dict | list)
        every = [*SECTIONS, *TABLES]
        near = nearest(name, every)
        if not is_table:
            homes = _homes(name)
            guess = f"; did you mean `{homes[0]}`?" if homes else ""
            message = f"stands outside of any [section]{guess}"
        elif near is not None:
            written = f"[[{near}]]" if near in TABLES else f"[{near}]"
            message = f"no such section; did you mean {written}?"
        else:
            message = f"no such section; there are {', '.join(every)}"
        self._note(toml_key(name), message, ABSENT if is_table else content)

    def _table(self, cls: type[_Table], content: Mapping[str, object], place: str) -> _Table:
        """Build one dataclass from one table."""
        name = place.partition("[")[0]
        nested = NESTED.get(name, {}) if "." not in place else {}
        known = {each.name: each for each in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in content.items():
            where = f"{place}.{toml_key(key)}"
            if key in nested:
                if isinstance(value, dict):
                    values[key] = self._table(nested[key], value, where)
                else:
                    self._note(where, f"is a table: write [{name}.{key}] and its keys below", value)
            elif key in known:
                self._key(values, known[key], value, where)
            else:
                self._unknown_key(place, key, list(known))
        return cast("Callable[..., _Table]", cls)(**values)

    def _unknown_key(self, place: str, key: str, known: list[str]) -> None:
        """Note a key that does not exist, and which one was probably meant."""
        section = place.partition("[")[0]
        related: tuple[str, ...] = ()
        if homes := _homes(key):
            guess = f"did you mean `{homes[0]}`?"
        elif near := nearest(key, known):
            guess = f"did you mean `{near}`?"
            related = (f"{place}.{near}",)
        elif len(known) <= _LISTED_MAX:
            guess = f"there are {', '.join(known)}"
        else:
            guess = f"`robustmq-edge config example` lists the keys of {section}"
        where = f"{place}.{toml_key(key)}"
        self.problems.append(Problem(where, f"no such key; {guess}", related=related))

    def _key(self, values: dict[str, Any], field: Field[Any], value: object, where: str) -> None:
        """Put a value into `values` if the rule of its field allows it."""
        rule: Rule = field.metadata["rule"]
        wrong = _what_is_wrong(field.default, rule, value)
        if wrong is not None:
            self._note(where, wrong, value)
            return
        if isinstance(value, list):
            value = tuple(value)
        elif (
            rule.is_path
            and isinstance(value, str)
            and value
            and not value.startswith("/")
            and self._base_dir
            and where not in self._from_environment
        ):
            value = f"{self._base_dir}/{value}"
        values[field.name] = value


def _homes(key: str) -> list[str]:
    """Return the plain sections that have a key, as paths of it."""
    return [
        f"{section}.{key}"
        for section, cls in SECTIONS.items()
        if key in {each.name for each in fields(cls)}
    ]


def _what_is_wrong(default: object, rule: Rule, value: object) -> str | None:
    """Return what a value must be if it is not that."""
    quoted = isinstance(value, str)
    if isinstance(default, bool) or default is None:
        if isinstance(value, bool):
            return None
        return "must be true or false" + (", without quotes" if _is_in(value, "true false") else "")
    if isinstance(default, int):
        bounds = f"{toml_value(rule.minimum)} to {toml_value(rule.maximum)}"
        if isinstance(value, bool) or not isinstance(value, int):
            unquoted = ", without quotes" if quoted and _is_digits(value) else ""
            return f"must be a whole number, {bounds}{unquoted}"
        return None if rule.minimum <= value <= rule.maximum else f"must be {bounds}"
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            example = ", ".join(f'"{item}"' for item in rule.choices[:2]) or '"...", "..."'
            return f"must be a list of strings, like [{example}]"
        return next((wrong for item in value if (wrong := _string(rule, item)) is not None), None)
    if not quoted:
        return "must be a string, in quotes"
    return _string(rule, str(value))


def _string(rule: Rule, text: str) -> str | None:
    if rule.choices and text not in rule.choices:
        near = nearest(text, rule.choices)
        guess = f"; did you mean `{near}`?" if near is not None else ""
        return f"must be one of {', '.join(rule.choices)}{guess}"
    if any(character < " " or character == "\x7f" for character in text):
        return "must not have control characters"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "must be UTF-8"
    return None


def _is_in(value: object, words: str) -> bool:
    return isinstance(value, str) and value.lower() in words.split()


def _is_digits(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.strip().replace("_", "").isdigit()
