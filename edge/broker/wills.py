"""Will Messages: section 3.1.2.5 (and 3.1.3.2.2 for the delay).

A will is published when its Network Connection closes for any reason but DISCONNECT with Reason
Code 0x00 [MQTT-3.1.2-8], [MQTT-3.1.2-10]: at once, or when the Will Delay Interval has passed or
the Session ends, whichever comes first [MQTT-3.1.3-9]. A client that comes back to its Session
before that takes the will with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.broker.clients import EXPIRES_NEVER, Client
from edge.broker.delayed import PREFIX as DELAYED_PREFIX
from edge.broker.delayed import bounded_expiry
from edge.errors import ProtocolError
from edge.topic import check_topic_name

if TYPE_CHECKING:
    from edge.broker.context import Context
    from edge.broker.delayed import DelayedMessages
    from edge.broker.rewrite import Rewriter
    from edge.protocol.packets import Will


class WriteCheck(Protocol):
    """Asks the ACL whether a client may publish; see access_policy.py."""

    def may_publish(self, client: Client, topic: str, *, qos: int, retain: bool) -> bool:
        """Return whether the ACL lets the client publish to the full topic."""


class Wills:
    """Publishes wills, now or later."""

    def __init__(
        self,
        context: Context,
        access: WriteCheck,
        rewriter: Rewriter,
        delayed: DelayedMessages,
    ) -> None:
        self._context = context
        self._access = access
        self._rewriter = rewriter
        self._delayed = delayed

    def connection_closed(self, client: Client) -> None:
        """See to the will of a client whose connection is gone and whose Session may live on."""
        will = client.will
        if will is None:
            return
        delay_s = will.delay_interval_s
        if client.expiry_s != EXPIRES_NEVER:
            delay_s = min(delay_s, client.expiry_s)
        if delay_s == 0:
            self.publish(client)
            return
        client.need_rare().will_timer = self._context.timers.call_after(
            delay_s, lambda: self.publish(client)
        )

    def cancel(self, client: Client) -> None:
        """Forget the will: DISCONNECT 0x00, or the client is back before its delay passed."""
        client.will = None
        self._stop_timer(client)

    def publish(self, client: Client) -> None:
        """Publish the will now, if there is one, and forget it."""
        will, client.will = client.will, None
        self._stop_timer(client)
        if will is None:
            return
        if will.topic.startswith(DELAYED_PREFIX) and self._context.settings.config.delayed.enabled:
            self._delayed.submit(
                client,
                will.topic,
                will.payload,
                properties=will.forwarded,
                qos=will.qos,
                retain=will.retain,
                expiry_s=will.message_expiry_interval_s,
            )
            return
        topic = client.mount + self._rewriter.publish_target(client, will.topic)
        if not self._may_publish(client, topic, will):
            self._context.log.warning(
                "will.denied", client_id=client.client_id, topic=topic, qos=will.qos
            )
            self._context.counters.acl_denied += 1
            return
        self._context.counters.wills_published += 1
        self._context.engine.publish(
            topic.encode(),
            will.payload,
            qos=will.qos,
            retain=will.retain,  # [MQTT-3.1.2-14], [MQTT-3.1.2-15]
            properties=will.forwarded,
            expiry_s=bounded_expiry(
                will.message_expiry_interval_s, self._context.settings.config.session
            ),
            origin_session=client.session,
            acl_profile_id=client.acl_profile_id,
        )

    def _may_publish(self, client: Client, topic: str, will: Will) -> bool:
        """Whether the topic is one that clients publish to, and the ACL agrees."""
        try:
            check_topic_name(topic, self._context.settings.config.limits.topic_levels_max)
        except ProtocolError:
            return False
        # Names that begin with $ are the server's own [section 4.7.2].
        if topic.startswith("$"):
            return False
        return self._access.may_publish(client, topic, qos=will.qos, retain=will.retain)

    @staticmethod
    def _stop_timer(client: Client) -> None:
        if client.rare is not None and client.rare.will_timer is not None:
            client.rare.will_timer.cancel()
            client.rare.will_timer = None
