"""Clients that connect and vanish."""

from __future__ import annotations

from edge.access.flapping import CLIENTS_MAX, FlappingDetector
from edge.config.schema import FlappingConfig

CONFIG = FlappingConfig(enabled=True, disconnects_max=3, window_s=10, ban_s=60)


def test_disconnects_within_the_window_make_a_client_flap() -> None:
    detector = FlappingDetector(CONFIG)
    assert [detector.record_disconnect("a", at) for at in (0.0, 5.0, 9.9)] == [False, False, True]


def test_disconnects_that_are_spread_out_do_not() -> None:
    detector = FlappingDetector(CONFIG)
    assert not any(detector.record_disconnect("a", at * 5.0) for at in range(100))


def test_count_begins_anew_after_a_ban() -> None:
    detector = FlappingDetector(CONFIG)
    outcomes = [detector.record_disconnect("a", 1.0) for _ in range(6)]
    assert outcomes == [False, False, True, False, False, True]


def test_clients_are_counted_apart() -> None:
    detector = FlappingDetector(CONFIG)
    assert not any(detector.record_disconnect(name, 0.0) for name in "abcdefgh" for _ in range(2))


def test_client_named_like_a_pattern_is_left_alone() -> None:
    """Or a client named `*` would have everybody banned."""
    detector = FlappingDetector(CONFIG)
    assert not any(detector.record_disconnect("*", 0.0) for _ in range(10))
    assert len(detector) == 0


def test_table_is_bounded() -> None:
    detector = FlappingDetector(CONFIG)
    for index in range(CLIENTS_MAX + 10):
        detector.record_disconnect(str(index), 0.0)
    assert len(detector) == CLIENTS_MAX
