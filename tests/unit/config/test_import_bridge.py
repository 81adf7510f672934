"""Moving in from mosquitto: bridges become upstream.toml."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.config import mosquitto_samples as samples
from tests.unit.config.mosquitto_samples import import_text

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"ca.crt": ""}


def upstream(folder: Path) -> dict[str, Any]:
    """Return what is in upstream.toml."""
    return tomllib.loads((folder / "new" / "upstream.toml").read_text(encoding="utf-8"))


def test_a_bridge_becomes_an_endpoint_and_routes(tmp_path: Path) -> None:
    report = import_text(tmp_path, samples.BRIDGE, FILES)
    assert upstream(tmp_path) == {
        "endpoint": [
            {
                "name": "factory-7",
                "address": "cloud.example.org:8883",
                "fallback_addresses": ["backup.example.org:1883"],
                "protocol_version": "5.0",
                "client_id": "factory-7",
                "username": "factory",
                "password": 'p"ss\\word',
                "clean_start": False,
                "keep_alive_s": 30,
                "tls": {"ca_file": f"{tmp_path}/ca.crt", "version_min": "1.2"},
            }
        ],
        "route_up": [
            route("site/sensors/#", 1, "site/", "factory-7/"),
            route("alarms", 1, "", ""),
            route("local/status", 0, "local/status", "remote/7/status"),
        ],
        "route_down": [
            route("factory-7/commands/+/set", 2, "", "factory-7/"),
            route("alarms", 1, "", ""),
        ],
    }
    assert [line.partition(": ")[2] for line in report.not_carried] == [
        "notifications true: robustmq-edge-sync has a status and metrics of its own"
    ]
    assert any("upstream.toml is for robustmq-edge-sync" in note for note in report.notes)


def route(topic_filter: str, qos: int, local_prefix: str, remote_prefix: str) -> dict[str, object]:
    """Return a route of the bridge of the sample."""
    return {
        "endpoint": "factory-7",
        "filter": topic_filter,
        "qos": qos,
        "local_prefix": local_prefix,
        "remote_prefix": remote_prefix,
    }


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    import_text(tmp_path, samples.BRIDGE, FILES)
    text = (tmp_path / "new" / "upstream.toml").read_text(encoding="utf-8")
    assert text.startswith("# upstream.toml for robustmq-edge-sync, ")


def test_passwords_are_in_the_new_file_and_nowhere_else(tmp_path: Path) -> None:
    text = (
        "connection a\naddress b\npassword hunter2\nlocal_password hunter3\nbridge_psk deadbeef\n"
    )
    report = import_text(tmp_path, text)
    assert upstream(tmp_path)["endpoint"][0]["password"] == "hunter2"
    told = str(report.as_dict())
    written = (tmp_path / "new" / "upstream.toml").read_text(encoding="utf-8")
    assert written.count("hunter2") == 1
    for secret in ("hunter2", "hunter3", "deadbeef"):
        assert secret not in told


def test_several_bridges_keep_their_routes(tmp_path: Path) -> None:
    import_text(
        tmp_path,
        "connection one\naddress [::1]:1883\ntopic a\nconnection two\naddress ::1:1884\n"
        "topic b in\nbridge_outgoing_retain false\ntopic c both 2 # d\n",
    )
    found = upstream(tmp_path)
    assert [each["address"] for each in found["endpoint"]] == ["[::1]:1883", "[::1]:1884"]
    ups = [(each["endpoint"], each["filter"], each.get("retain")) for each in found["route_up"]]
    assert ups == [("one", "a", None), ("two", "c", False)]
    downs = [(each["endpoint"], each["filter"], each["qos"]) for each in found["route_down"]]
    assert downs == [("two", "b", 0), ("two", "c", 2)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("topic", "names no topic"),
        ("topic a sideways", "its direction is none of in, out and both: `sideways`"),
        ("topic a out 3", "its QoS is none of 0, 1 and 2: `3`"),
        ('topic "" out 1 local ""', "a topic that is empty needs both prefixes"),
        ("topic a/#/b", "is no Topic Filter"),
        ("topic a out 1 +/ b/", "the prefix `+/` has a wildcard"),
        ("bridge_protocol_version mqttv4", "is none of mqttv31, mqttv311 and mqttv50"),
        ("keepalive_interval 70000", "is no number of seconds up to 65535"),
        ("bridge_capath /etc/ssl/certs", "name it as endpoint.tls.ca_file"),
        ("bridge_insecure true", "the name in the remote certificate is always checked"),
        ("bridge_tls_version tlsv1.1", "TLS 1.2 is the oldest version here"),
        ("start_type lazy", "connects at once and stays connected"),
        ("round_robin true", "the addresses are tried in their order"),
        ("bridge_identity x", "TLS with pre-shared keys is not supported"),
    ],
)
def test_what_a_bridge_cannot_carry_says_what_to_do(
    text: str, complaint: str, tmp_path: Path
) -> None:
    report = import_text(tmp_path, f"connection b\naddress a\n{text}\n")
    (told,) = report.not_carried
    assert told.startswith(f"{tmp_path}/mosquitto.conf:3: ")
    assert complaint in told


def test_a_bridge_without_an_address_is_noted(tmp_path: Path) -> None:
    report = import_text(tmp_path, "connection b\ntopic a\n")
    assert any("the bridge `b` has no address" in note for note in report.notes)


def test_without_a_bridge_there_is_no_upstream_file(tmp_path: Path) -> None:
    import_text(tmp_path, "listener 1883 127.0.0.1\n")
    assert not (tmp_path / "new" / "upstream.toml").exists()
