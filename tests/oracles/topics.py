"""What section 4.7 says about Topic Names and Topic Filters, written for clarity, not speed."""

from __future__ import annotations


def topic_matches(topic_filter: bytes, topic: bytes) -> bool:
    """Return whether a filter without `$share/{name}/` matches a Topic Name."""
    if topic.startswith(b"$") and topic_filter[:1] in (b"+", b"#"):
        return False  # [MQTT-4.7.2-1]
    return _levels_match(topic_filter.split(b"/"), topic.split(b"/"))


def _levels_match(filter_levels: list[bytes], topic_levels: list[bytes]) -> bool:
    if filter_levels[-1] == b"#":
        parent_levels = filter_levels[:-1]
        topic_levels = topic_levels[: len(parent_levels)]
        filter_levels = parent_levels
    return len(filter_levels) == len(topic_levels) and all(
        wanted in (b"+", found) for wanted, found in zip(filter_levels, topic_levels, strict=True)
    )
