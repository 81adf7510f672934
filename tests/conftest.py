"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Unpack

import pytest

from tests.support.broker import DEFAULT_CONFIG, Broker, BrokerPool, external_address
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


@pytest.fixture
def mqtt(request: pytest.FixtureRequest) -> Iterator[Mqtt]:
    """The default broker, with a witness that must be undisturbed when the test ends."""
    address = external_address()
    if address is not None:
        view = Mqtt(address)
        yield view
        finish(view, None)
        return
    pool: BrokerPool = request.getfixturevalue("broker_pool")
    broker = pool.get(DEFAULT_CONFIG)
    view = Mqtt(broker.address)
    yield view
    finish(view, broker)


@pytest.fixture
def mqtt_with(broker_pool: BrokerPool) -> Iterator[MqttFactory]:
    """Call it with the text of edge.toml (and files) to get a view of such a broker.

    Further arguments are CONNECT fields of the witness, where not everybody is let in.
    """
    if external_address() is not None:
        pytest.skip("needs a broker with its own configuration")
    opened: list[tuple[Mqtt, Broker]] = []

    def view_of(
        config: str, files: dict[str, str] | None = None, **witness: Unpack[ConnectFields]
    ) -> Mqtt:
        broker = broker_pool.get(config, files)
        opened.append((Mqtt(broker.address, **witness), broker))
        return opened[-1][0]

    yield view_of
    for view, broker in opened:
        finish(view, broker)


def finish(view: Mqtt, broker: Broker | None) -> None:
    """End a view: the broker lives, and another client of it was not disturbed."""
    if broker is not None:
        broker.check_running()
    try:
        view.check_witness()
    finally:
        view.close()
