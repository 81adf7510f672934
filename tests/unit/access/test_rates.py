"""Connects per address."""

from __future__ import annotations

from edge.access.rates import ADDRESSES_MAX, ConnectRateLimiter


def test_burst_of_a_second_is_allowed_and_no_more() -> None:
    limiter = ConnectRateLimiter(7)
    assert [limiter.allow("192.0.2.1", 100.0) for _ in range(9)] == [True] * 7 + [False] * 2


def test_steady_rate_is_allowed_for_ever() -> None:
    """Rounding must not add up."""
    limiter = ConnectRateLimiter(3)
    assert all(limiter.allow("192.0.2.1", 5e5 + index / 3) for index in range(10_000))


def test_refused_connects_do_not_lengthen_the_wait() -> None:
    limiter = ConnectRateLimiter(1)
    assert limiter.allow("a", 0.0)
    assert not any(limiter.allow("a", 0.1 + index / 1000) for index in range(100))
    assert limiter.allow("a", 1.0)


def test_addresses_do_not_share_a_bucket() -> None:
    limiter = ConnectRateLimiter(1)
    assert limiter.allow("a", 0.0)
    assert limiter.allow("b", 0.0)
    assert not limiter.allow("a", 0.0)


def test_table_is_bounded_and_keeps_whom_it_saw_last() -> None:
    limiter = ConnectRateLimiter(1)
    limiter.allow("busy", 0.0)
    for index in range(ADDRESSES_MAX * 2):
        limiter.allow(str(index), 0.0)
        if index % 1000 == 0:
            assert not limiter.allow("busy", 0.0)
    assert len(limiter) == ADDRESSES_MAX
    assert not limiter.allow("busy", 0.0)
