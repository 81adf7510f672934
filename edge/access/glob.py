"""Names with wildcards: `*` is any run of characters, `?` is exactly one.

There is no escape: the names are Client Identifiers and User Names, where both characters are rare.
The standard library's fnmatch would bring `re` into a process that has to stay small.
"""

from __future__ import annotations


def has_wildcard(pattern: str) -> bool:
    """Return whether the pattern can match more than itself."""
    return "*" in pattern or "?" in pattern


def glob_matches(pattern: str, name: str) -> bool:
    """Return whether the whole name fits the pattern; letter case matters.

    Only the last `*` is ever tried again, so the work is at most len(pattern) * len(name).
    """
    pattern_index = name_index = 0
    star_index = -1  # of the last `*` seen in the pattern
    resume_index = 0  # where in the name that star ends, as far as tried
    while name_index < len(name):
        wanted = pattern[pattern_index : pattern_index + 1]
        if wanted == "*":
            star_index = pattern_index
            resume_index = name_index
            pattern_index += 1
        elif wanted and wanted in ("?", name[name_index]):
            pattern_index += 1
            name_index += 1
        elif star_index >= 0:
            resume_index += 1
            name_index = resume_index
            pattern_index = star_index + 1
        else:
            return False
    return pattern[pattern_index:].strip("*") == ""
