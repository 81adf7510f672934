"""Filling `%c` and `%u` into mount points, automatic subscriptions and rewrite targets.

A value that holds a wildcard or a level separator could reach into another client's topics, so it
is never filled in.
"""

from __future__ import annotations


def is_one_level(value: str) -> bool:
    """Return whether a value may stand as one level of a topic."""
    return bool(value) and not any(character in value for character in "/+#\0")


def fill(template: str, *, client_id: str, username: str | None) -> str | None:
    """Put the Client Identifier for `%c` and the User Name for `%u`.

    Returns:
        None if a value that is needed is missing or is not fit for a topic level.
    """
    if "%" not in template:
        return template
    if "%c" in template and not is_one_level(client_id):
        return None
    if "%u" in template and not is_one_level(username or ""):
        return None
    # One pass, so that a value which holds `%u` itself is not filled in again.
    return "".join(
        part if index == 0 else _expand(part, client_id, username or "")
        for index, part in enumerate(template.split("%"))
    )


def _expand(part: str, client_id: str, username: str) -> str:
    """Replace the letter behind a `%`; an unknown one stays as it is."""
    if part[:1] == "c":
        return client_id + part[1:]
    if part[:1] == "u":
        return username + part[1:]
    return "%" + part
