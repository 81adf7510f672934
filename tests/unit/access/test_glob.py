"""Names with wildcards."""

from __future__ import annotations

import pytest

from edge.access.glob import glob_matches, has_wildcard


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("sensor", "sensor", True),
        ("sensor", "sensor-1", False),
        ("sensor-*", "sensor-", True),
        ("sensor-*", "sensor-12", True),
        ("*", "", True),
        ("?", "", False),
        ("?", "ä", True),
        ("a?c", "abc", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcdef", False),
        ("*ab", "aab", True),
        ("*a*b", "ba", False),
        ("**", "x", True),
        ("", "", True),
        ("", "x", False),
        ("A", "a", False),
        ("[a]", "a", False),
        ("[a]", "[a]", True),
        ("a*", "a*", True),
    ],
)
def test_whole_name_has_to_fit(pattern: str, name: str, expected: bool) -> None:
    assert glob_matches(pattern, name) == expected


def test_hostile_name_costs_little() -> None:
    """A backtracking matcher would not return in this life."""
    assert not glob_matches("*a" * 30 + "b", "a" * 1000)


def test_wildcard_is_found_anywhere() -> None:
    assert has_wildcard("a*")
    assert has_wildcard("?a")
    assert not has_wildcard("a[b]")
