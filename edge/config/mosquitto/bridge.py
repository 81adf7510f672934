"""Bridges: from `connection NAME` and what stands below it to upstream.toml of robustmq-edge-sync.

[[endpoint]]     a remote broker: addresses, who we are there, TLS
[[route_up]]     what goes there: the local Topic Filter; local_prefix is taken off the Topic
                 Name and remote_prefix put in its place
[[route_down]]   what comes from there: the remote Topic Filter, prefixes the other way round
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.files import TomlTable
from edge.config.mosquitto.general import whole_number
from edge.config.mosquitto.options import IGNORED, LEFT
from edge.config.mosquitto.reader import is_true
from edge.errors import EdgeError
from edge.topic import check_topic_filter

if TYPE_CHECKING:
    from edge.config.mosquitto.reader import Block, MosquittoConf
    from edge.config.mosquitto.report import ImportReport, Setting

PORT_DEFAULT: Final = 1883

_LEVELS_MAX: Final = 1024
_PROTOCOLS: Final = {"mqttv31": "3.1", "mqttv311": "3.1.1", "mqttv50": "5.0"}
_TLS_VERSIONS: Final = {"tlsv1.2": "1.2", "tlsv1.3": "1.3"}
_LATER: Final = "a later line says something else"

# Options that are one string there and here.
_STRINGS: Final = {
    "remote_clientid": "client_id",
    "clientid": "client_id",
    "remote_username": "username",
    "username": "username",
    "remote_password": "password",
    "password": "password",
}
_TLS_PATHS: Final = {
    "bridge_cafile": "ca_file",
    "bridge_certfile": "certificate_file",
    "bridge_keyfile": "key_file",
}
# What may stand several times.
_REPEATED: Final = ("topic",)

_CONNECTED: Final = "robustmq-edge-sync connects at once and stays connected"
_NO_NOTICES: Final = "robustmq-edge-sync has a status and metrics of its own"


@dataclass(frozen=True, slots=True)
class _Topic:
    """One `topic` line."""

    pattern: str
    direction: str
    qos: int
    local_prefix: str
    remote_prefix: str


def import_bridges(conf: MosquittoConf, report: ImportReport) -> str:
    """Return the upstream.toml; empty if there is no bridge."""
    for setting in conf.strays:
        report.leave(setting, "it stands before any `connection`")
    tables: list[TomlTable] = []
    for block in conf.bridges:
        tables += _Bridge(conf, block, report).tables()
    if not tables:
        return ""
    report.note(
        "upstream.toml is for robustmq-edge-sync; the broker does not read it. It holds the "
        "passwords of the bridges"
    )
    head = (
        "# upstream.toml for robustmq-edge-sync, made by `robustmq-edge config import-mosquitto`.\n"
        "# The broker does not read it."
    )
    return "\n\n".join([head, *(table.text() for table in tables)]) + "\n"


class _Bridge:
    def __init__(self, conf: MosquittoConf, block: Block, report: ImportReport) -> None:
        self._conf = conf
        self._block = block
        self._report = report
        self._endpoint = TomlTable("[[endpoint]]")
        self._tls = TomlTable("[endpoint.tls]")
        self._routes: list[TomlTable] = []
        self._name = "" if block.head is None else block.head.word

    def tables(self) -> list[TomlTable]:
        """Carry over one bridge."""
        head = self._block.head
        if head is not None:
            self._endpoint.set("name", self._name, head)
            self._report.carry(head, "[[endpoint]] in upstream.toml")
        for setting in self._block.settings:
            if setting.name not in _REPEATED and setting is not self._last_of(setting):
                self._report.ignore(setting, _LATER)
            else:
                self._option(setting)
        if self._tls.values:
            self._endpoint.nested.append(self._tls)
        if "address" not in self._endpoint.values and head is not None:
            self._report.note(f"{head.where}: the bridge `{self._name}` has no address: add one")
        return [self._endpoint, *self._routes]

    def _last_of(self, setting: Setting) -> Setting | None:
        """Return the setting that counts among those of an option and its old name."""
        ours = _STRINGS.get(setting.name)
        names = [name for name, other in _STRINGS.items() if other == ours] if ours else []
        if setting.name in ("address", "addresses"):
            names = ["address", "addresses"]
        return self._block.last(*(names or [setting.name]))

    def _option(self, setting: Setting) -> None:
        name = setting.name
        if name in ("address", "addresses"):
            self._addresses(setting)
        elif name in _STRINGS:
            self._set(setting, _STRINGS[name], setting.value, is_secret="password" in name)
        elif name == "topic":
            self._topic(setting)
        elif name in _TLS_PATHS:
            self._set_tls(setting, _TLS_PATHS[name], str(self._conf.resolve(setting.value)))
        elif name == "bridge_alpn":
            self._set_tls(setting, "alpn", setting.value)
        elif name in _HANDLERS:
            _HANDLERS[name](self, setting)
        elif name in IGNORED:
            self._report.ignore(setting, IGNORED[name])
        else:
            self._report.leave(setting, LEFT[name])

    def _set(self, setting: Setting, key: str, value: object, *, is_secret: bool = False) -> None:
        self._endpoint.set(key, value, setting.where if is_secret else setting)
        self._report.carry(setting, f"endpoint.{key}")

    def _set_tls(self, setting: Setting, key: str, value: object) -> None:
        self._tls.set(key, value, setting)
        self._report.carry(setting, f"endpoint.tls.{key}")

    def _addresses(self, setting: Setting) -> None:
        addresses = []
        for word in setting.value.split():
            if word.startswith("#"):
                break
            host, colon, port = word.rpartition(":")
            if not colon:
                host, port = word, str(PORT_DEFAULT)
            host = f"[{host}]" if ":" in host and not host.startswith("[") else host
            addresses.append(f"{host}:{port}")
        if not addresses:
            self._report.leave(setting, "names no address")
            return
        self._set(setting, "address", addresses[0])
        if len(addresses) > 1:
            self._endpoint.set("fallback_addresses", addresses[1:])

    # -- routes

    def _topic(self, setting: Setting) -> None:
        """Carry over `topic PATTERN [DIRECTION [QOS [LOCAL_PREFIX [REMOTE_PREFIX]]]]`."""
        topic = _parse_topic(setting.value)
        if isinstance(topic, str):
            self._report.leave(setting, topic)
            return
        ways = {"out": ["up"], "in": ["down"], "both": ["up", "down"]}[topic.direction]
        for way in ways:
            prefix = topic.local_prefix if way == "up" else topic.remote_prefix
            table = TomlTable(f"[[route_{way}]]")
            table.set("endpoint", self._name, setting)
            table.set("filter", prefix + topic.pattern)
            table.set("qos", topic.qos)
            table.set("local_prefix", topic.local_prefix)
            table.set("remote_prefix", topic.remote_prefix)
            keeps_retain = self._block.last("bridge_outgoing_retain")
            if way == "up" and keeps_retain is not None and not is_true(keeps_retain):
                table.set("retain", value=False, origin=keeps_retain)
            self._routes.append(table)
        self._report.carry(setting, " and ".join(f"[[route_{way}]]" for way in ways))

    # -- options that need a look

    def protocol_version(self, setting: Setting) -> None:
        version = _PROTOCOLS.get(setting.word)
        if version is None:
            self._report.leave(setting, "is none of mqttv31, mqttv311 and mqttv50")
        else:
            self._set(setting, "protocol_version", version)

    def clean_session(self, setting: Setting) -> None:
        self._set(setting, "clean_start", is_true(setting))

    def keep_alive(self, setting: Setting) -> None:
        seconds = whole_number(setting)
        if seconds is None or seconds > 65_535:
            self._report.leave(setting, "is no number of seconds up to 65535")
        else:
            self._set(setting, "keep_alive_s", max(seconds, 5))

    def packet_size(self, setting: Setting) -> None:
        count = whole_number(setting)
        if count is None or count <= 0:
            self._report.ignore(setting, "it is no limit")
        else:
            self._set(setting, "packet_bytes_max", count)

    def outgoing_retain(self, setting: Setting) -> None:
        if is_true(setting):
            self._report.ignore(setting, "it is the default")
        else:
            self._report.carry(setting, "retain = false in each [[route_up]]")

    def tls_version(self, setting: Setting) -> None:
        version = _TLS_VERSIONS.get(setting.word)
        if version is None:
            self._report.leave(setting, "TLS 1.2 is the oldest version here")
        else:
            self._set_tls(setting, "version_min", version)

    def capath(self, setting: Setting) -> None:
        self._report.leave(
            setting,
            f"put the certificates into one file, `cat {setting.value}/*.crt > ca.pem`, and name "
            "it as endpoint.tls.ca_file",
        )

    def insecure(self, setting: Setting) -> None:
        if is_true(setting):
            self._report.leave(
                setting, "the name in the remote certificate is always checked: give it one"
            )
        else:
            self._report.ignore(setting, "it is the default")

    def ocsp(self, setting: Setting) -> None:
        if is_true(setting):
            self._report.leave(setting, "OCSP is not asked: use certificates that live shortly")
        else:
            self._report.ignore(setting, "it is the default")

    def start_type(self, setting: Setting) -> None:
        if setting.word == "automatic":
            self._report.ignore(setting, "it is the default")
        else:
            self._report.leave(setting, _CONNECTED)

    def notices(self, setting: Setting) -> None:
        if setting.name == "notifications" and is_true(setting):
            self._report.leave(setting, _NO_NOTICES)
        else:
            self._report.ignore(setting, _NO_NOTICES)

    def round_robin(self, setting: Setting) -> None:
        if is_true(setting):
            self._report.leave(setting, LEFT["round_robin"])
        else:
            self._report.ignore(setting, "it is the default")


_HANDLERS: Final = {
    "bridge_capath": _Bridge.capath,
    "bridge_insecure": _Bridge.insecure,
    "bridge_max_packet_size": _Bridge.packet_size,
    "bridge_outgoing_retain": _Bridge.outgoing_retain,
    "bridge_protocol_version": _Bridge.protocol_version,
    "bridge_require_ocsp": _Bridge.ocsp,
    "bridge_tls_version": _Bridge.tls_version,
    "cleansession": _Bridge.clean_session,
    "keepalive_interval": _Bridge.keep_alive,
    "notifications": _Bridge.notices,
    "notifications_local_only": _Bridge.notices,
    "round_robin": _Bridge.round_robin,
    "start_type": _Bridge.start_type,
}


def _parse_topic(text: str) -> _Topic | str:
    """Read what stands behind `topic`; a string says what is wrong with it."""
    words = text.split()
    for index, word in enumerate(words):
        # mosquitto takes # behind the direction for a comment.
        if index >= 2 and word.startswith("#"):
            words = words[:index]
            break
    words = ["" if word == '""' else word for word in words]
    if not words:
        return "names no topic"
    pattern, direction, qos, local_prefix, remote_prefix = [
        *words[:5],
        *("", "out", "0", "", "")[len(words) :],
    ]
    direction = direction.lower()
    if direction not in ("in", "out", "both"):
        return f"its direction is none of in, out and both: `{direction}`"
    if qos not in ("0", "1", "2"):
        return f"its QoS is none of 0, 1 and 2: `{qos}`"
    if not pattern and not (local_prefix and remote_prefix):
        return "a topic that is empty needs both prefixes"
    for prefix in (local_prefix, remote_prefix):
        try:
            check_topic_filter(prefix + pattern, _LEVELS_MAX)
        except EdgeError as error:
            return f"`{prefix + pattern}` is no Topic Filter: {error.message}"
        if "+" in prefix or "#" in prefix:
            return f"the prefix `{prefix}` has a wildcard"
    return _Topic(pattern, direction, int(qos), local_prefix, remote_prefix)
