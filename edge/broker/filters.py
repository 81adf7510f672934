"""From the Topic Filter that a client writes to the subscription that the engine holds.

The engine knows a subscription by session, full Topic Filter and group. The control plane knows it
by the key under which it stands in `Client.subscriptions`: the client's filter after rewriting,
with `$queue/` written as `$share/$queue/`, and without mount point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import ProtocolViolation
from edge.protocol.reason import ReasonCode
from edge.topic import check_topic_filter, parse_shared

if TYPE_CHECKING:
    from edge.broker.clients import Client
    from edge.broker.context import Context
    from edge.broker.rewrite import Rewriter

EXCLUSIVE: Final = "$exclusive/"
_SHARE: Final = "$share/"


class FilterRefusedError(Exception):
    """This Topic Filter gets a Reason Code of failure; the others of the packet go on."""

    def __init__(self, reason_code: int, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
        self.message = message


class Target:
    """What a Topic Filter of a client stands for."""

    __slots__ = ("group", "is_exclusive", "key", "topic_filter")

    def __init__(self, key: str, topic_filter: str, group: str, *, is_exclusive: bool) -> None:
        self.key = key
        self.topic_filter = topic_filter  # full: with the mount point, without $share or $exclusive
        self.group = group  # ShareName, "" if not shared
        self.is_exclusive = is_exclusive


def resolve(context: Context, rewriter: Rewriter, client: Client, written: str) -> Target:
    """Read a Topic Filter as the client wrote it.

    Raises:
        ProtocolError: it is no valid Topic Filter; its Reason Code is 0x8F or 0x81.
    """
    levels_max = context.settings.config.limits.topic_levels_max
    if written.startswith(EXCLUSIVE):
        name = rewriter.subscribe_target(client, written[len(EXCLUSIVE) :])
        check_topic_filter(name, levels_max)
        if "+" in name or "#" in name:
            message = "an exclusive subscription is to one Topic Name"
            raise ProtocolViolation(message, reason_code=ReasonCode.TOPIC_FILTER_INVALID)
        return Target(EXCLUSIVE + name, client.mount + name, "", is_exclusive=True)
    shared = parse_shared(written)
    if shared is None:
        topic_filter = rewriter.subscribe_target(client, written)
        check_topic_filter(topic_filter, levels_max)
        return Target(topic_filter, client.mount + topic_filter, "", is_exclusive=False)
    topic_filter = rewriter.subscribe_target(client, shared.topic_filter)
    check_topic_filter(topic_filter, levels_max)
    return Target(
        f"{_SHARE}{shared.group}/{topic_filter}",
        client.mount + topic_filter,
        shared.group,
        is_exclusive=False,
    )


def target_of_key(client: Client, key: str) -> Target:
    """Return the target of a key that stands in the client's subscriptions."""
    if key.startswith(EXCLUSIVE):
        return Target(key, client.mount + key[len(EXCLUSIVE) :], "", is_exclusive=True)
    if key.startswith(_SHARE):
        group, _, topic_filter = key[len(_SHARE) :].partition("/")
        return Target(key, client.mount + topic_filter, group, is_exclusive=False)
    return Target(key, client.mount + key, "", is_exclusive=False)


def sibling_key(key: str) -> str:
    """Return the other key that stands for the same subscription of the engine.

    `$exclusive/a` and `a` are one subscription to the engine: when one of them goes, the other one
    must not lose its messages.
    """
    return key[len(EXCLUSIVE) :] if key.startswith(EXCLUSIVE) else EXCLUSIVE + key


def check_available(context: Context, target: Target) -> None:
    """Check what the configuration lets be subscribed.

    Raises:
        FilterRefusedError: shared or wildcard subscriptions are off.
    """
    limits = context.settings.config.limits
    if target.group and not limits.shared_available:
        raise FilterRefusedError(
            ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "shared subscriptions are off"
        )
    if not limits.wildcard_available and ("+" in target.topic_filter or "#" in target.topic_filter):
        raise FilterRefusedError(
            ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "wildcard subscriptions are off"
        )
