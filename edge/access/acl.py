"""Who may publish and receive what: the ACL file.

    # Lines that begin with # are comments. Rules at the top are for everybody.
    allow subscribe public/#
    allow subscribe $SYS/#

    # For clients with this User Name:
    user alice
    deny  publish home/boiler
    allow all     home/#

    # For clients whose Client Identifier fits; * and ? are wildcards:
    client sensor-*
    allow publish qos<=1   sensors/%c/#
    allow publish noretain events/%c

    # For clients without User Name. A Topic Filter with blanks needs quotes:
    anonymous
    allow subscribe "guest book/#"

    # For everybody again:
    all
    deny  publish retain archive/#
    allow publish        archive/#

    # For what no rule speaks of; `deny` too if this line is missing:
    default deny

**Order.** A client's rules are those of all sections that it falls under, in the order of the file.
The first rule that speaks of a question and matches answers it.

**Questions.** To receive a message asks *subscribe*, to publish one asks *publish*. A message with
the RETAIN flag also asks *retain*, and needs both answers: after `allow publish noretain a` it is a
later rule, or the default, that decides about retained messages to `a`.

    allow subscribe F           receive
    allow publish F             publish, retained or not; `allow publish retain F` is the same
    allow publish noretain F    publish; does not speak of retaining
    deny publish F              publish nothing
    deny publish retain F       publish nothing retained; does not speak of other messages
    allow all F, deny all F     subscribe and publish; `allow all noretain F` as above
    allow ... qos<=N F          does not speak of publishing, or subscribing, at a higher QoS

**Names.** `%u` is the User Name and `%c` the Client Identifier. The rule does not match at all if
the name is missing or empty, or has `+`, `#` or `/` in it, or if it would put a `$` at the start of
the filter: nobody gets at `$SYS` by the choice of a name. Names are for `allow`; a `deny` with a
name in it is dodged by whoever may choose the name.

**Topics** are those the broker routes by: after rewriting, with the mount point in front, without
`$share/{ShareName}/`, `$queue/`, `$exclusive/` or `$delayed/{seconds}/`.

**SUBSCRIBE** is granted if something under the Topic Filter may be received, as far as rules show
it one by one. From the top, a rule that speaks of the QoS asked for

- denies, if it is a `deny` that covers the whole Topic Filter;
- grants, if it allows a part of the Topic Filter that no single `deny` above it covers;
- else is passed over.

Then the default decides. Each message is checked again when it is delivered: with nothing but
`allow subscribe a/b`, a subscription to `a/#` is granted and brings `a/b`; one to `c` is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.access.acl_text import (
    ALL,
    ANONYMOUS,
    FILE_BYTES_MAX,
    READ,
    RETAIN,
    USER,
    WRITE,
    Rule,
    Section,
    parse_acl,
)
from edge.access.filter_sets import covers, intersection
from edge.access.glob import glob_matches, has_wildcard
from edge.errors import AccessError
from edge.topic import TOPIC_BYTES_MAX, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A profile counts its rules in 16 bits.
RULES_PER_CLIENT_MAX: Final = 65_535

# One client asks many questions in a row, so few sets of rules are worth keeping.
_COMPILED_MAX: Final = 128


class AclFile:
    """The rules of one ACL file."""

    __slots__ = (
        "_by_client_id",
        "_by_client_pattern",
        "_by_username",
        "_compiled",
        "_default_allow",
        "_for_all",
        "_for_anonymous",
    )

    def __init__(self, sections: Iterable[Section], *, default_allow: bool) -> None:
        """Sort the sections by whom they are for.

        Raises:
            AccessError: one client might have more than RULES_PER_CLIENT_MAX rules.
        """
        self._default_allow = default_allow
        self._for_all: list[Rule] = []
        self._for_anonymous: list[Rule] = []
        self._by_username: dict[str, list[Rule]] = {}
        self._by_client_id: dict[str, list[Rule]] = {}
        self._by_client_pattern: dict[str, list[Rule]] = {}
        self._compiled: dict[tuple[str | None, str], tuple[Rule, ...]] = {}
        for section in sections:
            self._rules_of(section).extend(section.rules)
        self._check_count()

    @classmethod
    def load(cls, path: str | Path) -> AclFile:
        """Read an ACL file.

        Raises:
            AccessError: it cannot be read, or a line is wrong.
        """
        try:
            with Path(path).open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            message = f"ACL file `{path}` cannot be read: {error.strerror}"
            raise AccessError(message, hint="see access.acl_file") from error
        if len(data) > FILE_BYTES_MAX:
            message = f"ACL file `{path}` is above {FILE_BYTES_MAX} bytes"
            raise AccessError(message)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line_number = data.count(b"\n", 0, error.start) + 1
            message = f"{path}:{line_number}: not UTF-8"
            raise AccessError(message) from error
        return cls.from_text(text, str(path))

    @classmethod
    def from_text(cls, text: str, source_name: str = "acl") -> AclFile:
        """Read the text of an ACL file; `source_name` stands in errors.

        Raises:
            AccessError: a line is wrong.
        """
        parsed = parse_acl(text, source_name)
        return cls(parsed.sections, default_allow=parsed.default_allow)

    def is_unrestricted(self, username: str | None, client_id: str) -> bool:
        """Return whether the client may do everything, because no rule and no default denies."""
        return self._default_allow and not self._rules_for(username, client_id)

    def compile_profile(self, username: str | None, client_id: str, profile_id: int) -> bytes:
        """Return the client's rules in the form that the engine evaluates, see engine/acl.pxd.

        Args:
            username: User Name, None for an anonymous client.
            client_id: Client Identifier.
            profile_id: what the engine shall know the rules by, an unsigned number of 32 bits.
        """
        rules = self._rules_for(username, client_id)
        parts = [
            profile_id.to_bytes(4, "little"),
            bytes((self._default_allow,)),
            len(rules).to_bytes(2, "little"),
        ]
        for rule in rules:
            topic_filter = rule.topic_filter.encode()
            parts.append(bytes((rule.allow, rule.access, rule.qos_max)))
            parts.append(len(topic_filter).to_bytes(2, "little"))
            parts.append(topic_filter)
        return b"".join(parts)

    def may_publish(
        self,
        username: str | None,
        client_id: str,
        topic: str,
        qos: int,
        retain: bool,  # noqa: FBT001  (the flag as it stands in the packet)
    ) -> bool:
        """Return whether the client may publish such a message to a Topic Name.

        The engine asks itself; this is for messages that do not pass it, such as Will Messages.
        """
        wanted = WRITE | RETAIN if retain else WRITE
        for rule in self._rules_for(username, client_id):
            decided = rule.access & wanted
            if rule.allow and rule.qos_max < qos:
                decided &= ~WRITE
            if not decided or not matches(rule.topic_filter, topic):
                continue
            if not rule.allow:
                return False
            wanted &= ~decided
            if not wanted:
                return True
        return self._default_allow

    def may_subscribe(
        self, username: str | None, client_id: str, topic_filter: str, qos: int
    ) -> bool:
        """Return whether the client may hold a subscription; see the head of this file.

        Args:
            username: User Name, None for an anonymous client.
            client_id: Client Identifier.
            topic_filter: a valid Topic Filter, of a shared subscription the part behind ShareName.
            qos: the QoS that would be granted.
        """
        denied: list[str] = []
        for rule in self._rules_for(username, client_id):
            if not rule.access & READ:
                continue
            if not rule.allow:
                if covers(rule.topic_filter, topic_filter):
                    return False
                denied.append(rule.topic_filter)
            elif rule.qos_max >= qos:
                common = intersection(rule.topic_filter, topic_filter)
                if common is not None and not any(covers(each, common) for each in denied):
                    return True
        return self._default_allow

    # -- inside

    def _rules_of(self, section: Section) -> list[Rule]:
        if section.kind == ALL:
            return self._for_all
        if section.kind == ANONYMOUS:
            return self._for_anonymous
        if section.kind == USER:
            table = self._by_username
        else:
            is_pattern = has_wildcard(section.name)
            table = self._by_client_pattern if is_pattern else self._by_client_id
        return table.setdefault(section.name, [])

    def _check_count(self) -> None:
        of_users = [self._for_anonymous, *self._by_username.values()]
        of_clients = self._by_client_id.values()
        rule_count_max = (
            len(self._for_all)
            + max(map(len, of_users))
            + max(map(len, of_clients), default=0)
            + sum(map(len, self._by_client_pattern.values()))
        )
        if rule_count_max > RULES_PER_CLIENT_MAX:
            message = f"ACL: one client might have {rule_count_max} rules"
            raise AccessError(message, hint=f"at most {RULES_PER_CLIENT_MAX}: use %u, %c, + and #")

    def _rules_for(self, username: str | None, client_id: str) -> tuple[Rule, ...]:
        """Return the client's rules with names filled in; those that cannot matter are left out."""
        identity = (username, client_id)
        rules = self._compiled.pop(identity, None)
        if rules is None:
            rules = self._compile(username, client_id)
            if len(self._compiled) >= _COMPILED_MAX:
                del self._compiled[next(iter(self._compiled))]
        self._compiled[identity] = rules
        return rules

    def _compile(self, username: str | None, client_id: str) -> tuple[Rule, ...]:
        rules = [
            filled
            for rule in self._sections_for(username, client_id)
            if (filled := _filled(rule, username or "", client_id)) is not None
        ]
        rules.sort(key=lambda rule: rule.index)
        while rules and rules[-1].allow == self._default_allow:
            del rules[-1]  # says what the default says
        return tuple(rules)

    def _sections_for(self, username: str | None, client_id: str) -> Iterator[Rule]:
        yield from self._for_all
        if username is None:
            yield from self._for_anonymous
        else:
            yield from self._by_username.get(username, ())
        yield from self._by_client_id.get(client_id, ())
        for pattern, rules in self._by_client_pattern.items():
            if glob_matches(pattern, client_id):
                yield from rules


def _filled(rule: Rule, username: str, client_id: str) -> Rule | None:
    """Return the rule with names in place of `%u` and `%c`; None if a name is not fit for that."""
    if not rule.has_placeholder:
        return rule
    topic_filter = _fill(rule.topic_filter, {"%u": username, "%c": client_id})
    if topic_filter is None:
        return None
    try:
        if len(topic_filter.encode()) > TOPIC_BYTES_MAX:
            return None
    except UnicodeEncodeError:
        return None  # a lone surrogate: not from MQTT, where strings are checked
    return Rule(
        allow=rule.allow,
        access=rule.access,
        qos_max=rule.qos_max,
        topic_filter=topic_filter,
        index=rule.index,
    )


def _fill(template: str, names: dict[str, str]) -> str | None:
    """Fill names in, from left to right: what stands in a name is never filled in itself."""
    parts = []
    index = 0
    while index < len(template):
        name = names.get(template[index : index + 2])
        if name is None:
            parts.append(template[index])
            index += 1
            continue
        if not name or any(sign in name for sign in "+#/"):
            return None
        if index == 0 and name.startswith("$"):
            return None
        parts.append(name)
        index += 2
    return "".join(parts)
