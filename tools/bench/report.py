"""The report: a table of verdicts, a table of all brokers, and everything as JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tools.bench.scenarios import Reference, Scenario, Target
from tools.bench.verdict import Sample, Samples, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.bench.profiles import Profile

SCHEMA_VERSION: Final = 1

# What the second table shows, with the unit in the heading.
COLUMNS: Final = (
    ("messages_per_s", "msg/s"),
    ("cpu_us_per_message", "CPU us/msg"),
    ("p50_us", "p50 us"),
    ("p90_us", "p90 us"),
    ("p99_us", "p99 us"),
    ("p999_us", "p99.9 us"),
    ("device_bytes_per_message", "disk B/msg"),
    ("broker_cpu_share", "broker CPU"),
    ("generator_cpu_share", "gen. CPU"),
    ("foreign_cpu_share", "foreign CPU"),
    ("faults", "faults"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished session."""

    profile: Profile
    subject: str
    versions: Mapping[str, str]  # by broker
    missing: Mapping[str, str]  # by broker: why it does not take part
    scenarios: Sequence[Scenario]
    samples: Sequence[Sample]
    verdicts: Sequence[Verdict]


def number(value: float | None) -> str:
    """Return a value with four significant digits, or a dash."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def target_text(target: Target) -> str:
    """Return a target as a phrase."""
    sign = ">=" if target.relation == "at least" else "<="
    if target.reference is Reference.NOTHING:
        text = f"{sign} {target.bound:g}"
    else:
        name = target.scenario or target.reference.value
        text = f"{sign} {target.bound:g}x {name}"
    return f"{text} (aim {target.aim:g})" if target.aim is not None else text


def verdict_word(verdict: Verdict) -> str:
    """Return pass, FAIL or "not measured"."""
    if verdict.is_met is None:
        return "not measured"
    return "pass" if verdict.is_met else "FAIL"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows, the first of which is the heading; the first two columns are text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _verdict_rows(outcome: Outcome) -> list[list[str]]:
    rows = [["scenario", "metric", outcome.subject, "reference", "ratio", "target", "verdict"]]
    for verdict in outcome.verdicts:
        reference = ""
        if verdict.reference_name:
            reference = f"{number(verdict.reference_value)} ({verdict.reference_name})"
        ratio = number(verdict.ratio) if verdict.ratio is not None else ""
        rows.append(
            [
                verdict.scenario,
                verdict.target.metric,
                number(verdict.value),
                reference,
                ratio,
                target_text(verdict.target),
                verdict_word(verdict),
            ]
        )
    return rows


def _broker_rows(outcome: Outcome) -> list[list[str]]:
    samples = Samples(outcome.samples)
    rows = [["scenario", "broker", *(heading for _, heading in COLUMNS)]]
    for scenario in outcome.scenarios:
        for broker in outcome.versions:
            medians = [samples.median(scenario.name, broker, metric) for metric, _ in COLUMNS]
            if any(value is not None for value in medians):
                rows.append([scenario.name, broker, *map(number, medians)])
    return rows


def _other_rows(outcome: Outcome) -> list[list[str]]:
    """Return metrics that only a few scenarios have."""
    usual = {metric for metric, _ in COLUMNS} | {
        "lost",
        "doubled",
        "reordered",
        "unfinished",
        "generator_late_p99_us",
    }
    samples = Samples(outcome.samples)
    rows = [["scenario", "broker", "metric", "median"]]
    for scenario in outcome.scenarios:
        for broker in outcome.versions:
            names = {
                name
                for sample in outcome.samples
                for name in sample.metrics
                if sample.scenario == scenario.name and sample.broker == broker
            }
            rows += [
                [scenario.name, broker, name, number(samples.median(scenario.name, broker, name))]
                for name in sorted(names - usual)
            ]
    return rows


def render_text(outcome: Outcome) -> str:
    """Return the report for people."""
    lines = [
        f"profile {outcome.profile.name}; medians over rounds, ratios are medians of the "
        "per-round ratios",
        "",
    ]
    lines += [f"{name}: {version}" for name, version in outcome.versions.items()]
    lines += [f"{name}: MISSING, {why}" for name, why in outcome.missing.items()]
    for title, rows in (
        ("Targets", _verdict_rows(outcome)),
        ("All brokers, medians", _broker_rows(outcome)),
        ("Other metrics, medians", _other_rows(outcome)),
    ):
        if len(rows) > 1:
            lines += ["", title, "", *_table(rows)]
    errors = [
        f"round {s.round + 1} {s.scenario} {s.broker}: {s.error}"
        for s in outcome.samples
        if s.error
    ]
    if errors:
        lines += ["", "Failed measurements", "", *errors]
    return "\n".join(lines) + "\n"


def render_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "schema": SCHEMA_VERSION,
        "machine": {
            "system": platform.system(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "cpu": _cpu_model(),
            "cpu_count": os.cpu_count(),
            "python": platform.python_version(),
        },
        "profile": asdict(outcome.profile),
        "subject": outcome.subject,
        "brokers": dict(outcome.versions),
        "missing": dict(outcome.missing),
        "scenarios": [
            {
                "name": s.name,
                "title": s.title,
                "kind": s.kind.value,
                "tls": s.tls,
                "load": asdict(s.load),
            }
            for s in outcome.scenarios
        ],
        "verdicts": [
            {
                "scenario": v.scenario,
                "metric": v.target.metric,
                "value": v.value,
                "reference": v.reference_name,
                "reference_value": v.reference_value,
                "ratio": v.ratio,
                "target": target_text(v.target),
                "verdict": verdict_word(v),
            }
            for v in outcome.verdicts
        ],
        "samples": [asdict(sample) for sample in outcome.samples],
    }


def _cpu_model() -> str:
    """Return the processor's name; boards write theirs under "Model"."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    fields = {key.strip(): value.strip() for key, _, value in (ln.partition(":") for ln in lines)}
    return fields.get("model name") or fields.get("Model") or "unknown"
