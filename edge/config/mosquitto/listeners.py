"""Listeners: from `listener PORT [ADDRESS]` and what stands below it to [[listener]].

mosquitto listens on every address of a name, and on IPv4 and IPv6 alike; here an address is one
socket, so that one listener may become two. Where mosquitto narrows down who can connect and there
is no equal, the new listener is narrower still: on loopback only, or left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.files import TomlTable
from edge.config.mosquitto.general import whole_number
from edge.config.mosquitto.options import IGNORED, LEFT
from edge.config.mosquitto.reader import is_security, is_true
from edge.config.mosquitto.tls import TLS_OPTIONS, import_tls

if TYPE_CHECKING:
    from edge.config.mosquitto.files import EdgeToml
    from edge.config.mosquitto.reader import Block, MosquittoConf
    from edge.config.mosquitto.report import ImportReport, Setting

PORT_DEFAULT: Final = 1883

_IPV4: Final = "ipv4"
_IPV6: Final = "ipv6"
_LATER: Final = "a later line says something else"
_VERSIONS: Final = {"3": "3.1", "4": "3.1.1", "5": "5.0"}

# Set before any `listener`, one of these makes mosquitto open the default listener as well.
_OPENS_DEFAULT: Final = frozenset(
    {
        "bind_address", "bind_interface", "cafile", "capath", "certfile", "ciphers",
        "ciphers_tls1.3", "crlfile", "dhparamfile", "keyfile", "max_connections", "max_qos",
        "maximum_qos", "mount_point", "password_file", "plugin", "auth_plugin", "port",
        "protocol", "psk_file", "psk_hint", "require_certificate", "socket_domain",
        "tls_engine", "tls_engine_kpass_sha1", "tls_keyform", "use_identity_as_username",
        "use_subject_as_username", "use_username_as_clientid",
    }
)  # fmt: skip


@dataclass(slots=True)
class Listener:
    """One of mosquitto's listeners: its options, and where it listens."""

    block: Block
    port: int
    host: str  # or the path of a unix socket, if the port is 0
    is_local_only: bool = False

    @property
    def name(self) -> str:
        """What a report calls it."""
        return f"{self.host or '*'}:{self.port}" if self.port else self.host


def find_listeners(conf: MosquittoConf, report: ImportReport) -> list[Listener]:
    """Return all listeners, the default one first if mosquitto opens it."""
    listeners = []
    for block in conf.listeners:
        listener = _from_head(block, report)
        if listener is not None:
            listeners.append(listener)
    default = conf.default_listener
    names = {setting.name for setting in default.settings}
    if listeners and not names & _OPENS_DEFAULT:
        for setting in default.settings:
            report.ignore(setting, "it stands before the first listener and is for none of them")
        return listeners
    port = default.last("port")
    address = default.last("bind_address")
    for setting in default.all("port", "bind_address"):
        if setting in (port, address):
            report.carry(setting, "the address of a listener")
        else:
            report.ignore(setting, _LATER)
    number = PORT_DEFAULT if port is None else whole_number(port)
    is_local_only = port is None and address is None and not conf.listeners
    listeners.insert(
        0,
        Listener(
            default,
            number if number else PORT_DEFAULT,
            "" if address is None else address.value,
            is_local_only,
        ),
    )
    if is_local_only:
        report.note(
            "without `listener` and `port`, mosquitto serves this machine only, and so does this"
        )
    return listeners


def _from_head(block: Block, report: ImportReport) -> Listener | None:
    """Read `listener PORT [ADDRESS or PATH]`."""
    head = block.head
    if head is None:
        return None
    words = head.value.split()
    host = words[1] if len(words) > 1 and not words[1].startswith("#") else ""
    port = whole_number(head)
    if port is None or not 0 <= port <= 65_535 or (port == 0 and not host):
        report.leave(head, "is no port from 1 to 65535, or 0 and a unix socket")
        for setting in block.settings:
            report.leave(setting, "its listener was not carried over")
        return None
    report.carry(head, "[[listener]]")
    return Listener(block, port, host)


def import_listeners(
    conf: MosquittoConf, listeners: list[Listener], toml: EdgeToml, report: ImportReport
) -> None:
    """Write a [[listener]] for each address of each listener."""
    anonymous = _anonymous_of_all(conf, listeners, report)
    for listener in listeners:
        table = TomlTable("[[listener]]")
        is_usable = _options(conf, listener, table, report)
        own_anonymous = _anonymous(conf, listener, report)
        table.set("anonymous", anonymous if own_anonymous is None else own_anonymous)
        addresses = _addresses(listener)
        if not is_usable:
            where = listener.block.head or listener.name
            report.note(f"{where}: this listener is left out, it would be open to others")
            continue
        for index, address in enumerate(addresses):
            toml.listeners.append(_copy(table, address, listener, is_second=index > 0))
    if any(len(_addresses(listener)) > 1 for listener in listeners):
        report.note(
            "a listener on all addresses became two, for IPv4 and IPv6: remove the second where "
            "the machine has no IPv6"
        )
    _common_options(listeners, toml, report)


