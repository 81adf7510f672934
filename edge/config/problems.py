"""Mistakes in a configuration: collected while it is read, told all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ABSENT: Final = object()  # in place of a value where there is none to show

_VALUE_CHARACTERS_MAX: Final = 60

_LAST: Final = 1 << 31  # behind every line of a file

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    Attributes:
        place: path in the file, e.g. `limits.qos_max` or `listener[0].tls`.
        message: what would be right.
        value: what is there; ABSENT if that is not the point.
        related: further places that it is about: what follows from a mistake there follows from
            this one, and a mistake there explains this one.
    """

    place: str
    message: str
    value: object = ABSENT
    related: tuple[str, ...] = ()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None."""
    import difflib

    found = difflib.get_close_matches(name.lower(), list(known), n=1)
    return found[0] if found else None


def without_consequences(problems: Sequence[Problem], causes: Sequence[Problem]) -> list[Problem]:
    """Return the problems that do not follow from one of the causes."""
    wrong = [place for cause in causes for place in (cause.place, *cause.related)]
    return [
        problem
        for problem in problems
        if not any(
            _is_within(cause, place) or _is_within(problem.place, cause)
            for place in (problem.place, *problem.related)
            for cause in wrong
        )
    ]


def _is_within(place: str, other: str) -> bool:
    return place == other or place.startswith((f"{other}.", f"{other}["))


def raise_all(
    problems: Sequence[Problem],
    source_name: str,
    text: str,
    variables: Mapping[str, tuple[str, str]],
    others: Sequence[str],
) -> None:
    """Raise one error for all problems, a line each, in the order of the file; if there are any.

    Args:
        problems: what was found in the tree.
        source_name: the file.
        text: what is in it, for the line numbers.
        variables: the places that the environment has set: name and value of the variable.
        others: what was found elsewhere, as complete messages.

    Raises:
        ConfigError: there are problems.
    """
    if not problems and not others:
        return
    from edge.config.positions import locate

    try:
        lines = locate(text)
    except RecursionError:
        lines = {}
    told = [(_LAST, message) for message in others]
    for problem in problems:
        variable = _nearest_around(problem.place, variables)
        if variable is not None:
            name, value = variable
            told.append((_LAST, f"environment: {name}={_cut(value)}: {problem.message}"))
            continue
        line = _nearest_around(problem.place, lines)
        where = source_name if line is None else f"{source_name}:{line}"
        message = f"{where}: {problem.place}{_shown(problem.value)}: {problem.message}"
        told.append((line or 0, message))
    told.sort(key=lambda entry: (entry[0], entry[1] if entry[0] == _LAST else ""))
    raise ConfigError(
        "\n".join(dict.fromkeys(text for _, text in told)),
        hint="`robustmq-edge config example` shows every key with its range",
    )


def _nearest_around(place: str, table: Mapping[str, _Found]) -> _Found | None:
    """Return what a table has for a place, or for the innermost place around it."""
    while place:
        if place in table:
            return table[place]
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return None


def _shown(value: object) -> str:
    if value is ABSENT:
        return ""
    if isinstance(value, dict):
        return " = {...}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return " = [...]"
    from edge.config.toml_text import toml_value

    return f" = {_cut(toml_value(value))}"


def _cut(text: str) -> str:
    """Return text of bounded length without anything that could move a cursor."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    if len(shown) <= _VALUE_CHARACTERS_MAX:
        return shown
    return f"{shown[: _VALUE_CHARACTERS_MAX - 3]}..."
