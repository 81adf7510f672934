"""One measurement: one broker, started fresh, in one scenario."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tools.bench.credentials import make_logins
from tools.bench.memory import pss_bytes
from tools.bench.meters import read_meter
from tools.bench.scenarios import Kind, Scenario
from tools.bench.stage import Bench, started
from tools.bench.syscalls import count_syscalls
from tools.bench.traffic import US_PER_S, Metrics, drive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tools.bench.brokers.base import Broker

HOG_MS: Final = 20
KIB: Final = 1024
MIB: Final = 1024 * KIB


def measure(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    """Start the broker, run the scenario, stop the broker; return the metrics by name.

    Raises:
        BenchError: the broker or the generator failed.
    """
    return MEASURES[scenario.kind](bench, broker, scenario)


def _measure_traffic(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    timing = bench.profile.timing(scenario.load.mode)
    with started(bench, broker, scenario) as target:
        return drive(bench, target, scenario.load, timing)[0]


def _measure_syscalls(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    timing = bench.profile.timing(scenario.load.mode)
    # Attaching takes the tool a moment, so the paced run goes on a little longer than the count.
    longer = replace(timing, duration_s=timing.duration_s + 1.0)
    rates: list[float] = []
    with started(bench, broker, scenario) as target:

        def count() -> None:
            rates.append(count_syscalls(target.pids(), timing.duration_s)[0])

        metrics, _ = drive(bench, target, scenario.load, longer, count)
    return {**metrics, "syscalls_per_message": rates[0] / scenario.load.rate_per_s}


def _measure_idle(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    with started(bench, broker, scenario) as target:
        time.sleep(bench.profile.settle_s)
        before = read_meter(target.pids())
        time.sleep(bench.profile.idle_s)
        after = read_meter(target.pids())
        return {
            "pss_mib": pss_bytes(target.pids()) / MIB,
            "wakeups_per_s": (after.switch_count - before.switch_count) / bench.profile.idle_s,
            "idle_cpu_us_per_s": (after.cpu_s - before.cpu_s) * US_PER_S / bench.profile.idle_s,
        }


def _measure_connections(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    with started(bench, broker, scenario) as target:
        time.sleep(bench.profile.settle_s)
        pss_before_bytes = pss_bytes(target.pids())
        pss_after_bytes: list[int] = []

        def on_event(_event: str) -> None:
            time.sleep(bench.profile.settle_s)
            pss_after_bytes.append(pss_bytes(target.pids()))

        begin_mono_s = time.monotonic()
        bench.generator.run(
            scenario.load, bench.profile.timing("idle"), port=target.port, on_event=on_event
        )
        elapsed_s = time.monotonic() - begin_mono_s - bench.profile.settle_s
        grown_bytes = pss_after_bytes[0] - pss_before_bytes
        return {
            "kib_per_connection": grown_bytes / KIB / scenario.load.idle,
            "connects_per_s": scenario.load.idle / elapsed_s,
        }


def _disturbance(quiet: Metrics, disturbed: Metrics) -> Metrics:
    return {
        **disturbed,
        "faults": quiet["faults"] + disturbed["faults"],
        "p90_quiet_us": quiet["p90_us"],
        "p90_times_quiet": disturbed["p90_us"] / quiet["p90_us"],
    }


def _measure_hog(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    timing = bench.profile.timing(scenario.load.mode)
    with started(bench, broker, scenario) as target:
        quiet, _ = drive(bench, target, scenario.load, timing)
    with started(bench, broker, scenario, hog_ms=HOG_MS) as target:
        disturbed, _ = drive(bench, target, scenario.load, timing)
    return _disturbance(quiet, disturbed)


def _measure_storm(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    """Latency counts only while logins are under way, at most for storm_s."""
    timing = bench.profile.timing(scenario.load.mode)
    storm_timing = replace(timing, duration_s=bench.profile.storm_s)
    logins = make_logins(scenario.load.storm)
    with started(bench, broker, scenario, logins=logins) as target:
        quiet, _ = drive(bench, target, replace(scenario.load, storm=0), timing)
        disturbed, result = drive(bench, target, scenario.load, storm_timing)
    storm = result["storm"]
    return {
        **_disturbance(quiet, disturbed),
        "logins_ready": storm["ready"],
        "logins_failed": storm["failed"],
        "login_p50_us": storm["login_us"]["p50"],
        "storm_s": result["elapsed_s"],
    }


MEASURES: Final[Mapping[Kind, Callable[[Bench, Broker, Scenario], Metrics]]] = {
    Kind.TRAFFIC: _measure_traffic,
    Kind.SYSCALLS: _measure_syscalls,
    Kind.IDLE: _measure_idle,
    Kind.CONNECTIONS: _measure_connections,
    Kind.HOG: _measure_hog,
    Kind.STORM: _measure_storm,
}
