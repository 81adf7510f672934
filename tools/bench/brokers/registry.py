"""Every broker by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.bench.brokers.aedes import Aedes
from tools.bench.brokers.amqtt import Amqtt
from tools.bench.brokers.mosquitto import Mosquitto
from tools.bench.brokers.nats import Nats
from tools.bench.brokers.ours import Ours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tools.bench.brokers.base import Broker

US: Final = "us"
MOSQUITTO: Final = "mosquitto"

BROKERS: Final[Mapping[str, Callable[[], Broker]]] = {
    US: Ours,
    MOSQUITTO: Mosquitto,
    "nats": Nats,
    "amqtt": Amqtt,
    "aedes": Aedes,
}
