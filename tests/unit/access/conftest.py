"""Password hashes that take microseconds, for tests that are about something else."""

from __future__ import annotations

import pytest

from edge.access import hashes
from tests.unit.access.cheap import CHEAP_LN


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash cheaply, and take such hashes for strong ones."""
    monkeypatch.setattr(hashes, "SCRYPT_LN", CHEAP_LN)
    monkeypatch.setattr(hashes, "ARGON2_MEMORY_KIB", 64)
