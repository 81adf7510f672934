"""Lines of keys: the scanner must agree with tomllib about what there is."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.positions import locate
from edge.config.toml_text import toml_path, toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator

Parts = tuple[str | int, ...]

TEXT = '''\
# a comment with [brackets] = "and more"
title = "a # b = c"   # behind

[owner]
"quoted key" = 1
'literal.key' = 2
dotted . "deep er".key = [ # first
  1, [2, 3],
  { x = "}", y = ["]"] },   # last
]

[[fruit]]
name = """
several [lines]
x = 1
"""""
[fruit.physical]
color = \'\'\'
it's
\'\'\'
[[fruit.variety]]
name = "a"
[[fruit.variety]]
name = "b"
[[fruit]]
when = 1979-05-27 07:32:00Z
[[fruit.variety]]
escaped = "\\"x = 1\\\\"
after = true
'''


def test_every_key_has_its_line() -> None:
    assert locate(TEXT) == {
        "title": 2,
        "owner": 4,
        'owner."quoted key"': 5,
        'owner."literal.key"': 6,
        "owner.dotted": 7,
        'owner.dotted."deep er"': 7,
        'owner.dotted."deep er".key': 7,
        'owner.dotted."deep er".key[0]': 8,
        'owner.dotted."deep er".key[1]': 8,
        'owner.dotted."deep er".key[1][0]': 8,
        'owner.dotted."deep er".key[1][1]': 8,
        'owner.dotted."deep er".key[2]': 9,
        'owner.dotted."deep er".key[2].x': 9,
        'owner.dotted."deep er".key[2].y': 9,
        'owner.dotted."deep er".key[2].y[0]': 9,
        "fruit": 12,
        "fruit[0]": 12,
        "fruit[0].name": 13,
        "fruit[0].physical": 17,
        "fruit[0].physical.color": 18,
        "fruit[0].variety": 21,
        "fruit[0].variety[0]": 21,
        "fruit[0].variety[0].name": 22,
        "fruit[0].variety[1]": 23,
        "fruit[0].variety[1].name": 24,
        "fruit[1]": 25,
        "fruit[1].when": 26,
        "fruit[1].variety": 27,
        "fruit[1].variety[0]": 27,
        "fruit[1].variety[0].escaped": 28,
        "fruit[1].variety[0].after": 29,
    }


def places(value: object, path: Parts = ()) -> Iterator[str]:
    """Yield the path of everything in a parsed document."""
    if path:
        yield toml_path(path)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_nothing_is_found_that_tomllib_does_not_see(end: str) -> None:
    text = TEXT.replace("\n", end)
    assert set(locate(text)) == set(places(tomllib.loads(text)))
    assert locate(text) == locate(TEXT)


SCALARS = st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False))
KEYS = st.text(alphabet="ab.-\"' =[]#\\é", max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_is_written_is_read_again_and_found(document: dict[str, object]) -> None:
    from edge.config.toml_text import toml_key

    text = "".join(f"{toml_key(key)} = {toml_value(value)}\n" for key, value in document.items())
    parsed = tomllib.loads(text)
    assert parsed == document
    lines = locate(text)
    assert set(lines) == set(places(parsed))
    assert [lines[toml_path((key,))] for key in document] == list(range(1, len(document) + 1))


PIECES = (
    'a = "x"\n', "b.c = 1\n", "[t]\n", "[t.u]\n", "[[l]]\n", "[[l.m]]\n", "[l.n]\n", "[l.n.o]\n",
    'd = """\n[x]\n"""\n', "e = ['''a''', { f = 1 }]\n", "# c = 1\n", "\n", "g = [\n  1,\n]\n",
    "'q.r'.s = 1\n", "h = 'a' # = b\n", '"\\u0061b" = 0\n', "i = \"\"\"\"x\"\"\"\"\"\n",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_any_mixture_that_tomllib_accepts_is_found_completely(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(locate(text)) == set(places(parsed))
