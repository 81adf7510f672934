"""From samples to verdicts: medians, ratios, and whether each target is met."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.bench.brokers.registry import MOSQUITTO
from tools.bench.scenarios import Reference, Scenario, Target

Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement, or why it failed."""

    round: int
    scenario: str
    broker: str
    metrics: Metrics = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one target."""

    scenario: str
    target: Target
    value: float | None = None  # median of the subject
    reference_value: float | None = None
    reference_name: str = ""
    ratio: float | None = None  # median of the per-round ratios
    is_met: bool | None = None  # None: not measured

    def margin(self) -> float | None:
        """Return how many times better than asked for the outcome is; below 1 is a miss."""
        outcome = self.value if self.target.reference is Reference.NOTHING else self.ratio
        if outcome is None or self.target.bound == 0:
            return None
        if self.target.relation == "at least":
            return outcome / self.target.bound
        return self.target.bound / outcome if outcome > 0 else float("inf")


class Samples:
    """All samples of a session, by scenario, broker and round."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._by_key = {(s.scenario, s.broker, s.round): s.metrics for s in samples if s.metrics}

    def values(self, scenario: str, broker: str, metric: str) -> dict[int, float]:
        """Return one metric by round."""
        return {
            round_index: metrics[metric]
            for (name, who, round_index), metrics in self._by_key.items()
            if name == scenario and who == broker and metric in metrics
        }

    def median(self, scenario: str, broker: str, metric: str) -> float | None:
        """Return the median over all rounds, or None without samples."""
        values = self.values(scenario, broker, metric)
        return statistics.median(values.values()) if values else None

    def brokers(self, scenario: str) -> set[str]:
        """Return who has samples in a scenario."""
        return {who for name, who, _ in self._by_key if name == scenario}


def judge(samples: Samples, scenarios: Sequence[Scenario], subject: str) -> list[Verdict]:
    """Judge every target of every scenario for one broker."""
    return [
        _judge_target(samples, scenario.name, target, subject)
        for scenario in scenarios
        for target in scenario.targets
    ]


def _judge_target(samples: Samples, scenario: str, target: Target, subject: str) -> Verdict:
    ours = samples.values(scenario, subject, target.metric)
    if not ours:
        return Verdict(scenario=scenario, target=target)
    value = statistics.median(ours.values())
    if target.reference is Reference.NOTHING:
        # A single fault in any round counts, so faults are not averaged away.
        worst = max(ours.values()) if target.metric == "faults" else value
        return Verdict(scenario=scenario, target=target, value=worst, is_met=target.is_met(worst))
    name, theirs = _reference(samples, scenario, target, subject)
    ratios = [ours[i] / theirs[i] for i in ours if theirs.get(i)]
    if not ratios:
        return Verdict(scenario=scenario, target=target, value=value)
    ratio = statistics.median(ratios)
    return Verdict(
        scenario=scenario,
        target=target,
        value=value,
        reference_name=name,
        reference_value=statistics.median(theirs.values()),
        ratio=ratio,
        is_met=target.is_met(ratio),
    )


def _reference(
    samples: Samples, scenario: str, target: Target, subject: str
) -> tuple[str, dict[int, float]]:
    """Return the name and the values by round of what the subject is compared with."""
    if target.reference is Reference.SCENARIO:
        return target.scenario, samples.values(target.scenario, subject, target.metric)
    if target.reference is Reference.MOSQUITTO:
        return MOSQUITTO, samples.values(scenario, MOSQUITTO, target.metric)
    peers = samples.brokers(scenario) - {subject}
    speeds = {peer: samples.median(scenario, peer, "messages_per_s") or 0.0 for peer in peers}
    best = max(speeds, key=lambda peer: speeds[peer], default="")
    return best, samples.values(scenario, best, target.metric)
