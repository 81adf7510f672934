"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Unpack

import pytest

from tests.support.broker import DEFAULT_CONFIG, BrokerPool, external_address
from tests.support.mqtt import ConnectFields, Mqtt

MqttFactory = Callable[..., Mqtt]


@pytest.fixture(scope="session")
def broker_pool() -> Iterator[BrokerPool]:
    """Real brokers, one for each configuration that a test asks for."""
    pool = BrokerPool()
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture(scope="session")
def broker_address(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Where the broker with the default configuration listens."""
    address = external_address()
    if address is None:
        pool: BrokerPool = request.getfixturevalue("broker_pool")
        address = pool.get(DEFAULT_CONFIG).address
    return address


@pytest.fixture
def mqtt(broker_address: tuple[str, int]) -> Iterator[Mqtt]:
    """The default broker, with a witness that must be undisturbed when the test ends."""
    view = Mqtt(broker_address)
    yield view
    try:
        view.check_witness()
    finally:
        view.close()


@pytest.fixture
def mqtt_with(broker_pool: BrokerPool) -> Iterator[MqttFactory]:
    """Call it with the text of edge.toml (and files) to get a view of such a broker.

    Further arguments are CONNECT fields of the witness, where not everybody is let in.
    """
    if external_address() is not None:
        pytest.skip("needs a broker with its own configuration")
    views: list[Mqtt] = []

    def view_of(
        config: str, files: dict[str, str] | None = None, **witness: Unpack[ConnectFields]
    ) -> Mqtt:
        view = Mqtt(broker_pool.get(config, files).address, **witness)
        views.append(view)
        return view

    yield view_of
    for view in views:
        try:
            view.check_witness()
        finally:
            view.close()
