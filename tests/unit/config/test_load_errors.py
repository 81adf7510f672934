"""What an operator is told about mistakes: the texts are frozen in golden/."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.load import FILE_BYTES_MAX, from_toml, load
from edge.errors import ConfigError

GOLDEN = Path(__file__).parent / "golden"

LISTENER = '[[listener]]\naddress = "127.0.0.1:0"\n'


def complaints(text: str, environ: dict[str, str] | None = None) -> list[str]:
    """Return the lines of the error that a text gives."""
    with pytest.raises(ConfigError) as caught:
        from_toml(text, "edge.toml", environ)
    return caught.value.message.splitlines()


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order() -> None:
    text = (GOLDEN / "everything_wrong.toml").read_text(encoding="utf-8")
    told = "\n".join(complaints(text)) + "\n"
    assert told == (GOLDEN / "everything_wrong.txt").read_text(encoding="utf-8")


def test_an_error_has_a_hint_apart_from_its_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        from_toml("[log]\nlevel = 1\n", "edge.toml")
    assert caught.value.message == "edge.toml:2: log.level = 1: must be a string, in quotes"
    assert caught.value.hint == "`robustmq-edge config example` shows every key with its range"


SYNTAX = [
    (
        "[log]\nlevel = loud\n",
        ["edge.toml:2:9: a value is expected here", "    level = loud", "            ^"],
    ),
    (
        "[[listener]]\naddress = 127.0.0.1:1883\n",
        [
            "edge.toml:2:16: there is more behind the value",
            "    address = 127.0.0.1:1883",
            "                   ^",
        ],
    ),
    (
        "[log]\n[log]\n",
        ["edge.toml:2:5: this is here for the second time", "    [log]", "        ^"],
    ),
    (
        '[log]\nlevel = "info"\nlevel = "info"\n',
        [
            "edge.toml:3:15: this is here for the second time",
            '    level = "info"',
            "                  ^",
        ],
    ),
    (
        '[log]\nlevel = "info\n',
        [
            "edge.toml:2:14: the closing quote is missing in this line",
            '    level = "info',
            "                 ^",
        ],
    ),
    ("[log]\nlevel\n", ["edge.toml:2:6: `=` is missing behind the key", "    level", "         ^"]),
    ("[log\n", ["edge.toml:1:5: the closing bracket is missing", "    [log", "        ^"]),
    (
        'a = "C:\\path"\n',
        [
            "edge.toml:1:10: a backslash means something in double quotes",
            '    a = "C:\\path"',
            "             ^",
        ],
    ),
    ("a = [1,", ["edge.toml:1: the file ends too early: a value is expected here"]),
    ('a = """x\n', ["edge.toml:2: the file ends too early: the closing quote is missing"]),
    ("\x00", ["edge.toml:1:1: this is no line of TOML", "    ", "    ^"]),
    ("a = " + "[" * 100_000, ["edge.toml: brackets within brackets, too many of them"]),
    ("a = " + "9" * 5_000, ["edge.toml: a number has too many digits"]),
]


@pytest.mark.parametrize(("text", "expected"), SYNTAX, ids=range(len(SYNTAX)))
def test_text_that_is_no_toml_is_shown_with_line_and_column(text: str, expected: list[str]) -> None:
    assert complaints(text) == expected


def test_a_mistake_far_right_in_a_long_line_is_shown_with_what_is_around_it() -> None:
    _, line, mark = complaints("a = [" + "1, " * 100 + "x]\n")
    assert len(line) <= 80
    assert line[mark.index("^")] == "x"


def test_windows_line_ends_and_tabs_do_not_shift_lines_and_columns() -> None:
    assert complaints("[log]\r\n\tlevel = x\r\n") == [
        "edge.toml:2:10: a value is expected here",
        "     level = x",
        "             ^",
    ]
    assert complaints('[log]\r\n\r\nlevel = "x"\r\n')[0].startswith("edge.toml:3: log.level")


CONSEQUENCES = [
    # A misspelt key explains that the right one is missing.
    ('[[ban]]\nclientid = "x"\n', ["edge.toml:2: ban[0].clientid: "]),
    ("[[auto_subscribe]]\nfliter = 'a'\n", ["edge.toml:2: auto_subscribe[0].fliter: "]),
    # A choice that is none explains why another key seems to have no effect.
    (
        LISTENER + '[listener.tls]\ncertificate_file = "/dev/null"\nkey_file = "/dev/null"\n'
        'client_ca_file = "/dev/null"\nclient_certificate = "yes"\n',
        ["edge.toml:7: listener[0].tls.client_certificate = "],
    ),
    # The bound that a topic breaks is itself a mistake.
    (
        '[limits]\ntopic_levels_max = 0\n[[auto_subscribe]]\nfilter = "' + "/" * 70 + '"\n',
        ["edge.toml:2: limits.topic_levels_max = 0: "],
    ),
    # An address that is none is not also taken twice.
    (
        '[[listener]]\naddress = "x"\n[[listener]]\naddress = "x"\n',
        ["edge.toml:2: listener[0].address", "edge.toml:4: listener[1].address"],
    ),
]


