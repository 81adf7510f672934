"""What the broker takes from the machine it runs on: memory, descriptors, names."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from edge import __version__
from edge.config.schema import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config.schema import EdgeConfig

VERSION: Final = __version__

# Descriptors that are not for clients: listeners, epoll, eventfds, files, the control socket.
_DESCRIPTORS_RESERVED: Final = 64
_MEMORY_SHARE: Final = 4
_MEMORY_BYTES_MIN: Final = 16 * MIB
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


class EngineLimits(TypedDict):
    """The keyword arguments of Engine()."""

    memory_bytes_max: int
    connections_max: int
    connect_timeout_ms: int
    packet_timeout_ms: int
    topic_levels_max: int
    queued_messages_max: int
    queued_bytes_max: int
    queued_messages_total_max: int
    queued_bytes_total_max: int
    output_bytes_max: int
    inflight_bytes_max: int
    drop_oldest: bool
    queue_qos0_offline: bool
    retained_messages_max: int
    retained_bytes_max: int
    retained_check_source: bool
    message_expiry_s_default: int
    message_expiry_s_max: int
    delayed_enabled: bool
    deny_disconnects: bool


def engine_limits(config: EdgeConfig) -> EngineLimits:
    """Return the limits of the engine that follow from the configuration and the machine."""
    limits = config.limits
    session = config.session
    memory_bytes_max = limits.memory_bytes_max or default_memory_bytes()
    return {
        "memory_bytes_max": memory_bytes_max,
        "connections_max": limits.connections_max or descriptors_for_clients(),
        "connect_timeout_ms": limits.connect_timeout_s * 1000,
        "packet_timeout_ms": limits.packet_timeout_s * 1000,
        "topic_levels_max": limits.topic_levels_max,
        "queued_messages_max": session.queued_messages_max,
        "queued_bytes_max": session.queued_bytes_max,
        "queued_messages_total_max": session.queued_messages_total_max,
        "queued_bytes_total_max": session.queued_bytes_total_max or memory_bytes_max // 2,
        "output_bytes_max": session.output_bytes_max,
        "inflight_bytes_max": session.inflight_bytes_max,
        "drop_oldest": session.queue_full == "drop_oldest",
        "queue_qos0_offline": session.queue_qos0_offline,
        "retained_messages_max": config.retained.messages_max,
        "retained_bytes_max": config.retained.bytes_max,
        "retained_check_source": config.retained.check_source,
        "message_expiry_s_default": session.message_expiry_s_default,
        "message_expiry_s_max": session.message_expiry_s_max,
        "delayed_enabled": config.delayed.enabled,
        "deny_disconnects": config.access.deny_disconnects,
    }


def default_memory_bytes() -> int:
    """Return a quarter of the RAM, or of what the control group leaves us of it."""
    total_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = _CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    if limit.isdigit():
        total_bytes = min(total_bytes, int(limit))
    return max(total_bytes // _MEMORY_SHARE, _MEMORY_BYTES_MIN)


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one: each client is a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return  # fewer clients, but they are served


def descriptors_for_clients() -> int:
    """Return how many connections the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 0
    return max(soft - _DESCRIPTORS_RESERVED, 1)


def node_id_of(config: EdgeConfig) -> str:
    """Return the name of this broker in `$SYS` and metrics."""
    return config.node.id or os.uname().nodename.partition(".")[0] or "edge"


def run_folder(environ: Mapping[str, str]) -> Path:
    """Return where sockets live: systemd's folder, the user's, or one in /run for root."""
    if environ.get("RUNTIME_DIRECTORY"):
        return Path(environ["RUNTIME_DIRECTORY"].partition(":")[0])
    if os.geteuid() == 0:
        return Path("/run/robustmq-edge")
    if environ.get("XDG_RUNTIME_DIR"):
        return Path(environ["XDG_RUNTIME_DIR"]) / "robustmq-edge"
    return Path(f"/tmp/robustmq-edge-{os.geteuid()}")  # noqa: S108 - the socket itself is 0600


def control_socket_path(config: EdgeConfig, environ: Mapping[str, str]) -> str:
    """Return where the control socket is."""
    return config.node.control_socket or str(run_folder(environ) / "control.sock")


def hog_ms(environ: Mapping[str, str]) -> int:
    """Return ROBUSTMQ_EDGE_BENCH_HOG_MS, 0 if it is not set.

    For measurement only: that many milliseconds of Python are burnt every 100 ms, to show that the
    engine does not care how busy the control plane is.
    """
    text = environ.get("ROBUSTMQ_EDGE_BENCH_HOG_MS", "")
    return int(text) if text.isdigit() else 0
