"""Between the control plane and `$SYS`: who comes, goes and subscribes, in the words of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.broker.clients import Client
    from edge.ops.sys_topics import SysTopics


class SysObserver:
    """Passes on what `$SYS/brokers/{node}/clients/...` tells."""

    __slots__ = ("_topics",)

    def __init__(self, topics: SysTopics) -> None:
        self._topics = topics

    def connected(self, client: Client, *, clean_start: bool) -> None:
        """A client has been accepted."""
        self._topics.client_connected(
            client.client_id,
            username=client.username,
            peer=client.peer,
            protocol_version=client.protocol_version,
            keep_alive_s=client.keep_alive_s,
            clean_start=clean_start,
            expiry_s=client.expiry_s,
        )

    def disconnected(self, client: Client, reason: str) -> None:
        """A client's connection is over."""
        self._topics.client_disconnected(
            client.client_id,
            username=client.username,
            peer=client.peer,
            protocol_version=client.protocol_version,
            reason=reason,
        )

    def subscribed(self, client: Client, topic_filter: str, qos: int) -> None:
        """A client has a subscription."""
        self._topics.client_subscribed(
            client.client_id, username=client.username, topic_filter=topic_filter, qos=qos
        )

    def unsubscribed(self, client: Client, topic_filter: str) -> None:
        """A client has given up a subscription."""
        self._topics.client_unsubscribed(
            client.client_id, username=client.username, topic_filter=topic_filter
        )

    def sys_subscribed(self) -> None:
        """Somebody wants the numbers."""
        self._topics.wake()
