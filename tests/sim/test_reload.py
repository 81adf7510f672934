"""SIGHUP on the simulated broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.broker.reload import Reloader, merge
from edge.config.schema import EdgeConfig, ListenerConfig, TlsConfig
from edge.errors import AccessError, EdgeError
from tests.sim.harness import Sim, configured, simulated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Others:
    """Stands for logs, certificates and `$SYS`."""

    def __init__(self, error: EdgeError | None = None) -> None:
        self.error = error
        self.in_force: list[EdgeConfig] = []

    def __call__(self, config: EdgeConfig) -> Callable[[], None]:
        if self.error is not None:
            raise self.error
        return lambda: self.in_force.append(config)


def reloader(sim: Sim, path: Path, others: Others) -> Reloader:
    return Reloader(sim.plane, config_path=str(path), environ={}, prepare_others=others)


async def test_new_settings_take_effect(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    async with simulated() as sim:
        client = sim.connect("a", session_expiry_interval_s=100)
        path.write_text(
            '[limits]\nqos_max = 1\nkeep_alive_s_max = 10\n[[ban]]\nclient_id = "b"\n'
            '[[rewrite]]\nsource = "x/#"\npattern = "^x/(.*)$"\ntarget = "y/$1"\n'
        )
        others = Others()
        told = await reloader(sim, path, others).reload()
        assert told == {"needs_restart": [], "subscriptions_dropped": 0, "clients_banned": 0}
        assert sim.try_connect("b").connack().reason_code == 0x8A
        assert sim.engine.map_filters == [b"x/#"]
        assert client.subscribe("x/1", qos=2).reason_codes == [1]
        assert set(sim.engine.subscriptions_of(client.session)) == {"y/1"}
        assert [config.limits.qos_max for config in others.in_force] == [1]


async def test_who_is_banned_by_the_new_file_is_disconnected(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[[ban]]\nusername = "mal*"\nreason = "enough"\n')
    async with simulated() as sim:
        client = sim.connect("a", username="mallory")
        told = await reloader(sim, path, Others()).reload()
        assert told["clients_banned"] == 1
        farewell = client.farewell()
        assert farewell.reason_code == 0x8A
        assert farewell.properties.reason_string == "enough"


@pytest.mark.parametrize(
    "text", ["[limits]\nqos_max = 9\n", "not toml", '[access]\nacl_file = "/nonexistent/acl"\n']
)
async def test_mistake_in_a_file_changes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(text)
    async with simulated() as sim:
        before = sim.context.settings.config
        others = Others()
        with pytest.raises(EdgeError):
            await reloader(sim, path, others).reload()
        assert sim.context.settings.config is before
        assert others.in_force == []
        assert sim.log.named("config.reload_failed")


async def test_mistake_in_a_certificate_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("[limits]\nqos_max = 1\n")
    async with simulated() as sim:
        with pytest.raises(AccessError):
            await reloader(sim, path, Others(AccessError("expired"))).reload()
        assert sim.context.settings.config.limits.qos_max == 2


def test_what_needs_a_restart_is_named_and_kept() -> None:
    running = configured(
        listener=(
            ListenerConfig(address="127.0.0.1:1", anonymous=True),
            ListenerConfig(address="127.0.0.1:2"),
        ),
        node={"data_dir": "/filled/in/by/the/command/line"},
    )
    wanted = configured(
        listener=(
            ListenerConfig(address="127.0.0.1:3"),
            ListenerConfig(
                address="127.0.0.1:1", mount_point="m/", proxy_protocol=True, tls=TlsConfig()
            ),
        ),
        limits={"memory_bytes_max": 1 << 30, "qos_max": 1},
        retained={"check_source": False},
        node={"id": "other"},
    )
    merged, needs_restart = merge(running, wanted)
    assert needs_restart == [
        "node.id",
        "limits.memory_bytes_max",
        "retained.check_source",
        "listener 127.0.0.1:1 proxy_protocol",
        "listener 127.0.0.1:1 tls",
        "listener 127.0.0.1:2 (gone)",
        "listener 127.0.0.1:3 (new)",
    ]
    first, second = merged.listener
    assert first.mount_point == "m/"
    assert first.anonymous is None
    assert not first.proxy_protocol
    assert first.tls is None
    assert second.address == "127.0.0.1:2"
    assert merged.limits.qos_max == 1
    assert merged.retained.check_source
    assert merged.node == running.node


def test_file_that_did_not_change_needs_nothing() -> None:
    assert merge(EdgeConfig(), EdgeConfig()) == (EdgeConfig(), [])
