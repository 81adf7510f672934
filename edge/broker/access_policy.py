"""Which rules a client lives under: profiles in the engine, and the checks that are made here.

The engine evaluates rules by profile. Clients whose rules are identical share one profile; clients
without any restriction have profile 0. A profile that nobody holds any more is kept for a while,
because retained messages name the profile of their publisher.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edge.access.acl import AclFile
    from edge.broker.clients import Client
    from edge.broker.context import Context

UNRESTRICTED: Final = 0

# Profiles that nobody holds; the oldest goes first.
_IDLE_PROFILES_MAX: Final = 1024

# A profile blob begins with its u32 id, which is no part of the rules.
_ID_BYTES: Final = 4
# ... and goes on with u8 default_allow, u16 rule_count: this one allows everything.
_ALLOW_ALL_RULES: Final = b"\x01\x00\x00"


class _Profile:
    """One set of rules in the engine, and an identity that they were made for."""

    __slots__ = ("client_id", "holder_count", "profile_id", "rules", "username")

    def __init__(self, profile_id: int, rules: bytes, username: str | None, client_id: str) -> None:
        self.profile_id = profile_id
        self.rules = rules
        self.username = username
        self.client_id = client_id
        self.holder_count = 0


class AccessPolicy:
    """The ACL in force and the profiles made from it. `acl` None: everything is allowed."""

    def __init__(self, context: Context, acl: AclFile | None) -> None:
        self._context = context
        self._acl = acl
        self._profiles: dict[int, _Profile] = {}
        self._by_rules: dict[bytes, _Profile] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._profile_id_next = 1

    @property
    def profile_count(self) -> int:
        """How many profiles the engine holds for us."""
        return len(self._profiles)

    def may_subscribe(self, client: Client, topic_filter: str, qos: int) -> bool:
        """Return whether the client may hold a subscription to the full Topic Filter."""
        return self._acl is None or self._acl.may_subscribe(
            client.username, client.client_id, topic_filter, qos
        )

    def may_publish(self, client: Client, topic: str, *, qos: int, retain: bool) -> bool:
        """Return whether the client may publish to the full Topic Name."""
        return self._acl is None or self._acl.may_publish(
            client.username, client.client_id, topic, qos, retain
        )

    # -- profiles

    def hold(self, client: Client) -> int:
        """Give the client the profile of its rules and return its id; replaces one it held."""
        profile_id = self._find_or_make(client.username, client.client_id)
        if profile_id == client.acl_profile_id:
            return profile_id
        self.release(client)
        client.acl_profile_id = profile_id
        if profile_id != UNRESTRICTED:
            self._profiles[profile_id].holder_count += 1
            self._idle.pop(profile_id, None)
        return profile_id

    def release(self, client: Client) -> None:
        """The client's session is gone: it holds no profile any more."""
        profile = self._profiles.get(client.acl_profile_id)
        client.acl_profile_id = UNRESTRICTED
        if profile is None:
            return
        profile.holder_count -= 1
        if profile.holder_count == 0:
            self._idle[profile.profile_id] = None
            self._drop_idle()

    def _find_or_make(self, username: str | None, client_id: str) -> int:
        rules = self._rules_of(username, client_id)
        if rules == _ALLOW_ALL_RULES:
            return UNRESTRICTED
        profile = self._by_rules.get(rules)
        if profile is None:
            profile = _Profile(self._profile_id_next, rules, username, client_id)
            self._profile_id_next += 1
            self._profiles[profile.profile_id] = profile
            self._by_rules[rules] = profile
            self._define(profile)
        return profile.profile_id

    def _rules_of(self, username: str | None, client_id: str) -> bytes:
        """Return a profile blob without its id."""
        if self._acl is None or self._acl.is_unrestricted(username, client_id):
            return _ALLOW_ALL_RULES
        return self._acl.compile_profile(username, client_id, 0)[_ID_BYTES:]

    def _define(self, profile: _Profile) -> None:
        self._context.engine.set_acl_profile(
            profile.profile_id.to_bytes(_ID_BYTES, "little") + profile.rules
        )

    def _drop_idle(self) -> None:
        while len(self._idle) > _IDLE_PROFILES_MAX:
            profile_id, _ = self._idle.popitem(last=False)
            profile = self._profiles.pop(profile_id)
            if self._by_rules.get(profile.rules) is profile:
                del self._by_rules[profile.rules]
            self._context.engine.drop_acl_profile(profile_id)

    # -- reload

    def replace(self, acl: AclFile | None) -> None:
        """Put another ACL in force: redefine the profiles and give every session its rules.

        A profile follows the identity it was first made for, so that retained messages stay bound
        to what their publisher may do now.
        """
        self._acl = acl
        self._by_rules.clear()
        for profile in self._profiles.values():
            profile.rules = self._rules_of(profile.username, profile.client_id)
            if profile.rules != _ALLOW_ALL_RULES:
                self._by_rules.setdefault(profile.rules, profile)
            self._define(profile)
        for client in self._context.clients:
            held_id = client.acl_profile_id
            held = self._profiles.get(held_id)
            if held is not None and held.rules == self._rules_of(client.username, client.client_id):
                continue
            if self.hold(client) != held_id:
                self._context.engine.set_session_acl(client.session, client.acl_profile_id)
