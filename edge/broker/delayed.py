"""`$delayed/{seconds}/{topic}`: messages that are published later.

They wait in one heap of their own, bounded by count and bytes, under a single timer. Messages that
become due at the same moment leave in the order in which they came. What is over a bound, or asks
for an impossible delay, is dropped and counted: it was acknowledged by then.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from edge.errors import ProtocolError
from edge.topic import check_topic_name

if TYPE_CHECKING:
    from edge.broker.clients import Client
    from edge.broker.context import Context
    from edge.broker.rewrite import Rewriter
    from edge.broker.timers import Timer
    from edge.broker.wills import WriteCheck
    from edge.config.schema import SessionConfig

PREFIX: Final = "$delayed/"

# What a waiting message costs beside its topic, properties and payload.
_OVERHEAD_BYTES: Final = 200
_DELAY_DIGITS_MAX: Final = 8


class DelayedMessage:
    """One message that waits; `topic` is the full one it will be published to."""

    __slots__ = (
        "acl_profile_id",
        "due_mono_s",
        "expires_mono_s",
        "origin_session",
        "payload",
        "properties",
        "qos",
        "retain",
        "topic",
    )

    def __init__(
        self,
        topic: bytes,
        payload: bytes,
        *,
        properties: bytes,
        qos: int,
        retain: bool,
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.properties = properties
        self.qos = qos
        self.retain = retain
        self.due_mono_s = 0.0
        self.expires_mono_s: float | None = None
        self.origin_session = 0
        self.acl_profile_id = 0

    @property
    def cost_bytes(self) -> int:
        """What it counts against `delayed.bytes_max`."""
        return len(self.topic) + len(self.properties) + len(self.payload) + _OVERHEAD_BYTES


def split_delayed(topic: str, delay_s_max: int) -> tuple[int, str] | None:
    """Split `$delayed/{seconds}/{topic}`; None if the delay is no number or above `delay_s_max`."""
    seconds, slash, target = topic[len(PREFIX) :].partition("/")
    if not slash or not target or not seconds.isascii() or not seconds.isdigit():
        return None
    if len(seconds) > _DELAY_DIGITS_MAX or int(seconds) > delay_s_max:
        return None
    return int(seconds), target


def bounded_expiry(expiry_s: int | None, session: SessionConfig) -> int:
    """Return the Message Expiry Interval within the configured bounds; -1 for none.

    The engine does this for what clients publish, the control plane for what it publishes for them.
    """
    if expiry_s is None:
        expiry_s = session.message_expiry_s_default or session.message_expiry_s_max or -1
    if session.message_expiry_s_max:
        expiry_s = min(expiry_s, session.message_expiry_s_max)
    return expiry_s


class DelayedMessages:
    """The messages that wait for their time."""

    def __init__(self, context: Context, access: WriteCheck, rewriter: Rewriter) -> None:
        self._context = context
        self._access = access
        self._rewriter = rewriter
        self._heap: list[tuple[float, int, DelayedMessage]] = []
        self._serial = 0
        self._timer: Timer | None = None
        self.waiting_bytes = 0

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._heap)

    def submit(
        self,
        client: Client,
        topic: str,
        payload: bytes,
        *,
        properties: bytes,
        qos: int,
        retain: bool,
        expiry_s: int | None,
    ) -> None:
        """Keep a message that a client has published to `$delayed/...`.

        Args:
            client: who published it; the ACL is asked for the target topic.
            topic: as the client wrote it, without mount point.
            payload: the Application Message.
            properties: the forwarded properties, encoded.
            qos: 0 to 2.
            retain: the RETAIN flag.
            expiry_s: Message Expiry Interval, which runs while it waits too.
        """
        config = self._context.settings.config
        split = split_delayed(topic, config.delayed.delay_s_max)
        if split is None:
            self._drop(client, topic, "not a delay within delayed.delay_s_max")
            return
        delay_s, name = split
        target = client.mount + self._rewriter.publish_target(client, name)
        try:
            check_topic_name(target, config.limits.topic_levels_max)
        except ProtocolError as error:
            self._drop(client, topic, error.message)
            return
        if target.startswith("$"):
            self._drop(client, topic, "the target is a topic of the server")
            return
        if not self._access.may_publish(client, target, qos=qos, retain=retain):
            self._context.counters.acl_denied += 1
            self._drop(client, topic, "not authorized")
            return
        message = DelayedMessage(
            target.encode(), payload, properties=properties, qos=qos, retain=retain
        )
        message.origin_session = client.session
        message.acl_profile_id = client.acl_profile_id
        now_mono_s = self._context.now()
        message.due_mono_s = now_mono_s + delay_s
        expiry_s = bounded_expiry(expiry_s, config.session)
        if expiry_s >= 0:
            message.expires_mono_s = now_mono_s + expiry_s
        if len(self._heap) >= config.delayed.messages_max:
            self._drop(client, topic, "delayed.messages_max is reached")
        elif self.waiting_bytes + message.cost_bytes > config.delayed.bytes_max:
            self._drop(client, topic, "delayed.bytes_max is reached")
        else:
            self._keep(message)

    def _drop(self, client: Client, topic: str, why: str) -> None:
        self._context.counters.delayed_dropped += 1
        self._context.log.debug("delayed.dropped", client_id=client.client_id, topic=topic, why=why)

    def _keep(self, message: DelayedMessage) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (message.due_mono_s, self._serial, message))
        self.waiting_bytes += message.cost_bytes
        self._aim()

    def _publish_due(self) -> None:
        """Publish what is due; a message that has expired while it waited is forgotten."""
        now_mono_s = self._context.now()
        while self._heap and self._heap[0][0] <= now_mono_s:
            message = heapq.heappop(self._heap)[2]
            self.waiting_bytes -= message.cost_bytes
            expiry_s = -1
            if message.expires_mono_s is not None:
                left_s = message.expires_mono_s - now_mono_s
                if left_s <= 0:
                    continue
                expiry_s = int(-(-left_s // 1))  # rounded up
            self._context.engine.publish(
                message.topic,
                message.payload,
                qos=message.qos,
                retain=message.retain,
                properties=message.properties,
                expiry_s=expiry_s,
                origin_session=message.origin_session,
                acl_profile_id=message.acl_profile_id,
            )
        self._aim()

    def _aim(self) -> None:
        """Keep one timer on the head of the heap."""
        due_mono_s = self._heap[0][0] if self._heap else None
        if self._timer is not None and self._timer.is_pending:
            if self._timer.deadline_mono_s == due_mono_s:
                return
            self._timer.cancel()
        self._timer = (
            None
            if due_mono_s is None
            else self._context.timers.call_at(due_mono_s, self._publish_due)
        )
