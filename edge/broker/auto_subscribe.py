"""`[[auto_subscribe]]`: subscriptions that every client gets when it connects.

They behave as if the client had sent them in a SUBSCRIBE right after its CONNACK, ACL included,
only that no SUBACK tells of them. A filter whose placeholder cannot be filled in is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.placeholders import fill
from edge.protocol.packets import Subscription
from edge.protocol.reason import FAILURE_MIN

if TYPE_CHECKING:
    from edge.broker.clients import Client
    from edge.broker.context import Context
    from edge.broker.subscriptions import Subscriptions


def auto_subscribe(context: Context, subscriptions: Subscriptions, client: Client) -> None:
    """Give a client that has just been accepted its automatic subscriptions."""
    for rule in context.settings.config.auto_subscribe:
        topic_filter = fill(rule.filter, client_id=client.client_id, username=client.username)
        if topic_filter is None:
            continue
        wanted = Subscription(
            topic_filter, rule.qos, rule.no_local, rule.retain_as_published, rule.retain_handling
        )
        outcome = subscriptions.add(client, wanted, 0)
        if outcome.reason_code >= FAILURE_MIN:
            context.log.debug(
                "auto_subscribe.refused",
                client_id=client.client_id,
                topic_filter=topic_filter,
                why=outcome.text,
            )
        subscriptions.send_retained(client, outcome)