def _copy(table: TomlTable, address: str, listener: Listener, *, is_second: bool) -> TomlTable:
    result = TomlTable(table.header)
    head = listener.block.head
    result.comments = [*table.comments, *(["the same for IPv6"] if is_second else [])]
    result.set("address", address, "" if is_second or head is None else head)
    for key, value in table.values.items():
        result.set(key, value, "" if is_second else table.origin(key))
    result.nested = table.nested
    return result


def _addresses(listener: Listener) -> list[str]:
    """Return where to listen, once for each protocol."""
    if not listener.port:
        return [f"unix:{listener.host}"]
    domain = listener.block.last("socket_domain")
    wanted = (_IPV4, _IPV6) if domain is None else (domain.word,)
    host = listener.host
    if listener.block.last("bind_interface") is not None or listener.is_local_only:
        host = "localhost"
    hosts = {
        "": {_IPV4: "0.0.0.0", _IPV6: "[::]"},  # noqa: S104 - as mosquitto did
        "localhost": {_IPV4: "127.0.0.1", _IPV6: "[::1]"},
    }.get(host)
    if hosts is None:
        return [f"[{host}]:{listener.port}" if ":" in host else f"{host}:{listener.port}"]
    return [f"{hosts[each]}:{listener.port}" for each in (_IPV4, _IPV6) if each in wanted] or [
        f"127.0.0.1:{listener.port}"
    ]


# ---------------------------------------------------------------- options of one listener


def _options(
    conf: MosquittoConf, listener: Listener, table: TomlTable, report: ImportReport
) -> bool:
    """Carry over the options of one listener; False: it must not be opened."""
    block = listener.block
    for setting in block.settings:
        name = setting.name
        if name in ("port", "bind_address") or name in TLS_OPTIONS or is_security(name):
            continue  # find_listeners(), import_tls() and access.py tell about them
        if name == "max_connections":
            _max_connections(setting, table, report)
        elif name in ("max_qos", "maximum_qos"):
            _max_qos(setting, table, report)
        elif name == "mount_point":
            _mount_point(setting, table, report)
        elif name == "enable_proxy_protocol":
            table.set("proxy_protocol", value=True, origin=setting)
            report.carry(setting, "proxy_protocol = true, for both versions of it")
        elif name == "socket_domain":
            report.carry(setting, "the addresses of the listener")
        elif name == "bind_interface":
            report.leave(
                setting,
                "the listener is on loopback only: put the address of that interface in its place",
            )
        elif name in ("protocol", "websockets_origin"):
            continue
        elif name in _COMMON or name in _OWN_SECURITY:
            continue  # _common_options() and _anonymous()
        elif name in IGNORED:
            report.ignore(setting, IGNORED[name])
        else:
            report.leave(setting, LEFT[name])
    is_usable = _protocol(block, table, report)
    return import_tls(conf, block, table, report) and is_usable


def _max_connections(setting: Setting, table: TomlTable, report: ImportReport) -> None:
    value = whole_number(setting)
    if value is None:
        report.leave(setting, "is no whole number; set connections_max of the listener")
    elif value <= 0:
        report.ignore(setting, "it is no limit")
    else:
        table.set("connections_max", min(value, 1_000_000), setting)
        report.carry(setting, f"connections_max = {min(value, 1_000_000)} of each listener for it")


def _max_qos(setting: Setting, table: TomlTable, report: ImportReport) -> None:
    value = whole_number(setting)
    if value is None or not 0 <= value <= 2:
        report.leave(setting, "is none of 0, 1 and 2; set qos_max of the listener")
    else:
        table.set("qos_max", value, setting)
        report.carry(setting, f"qos_max = {value}")


def _mount_point(setting: Setting, table: TomlTable, report: ImportReport) -> None:
    if any(character in setting.value for character in "+#") or setting.value.startswith("$"):
        report.leave(setting, "is no beginning of a topic; set mount_point of the listener")
    else:
        table.set("mount_point", setting.value, setting)
        report.carry(setting, "mount_point")


