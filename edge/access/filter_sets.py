"""Topic Filters as sets of Topic Names: is one inside another, and what do two have in common?

What two filters have in common is again one filter, because `+` takes exactly one level and `#`
stands last. `$` is minded as in matching: a filter that begins with a wildcard holds no name that
begins with `$` [MQTT-4.7.2-1]. All filters are valid and come without `$share/{ShareName}/`.
"""

from __future__ import annotations


def covers(outer: str, inner: str) -> bool:
    """Return whether every Topic Name that matches `inner` also matches `outer`."""
    outer_levels = _levels(outer)
    inner_levels = _levels(inner)
    if inner.startswith("$") and outer_levels[0] in ("+", "#"):
        return False
    for index, level in enumerate(outer_levels):
        if level == "#":
            return True  # also of the parent level: `a/#` covers `a`
        if index == len(inner_levels) or inner_levels[index] == "#":
            return False
        if level not in ("+", inner_levels[index]):
            return False
    return len(inner_levels) == len(outer_levels)


def intersection(first: str, second: str) -> str | None:
    """Return the filter of the Topic Names that match both, or None if there are none."""
    first_levels = _levels(first)
    second_levels = _levels(second)
    if (first.startswith("$") and second_levels[0] in ("+", "#")) or (
        second.startswith("$") and first_levels[0] in ("+", "#")
    ):
        return None
    common: list[str] = []
    for one, other in zip(first_levels, second_levels, strict=False):
        if one == "#":
            return "/".join([*common, *second_levels[len(common) :]])
        if other == "#":
            return "/".join([*common, *first_levels[len(common) :]])
        if one != other and "+" not in (one, other):
            return None
        common.append(other if one == "+" else one)
    longer = first_levels if len(first_levels) > len(second_levels) else second_levels
    # `a/#` and `a` have `a` in common.
    return "/".join(common) if longer[len(common) :] in ([], ["#"]) else None


def _levels(topic_filter: str) -> list[str]:
    """Split a filter; of two ways to write the same set, take the one that compares right.

    Every name has a level, so `+/#` is `#`. No name is empty, so `/#` is `/+/#`.
    """
    if topic_filter == "+/#":
        return ["#"]
    return ["", "+", "#"] if topic_filter == "/#" else topic_filter.split("/")
