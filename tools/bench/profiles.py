"""How long and how often: the quick profile for a look, the full one for a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tools.bench.generator import Mode, Timing
from tools.bench.scenarios import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Durations of one measurement and the number of rounds."""

    name: str
    rounds: int
    slow_rounds: int  # of scenarios that take many seconds each
    warmup_s: float
    closed_s: float
    paced_s: float
    settle_s: float  # before memory is read
    idle_s: float  # over which wake-ups are counted
    storm_s: float  # longest
    default_brokers: tuple[str, ...]

    def timing(self, mode: Mode) -> Timing:
        """Return the durations of one run of the generator."""
        duration_s = self.paced_s if mode == "paced" else self.closed_s
        return Timing(warmup_s=self.warmup_s, duration_s=duration_s)

    def rounds_of(self, kind: Kind) -> int:
        """Return in how many rounds a scenario takes part."""
        is_slow = kind in {Kind.IDLE, Kind.CONNECTIONS, Kind.STORM}
        return min(self.rounds, self.slow_rounds) if is_slow else self.rounds


QUICK: Final = Profile(
    name="quick",
    rounds=3,
    slow_rounds=1,
    warmup_s=0.2,
    closed_s=0.4,
    paced_s=0.8,
    settle_s=1.5,
    idle_s=5.0,
    storm_s=5.0,
    default_brokers=("us", "mosquitto"),
)
FULL: Final = Profile(
    name="full",
    rounds=5,
    slow_rounds=3,
    warmup_s=0.5,
    closed_s=2.0,
    paced_s=4.0,
    settle_s=3.0,
    idle_s=10.0,
    storm_s=20.0,
    default_brokers=("us", "mosquitto", "nats", "amqtt", "aedes"),
)