def _protocol(block: Block, table: TomlTable, report: ImportReport) -> bool:
    """Carry over `protocol` and `websockets_origin`; False: we do not speak that."""
    protocol = block.last("protocol")
    for setting in block.all("protocol"):
        if setting is not protocol:
            report.ignore(setting, _LATER)
    origins = block.all("websockets_origin")
    if protocol is None or protocol.word == "mqtt":
        if protocol is not None:
            report.ignore(protocol, "it is the default")
        for setting in origins:
            report.ignore(setting, "this listener is not for WebSocket")
        return True
    if protocol.word != "websockets":
        for setting in (protocol, *origins):
            report.leave(setting, "is not supported: use MQTT over TCP or WebSocket")
        return False
    websocket = TomlTable("[listener.websocket]")
    websocket.set("path", "", protocol)  # mosquitto does not look at it
    if origins:
        websocket.set("origins", [setting.value for setting in origins], origins[0])
    table.nested.append(websocket)
    report.carry(protocol, "[listener.websocket]")
    for setting in origins:
        report.carry(setting, "origins")
    return True


# ---------------------------------------------------------------- who may stay unnamed

_OWN_SECURITY: Final = ("listener_allow_anonymous", "listener_auto_id_prefix")


def _anonymous_of_all(conf: MosquittoConf, listeners: list[Listener], report: ImportReport) -> bool:
    """Return what `allow_anonymous` says for all listeners; mosquitto: only if it is local."""
    setting = conf.general.last("allow_anonymous")
    for each in conf.general.all("allow_anonymous"):
        if each is setting:
            report.carry(each, "anonymous of each listener")
        else:
            report.ignore(each, _LATER)
    if any(listener.is_local_only for listener in listeners):
        return True
    return setting is not None and is_true(setting)


def _anonymous(conf: MosquittoConf, listener: Listener, report: ImportReport) -> bool | None:
    """Return what a listener says by itself."""
    result: bool | None = None
    names = ["listener_allow_anonymous"]
    if conf.per_listener:
        names.append("allow_anonymous")
        result = listener.is_local_only
    for setting in listener.block.all(*names):
        result = is_true(setting)
        report.carry(setting, f"anonymous = {'true' if result else 'false'}")
    return result


# ---------------------------------------------------------------- what is global here

# Options of a listener that are one for all listeners here.
_COMMON: Final = ("accept_protocol_versions", "max_topic_alias", "use_username_as_clientid")


def _common_options(listeners: list[Listener], toml: EdgeToml, report: ImportReport) -> None:
    """Carry over what mosquitto has for each listener, and we for all."""
    _versions(listeners, toml, report)
    _topic_alias(listeners, toml, report)
    blocks = [listener.block for listener in listeners]
    wanted = [block.is_true("use_username_as_clientid") for block in blocks]
    for block in blocks:
        for setting in block.all("use_username_as_clientid"):
            if not is_true(setting):
                report.ignore(setting, "it is the default")
            elif all(wanted):
                report.carry(setting, toml.set("session.client_id_from", "username", setting))
            else:
                report.leave(
                    setting,
                    "it is one setting for all listeners here: set session.client_id_from if all "
                    "clients have a User Name",
                )


def _versions(listeners: list[Listener], toml: EdgeToml, report: ImportReport) -> None:
    """Carry over `accept_protocol_versions` if all listeners agree."""
    name = "accept_protocol_versions"
    wanted = {_version_names(listener.block.last(name)) for listener in listeners}
    for listener in listeners:
        for setting in listener.block.all(name):
            names = _version_names(setting)
            if setting is not listener.block.last(name):
                report.ignore(setting, _LATER)
            elif len(wanted) == 1 and names:
                report.carry(setting, toml.set("limits.protocol_versions", list(names), setting))
            else:
                report.leave(
                    setting,
                    "it is one setting for all listeners here: see limits.protocol_versions",
                )


def _version_names(setting: Setting | None) -> tuple[str, ...]:
    words = ["3", "4", "5"] if setting is None else setting.value.replace(",", " ").split()
    return tuple(name for number, name in _VERSIONS.items() if number in words)


def _topic_alias(listeners: list[Listener], toml: EdgeToml, report: ImportReport) -> None:
    """Carry over the largest `max_topic_alias`."""
    settings = [
        setting for listener in listeners for setting in listener.block.all("max_topic_alias")
    ]
    numbers = {setting: whole_number(setting) for setting in settings}
    largest = max((number for number in numbers.values() if number is not None), default=0)
    for setting, number in numbers.items():
        if number is None or not 0 <= number <= 65_535:
            report.leave(setting, "is no number from 0 to 65535; set limits.topic_alias_max")
            continue
        now = toml.set("limits.topic_alias_max", largest, setting)
        report.carry(setting, f"{now}, one for all listeners")
