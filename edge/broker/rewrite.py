"""`[[rewrite]]`: another topic in place of the one that a client names.

The rules are tried in their order and the first whose `source` and `pattern` match decides; the
result is not rewritten again. Rules see topics as clients write them, without mount point, and the
filter inside a Shared Subscription. A target that is no valid topic refuses the operation, and so
does a `%c` or `%u` whose value is not fit for one topic level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.broker.placeholders import is_one_level
from edge.topic import matches

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from edge.broker.clients import Client
    from edge.config.schema import RewriteConfig


# The pieces of a target that are filled in; everything else stands for itself.
_CLIENT_ID: Final = "%c"
_USERNAME: Final = "%u"


class _Rule:
    """One rule: `target` is a sequence of literal text, group numbers and placeholders."""

    __slots__ = ("expression", "source", "target")

    def __init__(self, source: str, expression: re.Pattern[str], target: str) -> None:
        self.source = source
        self.expression = expression
        self.target = split_target(target)

    def apply(self, topic: str, client_id: str, username: str) -> str | None:
        """Return the new topic, "" for a refusal, None if the rule does not speak of this one."""
        if self.source and not matches(self.source, topic):
            return None
        found = self.expression.search(topic)
        if found is None:
            return None
        pieces = []
        for piece in self.target:
            if isinstance(piece, int):
                pieces.append((found.group(piece) or "") if piece <= found.re.groups else "")
            elif piece in (_CLIENT_ID, _USERNAME):
                value = client_id if piece == _CLIENT_ID else username
                if not is_one_level(value):
                    return ""
                pieces.append(value)
            else:
                pieces.append(piece)
        return "".join(pieces)


def split_target(target: str) -> tuple[str | int, ...]:
    """Cut a target at `$1` to `$9`, `%c` and `%u`: what is filled in is not looked at again."""
    pieces: list[str | int] = []
    start = index = 0
    while index < len(target) - 1:
        mark, letter = target[index], target[index + 1]
        is_group = mark == "$" and letter in "123456789"
        if not is_group and target[index : index + 2] not in (_CLIENT_ID, _USERNAME):
            index += 1
            continue
        pieces.append(target[start:index])
        pieces.append(int(letter) if is_group else mark + letter)
        index += 2
        start = index
    pieces.append(target[start:])
    return tuple(piece for piece in pieces if piece != "")


class Rewriter:
    """The rules in force. Without rules it costs nothing: `re` is not even imported."""

    __slots__ = ("_publish_rules", "_subscribe_rules")

    def __init__(self, rules: Sequence[RewriteConfig]) -> None:
        self._publish_rules: tuple[_Rule, ...]
        self._subscribe_rules: tuple[_Rule, ...]
        self.replace(rules)

    def replace(self, rules: Sequence[RewriteConfig]) -> None:
        """Put other rules in force; the loader has checked their expressions."""
        self._publish_rules = _compile(rules, "publish")
        self._subscribe_rules = _compile(rules, "subscribe")

    @property
    def rewrites_publish(self) -> bool:
        """Whether any PUBLISH may be rewritten: then the engine must ask."""
        return bool(self._publish_rules)

    def map_filters(self) -> list[bytes]:
        """Return the Topic Filters whose topics the engine must ask about."""
        return [(rule.source or "#").encode() for rule in self._publish_rules]

    def publish_target(self, client: Client, topic: str) -> str:
        """Return where a message that the client publishes to `topic` goes."""
        return _first(self._publish_rules, topic, client.client_id, client.username)

    def subscribe_target(self, client: Client, topic_filter: str) -> str:
        """Return the Topic Filter that takes the place of the client's."""
        return _first(self._subscribe_rules, topic_filter, client.client_id, client.username)


def _compile(rules: Sequence[RewriteConfig], action: str) -> tuple[_Rule, ...]:
    wanted = [rule for rule in rules if rule.action in ("all", action)]
    if not wanted:
        return ()
    import re

    return tuple(_Rule(rule.source, re.compile(rule.pattern), rule.target) for rule in wanted)


def _first(rules: tuple[_Rule, ...], topic: str, client_id: str, username: str | None) -> str:
    for rule in rules:
        target = rule.apply(topic, client_id, username or "")
        if target is not None:
            return target
    return topic
