"""One measurement: one broker, started fresh, in one scenario."""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tools.bench.brokers.base import Broker, Setting
from tools.bench.credentials import Logins, TlsFiles, make_logins
from tools.bench.errors import BenchError
from tools.bench.meters import Meter, cpu_busy_s, process_tree, pss_bytes, read_meter
from tools.bench.network import free_port, wait_for_listener
from tools.bench.processes import log_tail, running
from tools.bench.scenarios import Kind, Scenario
from tools.bench.syscalls import count_syscalls

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

    from tools.bench.generator import Generator, Load, Timing
    from tools.bench.profiles import Profile

START_TIMEOUT_S: Final = 20.0
HOG_MS: Final = 20
KIB: Final = 1024
MIB: Final = 1024 * KIB
US_PER_S: Final = 1e6

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every measurement of a session shares."""

    generator: Generator
    profile: Profile
    broker_cpu: int
    tls: TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A broker that accepts connections."""

    process: subprocess.Popen[bytes]
    port: int
    setting: Setting

    def pids(self) -> list[int]:
        """Return the process ids of the broker and its helpers."""
        return process_tree(self.process.pid)


def measure(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    """Start the broker, run the scenario, stop the broker; return the metrics by name.

    Raises:
        BenchError: the broker or the generator failed.
    """
    return MEASURES[scenario.kind](bench, broker, scenario)


@contextlib.contextmanager
def _started(
    bench: Bench,
    broker: Broker,
    scenario: Scenario,
    *,
    logins: Logins | None = None,
    hog_ms: int = 0,
) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix=f"bench-{broker.name}-") as name:
        setting = Setting(
            folder=Path(name),
            port=free_port(),
            tls=bench.tls if scenario.tls else None,
            logins=logins,
            hog_ms=hog_ms,
        )
        log_path = setting.folder / "broker.log"
        with running(broker.command(setting), cpu=bench.broker_cpu, log_path=log_path) as process:
            try:
                wait_for_listener(setting.port, process, START_TIMEOUT_S)
                yield Running(process=process, port=setting.port, setting=setting)
            except BenchError as error:
                raise BenchError(
                    f"{error}; {broker.name} says: {log_tail(log_path) or 'nothing'}"
                ) from error


@dataclass(slots=True)
class _Meters:
    """Reads the broker's meters when the generator says that a counted stretch begins and ends."""

    target: Running
    broker_cpu: int
    extra: Callable[[], None] = lambda: None
    readings: dict[str, Meter] = field(default_factory=dict)
    busy_s: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: str) -> None:
        """Hear an event of the generator."""
        self.readings[event] = read_meter(self.target.pids())
        self.busy_s[event] = cpu_busy_s(self.broker_cpu)
        if event == "measure":
            self.extra()

    def per_message(self, result: Mapping[str, Any]) -> Metrics:
        """Return what the stretch cost the broker."""
        begin, end = self.readings["measure"], self.readings["measured"]
        delivered = max(1, result["delivered"])
        cpu_s = end.cpu_s - begin.cpu_s
        busy_s = self.busy_s["measured"] - self.busy_s["measure"]
        return {
            "cpu_us_per_message": cpu_s * US_PER_S / delivered,
            "broker_cpu_share": cpu_s / result["elapsed_s"],
            "foreign_cpu_share": max(0.0, busy_s - cpu_s) / result["elapsed_s"],
            "device_bytes_per_message": (end.written_bytes - begin.written_bytes) / delivered,
        }


def _traffic_metrics(result: Mapping[str, Any]) -> Metrics:
    faults = sum(
        result[name]
        for name in (
            "lost",
            "doubled",
            "reordered",
            "malformed",
            "refused",
            "disconnects",
            "given_up",
        )
    )
    latency, lateness = result["latency_us"], result["lateness_us"]
    return {
        "messages_per_s": result["delivered_per_s"],
        "p50_us": latency["p50"],
        "p90_us": latency["p90"],
        "p99_us": latency["p99"],
        "p999_us": latency["p999"],
        "generator_cpu_share": result["cpu_s"] / result["elapsed_s"],
        "generator_late_p99_us": lateness["p99"],
        "lost": result["lost"],
        "unfinished": result["unfinished"],
        "doubled": result["doubled"],
        "reordered": result["reordered"],
        "faults": faults,
    }


def _drive(
    bench: Bench,
    target: Running,
    load: Load,
    timing: Timing,
    extra: Callable[[], None] = lambda: None,
) -> tuple[Metrics, dict[str, Any]]:
    """Run the generator against a running broker and return the metrics and the raw result."""
    meters = _Meters(target, bench.broker_cpu, extra)
    tls = target.setting.tls
    result = bench.generator.run(
        load,
        timing,
        port=target.port,
        ca_file=tls.certificate_file if tls else None,
        logins=target.setting.logins,
        on_event=meters,
    )
    return {**_traffic_metrics(result), **meters.per_message(result)}, result


def _measure_traffic(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    timing = bench.profile.timing(scenario.load.mode)
    with _started(bench, broker, scenario) as target:
        return _drive(bench, target, scenario.load, timing)[0]


def _measure_syscalls(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    timing = bench.profile.timing(scenario.load.mode)
    # Attaching takes the tool a moment, so the paced run goes on a little longer than the count.
    longer = replace(timing, duration_s=timing.duration_s + 1.0)
    rates: list[float] = []
    with _started(bench, broker, scenario) as target:

        def count() -> None:
            rates.append(count_syscalls(target.pids(), timing.duration_s)[0])

        metrics, _ = _drive(bench, target, scenario.load, longer, count)
    return {**metrics, "syscalls_per_message": rates[0] / scenario.load.rate_per_s}


def _measure_idle(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    with _started(bench, broker, scenario) as target:
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
    with _started(bench, broker, scenario) as target:
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
    with _started(bench, broker, scenario) as target:
        quiet, _ = _drive(bench, target, scenario.load, timing)
    with _started(bench, broker, scenario, hog_ms=HOG_MS) as target:
        disturbed, _ = _drive(bench, target, scenario.load, timing)
    return _disturbance(quiet, disturbed)


def _measure_storm(bench: Bench, broker: Broker, scenario: Scenario) -> Metrics:
    """Latency counts only while logins are under way, at most for storm_s."""
    timing = bench.profile.timing(scenario.load.mode)
    storm_timing = replace(timing, duration_s=bench.profile.storm_s)
    logins = make_logins(scenario.load.storm)
    with _started(bench, broker, scenario, logins=logins) as target:
        quiet, _ = _drive(bench, target, replace(scenario.load, storm=0), timing)
        disturbed, result = _drive(bench, target, scenario.load, storm_timing)
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
