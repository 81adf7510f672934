"""How often one address may connect: a token bucket for each, in a table that cannot grow.

A bucket is kept as one number, the time at which it will be full again. A bucket that is full says
nothing, so forgetting it is free. Addresses are not grouped into networks: on a home network all
devices share one IPv6 /64.
"""

from __future__ import annotations

from typing import Final

ADDRESSES_MAX: Final = 8192


class ConnectRateLimiter:
    """Allows each address `rate_s` connects a second, and as many at once after a pause."""

    __slots__ = ("_burst_s", "_full_at_mono_s", "_spacing_s")

    def __init__(self, rate_s: int) -> None:
        """Make an empty table.

        Args:
            rate_s: connects a second, at least 1; also the size of the bucket.
        """
        self._spacing_s = 1 / rate_s
        # A hair more than a second, so that rounding never costs the last token.
        self._burst_s = 1.0 + self._spacing_s / 2
        self._full_at_mono_s: dict[str, float] = {}  # least recently seen first

    def __len__(self) -> int:
        """Return how many addresses are remembered, at most ADDRESSES_MAX."""
        return len(self._full_at_mono_s)

    def allow(self, address: str, now_mono_s: float) -> bool:
        """Take a token; False if there is none. A refused connect costs no token."""
        table = self._full_at_mono_s
        full_at_mono_s = max(table.pop(address, now_mono_s), now_mono_s) + self._spacing_s
        is_allowed = full_at_mono_s - now_mono_s <= self._burst_s
        if not is_allowed:
            full_at_mono_s -= self._spacing_s
        elif len(table) >= ADDRESSES_MAX:
            del table[next(iter(table))]
        table[address] = full_at_mono_s
        return is_allowed
