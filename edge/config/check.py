"""What one key cannot tell by itself: combinations, files, topics, expressions."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.config.address import parse_address
from edge.config.problems import Problem
from edge.config.schema import MIB
from edge.errors import ConfigError, EdgeError
from edge.topic import check_topic_filter, check_topic_name, parse_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.address import Address
    from edge.config.schema import (
        AutoSubscribeConfig,
        BanConfig,
        EdgeConfig,
        ListenerConfig,
        RewriteConfig,
        TlsConfig,
    )

MEMORY_BYTES_MIN: Final = 1 * MIB
PACKET_BYTES_MIN: Final = 64
UNIX_MODE_MAX: Final = 0o777
ASSIGNED_BYTES: Final = 18  # of an assigned Client Identifier, behind the prefix

# How many levels a topic may have follows from this key.
_LEVELS: Final = ("limits.topic_levels_max",)


def check(config: EdgeConfig) -> Iterator[Problem]:
    """Yield what is wrong with a tree whose values are right one by one."""
    yield from _plain_sections(config)
    if not config.listener:
        yield Problem("listener", "at least one [[listener]] is needed, or nobody can connect")
    levels_max = config.limits.topic_levels_max
    for index, listener in enumerate(config.listener):
        yield from _listener(listener, f"listener[{index}]", levels_max)
    yield from _overlapping(config)
    for index, ban in enumerate(config.ban):
        yield from _ban(ban, f"ban[{index}]")
    for index, rule in enumerate(config.rewrite):
        yield from _rewrite(rule, f"rewrite[{index}]", levels_max)
    for index, entry in enumerate(config.auto_subscribe):
        yield from _auto_subscribe(entry, f"auto_subscribe[{index}]", levels_max)


# ---------------------------------------------------------------- sections


def _plain_sections(config: EdgeConfig) -> Iterator[Problem]:
    node_id = config.node.id
    if any(character in node_id for character in "/+#"):
        yield Problem("node.id", "must be one level of a topic, without /, + and #", node_id)
    if 0 < config.limits.memory_bytes_max < MEMORY_BYTES_MIN:
        yield Problem(
            "limits.memory_bytes_max",
            f"must be 0, or {MEMORY_BYTES_MIN:_} and more",
            config.limits.memory_bytes_max,
        )
    if not config.limits.protocol_versions:
        yield Problem("limits.protocol_versions", "must name at least one version")
    prefix = config.session.client_id_prefix
    if len(prefix.encode()) + ASSIGNED_BYTES > config.session.client_id_bytes_max:
        yield Problem(
            "session.client_id_prefix",
            "leaves no room within session.client_id_bytes_max",
            prefix,
            ("session.client_id_bytes_max",),
        )
    if config.metrics.address:
        yield from _address(config.metrics.address, "metrics.address", tcp_only=True)
    yield from _readable(config.access.password_file, "access.password_file")
    yield from _readable(config.access.acl_file, "access.acl_file")


# ---------------------------------------------------------------- listeners


def _listener(listener: ListenerConfig, place: str, levels_max: int) -> Iterator[Problem]:
    yield from _address(listener.address, f"{place}.address")
    mode = listener.unix_mode
    if not mode or mode.strip("01234567") or int(mode, 8) > UNIX_MODE_MAX:
        yield Problem(f"{place}.unix_mode", "must be octal, 0000 to 0777", mode)
    if 0 < listener.packet_bytes_max < PACKET_BYTES_MIN:
        yield Problem(
            f"{place}.packet_bytes_max",
            f"must be 0, or {PACKET_BYTES_MIN} and more",
            listener.packet_bytes_max,
        )
    if listener.mount_point:
        yield from _mount_point(listener.mount_point, f"{place}.mount_point", levels_max)
    if listener.tls is not None:
        yield from _tls(listener.tls, f"{place}.tls")
    if listener.websocket is not None:
        path = listener.websocket.path
        if path and (not path.startswith("/") or any(mark in path for mark in " ?#")):
            yield Problem(
                f"{place}.websocket.path", "must begin with / and have no blank, ? or #", path
            )
        for origin in listener.websocket.origins:
            scheme, separator, host = origin.partition("://")
            if origin != "null" and (not scheme or not separator or not host or "/" in host):
                yield Problem(
                    f"{place}.websocket.origins",
                    "must be SCHEME://HOST or SCHEME://HOST:PORT, without a path",
                    origin,
                )


def _mount_point(mount_point: str, place: str, levels_max: int) -> Iterator[Problem]:
    if mount_point.startswith("$"):
        yield Problem(place, "must not begin with $: those topics are the broker's", mount_point)
        return
    try:
        check_topic_name(_filled(mount_point), levels_max)
    except EdgeError as error:
        yield Problem(
            place, f"is no beginning of a Topic Name: {error.message}", mount_point, _LEVELS
        )


def _tls(tls: TlsConfig, place: str) -> Iterator[Problem]:
    for key, path in (("certificate_file", tls.certificate_file), ("key_file", tls.key_file)):
        if not path:
            yield Problem(f"{place}.{key}", "is needed for TLS", related=(place,))
    for key, path in (
        ("certificate_file", tls.certificate_file),
        ("key_file", tls.key_file),
        ("client_ca_file", tls.client_ca_file),
        ("crl_file", tls.crl_file),
    ):
        yield from _readable(path, f"{place}.{key}")
    asked = f"{place}.client_certificate"
    if tls.client_certificate != "none":
        if not tls.client_ca_file:
            yield Problem(
                f"{place}.client_ca_file",
                "is needed to check client certificates",
                related=(place,),
            )
        return
    needs_one = 'has no effect unless client_certificate is "optional" or "required"'
    if tls.client_ca_file:
        yield Problem(f"{place}.client_ca_file", needs_one, tls.client_ca_file, (asked,))
    if tls.crl_file:
        yield Problem(f"{place}.crl_file", needs_one, tls.crl_file, (asked,))
    if tls.username_from != "none":
        yield Problem(f"{place}.username_from", needs_one, tls.username_from, (asked,))


def _overlapping(config: EdgeConfig) -> Iterator[Problem]:
    """Find addresses of which only one can be opened."""
    seen: list[tuple[str, Address]] = []
    wanted = [
        *(
            (f"listener[{index}].address", each.address)
            for index, each in enumerate(config.listener)
        ),
        ("metrics.address", config.metrics.address),
    ]
    for place, text in wanted:
        try:
            address = parse_address(text)
        except ConfigError:
            continue  # told elsewhere, or empty
        for other_place, other in seen:
            if address.overlaps(other):
                yield Problem(place, f"is taken by {other_place}", text, (other_place,))
                break
        seen.append((place, address))


# ---------------------------------------------------------------- bans, topics


def _ban(ban: BanConfig, place: str) -> Iterator[Problem]:
    if sum(bool(value) for value in (ban.client_id, ban.username, ban.address)) != 1:
        yield Problem(place, "set exactly one of client_id, username and address")
    if not ban.address:
        return
    import ipaddress

    try:
        ipaddress.ip_network(ban.address, strict=False)
    except ValueError:
        what = "is no IP address or network such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"
        yield Problem(f"{place}.address", what, ban.address)


def _rewrite(rule: RewriteConfig, place: str, levels_max: int) -> Iterator[Problem]:
    if rule.source:
        yield from _topic_filter(rule.source, f"{place}.source", levels_max)
    groups = 0
    if rule.pattern:
        import re
        import warnings

        try:
            with warnings.catch_warnings(action="ignore"):  # of what some day will be an error
                groups = re.compile(rule.pattern).groups
        except (re.error, RecursionError, OverflowError) as error:
            groups = 9  # whatever the target uses may be right
            yield Problem(f"{place}.pattern", f"is no regular expression: {error}", rule.pattern)
    if not rule.target:
        yield Problem(f"{place}.target", "is needed", related=(place,))
        return
    yield from _target(rule, f"{place}.target", groups, levels_max)


def _target(rule: RewriteConfig, place: str, groups: int, levels_max: int) -> Iterator[Problem]:
    target = rule.target
    pattern = place.replace(".target", ".pattern")
    for digit in "123456789":
        if f"${digit}" in target and int(digit) > groups:
            there = f"only {groups}" if groups else "none"
            yield Problem(
                place, f"uses ${digit}, and the pattern has {there} of ( )", target, (pattern,)
            )
            return
    for digit in "123456789":
        target = target.replace(f"${digit}", "x")
    try:
        if rule.action == "publish":
            check_topic_name(_filled(target), levels_max)
        else:
            check_topic_filter(_filled(target), levels_max)
    except EdgeError as error:
        yield Problem(place, f"is no topic: {error.message}", rule.target, _LEVELS)


def _auto_subscribe(entry: AutoSubscribeConfig, place: str, levels_max: int) -> Iterator[Problem]:
    if not entry.filter:
        yield Problem(f"{place}.filter", "is needed", related=(place,))
        return
    yield from _topic_filter(entry.filter, f"{place}.filter", levels_max)


def _topic_filter(text: str, place: str, levels_max: int) -> Iterator[Problem]:
    try:
        filled = _filled(text)
        shared = parse_shared(filled)
        check_topic_filter(filled if shared is None else shared.topic_filter, levels_max)
    except EdgeError as error:
        yield Problem(place, f"is no Topic Filter: {error.message}", text, _LEVELS)


def _filled(template: str) -> str:
    """Put something harmless in place of the names that are filled in later."""
    return template.replace("%c", "x").replace("%u", "x")


# ---------------------------------------------------------------- addresses, files


def _address(text: str, place: str, *, tcp_only: bool = False) -> Iterator[Problem]:
    try:
        address = parse_address(text)
    except ConfigError as error:
        what = error.message.removeprefix(f"address `{text}` ")
        yield Problem(place, f"{what}; {error.hint}", text)
        return
    if tcp_only and address.kind != "tcp":
        yield Problem(place, "must be HOST:PORT", text)


def _readable(path: str, place: str) -> Iterator[Problem]:
    """Check that a file is there and may be read; nothing is opened, it might be a pipe."""
    if not path:
        return
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        yield Problem(place, f"cannot be read: {getattr(error, 'strerror', error)}", path)
        return
    if stat.S_ISDIR(mode):
        yield Problem(place, "is a folder, and must be a file", path)
    elif not os.access(path, os.R_OK):
        yield Problem(place, "cannot be read: permission denied for this user", path)
