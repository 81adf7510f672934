"""Models of the filter trie, of share groups, of the retained store and of access profiles."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from tests.oracles.topics import topic_matches

NO_LOCAL: Final = 1
RETAIN_AS_PUBLISHED: Final = 2
READ: Final = 1
WRITE: Final = 2
RETAIN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One access rule."""

    allow: bool
    access: int
    qos_max: int
    topic_filter: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An access profile: the first rule that matches decides, else the default."""

    default_allow: bool
    rules: tuple[Rule, ...]
    profile_id: int = 7

    def blob(self) -> bytes:
        """Return the form that acl.pxd specifies."""
        parts = [struct.pack("<IBH", self.profile_id, self.default_allow, len(self.rules))]
        for rule in self.rules:
            parts.append(
                struct.pack("<BBBH", rule.allow, rule.access, rule.qos_max, len(rule.topic_filter))
            )
            parts.append(rule.topic_filter)
        return b"".join(parts)

    def allows(self, access: int, qos: int, topic: bytes) -> bool:
        """Return whether each requested bit, taken alone, is allowed."""
        return all(
            self._allows_bit(bit, qos, topic) for bit in (READ, WRITE, RETAIN) if access & bit
        )

    def _allows_bit(self, bit: int, qos: int, topic: bytes) -> bool:
        for rule in self.rules:
            if not rule.access & bit or not topic_matches(rule.topic_filter, topic):
                continue
            if rule.allow and bit == WRITE and rule.qos_max < qos:
                continue
            return rule.allow
        return self.default_allow


@dataclass(slots=True)
class Subscription:
    """What a session asked for."""

    qos: int
    options: int
    subscription_id: int


@dataclass(slots=True)
class TrieModel:
    """All subscriptions in a dictionary: (session, filter, group) names one."""

    subscriptions: dict[tuple[int, bytes, bytes | None], Subscription] = field(default_factory=dict)
    profiles: dict[int, Profile] = field(default_factory=dict)

    def drop(self, session_id: int) -> None:
        """Forget a session."""
        self.profiles.pop(session_id, None)
        for key in [key for key in self.subscriptions if key[0] == session_id]:
            del self.subscriptions[key]

    def match(self, topic: bytes) -> dict[int, tuple[int, int, list[int]]]:
        """Return {session: (highest QoS, merged options, sorted Subscription Identifiers)}."""
        matching: dict[int, list[Subscription]] = {}
        for (session_id, topic_filter, group), subscription in self.subscriptions.items():
            if group is None and topic_matches(topic_filter, topic):
                matching.setdefault(session_id, []).append(subscription)
        return {
            session_id: (
                max(one.qos for one in found),
                (NO_LOCAL if all(one.options & NO_LOCAL for one in found) else 0)
                | (
                    RETAIN_AS_PUBLISHED
                    if any(one.options & RETAIN_AS_PUBLISHED for one in found)
                    else 0
                ),
                sorted(one.subscription_id for one in found if one.subscription_id),
            )
            for session_id, found in matching.items()
            if session_id not in self.profiles or self.profiles[session_id].allows(READ, 0, topic)
        }

    def match_groups(self, topic: bytes) -> list[tuple[bytes, dict[int, int]]]:
        """Return the matching share groups with their members' QoS, sorted."""
        groups: dict[tuple[bytes, bytes], dict[int, int]] = {}
        for (session_id, topic_filter, group), subscription in self.subscriptions.items():
            if group is not None and topic_matches(topic_filter, topic):
                groups.setdefault((group, topic_filter), {})[session_id] = subscription.qos
        return sorted(
            ((name, members) for (name, _), members in groups.items()),
            key=lambda pair: (pair[0], sorted(pair[1].items())),
        )

    def node_count(self) -> int:
        """Return how many trie nodes the filters need, the root included."""
        prefixes: set[tuple[bytes, ...]] = {()}
        for _, topic_filter, _ in self.subscriptions:
            levels = tuple(topic_filter.split(b"/"))
            prefixes.update(levels[: depth + 1] for depth in range(len(levels)))
        return len(prefixes)


@dataclass(slots=True)
class TurnsModel:
    """Who may be served next in a share group: nobody twice before everybody once."""

    waiting: set[int] = field(default_factory=set)
    served: set[int] = field(default_factory=set)

    def join(self, session_id: int) -> None:
        """A member that is new has its turn in this round; one that joins again changes nothing."""
        if session_id not in self.served:
            self.waiting.add(session_id)

    def leave(self, session_id: int) -> None:
        """A member leaves, served or not."""
        self.waiting.discard(session_id)
        self.served.discard(session_id)

    def candidates(self) -> set[int]:
        """Begin a new round when nobody waits; return those who wait."""
        if not self.waiting:
            self.waiting, self.served = self.served, set()
        return self.waiting

    def serve(self, session_id: int) -> None:
        """A member had its turn."""
        self.waiting.remove(session_id)
        self.served.add(session_id)


@dataclass(slots=True)
class RetainedModel:
    """Retained messages in a dictionary: topic to payload and expiry (0: never)."""

    messages: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)

    def match(self, topic_filter: bytes) -> list[tuple[bytes, bytes]]:
        """Return the matching messages, sorted."""
        return sorted(
            (topic, payload)
            for topic, (payload, _) in self.messages.items()
            if topic_matches(topic_filter, topic)
        )

    def expire(self, now_ms: int) -> int:
        """Forget what has expired; return how many."""
        gone = [topic for topic, (_, expires) in self.messages.items() if 0 < expires <= now_ms]
        for topic in gone:
            del self.messages[topic]
        return len(gone)

    def next_expiry_ms(self) -> int:
        """Return the earliest expiry, or 0."""
        return min((expires for _, expires in self.messages.values() if expires), default=0)
