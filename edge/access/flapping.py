"""Clients that connect and vanish again and again.

Each client has a window that opens at its first disconnect. `disconnects_max` of them before the
window closes are flapping; so a client that goes on flapping is caught one window later at the
latest, and one pair of numbers per client is all that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.access.glob import has_wildcard

if TYPE_CHECKING:
    from edge.config.schema import FlappingConfig

CLIENTS_MAX: Final = 16_384


class FlappingDetector:
    """Counts disconnects, of the CLIENTS_MAX clients whose windows opened last."""

    __slots__ = ("_config", "_windows")

    def __init__(self, config: FlappingConfig) -> None:
        self._config = config
        # Client Identifier -> when the window closes, disconnects in it; oldest window first.
        self._windows: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        """Return how many clients are remembered."""
        return len(self._windows)

    def record_disconnect(self, client_id: str, now_mono_s: float) -> bool:
        """Count a disconnect; return whether the client is to be banned now.

        After True the count begins anew. A Client Identifier with `*` or `?` is left alone: its ban
        would be a pattern, and a client named `*` could have everybody banned.
        """
        if has_wildcard(client_id):
            return False
        windows = self._windows
        closes_mono_s, disconnect_count = windows.get(client_id, (now_mono_s, 0))
        if closes_mono_s <= now_mono_s:
            self._open(client_id, now_mono_s)
            return False
        disconnect_count += 1
        if disconnect_count < self._config.disconnects_max:
            windows[client_id] = (closes_mono_s, disconnect_count)
            return False
        del windows[client_id]
        return True

    def _open(self, client_id: str, now_mono_s: float) -> None:
        windows = self._windows
        windows.pop(client_id, None)
        if len(windows) >= CLIENTS_MAX:
            del windows[next(iter(windows))]
        windows[client_id] = (now_mono_s + self._config.window_s, 1)
