"""The numbers that metrics, `$SYS` and `status` show: taken when asked for, never in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.broker.control_plane import ControlPlane
    from edge.ops.snapshot import Snapshot


class SnapshotTaker:
    """Callable for ops: `edge.ops.snapshot.TakeSnapshot`."""

    __slots__ = ("_plane", "_started_mono_s")

    def __init__(self, plane: ControlPlane) -> None:
        """The uptime counts from here."""
        self._plane = plane
        self._started_mono_s = plane.context.now()

    async def __call__(self) -> Snapshot:
        """Ask the engine, then look at the control plane, so that both are of the same moment."""
        from edge.ops.snapshot import Snapshot

        plane = self._plane
        engine = await plane.queries.ask(plane.context.engine.query_stats())
        return Snapshot(
            uptime_s=plane.context.now() - self._started_mono_s,
            engine=engine,
            control=control_numbers(plane),
            refused=dict(plane.context.counters.connect_refused_by_reason),
        )


def control_numbers(plane: ControlPlane) -> dict[str, int]:
    """Return the counters and gauges of the control plane."""
    counters = plane.context.counters
    numbers = {
        name: value
        for name in counters.__slots__
        if isinstance(value := getattr(counters, name), int)
    }
    clients = plane.context.clients
    numbers["clients_online"] = clients.online_count
    numbers["clients_offline"] = len(clients) - clients.online_count
    numbers["connects_pending"] = plane.connects.pending_count
    numbers["subscriptions_shared"] = plane.subscriptions.shared_count
    numbers["delayed_messages"] = len(plane.delayed)
    numbers["delayed_bytes"] = plane.delayed.waiting_bytes
    numbers["bans"] = len(plane.admission.bans.list(plane.context.now()))
    numbers["acl_profiles"] = plane.access.profile_count
    numbers["timers"] = len(plane.context.timers)
    return numbers
