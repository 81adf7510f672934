"""Strategies for Topic Names and Topic Filters that collide often."""

from __future__ import annotations

from hypothesis import strategies as st

LEVELS = st.sampled_from([b"", b"a", b"b", b"a-level-longer-than-16-bytes", b"$s"])

topics = st.lists(LEVELS, min_size=1, max_size=5).map(b"/".join).filter(bool)


def _with_end(parts: tuple[list[bytes], bool]) -> bytes:
    levels, multi_level = parts
    return b"/".join([*levels, b"#"] if multi_level else levels)


topic_filters = (
    st.tuples(st.lists(st.one_of(LEVELS, st.just(b"+")), max_size=4), st.booleans())
    .map(_with_end)
    .filter(bool)
)
