"""An ACL file of mosquitto in the words of ours.

mosquitto asks in this order: the `deny` lines of the user, the other lines of the user, the `deny`
patterns, the other patterns; the first that fits decides, and nothing is allowed otherwise. Lines
above the first `user` are for clients without User Name. Our files are read from the top and the
first rule that fits decides, so it is enough to write the lines in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.reader import read_lines
from edge.config.mosquitto.report import Setting
from edge.errors import EdgeError
from edge.topic import check_topic_filter

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.mosquitto.report import ImportReport

_RULES: Final = {
    "read": "allow subscribe",
    "write": "allow publish",
    "readwrite": "allow all",
    "deny": "deny all",
}
_DENY: Final = "deny"
_LEVELS_MAX: Final = 1024

# Our rules see the topic behind these, so that one with them would never match.
_STRIPPED: Final = ("$share/", "$queue/", "$exclusive/", "$delayed/")


class _Rules:
    """Rules for the same clients, in mosquitto's order."""

    def __init__(self) -> None:
        self._denied: list[str] = []
        self._allowed: list[str] = []

    def add(self, access: str, topic_filter: str) -> None:
        text = f"{_RULES[access]} {_quoted(topic_filter)}"
        (self._denied if access == _DENY else self._allowed).append(text)

    def lines(self) -> list[str]:
        return self._denied + self._allowed


def translate_acl(path: Path, report: ImportReport) -> str:
    """Return the rules of a file in our form.

    Raises:
        ConfigError: the file cannot be read.
    """
    anonymous = _Rules()
    users: dict[str, _Rules] = {}
    patterns = _Rules()
    current = anonymous
    for where, line in read_lines(path):
        word, _, rest = line.partition(" ")
        setting = Setting(where, word, rest.strip(" \t"))
        if word == "user":
            if setting.value:
                current = users.setdefault(setting.value, _Rules())
            else:
                report.leave(setting, "names nobody")
                current = _Rules()  # nobody's
        elif word == "topic":
            _add_rule(setting, current, report, is_pattern=False)
        elif word == "pattern":
            _add_rule(setting, patterns, report, is_pattern=True)
        else:
            report.leave(setting, "a line begins with user, topic or pattern")
    sections = [("anonymous", anonymous), *((f"user {name}", each) for name, each in users.items())]
    lines = []
    for head, rules in [*sections, ("all", patterns)]:
        if rules.lines():
            lines += ["", head, *rules.lines()]
    _add_notes(report, patterns)
    return "\n".join([*lines, "", "default deny"]) + "\n"


def _add_rule(setting: Setting, rules: _Rules, report: ImportReport, *, is_pattern: bool) -> None:
    """Translate one `topic` or `pattern` line."""
    access, _, topic_filter = setting.value.partition(" ")
    topic_filter = topic_filter.strip(" \t")
    if not topic_filter:
        access, topic_filter = "readwrite", access
    has_name = "%c" in topic_filter or "%u" in topic_filter
    if access not in _RULES:
        report.leave(setting, "write read, write, readwrite or deny before a topic with blanks")
        return
    if has_name and not is_pattern:
        instead = "%c and %u mean themselves in `topic` lines, and names here: was `pattern` meant?"
        report.leave(setting, instead)
        return
    try:
        filled = topic_filter.replace("%c", "x").replace("%u", "x")
        check_topic_filter(filled, _LEVELS_MAX)
    except EdgeError as error:
        report.leave(setting, f"is no Topic Filter: {error.message}")
        return
    if topic_filter.startswith(_STRIPPED):
        report.leave(setting, "rules are about topics behind that: write what comes after it")
        return
    if has_name and access == _DENY:
        report.note(
            f"{setting.where}: a `deny` with a name in it does not bind clients whose name has "
            "+ # or /: refuse such names with [[ban]]"
        )
    rules.add(access, topic_filter)


def _add_notes(report: ImportReport, patterns: _Rules) -> None:
    """Tell what is not quite the same."""
    report.note(
        "mosquitto grants every SUBSCRIBE and sends nothing; here a SUBSCRIBE under which nothing "
        "may be read is refused"
    )
    with_names = ["%c" in line or "%u" in line for line in patterns.lines()]
    if any(with_names):
        report.note(
            "names with / never fill %c and %u here; mosquitto lets them reach deeper levels"
        )
    if not all(with_names):
        report.note(
            "`pattern` lines without %c and %u are for all clients here; mosquitto leaves out those"
            " whose names have + or #"
        )


def _quoted(topic_filter: str) -> str:
    is_plain = not any(blank in topic_filter for blank in " \t") and topic_filter[0] != '"'
    return topic_filter if is_plain else f'"{topic_filter}"'
