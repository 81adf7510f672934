"""Moving in from mosquitto: general options, listeners, and that no line gets lost."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from edge.config.import_mosquitto import run
from edge.config.load import load
from edge.config.mosquitto.options import BRIDGE, IGNORED, LEFT, LISTENER, SECURITY
from edge.errors import ConfigError
from tests.unit.config import mosquitto_samples as samples
from tests.unit.config.mosquitto_samples import import_text, told

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.schema import EdgeConfig

ALL_SAMPLES = {
    "debian": samples.DEBIAN,
    "debian-local": samples.DEBIAN_LOCAL,
    "mutual-tls": samples.MUTUAL_TLS,
    "per-listener": samples.PER_LISTENER,
    "bridge": samples.BRIDGE,
    "global": samples.GLOBAL,
}
FILES = {"passwd": samples.PASSWORDS, "passwd2": samples.PASSWORDS, "aclfile": samples.ACL}
EMPTY_FILES = dict.fromkeys(
    ("ca.crt", "server.crt", "server.key", "revoked.crl", "conf.d/README"), ""
)


def imported(folder: Path) -> EdgeConfig:
    """Load what an import has written."""
    return load(str(folder / "new" / "edge.toml"), {})


@pytest.mark.parametrize("name", ALL_SAMPLES)
def test_each_line_ends_in_exactly_one_list_and_the_result_loads(name: str, tmp_path: Path) -> None:
    text = ALL_SAMPLES[name]
    report = import_text(tmp_path, text, FILES | EMPTY_FILES)
    about = [line.removeprefix(f"{tmp_path}/mosquitto.conf:") for line in told(report)]
    numbers = sorted(int(line.partition(":")[0]) for line in about if line[0].isdigit())
    expected = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    assert numbers == expected
    assert report.check == []
    imported(tmp_path)


def test_debians_own_configuration_becomes_two_local_listeners(tmp_path: Path) -> None:
    report = import_text(tmp_path, samples.DEBIAN, EMPTY_FILES)
    config = imported(tmp_path)
    assert [listener.address for listener in config.listener] == ["127.0.0.1:1883", "[::1]:1883"]
    assert [listener.anonymous for listener in config.listener] == [True, True]
    assert config.node.mode == "disk"
    assert [line.partition(": ")[2] for line in report.not_carried] == [
        "persistence_location /var/lib/mosquitto/: its content is not read; our state is in the "
        "folder node.data_dir, in a format of its own",
        "log_dest file /var/log/mosquitto/mosquitto.log: it goes to standard error: see "
        "`journalctl -u robustmq-edge`, or redirect it",
    ]


def test_included_files_are_read_in_their_order_and_named(tmp_path: Path) -> None:
    report = import_text(
        tmp_path,
        "max_qos 0\nlistener 1885 127.0.0.1\ninclude_dir {dir}/conf.d\nmax_queued_bytes 3\n",
        {
            "conf.d/b.conf": "max_queued_bytes 2\nmax_connections 7\n",
            "conf.d/B.conf": "listener 1884 127.0.0.1\nmax_connections 9\n",
            "conf.d/a.conf": "max_queued_bytes 1\ninclude_dir /elsewhere\n",
            "conf.d/ignored.txt": "nonsense\n",
        },
    )
    config = imported(tmp_path)
    # The last line counts; options before a listener, in whatever file, are for the default one.
    assert config.session.queued_bytes_max == 3
    assert {each.address: each.connections_max for each in config.listener} == {
        "0.0.0.0:1883": 7,
        "[::]:1883": 7,
        "127.0.0.1:1885": 0,
        "127.0.0.1:1884": 9,
    }
    assert any(line.endswith(" -> 3 files read") for line in report.carried)
    assert any("a.conf:2: include_dir /elsewhere: mosquitto follows" in x for x in report.ignored)
    assert any(f"{tmp_path}/conf.d/B.conf:2: max_connections 9" in x for x in report.carried)
    assert report.check == []


def test_general_options_become_ours(tmp_path: Path) -> None:
    import_text(tmp_path, samples.GLOBAL)
    config = imported(tmp_path)
    assert config.retained.check_source is False
    assert config.log.connections is False
    assert config.log.level == "info"
    assert config.session.inflight_bytes_max == 100_000
    assert config.session.inflight_messages_max == 65_535
    assert config.limits.keep_alive_s_max == 600
    assert config.limits.packet_bytes_max == 4096
    assert config.session.queued_bytes_max == 1_000_000
    assert config.session.queued_messages_max == 500
    assert config.limits.memory_bytes_max == 50_000_000
    assert config.session.expiry_s_max == 14 * 86_400
    assert config.session.expiry_v311_s == 14 * 86_400
    assert config.session.queue_qos0_offline is True
    assert config.limits.retain_available is False
    assert config.sys.enabled is False
    assert [listener.address for listener in config.listener] == ["127.0.0.1:1884"]
    assert [listener.anonymous for listener in config.listener] == [False]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("max_queued_messages many", "is no whole number; set session.queued_messages_max"),
        ("persistent_client_expiration 3", "is no number with h, d, w, m or y"),
        ("sys_interval often", "is no number of seconds"),
        ("log_type loud", "is no kind of log line"),
        ("upgrade_outgoing_qos true", "MQTT does not allow it"),
        ("allow_duplicate_messages false", "overlapping subscriptions are served as MQTT says"),
        ("plugin /usr/lib/mosquitto_dynamic_security.so", "there are no plugins"),
        ("plugin_opt_config_file /x", "there are no plugins"),
        ("psk_file /etc/psk", "TLS with pre-shared keys is not supported"),
        ("nonsense 1", "mosquitto has no such option; check the spelling"),
        ("address 10.0.0.1", "it stands before any `connection`"),
        ("listener 0", "is no port from 1 to 65535"),
        ("listener 1883\nmax_qos 3", "is none of 0, 1 and 2"),
        ("listener 1883\nprotocol mqttsn", "is not supported: use MQTT over TCP or WebSocket"),
        ("listener 1883\nmount_point a/+/", "is no beginning of a topic"),
        ("listener 1883\nbind_interface eth0", "the listener is on loopback only"),
        ("listener 1883\nhttp_dir /var/www", "let a web server deliver the files"),
        ("include_dir /nowhere", "the folder cannot be read"),
    ],
)
def test_what_cannot_be_carried_says_what_to_do(text: str, complaint: str, tmp_path: Path) -> None:
    report = import_text(tmp_path, f"{text}\n")
    line = text.count("\n") + 1
    (found,) = [each for each in report.not_carried if f"mosquitto.conf:{line}:" in each]
    assert complaint in found


def test_numbers_beyond_our_bounds_take_the_nearest(tmp_path: Path) -> None:
    report = import_text(tmp_path, "max_packet_size 20\nmax_inflight_bytes 99999999999999\n")
    config = imported(tmp_path)
    assert config.limits.packet_bytes_max == 64
    assert config.session.inflight_bytes_max == 1 << 40
    assert sum("the nearest that is allowed" in line for line in report.carried) == 2


# ---------------------------------------------------------------- listeners


def test_mutual_tls_becomes_a_tls_listener_for_both_protocols(tmp_path: Path) -> None:
    import_text(tmp_path, samples.MUTUAL_TLS, EMPTY_FILES)
    listeners = imported(tmp_path).listener
    assert [listener.address for listener in listeners] == [
        "127.0.0.1:1883",
        "[::1]:1883",
        "0.0.0.0:8883",
        "[::]:8883",
    ]
    assert [listener.connections_max for listener in listeners] == [0, 0, 200, 200]
    assert [listener.anonymous for listener in listeners] == [True] * 4
    for listener in listeners[2:]:
        tls = listener.tls
        assert tls is not None
        assert tls.certificate_file == f"{tmp_path}/server.crt"
        assert tls.key_file == f"{tmp_path}/server.key"
        assert tls.client_ca_file == f"{tmp_path}/ca.crt"
        assert tls.crl_file == f"{tmp_path}/revoked.crl"
        assert tls.client_certificate == "required"
        assert tls.username_from == "common_name"
        assert tls.version_min == "1.2"
        assert tls.ciphers == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_listeners_keep_their_own_settings(tmp_path: Path) -> None:
    report = import_text(tmp_path, samples.PER_LISTENER, FILES)
    local, devices, web, web_6 = imported(tmp_path).listener
    assert (local.address, local.anonymous) == ("127.0.0.1:1883", True)
    assert (devices.address, devices.anonymous) == ("0.0.0.0:8883", False)
    assert (devices.mount_point, devices.qos_max) == ("devices/", 1)
    assert (web.address, web_6.address) == ("0.0.0.0:9001", "[::]:9001")
    assert web.websocket is not None
    assert web.websocket.path == ""
    left = "\n".join(report.not_carried)
    assert "allow_zero_length_clientid false: it is one setting for all listeners here" in left
    assert "auto_id_prefix web-: it is one setting for all listeners here" in left
    notes = "\n".join(report.notes)
    assert "the users of all password files can log in at every listener here" in notes
    assert "the ACL holds at every listener here" in notes


def test_options_before_the_first_listener_open_the_default_listener(tmp_path: Path) -> None:
    """As with mosquitto, which surprises many."""
    import_text(tmp_path, "max_connections 5\nlistener 1884 127.0.0.1\n")
    assert [(each.address, each.connections_max) for each in imported(tmp_path).listener] == [
        ("0.0.0.0:1883", 5),
        ("[::]:1883", 5),
        ("127.0.0.1:1884", 0),
    ]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("listener 1883 0.0.0.0", ["0.0.0.0:1883"]),
        ("listener 1883 ::", ["[::]:1883"]),
        ("listener 1883 broker.example.org", ["broker.example.org:1883"]),
        ("listener 1883\nsocket_domain ipv4", ["0.0.0.0:1883"]),
        ("listener 1883\nsocket_domain ipv6", ["[::]:1883"]),
        ("listener 0 /run/mqtt.sock", ["unix:/run/mqtt.sock"]),
        ("listener 1883 # for all", ["0.0.0.0:1883", "[::]:1883"]),
        ("listener 1883\nbind_interface eth0", ["127.0.0.1:1883", "[::1]:1883"]),
        ("port 1999", ["0.0.0.0:1999", "[::]:1999"]),
        ("", ["127.0.0.1:1883", "[::1]:1883"]),
    ],
)
def test_a_listener_is_where_it_was(text: str, addresses: list[str], tmp_path: Path) -> None:
    import_text(tmp_path, f"{text}\n")
    assert [listener.address for listener in imported(tmp_path).listener] == addresses


def test_a_listener_with_pre_shared_keys_is_left_out_and_not_opened_without(
    tmp_path: Path,
) -> None:
    report = import_text(
        tmp_path, "listener 1883 127.0.0.1\nlistener 8883\npsk_hint x\npsk_file /etc/psk\n"
    )
    assert [listener.address for listener in imported(tmp_path).listener] == ["127.0.0.1:1883"]
    assert any("this listener is left out" in note for note in report.notes)


def test_half_of_a_certificate_is_told_by_the_check(tmp_path: Path) -> None:
    report = import_text(tmp_path, "listener 8883\ncertfile {dir}/server.crt\n", EMPTY_FILES)
    assert any("tls.key_file: is needed for TLS" in line for line in report.check)


def test_options_of_newer_versions_are_known(tmp_path: Path) -> None:
    report = import_text(
        tmp_path,
        "global_max_clients 10\nglobal_max_connections -1\nlistener 1883 127.0.0.1\n"
        "accept_protocol_versions 4, 5\nenable_proxy_protocol 2\nlistener_allow_anonymous true\n"
        "max_topic_alias 0\nuse_username_as_clientid true\nprotocol websockets\n"
        "websockets_origin https://a.example.org\nwebsockets_origin https://b.example.org\n",
    )
    config = imported(tmp_path)
    assert report.not_carried == []
    assert config.limits.clients_max == 10
    assert config.limits.connections_max == 0
    assert config.limits.protocol_versions == ("3.1.1", "5.0")
    assert config.limits.topic_alias_max == 0
    assert config.session.client_id_from == "username"
    (listener,) = config.listener
    assert listener.proxy_protocol is True
    assert listener.anonymous is True
    assert listener.websocket is not None
    assert listener.websocket.origins == ("https://a.example.org", "https://b.example.org")


# ---------------------------------------------------------------- files and coverage


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    import_text(tmp_path, samples.GLOBAL)
    before = (tmp_path / "new" / "edge.toml").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"edge\.toml would be overwritten"):
        run(str(tmp_path / "mosquitto.conf"), str(tmp_path / "new"))
    assert (tmp_path / "new" / "edge.toml").read_text(encoding="utf-8") == before


def test_a_configuration_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        run(str(tmp_path / "mosquitto.conf"), str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_files_with_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    import_text(tmp_path, samples.DEBIAN_LOCAL + samples.BRIDGE, FILES | EMPTY_FILES)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert set(modes) == {"edge.toml", "passwords", "acl", "upstream.toml"}
    assert modes["passwords"] == modes["upstream.toml"] == 0o600


def test_the_report_is_in_the_order_of_the_lines(tmp_path: Path) -> None:
    report = import_text(tmp_path, samples.GLOBAL + samples.BRIDGE, EMPTY_FILES)
    for part in (report.carried, report.ignored, report.not_carried):
        numbers = [int(line.split(":")[1]) for line in part]
        assert numbers == sorted(numbers)
    assert list(report.as_dict()) == [
        "wrote",
        "carried",
        "ignored",
        "notes",
        "not_carried",
        "check",
    ]


def test_each_key_of_the_result_says_where_it_is_from(tmp_path: Path) -> None:
    import_text(tmp_path, "max_queued_bytes 5\nlistener 1883 127.0.0.1\nmax_qos 1\n")
    text = (tmp_path / "new" / "edge.toml").read_text(encoding="utf-8")
    source = f"{tmp_path}/mosquitto.conf"
    assert f"queued_bytes_max = 5  # {source}:1: max_queued_bytes 5\n" in text
    assert f'address = "127.0.0.1:1883"  # {source}:2: listener 1883 127.0.0.1\n' in text
    assert f"qos_max = 1  # {source}:3: max_qos 1\n" in text


def every_option() -> list[str]:
    """Return the options that mosquitto's manual page of this machine describes, if it has one."""
    if shutil.which("man") is None:
        return []
    page = subprocess.run(
        ["man", "--pager=cat", "--no-justification", "mosquitto.conf"],
        capture_output=True,
        check=False,
        text=True,
        env={"MANWIDTH": "100", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ).stdout
    heads = re.findall(r"^ {7}([a-z][a-z0-9_.]*)(?: \S.*)?$", page, re.MULTILINE)
    return [name for name in heads if "_" in name or name in {"user", "port", "topic", "listener"}]


# The options of mosquitto 2.0, which this test does not depend on a manual page for.
OPTIONS_2_0 = """
acl_file allow_anonymous allow_duplicate_messages allow_zero_length_clientid auth_plugin
auth_plugin_deny_special_chars auto_id_prefix autosave_interval autosave_on_changes
check_retain_source clientid_prefixes connection_messages include_dir log_dest log_facility
log_timestamp log_timestamp_format log_type max_inflight_bytes max_inflight_messages max_keepalive
max_packet_size max_queued_bytes max_queued_messages memory_limit message_size_limit password_file
per_listener_settings persistence persistence_file persistence_location
persistent_client_expiration pid_file plugin psk_file queue_qos0_messages retain_available
set_tcp_nodelay sys_interval upgrade_outgoing_qos user bind_address bind_interface http_dir listener
max_connections max_qos max_topic_alias mount_point port protocol socket_domain
use_username_as_clientid websockets_log_level websockets_headers_size cafile capath certfile ciphers
ciphers_tls1.3 crlfile dhparamfile keyfile require_certificate tls_engine tls_engine_kpass_sha1
tls_keyform tls_version use_identity_as_username use_subject_as_username psk_hint address addresses
bridge_attempt_unsubscribe bridge_bind_address bridge_max_packet_size bridge_outgoing_retain
bridge_protocol_version cleansession local_cleansession connection keepalive_interval idle_timeout
local_clientid local_password local_username notifications notifications_local_only
notification_topic remote_clientid remote_password remote_username restart_timeout round_robin
start_type threshold topic try_private bridge_alpn bridge_cafile bridge_capath bridge_certfile
bridge_identity bridge_insecure bridge_keyfile bridge_psk bridge_require_ocsp bridge_tls_version
clientid username password auth_opt_x plugin_opt_x
""".split()  # noqa: SIM905


@pytest.mark.parametrize(
    "name", sorted({*OPTIONS_2_0, *every_option(), *LISTENER, *BRIDGE, *SECURITY, *IGNORED, *LEFT})
)
def test_every_option_of_mosquitto_is_known_and_told_once(name: str, tmp_path: Path) -> None:
    scope = "connection b\naddress a\n" if name in BRIDGE else "listener 1883 127.0.0.1\n"
    value = {"listener": "1884", "connection": "c", "topic": "a out 1"}.get(name, "true")
    report = import_text(tmp_path, f"{scope}{name} {value}\n")
    number = scope.count("\n") + 1
    about = [line for line in told(report) if f"mosquitto.conf:{number}:" in line]
    assert len(about) == 1
    assert "no such option" not in about[0]


@pytest.mark.parametrize(
    "name", sorted({*LISTENER, *BRIDGE, *SECURITY, "log_type", "sys_interval"})
)
@pytest.mark.parametrize("value", ["", "-5 ä", "x" * 300])
def test_any_value_is_told_about_without_a_traceback(name: str, value: str, tmp_path: Path) -> None:
    for per_listener in ("false", "true"):
        folder = tmp_path / per_listener
        scope = f"per_listener_settings {per_listener}\nlistener 1883 127.0.0.1\nconnection b\n"
        report = import_text(folder, f"{scope}{name} {value}\n{name} {value}\n")
        for number in (4, 5):
            about = [line for line in told(report) if f"mosquitto.conf:{number}:" in line]
            assert len(about) == 1
