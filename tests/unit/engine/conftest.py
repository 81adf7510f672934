"""A rig for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.engine_rig import Rig

MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig() -> Iterator[MakeRig]:
    """Make engines that end with the test."""
    rigs: list[Rig] = []

    def make(
        *, keep_sessions: bool = False, terms: dict[str, Any] | None = None, **settings: Any
    ) -> Rig:
        rig = Rig(settings=settings, accept_terms=terms or {}, keep_sessions=keep_sessions)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.close()
