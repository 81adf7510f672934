"""What is measured and what it must reach, as data.

The lines are those of the broker's "Speed" promise. Targets with a reference are ratios: the
subject's value divided by the reference's value of the same round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal

from tools.bench.generator import Load

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind(Enum):
    """How a scenario is measured; see measure.py."""

    TRAFFIC = "traffic"  # one run of the generator
    SYSCALLS = "syscalls"  # a paced run while system calls are counted
    IDLE = "idle"  # a broker without clients
    CONNECTIONS = "connections"  # a broker with clients that say nothing
    HOG = "hog"  # a paced run while the control plane is kept busy
    STORM = "storm"  # a paced run while other clients log in


class Reference(Enum):
    """What a value is divided by before it is compared with the bound."""

    NOTHING = "nothing"  # the value itself is compared
    MOSQUITTO = "mosquitto"
    BEST_PEER = "best peer"  # the peer with the most messages a second
    SCENARIO = "scenario"  # the subject's own value in another scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One number to reach."""

    metric: str
    relation: Literal["at least", "at most"]
    bound: float
    reference: Reference = Reference.NOTHING
    scenario: str = ""  # for Reference.SCENARIO
    aim: float | None = None  # better than the bound; printed, not judged

    def is_met(self, value: float) -> bool:
        """Compare a value (or ratio) with the bound."""
        return value >= self.bound if self.relation == "at least" else value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One line of the report."""

    name: str
    title: str
    load: Load
    targets: Sequence[Target] = ()
    kind: Kind = Kind.TRAFFIC
    tls: bool = False
    only_subject: bool = False  # needs a hook that only our broker has


# A message that is lost, doubled or reordered makes a fast broker worthless.
NO_FAULTS: Final = Target(metric="faults", relation="at most", bound=0)

# "At the same p50": two runs of one broker differ by as much.
SAME_P50: Final = Target(
    metric="p50_us", relation="at most", bound=1.1, reference=Reference.MOSQUITTO
)


def _throughput(bound: float, reference: Reference, scenario: str = "") -> tuple[Target, Target]:
    speed = Target(
        metric="messages_per_s",
        relation="at least",
        bound=bound,
        reference=reference,
        scenario=scenario,
    )
    return speed, NO_FAULTS


def _closed(name: str, title: str, bound: float, load: Load) -> Scenario:
    return Scenario(
        name=name, title=title, load=load, targets=_throughput(bound, Reference.MOSQUITTO)
    )


def _payload(name: str, title: str, load: Load) -> Scenario:
    return Scenario(
        name=name, title=title, load=load, targets=_throughput(1.0, Reference.BEST_PEER)
    )


def _paced(rate_per_s: int) -> Scenario:
    cheaper = Target(
        metric="cpu_us_per_message", relation="at most", bound=0.8, reference=Reference.MOSQUITTO
    )
    return Scenario(
        name=f"paced_{rate_per_s}",
        title=f"paced, {rate_per_s:,} messages/s, QoS 0, 64 B",
        load=replace(PACED, rate_per_s=rate_per_s),
        targets=(cheaper, SAME_P50, NO_FAULTS),
    )


def _disturbed(name: str, title: str, kind: Kind, storm: int = 0) -> Scenario:
    steady = Target(metric="p90_times_quiet", relation="at most", bound=1.5)
    return Scenario(
        name=name,
        title=title,
        kind=kind,
        load=replace(PACED, rate_per_s=2000, storm=storm),
        targets=(steady, NO_FAULTS),
        only_subject=kind is Kind.HOG,
    )


PAIRS: Final = Load()
ONE: Final = Load(publishers=1, subscribers=1, window=1, spin=True)
PACED: Final = Load(mode="paced", publishers=10, subscribers=10, spin=True)

SCENARIOS: Final = (
    _closed(
        "fan_in",
        "saturated fan-in 16 to 1, QoS 0, 64 B",
        25,
        replace(PAIRS, pattern="fan-in", subscribers=1),
    ),
    _closed(
        "fan_out",
        "saturated fan-out 1 to 16, QoS 0, 64 B",
        25,
        replace(PAIRS, pattern="fan-out", publishers=1),
    ),
    _closed("pairs", "saturated pairs 16 to 16, QoS 0, 64 B", 25, PAIRS),
    _closed(
        "pairs_qos1", "windowed pairs 16 to 16, QoS 1, 64 B", 10, replace(PAIRS, qos=1, window=64)
    ),
    _closed(
        "pairs_qos2", "windowed pairs 16 to 16, QoS 2, 64 B", 10, replace(PAIRS, qos=2, window=64)
    ),
    _closed("one_in_flight", "one message in flight, QoS 0, 64 B", 1.1, ONE),
    _closed("one_in_flight_qos1", "one message in flight, QoS 1, 64 B", 1.1, replace(ONE, qos=1)),
    _paced(1000),
    _paced(5000),
    _paced(20_000),
    _payload(
        "pairs_1k",
        "saturated pairs 16 to 16, QoS 0, 1 KiB",
        replace(PAIRS, payload_bytes=1024, window=64),
    ),
    _payload(
        "pairs_16k",
        "saturated pairs 16 to 16, QoS 0, 16 KiB",
        replace(PAIRS, payload_bytes=16_384, window=16),
    ),
    _payload(
        "fan_out_16k",
        "saturated fan-out 1 to 16, QoS 0, 16 KiB",
        replace(PAIRS, pattern="fan-out", publishers=1, payload_bytes=16_384, window=16),
    ),
    Scenario(
        name="flat_10k",
        title="pairs 16 to 16, 10,000 flat topics, exact filters",
        load=replace(PAIRS, pattern="flat"),
        targets=(NO_FAULTS,),
    ),
    Scenario(
        name="deep_10k",
        title="pairs 16 to 16, 10,000 deep topics, wildcard filters",
        load=replace(PAIRS, pattern="deep"),
        targets=_throughput(0.5, Reference.SCENARIO, "flat_10k"),
    ),
    Scenario(
        name="pairs_tls",
        title="saturated pairs 16 to 16 over TLS, QoS 0, 64 B",
        load=PAIRS,
        targets=_throughput(1.0, Reference.MOSQUITTO),
        tls=True,
    ),
    Scenario(
        name="syscalls",
        title="system calls for each paced QoS 0 message",
        kind=Kind.SYSCALLS,
        load=replace(PACED, rate_per_s=5000),
        targets=(Target(metric="syscalls_per_message", relation="at most", bound=3.5),),
    ),
    Scenario(
        name="idle",
        title="idle broker",
        kind=Kind.IDLE,
        load=Load(mode="idle"),
        targets=(
            Target(metric="pss_mib", relation="at most", bound=20, aim=16),
            Target(metric="wakeups_per_s", relation="at most", bound=1),
        ),
    ),
    Scenario(
        name="connections",
        title="10,000 idle connections",
        kind=Kind.CONNECTIONS,
        load=Load(mode="idle", idle=10_000),
        targets=(Target(metric="kib_per_connection", relation="at most", bound=1.5),),
    ),
    _disturbed("hog", "20 ms of Python work every 100 ms in the control plane", Kind.HOG),
    _disturbed("storm", "1,000 clients connect with passwords", Kind.STORM, storm=1000),
)
