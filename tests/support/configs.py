"""Configurations of the broker that several tests share; see broker.py for the words in braces."""

from __future__ import annotations

from typing import Final

OPEN_LISTENER: Final = """
[[listener]]
name = "test"
address = "{address}"
anonymous = true
"""

QOS_0_ONLY: Final = OPEN_LISTENER + "qos_max = 0\n"
QOS_1_ONLY: Final = OPEN_LISTENER + "qos_max = 1\n"
NO_RETAIN: Final = OPEN_LISTENER + "retain_available = false\n"
SMALL_PACKETS: Final = OPEN_LISTENER + "packet_bytes_max = 200\n"
NO_WILDCARDS: Final = "[limits]\nwildcard_available = false\n" + OPEN_LISTENER
NO_SHARED: Final = "[limits]\nshared_available = false\n" + OPEN_LISTENER
NO_ALIASES: Final = "[limits]\ntopic_alias_max = 0\n" + OPEN_LISTENER
FEW_INFLIGHT: Final = "[session]\nreceive_max = 3\ninflight_messages_max = 4\n" + OPEN_LISTENER
NO_EMPTY_CLIENT_ID: Final = "[session]\nclient_id_empty_allowed = false\n" + OPEN_LISTENER
ONLY_5: Final = '[limits]\nprotocol_versions = ["5.0"]\n' + OPEN_LISTENER
ONLY_3_1_1: Final = '[limits]\nprotocol_versions = ["3.1.1"]\n' + OPEN_LISTENER
PASSWORDS: Final = (
    '[access]\npassword_file = "{dir}/passwords"\n' + OPEN_LISTENER + "anonymous = false\n"
).replace("anonymous = true\n", "")
ACL: Final = '[access]\nacl_file = "{dir}/acl"\n' + OPEN_LISTENER
TCP_AND_WEBSOCKET: Final = (
    OPEN_LISTENER
    + """
[[listener]]
name = "websocket"
address = "127.0.0.1:{port_2}"
anonymous = true

[listener.websocket]
"""
)
ACL_THAT_DISCONNECTS: Final = ACL.replace("[access]\n", "[access]\ndeny_disconnects = true\n")
