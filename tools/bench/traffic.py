"""Running the generator against a broker, and what both cost meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tools.bench.meters import Meter, cpu_busy_s, read_meter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tools.bench.generator import Load, Timing
    from tools.bench.stage import Bench, Running

US_PER_S: Final = 1e6

# What must not happen; "unfinished" is not among them: a slow broker is not a faulty one.
FAULTS: Final = (
    *("lost", "doubled", "reordered"),
    *("malformed", "refused", "disconnects", "given_up"),
)

Metrics = dict[str, float]


@dataclass(slots=True)
class Meters:
    """Reads the broker's meters when the generator says that a counted stretch begins and ends."""

    target: Running
    cpus: tuple[int, ...]
    extra: Callable[[], None] = lambda: None
    readings: dict[str, Meter] = field(default_factory=dict)
    busy_s: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: str) -> None:
        """Hear an event of the generator."""
        self.readings[event] = read_meter(self.target.pids())
        self.busy_s[event] = sum(map(cpu_busy_s, self.cpus))
        if event == "measure":
            self.extra()

    def metrics(self, result: Mapping[str, Any]) -> Metrics:
        """Return what the stretch cost the broker, and what strangers took of both CPUs."""
        begin, end = self.readings["measure"], self.readings["measured"]
        delivered = max(1, result["delivered"])
        cpu_s = end.cpu_s - begin.cpu_s
        busy_s = self.busy_s["measured"] - self.busy_s["measure"]
        return {
            "cpu_us_per_message": cpu_s * US_PER_S / delivered,
            "broker_cpu_share": cpu_s / result["elapsed_s"],
            "foreign_cpu_share": max(0.0, busy_s - cpu_s - result["cpu_s"]) / result["elapsed_s"],
            "device_bytes_per_message": (end.written_bytes - begin.written_bytes) / delivered,
        }


def traffic_metrics(result: Mapping[str, Any]) -> Metrics:
    """Return what the generator saw."""
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
        "faults": sum(result[name] for name in FAULTS),
    }


def drive(
    bench: Bench,
    target: Running,
    load: Load,
    timing: Timing,
    extra: Callable[[], None] = lambda: None,
) -> tuple[Metrics, dict[str, Any]]:
    """Run the generator against a running broker and return the metrics and the raw result."""
    meters = Meters(target, (bench.broker_cpu, bench.generator.cpu), extra)
    tls = target.setting.tls
    result = bench.generator.run(
        load,
        timing,
        port=target.port,
        ca_file=tls.certificate_file if tls else None,
        logins=target.setting.logins,
        on_event=meters,
    )
    return {**traffic_metrics(result), **meters.metrics(result)}, result
