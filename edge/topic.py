"""Topic Names and Topic Filters, section 4.7, and Shared Subscriptions, section 4.8.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.errors import MalformedPacket, ProtocolViolation

TOPIC_BYTES_MAX: Final = 65_535  # [MQTT-4.7.3-3]
_FILTER_INVALID: Final = 0x8F
_NAME_INVALID: Final = 0x90

_SHARE: Final = "$share/"
_QUEUE: Final = "$queue/"


@dataclass(frozen=True, slots=True)
class SharedFilter:
    """The two halves of a Shared Subscription; `$queue/{filter}` has the group `$queue`."""

    group: str
    topic_filter: str


def check_topic_name(name: str, levels_max: int) -> None:
    """Check the name a message is published to.

    Args:
        name: the Topic Name.
        levels_max: how many levels it may have, at least 1.

    Raises:
        MalformedPacket: U+0000 [MQTT-4.7.3-2].
        ProtocolViolation: empty [MQTT-4.7.3-1], above 65,535 bytes [MQTT-4.7.3-3], with wildcards
            [MQTT-4.7.0-1], or with more levels than allowed. Reason Code 0x90.
    """
    _check_common(name, levels_max, _NAME_INVALID, "Topic Name")
    if "+" in name or "#" in name:
        message = "Topic Name has a wildcard"
        raise ProtocolViolation(message, statement="MQTT-4.7.0-1", reason_code=_NAME_INVALID)


def check_topic_filter(filter_: str, levels_max: int) -> None:
    """Check a Topic Filter; of a Shared Subscription, the part behind the ShareName.

    Args:
        filter_: the Topic Filter.
        levels_max: how many levels it may have, at least 1.

    Raises:
        MalformedPacket: U+0000 [MQTT-4.7.3-2].
        ProtocolViolation: empty [MQTT-4.7.3-1], above 65,535 bytes [MQTT-4.7.3-3], `#` not alone
            in the last level [MQTT-4.7.1-1], `+` not alone in its level [MQTT-4.7.1-2], or more
            levels than allowed. Reason Code 0x8F.
    """
    _check_common(filter_, levels_max, _FILTER_INVALID, "Topic Filter")
    position = filter_.find("#")
    if position >= 0 and (position != len(filter_) - 1 or not _starts_level(filter_, position)):
        message = "# is not alone in the last level of the Topic Filter"
        raise ProtocolViolation(
            message,
            statement="MQTT-4.7.1-1",
            reason_code=_FILTER_INVALID,
        )
    if "+" in filter_ and any("+" in level and level != "+" for level in filter_.split("/")):
        message = "+ is not alone in its level of the Topic Filter"
        raise ProtocolViolation(
            message,
            statement="MQTT-4.7.1-2",
            reason_code=_FILTER_INVALID,
        )


def _starts_level(text: str, position: int) -> bool:
    return position == 0 or text[position - 1] == "/"


def _check_common(text: str, levels_max: int, reason_code: int, what: str) -> None:
    """Check what holds for names and filters alike."""
    if not text:
        message = f"{what} is empty"
        raise ProtocolViolation(message, statement="MQTT-4.7.3-1", reason_code=reason_code)
    if "\0" in text:
        message = f"{what} holds U+0000"
        raise MalformedPacket(message, statement="MQTT-4.7.3-2")
    # A character takes at most four bytes, so short texts need not be encoded to be counted.
    if len(text) > TOPIC_BYTES_MAX // 4 and len(text.encode()) > TOPIC_BYTES_MAX:
        message = f"{what} is above {TOPIC_BYTES_MAX} bytes"
        raise ProtocolViolation(
            message,
            statement="MQTT-4.7.3-3",
            reason_code=reason_code,
        )
    if text.count("/") >= levels_max:
        message = f"{what} has more than {levels_max} levels"
        raise ProtocolViolation(message, reason_code=reason_code)


def matches(topic_filter: str, topic_name: str) -> bool:
    """Return whether a valid Topic Filter matches a valid Topic Name, section 4.7.

    A filter that begins with a wildcard matches no name that begins with `$` [MQTT-4.7.2-1].
    Characters are compared one by one, without normalization [MQTT-4.7.3-4].
    """
    if topic_name[:1] == "$" and topic_filter[:1] in ("+", "#"):
        return False
    filter_levels = topic_filter.split("/")
    name_levels = topic_name.split("/")
    for index, level in enumerate(filter_levels):
        if level == "#":
            # Also the parent level: `a/#` matches `a`.
            return True
        if index == len(name_levels):
            return False
        if level not in ("+", name_levels[index]):
            return False
        if index == len(name_levels) - 1 and filter_levels[index + 1 :] == ["#"]:
            return True
    return len(filter_levels) == len(name_levels)


def parse_shared(filter_: str) -> SharedFilter | None:
    """Split `$share/{group}/{filter}` or `$queue/{filter}`; None for any other Topic Filter.

    The inner filter is not empty and is otherwise left to check_topic_filter(). `$share` without a
    slash behind it is an ordinary Topic Filter [MQTT-4.8.2-1].

    Raises:
        ProtocolViolation: the ShareName is empty or has a wildcard, or no filter follows it
            [MQTT-4.8.2-1], [MQTT-4.8.2-2]. Reason Code 0x8F.
    """
    if filter_.startswith(_QUEUE):
        group = "$queue"
        topic_filter = filter_[len(_QUEUE) :]
    elif filter_.startswith(_SHARE):
        group, _, topic_filter = filter_[len(_SHARE) :].partition("/")
    else:
        return None
    if not group or "+" in group or "#" in group:
        message = "ShareName is empty or has a wildcard"
        raise ProtocolViolation(
            message,
            statement="MQTT-4.8.2-2" if group else "MQTT-4.8.2-1",
            reason_code=_FILTER_INVALID,
        )
    if not topic_filter:
        message = "no Topic Filter behind the ShareName"
        raise ProtocolViolation(
            message,
            statement="MQTT-4.8.2-2",
            reason_code=_FILTER_INVALID,
        )
    return SharedFilter(group, topic_filter)
