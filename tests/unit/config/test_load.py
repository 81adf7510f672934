"""What is right in a file and in the environment arrives in the tree."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config.load import from_toml, load
from edge.config.schema import (
    AutoSubscribeConfig,
    BanConfig,
    EdgeConfig,
    LimitsConfig,
    ListenerConfig,
    LogConfig,
    NodeConfig,
    RewriteConfig,
    TlsConfig,
    WebSocketConfig,
)
from edge.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def test_without_a_file_and_overrides_there_are_the_defaults() -> None:
    assert load(None, {"PATH": "/bin"}) == EdgeConfig()
    assert from_toml("# nothing\n", "edge.toml") == EdgeConfig()


def test_values_of_each_kind_arrive() -> None:
    config = from_toml(
        """
        log.level = "debug"

        [limits]
        qos_max = 1
        packet_bytes_max = 65_536
        retain_available = false
        protocol_versions = ["3.1.1", "5.0"]

        [[listener]]
        address = "[::]:1883"
        anonymous = true

        [[listener]]
        address = "0.0.0.0:8883"
        anonymous = false
        [listener.tls]
        certificate_file = "/dev/null"
        key_file = "/dev/null"
        version_min = "1.3"
        [listener.websocket]
        path = ""
        origins = ["https://a.example.org", "http://localhost:8080", "null"]

        [[ban]]
        username = "mallory"
        [[ban]]
        address = "2001:db8::/32"

        [[rewrite]]
        source = "old/#"
        pattern = '^old/(\\w+)/(.*)$'
        target = "new/$2/%u/$1"

        [[auto_subscribe]]
        filter = "$share/g/commands/%c/+"
        qos = 2
        """,
        "edge.toml",
    )
    assert config == EdgeConfig(
        log=LogConfig(level="debug"),
        limits=LimitsConfig(
            qos_max=1,
            packet_bytes_max=65_536,
            retain_available=False,
            protocol_versions=("3.1.1", "5.0"),
        ),
        listener=(
            ListenerConfig(address="[::]:1883", anonymous=True),
            ListenerConfig(
                address="0.0.0.0:8883",
                anonymous=False,
                tls=TlsConfig(
                    certificate_file="/dev/null", key_file="/dev/null", version_min="1.3"
                ),
                websocket=WebSocketConfig(
                    path="", origins=("https://a.example.org", "http://localhost:8080", "null")
                ),
            ),
        ),
        ban=(BanConfig(username="mallory"), BanConfig(address="2001:db8::/32")),
        rewrite=(
            RewriteConfig(source="old/#", pattern=r"^old/(\w+)/(.*)$", target="new/$2/%u/$1"),
        ),
        auto_subscribe=(AutoSubscribeConfig(filter="$share/g/commands/%c/+", qos=2),),
    )


def test_the_bounds_themselves_are_allowed() -> None:
    config = from_toml("[limits]\nqos_max = 0\nkeep_alive_s_max = 65535\n", "edge.toml")
    assert config.limits.qos_max == 0
    assert config.limits.keep_alive_s_max == 65_535


def test_an_empty_list_of_listeners_is_not_the_default_listener() -> None:
    config = from_toml('[[listener]]\naddress = "127.0.0.1:0"\n', "edge.toml")
    assert [listener.address for listener in config.listener] == ["127.0.0.1:0"]


def test_listeners_on_any_port_do_not_clash() -> None:
    text = '[[listener]]\naddress = "127.0.0.1:0"\n' * 2
    assert len(from_toml(text, "edge.toml").listener) == 2


# ---------------------------------------------------------------- files


def test_relative_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("default deny\n", encoding="utf-8")
    path = tmp_path / "edge.toml"
    path.write_text(
        '[node]\ndata_dir = "state"\n[access]\nacl_file = "acl"\n'
        '[[listener]]\naddress = "unix:/run/x.sock"\n',
        encoding="utf-8",
    )
    config = load(str(path), {})
    assert config.access.acl_file == f"{tmp_path}/acl"
    assert config.node.data_dir == f"{tmp_path}/state"
    assert config.listener[0].address == "unix:/run/x.sock"


def test_a_file_named_relative_to_the_working_directory_gives_absolute_paths(
    tmp_path: Path,
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[node]\ndata_dir = "state"\n', encoding="utf-8")
    config = load(os.path.relpath(path), {})
    assert Path(config.node.data_dir).is_absolute()
    assert Path(config.node.data_dir).resolve() == tmp_path / "state"


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(b'\xef\xbb\xbf[node]\r\nid = "K\xc3\xbcche"\r\n')
    assert load(str(path), {}).node.id == "Küche"


# ---------------------------------------------------------------- the environment


def test_variables_override_the_file_and_are_toml_or_strings() -> None:
    config = from_toml(
        '[log]\nlevel = "info"\n[node]\nid = "a"\n',
        "edge.toml",
        {
            "ROBUSTMQ_EDGE__LOG__LEVEL": "debug",
            "ROBUSTMQ_EDGE__LOG__CONNECTIONS": "false",
            "ROBUSTMQ_EDGE__LIMITS__QOS_MAX": "1",
            "ROBUSTMQ_EDGE__LIMITS__PROTOCOL_VERSIONS": '["5.0"]',
            "ROBUSTMQ_EDGE__METRICS__ADDRESS": "127.0.0.1:9090",
            "ROBUSTMQ_EDGE__NODE__ID": '"quoted"',
            "ROBUSTMQ_EDGE_BENCH_HOG_MS": "20",
        },
    )
    assert config.log == LogConfig(level="debug", connections=False)
    assert config.limits == LimitsConfig(qos_max=1, protocol_versions=("5.0",))
    assert config.metrics.address == "127.0.0.1:9090"
    assert config.node.id == "quoted"


def test_a_key_that_takes_a_string_takes_a_variable_that_looks_like_a_number() -> None:
    environ = {"ROBUSTMQ_EDGE__NODE__ID": "42"}
    assert load(None, environ) == replace(EdgeConfig(), node=NodeConfig(id="42"))


def test_a_variable_cannot_bring_more_than_its_own_key() -> None:
    environ = {"ROBUSTMQ_EDGE__NODE__ID": '"a"\nmode = "memory"'}
    with pytest.raises(ConfigError, match="must not have control characters"):
        load(None, environ)


def test_relative_paths_of_the_environment_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("[log]\n", encoding="utf-8")
    config = load(str(path), {"ROBUSTMQ_EDGE__NODE__DATA_DIR": "state"})
    assert config.node.data_dir == "state"


# ---------------------------------------------------------------- what it costs


def test_the_defaults_bring_no_loader_into_the_broker() -> None:
    """A broker without a file must not carry tomllib, re and the rest for ever."""
    code = (
        "import sys\nfrom edge.config.load import load\nload(None, {})\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "edge.config.schema" in loaded
    unwanted = {"tomllib", "edge.config.build", "edge.config.check", "difflib"}
    assert loaded & unwanted == set()


def test_the_example_can_be_printed_without_docstrings() -> None:
    """The service runs with -OO."""
    code = "from edge.config.example import example_toml\nprint(example_toml(), end='')"
    texts = [
        subprocess.run(
            [sys.executable, *flags, "-c", code],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for flags in ([], ["-OO"])
    ]
    assert texts[0] == texts[1] != ""
