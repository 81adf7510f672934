"""Options for the whole of mosquitto, and what they are in [limits], [session] and the like."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.options import IGNORED, LEFT
from edge.config.mosquitto.reader import is_security, is_true
from edge.config.schema import MIB, SECTIONS, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.mosquitto.files import EdgeToml
    from edge.config.mosquitto.reader import MosquittoConf
    from edge.config.mosquitto.report import ImportReport, Setting

# Options that are the same number here. mosquitto's 0 and -1 for "no limit" become our `no limit`.
_NUMBERS: Final[dict[str, tuple[str, int]]] = {
    # option: (key, what no limit is there)
    "global_max_clients": ("limits.clients_max", 0),
    "global_max_connections": ("limits.connections_max", 0),
    "max_inflight_bytes": ("session.inflight_bytes_max", 0),
    "max_inflight_messages": ("session.inflight_messages_max", 65_535),
    "max_keepalive": ("limits.keep_alive_s_max", 65_535),
    "max_packet_size": ("limits.packet_bytes_max", 268_435_460),
    "max_queued_bytes": ("session.queued_bytes_max", 0),
    "max_queued_messages": ("session.queued_messages_max", 0),
    "memory_limit": ("limits.memory_bytes_max", 0),
}
_FLAGS: Final = {
    "check_retain_source": "retained.check_source",
    "connection_messages": "log.connections",
    "queue_qos0_messages": "session.queue_qos0_offline",
    "retain_available": "limits.retain_available",
}
_NOTES: Final = {
    "memory_limit": (
        "limits.memory_bytes_max bounds messages, queues and buffers, not the whole process as "
        "memory_limit does; at the limit, messages are dropped and counted"
    ),
    "max_keepalive": (
        "above limits.keep_alive_s_max, MQTT 5.0 clients are told a shorter Keep Alive; others "
        "keep theirs"
    ),
}

# Seconds of a persistent_client_expiration's unit.
_UNITS_S: Final = {"h": 3600, "d": 86_400, "w": 604_800, "m": 2_592_000, "y": 31_536_000}
_EXPIRY_S_MAX: Final = 0xFFFF_FFFF
_SYS_INTERVAL_S_MAX: Final = 3600

# mosquitto's kinds of log lines; the least severe of those asked for counts.
_LOG_LEVELS: Final = {
    "all": "debug",
    "debug": "debug",
    "information": "info",
    "notice": "info",
    "subscribe": "info",
    "unsubscribe": "info",
    "websockets": "info",
    "internal": "info",
    "warning": "warning",
    "error": "error",
    "none": "error",
}
_LEVELS: Final = ("debug", "info", "warning", "error")
_LOG_DESTINATIONS: Final = {
    "file": "it goes to standard error: see `journalctl -u robustmq-edge`, or redirect it",
    "topic": "there is no log on topics; $SYS/brokers/... has statistics",
    "dlt": "it goes to standard error only",
    "android": "it goes to standard error only",
}

# What a PUBLISH has besides its payload: the topic may take 65,535 bytes.
_OVERHEAD_BYTES: Final = 65_535 + 1024

_MODE: Final = {True: "disk", False: "memory"}


def import_general(conf: MosquittoConf, toml: EdgeToml, report: ImportReport) -> None:
    """Carry over what is about no listener and no bridge."""
    for setting in conf.general.settings:
        name = setting.name
        if is_security(name):
            continue  # access.py knows those
        if name in _NUMBERS:
            _number(setting, toml, report)
        elif name in _FLAGS:
            report.carry(setting, toml.set(_FLAGS[name], is_true(setting), setting))
        elif name in _HANDLERS:
            _HANDLERS[name](setting, toml, report)
        elif name == "include_dir":
            _include_dir(conf, setting, report)
        elif name == "per_listener_settings":
            if is_true(setting):
                report.carry(setting, "what differs between listeners is told one by one")
            else:
                report.ignore(setting, "it is the default")
        elif name in IGNORED:
            report.ignore(setting, IGNORED[name])
        elif name in LEFT:
            report.leave(setting, LEFT[name])
        else:
            report.leave(setting, "mosquitto has no such option; check the spelling")


def whole_number(setting: Setting) -> int | None:
    """Return the number that an option takes, or None."""
    digits = setting.word.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    return int(setting.word)


def rule_of(path: str) -> Rule:
    """Return the bounds of one of our keys."""
    section, _, key = path.partition(".")
    rule: Rule = next(
        each.metadata["rule"] for each in fields(SECTIONS[section]) if each.name == key
    )
    return rule


def _number(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    path, unlimited = _NUMBERS[setting.name]
    value = whole_number(setting)
    if value is None:
        report.leave(setting, f"is no whole number; set {path}")
        return
    if value <= 0:
        value = unlimited
    elif setting.name == "memory_limit":
        value = max(value, MIB)
    rule = rule_of(path)
    bounded = min(max(value, rule.minimum), rule.maximum)
    now = toml.set(path, bounded, setting)
    report.carry(setting, now if bounded == value else f"{now}, the nearest that is allowed")
    if setting.name in _NOTES:
        report.note(_NOTES[setting.name])


def _include_dir(conf: MosquittoConf, setting: Setting, report: ImportReport) -> None:
    count = conf.included.get(setting.where)
    if count is None:
        report.ignore(setting, "mosquitto follows it only in its main file")
    elif count < 0:
        report.leave(setting, "the folder cannot be read: check its path and permissions")
    else:
        report.carry(setting, f"{count} file{'' if count == 1 else 's'} read")


def _message_size_limit(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    value = whole_number(setting)
    if value is None or value <= 0:
        report.ignore(setting, "it is no limit")
        return
    path = "limits.packet_bytes_max"
    wanted = min(value + _OVERHEAD_BYTES, rule_of(path).maximum)
    current = toml.get(path)
    if isinstance(current, int) and current <= wanted:
        report.ignore(setting, "max_packet_size is stricter")
        return
    report.carry(setting, toml.set(path, wanted, setting))
    report.note(
        "limits.packet_bytes_max counts whole packets, so there is room for topic and properties "
        "above message_size_limit; a client that passes it is disconnected"
    )


def _allow_duplicate_messages(setting: Setting, _: EdgeToml, report: ImportReport) -> None:
    if is_true(setting):
        report.ignore(setting, "it is the default")
    else:
        report.leave(setting, "overlapping subscriptions are served as MQTT says; see your filters")


def _log_dest(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    word = setting.word
    if word == "none":
        report.carry(setting, toml.set("log.level", "error", setting))
    elif word in _LOG_DESTINATIONS:
        report.leave(setting, _LOG_DESTINATIONS[word])
    else:
        report.ignore(setting, "the log goes to standard error, which systemd keeps in the journal")


def _log_type(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    level = _LOG_LEVELS.get(setting.word)
    if level is None:
        report.leave(setting, f"is no kind of log line; set log.level to {', '.join(_LEVELS)}")
        return
    current = toml.get("log.level")
    if isinstance(current, str) and _LEVELS.index(current) < _LEVELS.index(level):
        report.carry(setting, f'within log.level = "{current}"')
        return
    report.carry(setting, toml.set("log.level", level, setting))


def _persistence(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    report.carry(setting, toml.set("node.mode", _MODE[is_true(setting)], setting))
    if is_true(setting):
        report.note(
            "mosquitto.db is not read: retained messages and sessions stay behind. While mosquitto "
            "still runs, `mosquitto_sub -t '#' --retained-only -W 5 -v` shows the retained ones; "
            "clients subscribe again when they connect"
        )


def _persistent_client_expiration(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    number, unit = setting.word[:-1], setting.word[-1:]
    if not number.isascii() or not number.isdigit() or unit not in _UNITS_S or len(number) > 9:
        report.leave(setting, "is no number with h, d, w, m or y; set session.expiry_s_max")
        return
    seconds = min(int(number) * _UNITS_S[unit], _EXPIRY_S_MAX)
    now = [
        toml.set(f"session.{key}", seconds, setting) for key in ("expiry_s_max", "expiry_v311_s")
    ]
    report.carry(setting, ", ".join(now))


def _sys_interval(setting: Setting, toml: EdgeToml, report: ImportReport) -> None:
    seconds = whole_number(setting)
    if seconds is None or seconds < 0:
        report.leave(setting, "is no number of seconds; set sys.interval_s")
    elif seconds == 0:
        report.carry(setting, toml.set("sys.enabled", value=False, origin=setting))
    else:
        bounded = min(seconds, _SYS_INTERVAL_S_MAX)
        report.carry(setting, toml.set("sys.interval_s", bounded, setting))
    report.note(
        "statistics are in $SYS/brokers/{node}/..., not in $SYS/broker/...: adapt what reads them"
    )


def _upgrade_outgoing_qos(setting: Setting, _: EdgeToml, report: ImportReport) -> None:
    if is_true(setting):
        report.leave(setting, "MQTT does not allow it: publish with the QoS that receivers need")
    else:
        report.ignore(setting, "it is the default")


_HANDLERS: Final[dict[str, Callable[[Setting, EdgeToml, ImportReport], None]]] = {
    "allow_duplicate_messages": _allow_duplicate_messages,
    "log_dest": _log_dest,
    "log_type": _log_type,
    "message_size_limit": _message_size_limit,
    "persistence": _persistence,
    "persistent_client_expiration": _persistent_client_expiration,
    "retained_persistence": _persistence,
    "sys_interval": _sys_interval,
    "upgrade_outgoing_qos": _upgrade_outgoing_qos,
}
