"""SUBSCRIBE and UNSUBSCRIBE: sections 3.8 to 3.11, Shared Subscriptions (4.8.2) and `$exclusive/`.

A client's subscriptions stand in `Client.subscriptions`: key (see filters.py) to options packed
into one integer, because a small integer costs no memory. They outlive the connection with the
Session; the engine holds the same set for matching.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.broker.filters import (
    EXCLUSIVE,
    FilterRefusedError,
    Target,
    check_available,
    resolve,
    sibling_key,
    target_of_key,
)
from edge.errors import ProtocolError
from edge.protocol.kinds import MQTT_3_1, MQTT_5
from edge.protocol.reason import ReasonCode

if TYPE_CHECKING:
    from edge.broker.access_policy import AccessPolicy
    from edge.broker.clients import Client
    from edge.broker.context import Context
    from edge.broker.rewrite import Rewriter
    from edge.protocol.packets import Subscription

# Packed options: QoS in bits 0-1, then flags, then the Subscription Identifier.
_NO_LOCAL: Final = 4
_RETAIN_AS_PUBLISHED: Final = 8
_ID_SHIFT: Final = 4

# Retain Handling, section 3.8.3.1.
_RETAINED_IF_NEW: Final = 1
_RETAINED_NEVER: Final = 2

_SYS: Final = "$SYS/"


class Outcome:
    """What became of one Topic Filter: Reason Code, and what is retained and still to be sent."""

    __slots__ = ("qos", "reason_code", "subscription_id", "target", "text")

    def __init__(self, reason_code: int, text: str = "") -> None:
        self.reason_code = reason_code
        self.text = text  # why it was refused
        self.target: Target | None = None  # set: send what is retained there, after SUBACK
        self.qos = 0
        self.subscription_id = 0


class Subscriptions:
    """Adds and removes subscriptions, in the records and in the engine."""

    def __init__(
        self,
        context: Context,
        access: AccessPolicy,
        rewriter: Rewriter,
    ) -> None:
        self._context = context
        self._access = access
        self._rewriter = rewriter
        self._exclusive: dict[str, Client] = {}  # full Topic Name -> holder
        self.count = 0
        self.shared_count = 0
        self.sys_count = 0  # to $SYS topics: while it is 0, nobody listens to statistics

    # -- adding

    def add(self, client: Client, wanted: Subscription, subscription_id: int) -> Outcome:
        """Subscribe, if everything allows it.

        Args:
            client: whose Session gets the subscription.
            wanted: the Topic Filter and its options.
            subscription_id: the Subscription Identifier, 0 for none.

        Returns:
            The granted QoS or a failure as an MQTT 5.0 Reason Code.
        """
        try:
            return self._add(client, wanted, subscription_id)
        except ProtocolError as error:
            return Outcome(error.reason_code, error.message)
        except FilterRefusedError as refused:
            return Outcome(refused.reason_code, refused.message)

    def _add(self, client: Client, wanted: Subscription, subscription_id: int) -> Outcome:
        target = resolve(self._context, self._rewriter, client, wanted.topic_filter)
        check_available(self._context, target)
        qos = min(wanted.qos, self._context.listener(client.listener_index).qos_max)
        held = client.subscriptions
        is_new = held is None or target.key not in held
        limits = self._context.settings.config.limits
        if is_new and held is not None and len(held) >= limits.subscriptions_per_client_max:
            raise FilterRefusedError(ReasonCode.QUOTA_EXCEEDED, "too many subscriptions")
        if not self._access.may_subscribe(client, target.topic_filter, qos):
            self._context.counters.acl_denied += 1
            raise FilterRefusedError(ReasonCode.NOT_AUTHORIZED, "not authorized")
        if target.is_exclusive:
            holder = self._exclusive.setdefault(target.topic_filter, client)
            if holder is not client:
                raise FilterRefusedError(
                    ReasonCode.QUOTA_EXCEEDED, "another client holds the topic"
                )
        options = qos | subscription_id << _ID_SHIFT
        options |= _NO_LOCAL if wanted.no_local else 0
        options |= _RETAIN_AS_PUBLISHED if wanted.retain_as_published else 0
        if held is None:
            client.subscriptions = held = {}
        held[target.key] = options  # the same filter again replaces [MQTT-3.8.4-3]
        self._engine_subscribe(client, target, options)
        if is_new:
            self._count(target, 1)
        self._context.observer.subscribed(client, target.key, qos)
        if target.topic_filter.startswith(_SYS):
            self._context.observer.sys_subscribed()
        outcome = Outcome(qos)
        wants_retained = wanted.retain_handling != _RETAINED_NEVER and (
            is_new or wanted.retain_handling != _RETAINED_IF_NEW
        )
        # [MQTT-3.3.1-9] to [MQTT-3.3.1-11]; shared subscriptions get none [section 4.8.2].
        if wants_retained and not target.group:
            outcome.target = target
            outcome.qos = qos
            outcome.subscription_id = subscription_id
        return outcome

    def send_retained(self, client: Client, outcome: Outcome) -> None:
        """Send the retained messages that a subscription asks for; the SUBACK is out by now."""
        if outcome.target is not None:
            self._context.engine.send_retained(
                client.session,
                outcome.target.topic_filter.encode(),
                qos=outcome.qos,
                subscription_id=outcome.subscription_id,
            )

    def _engine_subscribe(self, client: Client, target: Target, options: int) -> None:
        self._context.engine.subscribe(
            client.session,
            target.topic_filter.encode(),
            qos=options & 3,
            no_local=bool(options & _NO_LOCAL),
            retain_as_published=bool(options & _RETAIN_AS_PUBLISHED),
            subscription_id=options >> _ID_SHIFT,
            group=target.group.encode(),
        )

    # -- removing

    def remove(self, client: Client, written: str) -> int:
        """Unsubscribe from a Topic Filter; return the Reason Code for UNSUBACK."""
        try:
            target = resolve(self._context, self._rewriter, client, written)
        except ProtocolError as error:
            return error.reason_code
        if client.subscriptions is None or target.key not in client.subscriptions:
            return ReasonCode.NO_SUBSCRIPTION_EXISTED
        self._remove(client, target)
        self._context.observer.unsubscribed(client, target.key)
        return ReasonCode.SUCCESS

    def _remove(self, client: Client, target: Target) -> None:
        held = client.subscriptions
        if held is None:
            return
        del held[target.key]
        self._forget(client, target)
        left = None if target.group else held.get(sibling_key(target.key))
        if left is None:
            self._context.engine.unsubscribe(
                client.session, target.topic_filter.encode(), target.group.encode()
            )
        else:
            self._engine_subscribe(client, target, left)
        if not held:
            client.subscriptions = None

    def _forget(self, client: Client, target: Target) -> None:
        if target.is_exclusive and self._exclusive.get(target.topic_filter) is client:
            del self._exclusive[target.topic_filter]
        self._count(target, -1)

    def _count(self, target: Target, change: int) -> None:
        self.count += change
        if target.group:
            self.shared_count += change
        if target.topic_filter.startswith(_SYS):
            self.sys_count += change

    def session_ended(self, client: Client) -> None:
        """Forget what an ended Session held; the engine has forgotten it with the Session."""
        for key in client.subscriptions or ():
            self._forget(client, target_of_key(client, key))
        client.subscriptions = None

    def recheck(self, client: Client) -> int:
        """Take away what the ACL does not allow any more; return how many subscriptions went."""
        forbidden = [
            target
            for key, options in (client.subscriptions or {}).items()
            if not self._access.may_subscribe(
                client, (target := target_of_key(client, key)).topic_filter, options & 3
            )
        ]
        for target in forbidden:
            self._remove(client, target)
        return len(forbidden)

    def describe(self, client: Client) -> list[dict[str, object]]:
        """Return the client's subscriptions for people."""
        return [
            {
                "topic_filter": key,
                "qos": options & 3,
                "no_local": bool(options & _NO_LOCAL),
                "retain_as_published": bool(options & _RETAIN_AS_PUBLISHED),
                "subscription_identifier": options >> _ID_SHIFT or None,
                "exclusive": key.startswith(EXCLUSIVE),
            }
            for key, options in (client.subscriptions or {}).items()
        ]


def suback_code(code: int, protocol_version: int, qos: int) -> int:
    """Return the code for SUBACK in the words of the client's version.

    MQTT 3.1.1 has one failure, 0x80 [MQTT311-3.9.3-2]; MQTT 3.1 has none, so a client that is
    refused is told what it asked for (section 3.8 there).
    """
    if protocol_version == MQTT_5 or code < ReasonCode.UNSPECIFIED_ERROR:
        return code
    return qos if protocol_version == MQTT_3_1 else ReasonCode.UNSPECIFIED_ERROR
