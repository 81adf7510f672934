"""A session: every scenario, every broker, round after round, in one sitting."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tools.bench.errors import BenchError
from tools.bench.measure import measure
from tools.bench.scenarios import Kind, Scenario
from tools.bench.verdict import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tools.bench.brokers.base import Broker
    from tools.bench.stage import Bench

# Builds and backups disturb whoever is measured at that moment, and ratios with them.
FOREIGN_SHARE_MAX: Final = 0.1
TRIES_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is measured in what."""

    scenarios: Sequence[Scenario]
    brokers: Mapping[str, Broker]


def can_take_part(broker: Broker, scenario: Scenario) -> bool:
    """Return whether a broker has what a scenario needs."""
    ability = broker.ability
    return (
        scenario.load.qos <= ability.qos_max
        and (ability.has_tls or not scenario.tls)
        and (ability.has_logins or scenario.kind is not Kind.STORM)
        and (ability.has_hog or not scenario.only_subject)
    )


def run_session(bench: Bench, plan: Plan, tell: Callable[[str], None]) -> list[Sample]:
    """Measure everything and return the samples; failures become samples with an error.

    Rounds are the outer loop, so that a slow drift of the machine reaches every scenario alike,
    and within a scenario the brokers follow each other directly. Each round begins with another
    broker. Ctrl-C ends the session early and keeps what there is.
    """
    samples: list[Sample] = []
    try:
        for round_index in range(bench.profile.rounds):
            for scenario in plan.scenarios:
                if round_index >= bench.profile.rounds_of(scenario.kind):
                    continue
                for broker in _in_turn(list(plan.brokers.values()), round_index):
                    if can_take_part(broker, scenario):
                        samples.append(_sample(bench, broker, scenario, round_index))
                        tell(_progress(samples[-1]))
    except KeyboardInterrupt:
        tell("interrupted: the report covers what was measured")
    return samples


def _in_turn(brokers: list[Broker], round_index: int) -> list[Broker]:
    shift = round_index % len(brokers)
    return brokers[shift:] + brokers[:shift]


def _sample(bench: Bench, broker: Broker, scenario: Scenario, round_index: int) -> Sample:
    """Measure, and measure again if others used the CPUs meanwhile; keep the quietest result."""
    sample = Sample(round=round_index, scenario=scenario.name, broker=broker.name)
    tries = []
    try:
        for _ in range(TRIES_MAX):
            tries.append(measure(bench, broker, scenario))
            if _foreign_share(tries[-1]) <= FOREIGN_SHARE_MAX:
                break
    except BenchError as error:
        return replace(sample, error=str(error))
    return replace(sample, metrics=min(tries, key=_foreign_share))


def _foreign_share(metrics: Mapping[str, float]) -> float:
    return metrics.get("foreign_cpu_share", 0.0)


def _progress(sample: Sample) -> str:
    shown = (
        "messages_per_s",
        "cpu_us_per_message",
        "p50_us",
        "p90_us",
        "syscalls_per_message",
        "pss_mib",
        "wakeups_per_s",
        "kib_per_connection",
        "p90_times_quiet",
        "faults",
    )
    text = sample.error or "  ".join(
        f"{name} {sample.metrics[name]:,.4g}" for name in shown if name in sample.metrics
    )
    return (
        f"{time.strftime('%H:%M:%S')} round {sample.round + 1} {sample.scenario:<18} "
        f"{sample.broker:<10} {text}"
    )
