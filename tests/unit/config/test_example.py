"""The commented example, and the whole tree as plain values."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise

from edge.config.dump import to_dict
from edge.config.example import example_toml
from edge.config.load import from_toml
from edge.config.schema import (
    NESTED,
    SECTIONS,
    TABLES,
    EdgeConfig,
    ListenerConfig,
    TlsConfig,
    WebSocketConfig,
)

EXAMPLE = example_toml()


def uncommented(text: str) -> str:
    """Take the `#` away from every line that is a key or a table."""
    return "\n".join(
        line[1:] if line.startswith("#") and not line.startswith(("# ", "##")) else line
        for line in text.splitlines()
    )


def test_the_example_is_the_default() -> None:
    assert from_toml(EXAMPLE, "example") == EdgeConfig()


def test_every_key_uncommented_is_the_default_too() -> None:
    plain = EXAMPLE[: EXAMPLE.index("# Where clients connect")]
    plain += EXAMPLE[EXAMPLE.index("# Who may connect") : EXAMPLE.index("# Who is refused")]
    text = uncommented(plain)
    assert from_toml(text, "example") == EdgeConfig()
    parsed = tomllib.loads(text)
    assert {name: set(keys) for name, keys in parsed.items()} == {
        name: {field.name for field in fields(cls)} for name, cls in SECTIONS.items()
    }


def test_every_key_of_every_table_is_there() -> None:
    parsed = tomllib.loads(uncommented(EXAMPLE))
    for name, cls in TABLES.items():
        shown = parsed[name][-1]
        assert set(shown) == {field.name for field in fields(cls)}
        for nested, nested_cls in NESTED.get(name, {}).items():
            assert set(shown[nested]) == {field.name for field in fields(nested_cls)}


def test_the_listeners_in_the_example_would_work() -> None:
    start = EXAMPLE.index("#[[listener]]")
    text = uncommented(EXAMPLE[start : EXAMPLE.index("# All keys of a listener")])
    for name in ("server.pem", "server.key", "clients-ca.pem"):
        text = text.replace(name, "/dev/null")
    listeners = from_toml(text, "example").listener
    assert [listener.address for listener in listeners] == [
        "0.0.0.0:1883",
        "[::]:1883",
        "0.0.0.0:8883",
        "0.0.0.0:8083",
        "unix:/run/robustmq-edge/mqtt.sock",
    ]
    assert listeners[2].tls is not None
    assert listeners[3].websocket is not None


def test_every_key_is_explained_in_lines_that_fit_a_screen() -> None:
    lines = EXAMPLE.splitlines()
    assert max(len(line) for line in lines) <= 100
    for before, line in pairwise(lines):
        is_key = line.startswith("#") and " = " in line and not line.startswith("# ")
        if is_key and "listener]]" not in before and "[listener." not in before:
            assert before.startswith(("# ", "#certificate", "#key", "#client", "#address"))


def test_ranges_and_units_are_told() -> None:
    assert "# from accept to a complete CONNECT (1 to 300 s)\n#connect_timeout_s = 10\n" in EXAMPLE
    assert "#packet_bytes_max = 1_048_576  # 1 MiB\n" in EXAMPLE
    assert '("debug", "info", "warning", "error")\n#level = "info"\n' in EXAMPLE


def test_every_section_of_the_tree_can_be_written_in_a_file() -> None:
    assert [*SECTIONS, *TABLES] == [field.name for field in fields(EdgeConfig)]
    default = EdgeConfig()
    for name, cls in SECTIONS.items():
        assert getattr(default, name) == cls()


def test_the_dump_is_complete_and_json() -> None:
    config = replace(
        EdgeConfig(),
        listener=(ListenerConfig(tls=TlsConfig(), websocket=WebSocketConfig(origins=("a",))),),
    )
    dump = json.loads(json.dumps(to_dict(config)))
    assert dump["limits"]["protocol_versions"] == ["3.1", "3.1.1", "5.0"]
    assert dump["listener"][0]["tls"]["version_min"] == "1.2"
    assert dump["listener"][0]["websocket"]["origins"] == ["a"]
    assert dump["listener"][0]["anonymous"] is None
    assert dump["ban"] == []
    assert set(dump["limits"]) == {field.name for field in fields(config.limits)}
    assert not any(is_dataclass(value) for value in to_dict(config).values())
