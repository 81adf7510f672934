"""What can go wrong in a benchmark, apart from mistakes in it."""

from __future__ import annotations


class BenchError(Exception):
    """A measurement failed; the report says so and the run goes on."""


class PeerMissingError(BenchError):
    """A broker cannot be installed or found here; it is reported as missing."""
