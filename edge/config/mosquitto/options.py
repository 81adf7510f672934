"""The options of mosquitto 2.0 and 2.1 by where they belong; what becomes of those without code.

The importers of the other modules know the rest; a test sees to it that each option has a home.
"""

from __future__ import annotations

from typing import Final

# For all listeners, or for one of them with per_listener_settings; also auth_opt_*, plugin_opt_*.
SECURITY: Final = frozenset(
    {
        "acl_file", "allow_anonymous", "allow_zero_length_clientid", "auth_plugin",
        "auth_plugin_deny_special_chars", "auto_id_prefix", "password_file", "plugin",
        "psk_file",
    }
)  # fmt: skip

LISTENER: Final = frozenset(
    {
        "accept_protocol_versions", "bind_address", "bind_interface", "cafile", "capath",
        "certfile", "ciphers", "ciphers_tls1.3", "crlfile", "dhparamfile",
        "disable_client_cert_date_checks", "enable_proxy_protocol", "http_dir", "keyfile",
        "listener_allow_anonymous", "listener_auto_id_prefix", "max_connections", "max_qos",
        "max_topic_alias", "max_topic_alias_broker", "maximum_qos", "mount_point", "port",
        "protocol", "proxy_protocol_v2_require_tls", "psk_hint", "require_certificate",
        "socket_domain", "tls_engine", "tls_engine_kpass_sha1", "tls_keyform", "tls_version",
        "use_identity_as_username", "use_subject_as_username", "use_username_as_clientid",
        "websockets_origin",
    }
)  # fmt: skip

BRIDGE: Final = frozenset(
    {
        "address", "addresses", "bridge_alpn", "bridge_attempt_unsubscribe",
        "bridge_bind_address", "bridge_cafile", "bridge_capath", "bridge_certfile",
        "bridge_ciphers", "bridge_ciphers_tls1.3", "bridge_identity", "bridge_insecure",
        "bridge_keyfile", "bridge_max_packet_size", "bridge_max_topic_alias",
        "bridge_outgoing_retain", "bridge_protocol_version", "bridge_psk",
        "bridge_receive_maximum", "bridge_reload_type", "bridge_require_ocsp",
        "bridge_session_expiry_interval", "bridge_tcp_keepalive", "bridge_tcp_user_timeout",
        "bridge_tls_use_os_certs", "bridge_tls_version", "cleansession", "clientid",
        "idle_timeout", "keepalive_interval", "local_clientid", "local_cleansession",
        "local_password", "local_username", "notification_topic", "notifications",
        "notifications_local_only", "password", "remote_clientid", "remote_password",
        "remote_username", "restart_timeout", "round_robin", "start_type", "threshold", "topic",
        "try_private", "username",
    }
)  # fmt: skip

_JOURNAL: Final = "the log goes to standard error, which systemd keeps with the time in the journal"
_OWN_PACE: Final = "robustmq-edge-sync decides that by itself"

# Nothing is lost without them.
IGNORED: Final = {
    "autosave_interval": "nothing is saved only now and then; see node.mode",
    "autosave_on_changes": "nothing is saved only now and then; see node.mode",
    "log_facility": _JOURNAL,
    "log_timestamp": _JOURNAL,
    "log_timestamp_format": _JOURNAL,
    "packet_buffer_size": "the engine sizes its buffers itself",
    "pid_file": "systemd knows the process; there is no such file",
    "retry_interval": "mosquitto does not have it any more either",
    "set_tcp_nodelay": "TCP_NODELAY is always on",
    "user": "the systemd unit says whom the broker runs as",
    "websockets_headers_size": "the size of WebSocket headers is bounded anyway",
    "websockets_log_level": "there is one log, see [log]",
    # of a listener
    "dhparamfile": "OpenSSL chooses the group of the key exchange",
    "max_topic_alias_broker": "we use as many as we allow, see limits.topic_alias_max",
    # of a bridge
    "bridge_attempt_unsubscribe": _OWN_PACE,
    "bridge_max_topic_alias": _OWN_PACE,
    "bridge_receive_maximum": _OWN_PACE,
    "bridge_reload_type": _OWN_PACE,
    "bridge_session_expiry_interval": _OWN_PACE,
    "bridge_tcp_keepalive": _OWN_PACE,
    "bridge_tcp_user_timeout": _OWN_PACE,
    "idle_timeout": "the connection is kept open",
    "local_clientid": "what goes up is read from the log of the broker, not by an MQTT client",
    "local_cleansession": "what goes up is read from the log of the broker and never forgotten",
    "restart_timeout": _OWN_PACE,
    "threshold": "the connection is kept open",
    "try_private": "loops are stopped by where a message comes from, whatever the remote broker is",
}

_PLUGIN: Final = (
    "there are no plugins; users go into a password file (`robustmq-edge passwd`), rules into an "
    "ACL file"
)
_PSK: Final = "TLS with pre-shared keys is not supported: use certificates, or passwords over TLS"
_NO_ENGINE: Final = "keys in OpenSSL engines are not supported: give a PEM file as tls.key_file"

# What is missing without them, and what to do.
LEFT: Final = {
    "auth_plugin": _PLUGIN,
    "auth_plugin_deny_special_chars": "names with + # / never fill %c and %u; nothing is to be set",
    "clientid_prefixes": "write an ACL with `default deny` and rules below `client PREFIX*`",
    "enable_control_api": "use `robustmq-edge status`, `client list` and the like",
    "global_plugin": _PLUGIN,
    "persistence_file": "its content is not read; our state is in the folder node.data_dir",
    "persistence_location": (
        "its content is not read; our state is in the folder node.data_dir, in a format of its own"
    ),
    "plugin": _PLUGIN,
    "plugin_load": _PLUGIN,
    "plugin_use": _PLUGIN,
    "psk_file": _PSK,
    "quic_log_level": "QUIC is not supported",
    # of a listener
    "ciphers_tls1.3": "OpenSSL's TLS 1.3 cipher suites are used: all of them are sound",
    "disable_client_cert_date_checks": "expired certificates are always refused: renew them",
    "http_dir": "let a web server deliver the files",
    "proxy_protocol_v2_require_tls": "let the proxy refuse clients without TLS",
    "tls_engine": _NO_ENGINE,
    "tls_engine_kpass_sha1": _NO_ENGINE,
    # of a bridge
    "bridge_bind_address": "route the remote address over that interface",
    "bridge_ciphers": "OpenSSL's defaults are used",
    "bridge_ciphers_tls1.3": "OpenSSL's defaults are used",
    "bridge_identity": _PSK,
    "bridge_psk": _PSK,
    "bridge_tls_use_os_certs": "set tls.ca_file to /etc/ssl/certs/ca-certificates.crt",
    "local_password": "give robustmq-edge-sync a user with `robustmq-edge passwd`",
    "local_username": "give robustmq-edge-sync a user with `robustmq-edge passwd`",
    "notification_topic": "`robustmq-edge-sync` has metrics and a status of its own",
    "round_robin": "the addresses are tried in their order",
}
