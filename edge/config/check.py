"""What one key cannot tell by itself: combinations, files, expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.config.address import parse_address
from edge.errors import ConfigError, EdgeError
from edge.topic import check_topic_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.schema import EdgeConfig, ListenerConfig, TlsConfig

PROTOCOL_VERSIONS: Final = ("3.1", "3.1.1", "5.0")


def check(config: EdgeConfig) -> Iterator[tuple[str, str]]:
    """Yield each problem as (path in the file, what is wrong)."""
    if not config.listener:
        yield "listener", "at least one [[listener]] is needed, or nobody can connect"
    addresses: set[str] = set()
    for index, listener in enumerate(config.listener):
        place = f"listener[{index}]"
        yield from _listener(listener, place)
        if listener.address in addresses and not listener.address.endswith(":0"):
            yield f"{place}.address", f"`{listener.address}` is used by another listener"
        addresses.add(listener.address)
    if config.metrics.address:
        yield from _address(config.metrics.address, "metrics.address")
    for version in config.limits.protocol_versions:
        if version not in PROTOCOL_VERSIONS:
            yield (
                "limits.protocol_versions",
                f"`{version}` must be one of: {', '.join(PROTOCOL_VERSIONS)}",
            )
    if not config.limits.protocol_versions:
        yield "limits.protocol_versions", "must name at least one version"
    for index, ban in enumerate(config.ban):
        if sum(bool(value) for value in (ban.client_id, ban.username, ban.address)) != 1:
            yield f"ban[{index}]", "set exactly one of client_id, username and address"
        if ban.address:
            yield from _network(ban.address, f"ban[{index}].address")
    yield from _topics(config)
    for place, path in (
        ("access.password_file", config.access.password_file),
        ("access.acl_file", config.access.acl_file),
    ):
        if path:
            yield from _readable(path, place)


def _listener(listener: ListenerConfig, place: str) -> Iterator[tuple[str, str]]:
    yield from _address(listener.address, f"{place}.address")
    try:
        if not 0 <= int(listener.unix_mode, 8) <= 0o777:
            raise ValueError
    except ValueError:
        yield f"{place}.unix_mode", f"`{listener.unix_mode}` must be octal, 0000 to 0777"
    if listener.tls is not None:
        yield from _tls(listener.tls, f"{place}.tls")
    if listener.websocket is not None and listener.websocket.path[:1] not in {"", "/"}:
        yield f"{place}.websocket.path", f"`{listener.websocket.path}` must start with /"
    if "#" in listener.mount_point or "+" in listener.mount_point:
        yield f"{place}.mount_point", "a prefix of topics has no wildcards"


def _tls(tls: TlsConfig, place: str) -> Iterator[tuple[str, str]]:
    for key, path in (("certificate_file", tls.certificate_file), ("key_file", tls.key_file)):
        if not path:
            yield f"{place}.{key}", "is needed for TLS"
        else:
            yield from _readable(path, f"{place}.{key}")
    for key, path in (("client_ca_file", tls.client_ca_file), ("crl_file", tls.crl_file)):
        if path:
            yield from _readable(path, f"{place}.{key}")
    if tls.client_certificate != "none" and not tls.client_ca_file:
        yield f"{place}.client_ca_file", "is needed to check client certificates"
    if tls.username_from != "none" and tls.client_certificate == "none":
        yield f"{place}.username_from", 'needs client_certificate = "optional" or "required"'


def _topics(config: EdgeConfig) -> Iterator[tuple[str, str]]:
    levels_max = config.limits.topic_levels_max
    for index, rule in enumerate(config.rewrite):
        place = f"rewrite[{index}]"
        if not rule.target:
            yield f"{place}.target", "is needed"
        try:
            check_topic_filter(rule.source, levels_max)
        except EdgeError as error:
            yield f"{place}.source", f"`{rule.source}`: {error.message}"
        import re

        try:
            re.compile(rule.pattern)
        except re.error as error:
            yield f"{place}.pattern", f"`{rule.pattern}` is no regular expression: {error}"
    for index, entry in enumerate(config.auto_subscribe):
        try:
            check_topic_filter(entry.filter, levels_max)
        except EdgeError as error:
            yield f"auto_subscribe[{index}].filter", f"`{entry.filter}`: {error.message}"


def _address(text: str, place: str) -> Iterator[tuple[str, str]]:
    try:
        parse_address(text)
    except ConfigError as error:
        yield place, str(error)


def _network(text: str, place: str) -> Iterator[tuple[str, str]]:
    import ipaddress

    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        yield place, f"`{text}` is no IP address or network such as 10.0.0.0/8"


def _readable(path: str, place: str) -> Iterator[tuple[str, str]]:
    try:
        with open(path, "rb"):  # noqa: PTH123  (pathlib costs the idle broker memory)
            pass
    except OSError as error:
        yield place, f"`{path}`: {error.strerror}"