@pytest.mark.parametrize(("text", "starts"), CONSEQUENCES, ids=range(len(CONSEQUENCES)))
def test_what_only_follows_from_another_mistake_is_not_told(text: str, starts: list[str]) -> None:
    told = complaints(text)
    assert len(told) == len(starts)
    for line, start in zip(told, starts, strict=True):
        assert line.startswith(start)


def test_a_missing_key_is_reported_at_the_line_of_its_table() -> None:
    text = LISTENER + "\n[listener.tls]\nkey_file = '/dev/null'\n"
    assert complaints(text) == ["edge.toml:4: listener[0].tls.certificate_file: is needed for TLS"]


def test_values_in_messages_cannot_move_the_cursor_and_are_cut() -> None:
    (line,) = complaints('[log]\nlevel = "\\u001b[2J' + "x" * 500 + '"\n')
    assert line.isprintable()
    assert len(line) < 200


def test_a_key_that_only_quotes_can_hold_is_named_in_quotes() -> None:
    assert complaints('[log]\n"a b" = 1\n')[0].startswith('edge.toml:2: log."a b": no such key')


def test_inline_tables_and_dotted_keys_are_found_too() -> None:
    text = 'log.level = "info"\nlog.format = "xml"\nban = [\n  { username = "" },\n]\n'
    assert complaints(text) == [
        'edge.toml:2: log.format = "xml": must be one of text, json',
        "edge.toml:4: ban[0]: set exactly one of client_id, username and address",
    ]


# ---------------------------------------------------------------- the environment


def test_a_variable_that_does_not_fit_is_named() -> None:
    environ = {
        "ROBUSTMQ_EDGE__LIMITS__QOS_MAX": "5",
        "ROBUSTMQ_EDGE__LOG__LEVEL": "loud",
        "ROBUSTMQ_EDGE__LOG__CONNECTIONS": "yes",
        "ROBUSTMQ_EDGE__ACCESS__ACL_FILE": "/nowhere/acl",
        "ROBUSTMQ_EDGE__LIMITS__PROTOCOL_VERSIONS": "5.0",
    }
    assert complaints("", environ) == [
        "environment: ROBUSTMQ_EDGE__ACCESS__ACL_FILE=/nowhere/acl: cannot be read: "
        "No such file or directory",
        "environment: ROBUSTMQ_EDGE__LIMITS__PROTOCOL_VERSIONS=5.0: must be a list of strings, "
        'like ["3.1", "3.1.1"]',
        "environment: ROBUSTMQ_EDGE__LIMITS__QOS_MAX=5: must be 0 to 2",
        "environment: ROBUSTMQ_EDGE__LOG__CONNECTIONS=yes: must be true or false",
        "environment: ROBUSTMQ_EDGE__LOG__LEVEL=loud: must be one of debug, info, warning, error",
    ]


def test_a_variable_that_does_not_exist_is_an_error_with_a_guess() -> None:
    environ = {
        "ROBUSTMQ_EDGE__LIMIT__QOS_MAX": "1",
        "ROBUSTMQ_EDGE__LISTENER__ADDRESS": "0.0.0.0:1883",
        "ROBUSTMQ_EDGE__NONSENSE": "1",
    }
    assert complaints("", environ) == [
        "environment: ROBUSTMQ_EDGE__LIMIT__QOS_MAX: no such key; "
        "did you mean ROBUSTMQ_EDGE__LIMITS__QOS_MAX?",
        "environment: ROBUSTMQ_EDGE__LISTENER__ADDRESS: only the file can set [[listener]]",
        "environment: ROBUSTMQ_EDGE__NONSENSE: no such key; "
        "the form is ROBUSTMQ_EDGE__SECTION__KEY",
    ]


def test_mistakes_of_the_environment_stand_behind_those_of_the_file() -> None:
    told = complaints("[log]\nformat = 'x'\n", {"ROBUSTMQ_EDGE__LOG__LEVEL": "loud"})
    assert [line.partition(":")[0] for line in told] == ["edge.toml", "environment"]


# ---------------------------------------------------------------- files


def file_complaint(path: Path | str) -> str:
    """Return the message and hint for a file that cannot be loaded."""
    with pytest.raises(ConfigError) as caught:
        load(str(path), {})
    return str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    expected = f"{path}: No such file or directory (check the path and its permissions)"
    assert file_complaint(path) == expected
    assert "Is a directory" in file_complaint(tmp_path)
    assert "is no path" in file_complaint("a\0b")


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(b'[node]\nid = "K\xfcche"\n')
    assert file_complaint(path) == f"{path}:2: not UTF-8 (save the file as UTF-8)"


def test_a_file_that_cannot_be_a_configuration_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    assert file_complaint(path) == f"{path}: larger than 1 MiB"


def test_a_mistake_names_the_file_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("[log]\nlevel = 1\n", encoding="utf-8")
    assert file_complaint(path).startswith(f"{path}:2: log.level = 1: ")
