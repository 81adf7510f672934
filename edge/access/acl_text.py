"""Read an ACL file; acl.py says what its lines mean."""

from __future__ import annotations

from typing import Final

from edge.errors import AccessError, ProtocolError
from edge.topic import check_topic_filter

# Bits of a rule's access, as the engine's profiles have them.
READ: Final = 1
WRITE: Final = 2
RETAIN: Final = 4

# Whom a section is for.
ALL: Final = "all"
ANONYMOUS: Final = "anonymous"
USER: Final = "user"
CLIENT: Final = "client"

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
QOS_MAX: Final = 2

_LEVELS_MAX: Final = 65_536
_ACTIONS: Final = {
    "publish": WRITE | RETAIN,
    "subscribe": READ,
    "all": READ | WRITE | RETAIN,
}
_QOS_OPTIONS: Final = {"qos<=0": 0, "qos<=1": 1, "qos<=2": 2}

# Rules see the topic behind these, so a rule with one of them would never match.
_STRIPPED_PREFIXES: Final = ("$share/", "$queue/", "$exclusive/", "$delayed/")


class Rule:
    """One `allow` or `deny` line."""

    __slots__ = ("access", "allow", "has_placeholder", "index", "qos_max", "topic_filter")

    def __init__(
        self, *, allow: bool, access: int, qos_max: int, topic_filter: str, index: int
    ) -> None:
        self.allow = allow
        self.access = access
        self.qos_max = qos_max  # of an allow rule: it does not speak of higher ones
        self.topic_filter = topic_filter
        self.index = index  # its place among the rules of the file
        self.has_placeholder = "%u" in topic_filter or "%c" in topic_filter


class Section:
    """Rules for the same clients; `kind` is ALL, ANONYMOUS, USER or CLIENT."""

    __slots__ = ("kind", "name", "rules")

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.rules: list[Rule] = []


class AclText:
    """What stands in a file."""

    __slots__ = ("default_allow", "sections")

    def __init__(self, sections: list[Section], *, default_allow: bool) -> None:
        self.sections = sections
        self.default_allow = default_allow


class LineError(Exception):
    """A line is wrong; the parser adds which one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse_acl(text: str, source_name: str) -> AclText:
    """Read the lines of an ACL file.

    Args:
        text: the whole file.
        source_name: stands before the line number in errors.

    Raises:
        AccessError: a line is wrong; the first of them is named.
    """
    parser = _Parser()
    for line_number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        try:
            parser.take(line.strip(" \t\r"))
        except LineError as error:
            message = f"{source_name}:{line_number}: {error.message}"
            raise AccessError(message, hint=error.hint) from error
    return AclText(parser.sections, default_allow=bool(parser.default_allow))


class _Parser:
    def __init__(self) -> None:
        self.sections = [Section(ALL, "")]
        self.default_allow: bool | None = None
        self._rule_count = 0

    def take(self, line: str) -> None:
        """Take one line without the white space around it.

        Raises:
            LineError: it is wrong.
        """
        if not line or line.startswith("#"):
            return
        word, rest = _split_word(line)
        if word in ("allow", "deny"):
            self.sections[-1].rules.append(_rule(rest, self._rule_count, allow=word == "allow"))
            self._rule_count += 1
        elif word in (USER, CLIENT):
            if not rest:
                raise LineError(f"`{word}` names nobody", f"write `{word} NAME`")
            self.sections.append(Section(word, rest))
        elif word in (ALL, ANONYMOUS):
            if rest:
                raise LineError(f"`{word}` stands alone in its line, not with `{rest}`")
            self.sections.append(Section(word, ""))
        elif word == "default":
            self._take_default(rest)
        else:
            hint = "a line begins with allow, deny, user, client, all, anonymous, default or #"
            raise LineError(f"`{word}` is unknown", hint)

    def _take_default(self, rest: str) -> None:
        if rest not in ("allow", "deny"):
            raise LineError(f"default is `{rest}`", "write `default deny` or `default allow`")
        if self.default_allow is not None:
            raise LineError("there is a default already", "leave only one such line")
        self.default_allow = rest == "allow"


def _split_word(text: str) -> tuple[str, str]:
    """Return the first word and what stands behind it."""
    parts = text.split(None, 1)
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _rule(text: str, index: int, *, allow: bool) -> Rule:
    """Read what stands behind `allow` or `deny`: an action, options, a Topic Filter."""
    action, rest = _split_word(text)
    access = _ACTIONS.get(action)
    if access is None:
        hint = "write publish, subscribe or all behind allow and deny"
        raise LineError(f"action is `{action}`", hint)
    qos_max = QOS_MAX
    retain: bool | None = None
    while not rest.startswith('"'):
        word, behind = _split_word(rest)
        if not behind:
            break  # the last word is the filter, whatever it looks like
        if word in _QOS_OPTIONS:
            qos_max = _QOS_OPTIONS[word]
        elif word in ("retain", "noretain"):
            retain = word == "retain"
        else:
            hint = "qos<=0, qos<=1, retain, noretain; a Topic Filter with blanks needs quotes"
            raise LineError(f"option `{word}` is unknown", hint)
        rest = behind
    if qos_max < QOS_MAX and not allow:
        raise LineError("qos<= belongs to allow", "`allow ... qos<=1 X`, then `deny ... X`")
    if retain is not None:
        access = _with_retain(action, access, allow=allow, retain=retain)
    topic_filter = _unquoted(rest)
    _check_filter(topic_filter)
    return Rule(allow=allow, access=access, qos_max=qos_max, topic_filter=topic_filter, index=index)


def _unquoted(text: str) -> str:
    """Take the quotes off; what stands between them is not interpreted."""
    if not text.startswith('"'):
        return text
    if len(text) == 1 or not text.endswith('"'):
        raise LineError("the closing quote is missing")
    return text[1:-1]


def _with_retain(action: str, access: int, *, allow: bool, retain: bool) -> int:
    """Return the bits of a rule with `retain` or `noretain`."""
    if action == "subscribe":
        raise LineError("subscribe has no retain", "retain and noretain belong to publish")
    if allow:
        return access if retain else access & ~RETAIN
    if action == "publish" and retain:
        return RETAIN
    hint = "`deny publish retain X` forbids retained messages, `deny publish X` all of them"
    raise LineError(f"deny {action} has no {'retain' if retain else 'noretain'}", hint)


def _check_filter(topic_filter: str) -> None:
    if not topic_filter:
        raise LineError("no Topic Filter", "e.g. `allow publish sensors/%c/#`")
    try:
        # A name fills a placeholder only if it has no wildcard: `x` stands for all of them.
        check_topic_filter(topic_filter.replace("%u", "x").replace("%c", "x"), _LEVELS_MAX)
    except ProtocolError as error:
        raise LineError(f"`{topic_filter}`: {error}") from error
    for prefix in _STRIPPED_PREFIXES:
        if topic_filter.startswith(prefix):
            hint = f"rules see the topic without `{prefix}`: write what stands behind it"
            raise LineError(f"`{topic_filter}` would never match", hint)
