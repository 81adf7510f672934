"""Fixtures of the gateway tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.gateways.harness import Harness
from tests.unit.gateways.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates, made once."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def harness() -> Iterator[Harness]:
    """A running pump."""
    running = Harness()
    yield running
    running.close()
