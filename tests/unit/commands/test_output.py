"""What people and programs read."""

from __future__ import annotations

import json

import pytest

from edge.commands.output import field_lines, print_result, printable, table_lines

ROWS = [
    {"client_id": "a", "queued": 5, "online": True},
    {"client_id": "sensor-7", "queued": 12_000, "online": False},
]


def test_table_is_aligned_with_numbers_to_the_right() -> None:
    assert table_lines(ROWS) == [
        "CLIENT ID  QUEUED  ONLINE",
        "a               5  yes",
        "sensor-7    12000  no",
    ]


def test_rows_may_differ_in_their_fields() -> None:
    assert table_lines([{"a": 1}, {"b": "x"}]) == ["A  B", "1  -", "-  x"]


def test_fields_are_aligned_and_nested_objects_indented() -> None:
    value = {"id": "a", "uptime_s": 1.25, "will": {"topic": "t"}, "rows": [{"x": 1}], "none": []}
    assert field_lines(value) == [
        "id        a",
        "uptime s  1.2",
        "will",
        "  topic  t",
        "rows",
        "  X",
        "  1",
        "none  none",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (0, "0"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("ä", "ä"),
    ],
)
def test_values_cannot_move_the_cursor(value: object, text: str) -> None:
    assert printable(value) == text


def test_long_values_are_cut_in_tables() -> None:
    assert len(table_lines([{"a": "x" * 1000}])[1]) == 60


@pytest.mark.parametrize(
    ("value", "text"),
    [([], "no clients\n"), ({"a": 1}, "a  1\n"), ("done", "done\n"), (ROWS[:1], None)],
)
def test_result_is_written_by_its_kind(
    value: object, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result(value, "table", empty="no clients")
    written = capsys.readouterr().out
    assert text is None or written == text
    print_result(value, "json")
    assert json.loads(capsys.readouterr().out) == value
