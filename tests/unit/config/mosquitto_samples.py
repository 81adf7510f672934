"""Configurations of mosquitto as they are found on machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.config.import_mosquitto import ImportReport, run

if TYPE_CHECKING:
    from pathlib import Path

# As Debian installs it, up to the paths.
DEBIAN = """\
# Place your local configuration in /etc/mosquitto/conf.d/
#
# A full description of the configuration file is at
# /usr/share/doc/mosquitto/examples/mosquitto.conf.example

pid_file /run/mosquitto/mosquitto.pid

persistence true
persistence_location /var/lib/mosquitto/

log_dest file /var/log/mosquitto/mosquitto.log

include_dir {dir}/conf.d
"""

# What people put into conf.d.
DEBIAN_LOCAL = """\
listener 1883
allow_anonymous false
password_file {dir}/passwd
acl_file {dir}/aclfile
"""

# mosquitto_passwd of 1.6 and of 2.0; the password of each is `secret`.
HASH_6 = (
    "$6$c2FsdHNhbHRzYWx0$"
    "3aiBbchfIZo+1WYrkPzJjQxZ79F/NmwLQ+wF073kTd+6ANhaic8G/jWF/X4sqSFUKpLNdm1FZjBck6HQ8knM3A=="
)
HASH_7 = (
    "$7$101$c2FsdHNhbHRzYWx0$"
    "Hd71hnNoKcARd6Fkl1rUE+opfs3V78ZJB2AgXXC1kaKQiWfi5S5qX7D1mY5b+bIzvyidWMnS8VA+YAsAygq9EA=="
)
PASSWORDS = f"""\
roger:{HASH_6}
sub_client:{HASH_7}
"""

ACL = """\
# This affects access control for clients with no username.
topic read $SYS/#

# This only affects clients with username "roger".
user roger
topic foo/bar

# This affects all clients.
pattern write $SYS/broker/connection/%c/state
"""

MUTUAL_TLS = """\
listener 1883 localhost
allow_anonymous true

listener 8883
cafile {dir}/ca.crt
certfile {dir}/server.crt
keyfile {dir}/server.key
crlfile {dir}/revoked.crl
require_certificate true
use_identity_as_username true
tls_version tlsv1.2
ciphers ECDHE-ECDSA-AES128-GCM-SHA256
max_connections 200
"""

PER_LISTENER = """\
per_listener_settings true

listener 1883 127.0.0.1
allow_anonymous true

listener 8883 0.0.0.0
password_file {dir}/passwd
acl_file {dir}/aclfile
allow_zero_length_clientid false
mount_point devices/
max_qos 1

listener 9001
protocol websockets
allow_anonymous false
password_file {dir}/passwd2
auto_id_prefix web-
"""

BRIDGE = """\
listener 1883
allow_anonymous true

connection factory-7
address cloud.example.org:8883 backup.example.org
bridge_protocol_version mqttv50
remote_clientid factory-7
remote_username factory
remote_password p"ss\\word
bridge_cafile {dir}/ca.crt
bridge_tls_version tlsv1.2
cleansession false
keepalive_interval 30
notifications true
start_type automatic
restart_timeout 10 30
try_private false
topic sensors/# out 1 site/ factory-7/
topic commands/+/set in 2 "" factory-7/
topic alarms both 1
topic "" out 0 local/status remote/7/status
"""

GLOBAL = """\
allow_duplicate_messages true
autosave_interval 300
check_retain_source false
connection_messages false
log_type warning
log_type notice
max_inflight_bytes 100000
max_inflight_messages 0
max_keepalive 600
max_packet_size 4096
max_queued_bytes 1000000
max_queued_messages 500
memory_limit 50000000
message_size_limit 2048
persistent_client_expiration 14d
queue_qos0_messages true
retain_available false
set_tcp_nodelay true
sys_interval 0
upgrade_outgoing_qos false
user mosquitto
clientid_prefixes dev-
port 1884
bind_address 127.0.0.1
"""


def import_text(folder: Path, text: str, files: dict[str, str] | None = None) -> ImportReport:
    """Import a configuration that is written into a folder, with the files it names."""
    for name, content in {"mosquitto.conf": text, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("{dir}", str(folder)), encoding="utf-8")
    return run(str(folder / "mosquitto.conf"), str(folder / "new"))


def told(report: ImportReport) -> list[str]:
    """Return everything a report says about single settings."""
    return [*report.carried, *report.ignored, *report.not_carried]
