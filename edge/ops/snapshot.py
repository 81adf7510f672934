"""What ops reads of the running broker: one picture of its numbers, taken on demand.

The broker hands in functions of the types below; ops never imports the broker. A number that the
broker does not deliver is left out of metrics and $SYS topics, so both sides can grow on their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Snapshot:
    """The numbers of one moment.

    Attributes:
        uptime_s: since the start, by the monotonic clock.
        engine: what `Engine.query_stats()` answers.
        control: counters of the control plane under the names of `edge.broker.context.Counters`,
            and its gauges: `clients_online`, `clients_offline`, `subscriptions_shared`,
            `delayed_messages`, `delayed_bytes`, `bans`, `timers`.
        refused: refused CONNECTs by Reason Code of MQTT 5.0.
    """

    uptime_s: float
    engine: Mapping[str, int]
    control: Mapping[str, int]
    refused: Mapping[int, int] = field(default_factory=dict)


class TakeSnapshot(Protocol):
    """Asks the engine and the control plane for their numbers; costs a few system calls."""

    async def __call__(self) -> Snapshot:
        """Return the numbers of now."""


class PublishText(Protocol):
    """Publishes a message of the broker's own: QoS 0, not retained."""

    def __call__(self, topic_name: str, payload: bytes) -> None:
        """Route the message; it leaves with the engine's next turn."""


class Health(Protocol):
    """Tells whether the broker does its work."""

    def __call__(self) -> str:
        """Return what is wrong in one sentence, or an empty string."""
