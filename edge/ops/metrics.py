"""Prometheus exposition (text format 0.0.4) of a snapshot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.ops.numbers import COUNTER, GAUGE, NUMBERS, value_of

if TYPE_CHECKING:
    from edge.ops.snapshot import Snapshot

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_BANNED: Final = 0x8A


def render(snapshot: Snapshot, *, node_id: str, version: str) -> bytes:
    """Return the body of `GET /metrics`."""
    lines: list[str] = []
    previous = ""
    for number in NUMBERS:
        value = value_of(number, snapshot)
        if value is None:
            continue
        if number.metric != previous:
            _head(lines, number.metric, number.kind, number.text)
            previous = number.metric
        label = f"{{{number.label}}}" if number.label else ""
        lines.append(f"{number.metric}{label} {value}")
    _add_refused(lines, snapshot)
    _add_process(lines)
    _head(lines, "robustmq_edge_uptime_seconds", GAUGE, "Time since the start.")
    lines.append(f"robustmq_edge_uptime_seconds {snapshot.uptime_s:.3f}")
    _head(lines, "robustmq_edge_info", GAUGE, "Always 1; the labels say who this is.")
    lines.append(f'robustmq_edge_info{{node="{_escape(node_id)}",version="{_escape(version)}"}} 1')
    return ("\n".join(lines) + "\n").encode()


def _head(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {name} {text}")
    lines.append(f"# TYPE {name} {kind}")


def _escape(text: str) -> str:
    """Return a label value as the format wants it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _add_refused(lines: list[str], snapshot: Snapshot) -> None:
    name = "mqtt_blacklist_blocked_total"
    _head(lines, name, COUNTER, "CONNECTs of banned clients.")
    lines.append(f"{name} {snapshot.refused.get(_BANNED, 0)}")
    if snapshot.refused:
        name = "robustmq_edge_connects_refused_total"
        _head(lines, name, COUNTER, "CONNECTs refused, by Reason Code.")
        lines += [
            f'{name}{{reason="0x{code:02x}"}} {count}'
            for code, count in sorted(snapshot.refused.items())
        ]


def _add_process(lines: list[str]) -> None:
    """Add what Prometheus client libraries tell of their process."""
    times = os.times()
    _head(lines, "process_cpu_seconds_total", COUNTER, "Processor time of user and system.")
    lines.append(f"process_cpu_seconds_total {times.user + times.system:.2f}")
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return
    _head(lines, "process_resident_memory_bytes", GAUGE, "Resident memory.")
    lines.append(f"process_resident_memory_bytes {pages * os.sysconf('SC_PAGE_SIZE')}")
