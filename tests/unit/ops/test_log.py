"""The log: one line an event, which no client can forge."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable

import pytest

from edge.ops.log import VALUE_CHARACTERS_MAX, Log, is_journal

ReadLines = Callable[[], list[str]]


@pytest.fixture
def pipe() -> tuple[int, ReadLines]:
    """A file descriptor to log to, and a function that returns the lines written."""
    read_fd, write_fd = os.pipe()

    def read_lines() -> list[str]:
        os.close(write_fd)
        with os.fdopen(read_fd, encoding="utf-8") as stream:
            return stream.read().splitlines()

    return write_fd, read_lines


def test_text_line_has_time_level_event_and_fields(pipe: tuple[int, ReadLines]) -> None:
    fd, read_lines = pipe
    Log(fd=fd).info("client.connected", client_id="a-1", keep_alive_s=60, username=None)
    (line,) = read_lines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info client\.connected"
        r" client_id=a-1 keep_alive_s=60 username=-",
        line,
    )


def test_lines_below_the_level_are_not_written(pipe: tuple[int, ReadLines]) -> None:
    fd, read_lines = pipe
    log = Log("warning", fd=fd)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert [line.split()[2] for line in read_lines()] == ["c", "d"]


@pytest.mark.parametrize(
    "value", ["a\nerror forged=1", "a b", 'a"b', "\x1b[31m", "", "-", "a=b", "\u202e", "\ud800"]
)
def test_values_of_strangers_are_quoted_and_stay_on_their_line(
    pipe: tuple[int, ReadLines], value: str
) -> None:
    fd, read_lines = pipe
    Log(fd=fd, journal=True).info("x", client_id=value)
    (line,) = read_lines()
    head, _, rest = line.partition('client_id="')
    assert head == "<6>info x "
    assert rest.endswith('"')
    assert rest.isprintable()


def test_long_values_are_cut(pipe: tuple[int, ReadLines]) -> None:
    fd, read_lines = pipe
    log = Log(fd=fd)
    log.info("x", client_id="a" * 65_535)
    log.configure("info", "json")
    log.info("x", client_id="a" * 65_535)
    text, structured = read_lines()
    assert len(text) < VALUE_CHARACTERS_MAX + 100
    assert len(structured) < VALUE_CHARACTERS_MAX + 150


def test_json_line_holds_the_fields_with_their_types(pipe: tuple[int, ReadLines]) -> None:
    fd, read_lines = pipe
    Log("info", "json", fd=fd).warning("x", count=1, name="a\nb", what=ValueError("no"))
    (line,) = read_lines()
    record = json.loads(line)
    assert record.pop("time")
    assert record == {"level": "warning", "event": "x", "count": 1, "name": "a\nb", "what": "no"}


def test_closed_standard_error_is_counted_and_not_raised() -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    os.close(write_fd)
    log = Log(fd=write_fd)
    log.error("x")
    assert log.lost_count == 1


def test_journal_is_known_by_its_stream() -> None:
    status = os.fstat(2)
    assert is_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    assert not is_journal({"JOURNAL_STREAM": "1:1"})
    assert not is_journal({})
