"""The settings that hold now: the configuration, and what it means on each listener.

A reload replaces them as a whole; clients that are connected keep what they were granted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edge.config.schema import EdgeConfig, ListenerConfig

_VERSIONS: Final = {"3.1": 3, "3.1.1": 4, "5.0": 5}

# The largest Keep Alive that the protocol has: as a bound it bounds nothing.
KEEP_ALIVE_S_UNBOUNDED: Final = 65_535


class ListenerPolicy:
    """What a client gets on one listener: its own settings, else the global ones."""

    __slots__ = (
        "address",
        "anonymous_allowed",
        "certificate_required",
        "index",
        "is_mount_per_client",
        "keep_alive_s_max",
        "mount_point",
        "name",
        "packet_bytes_max",
        "qos_max",
        "retain_available",
        "username_from",
    )

    def __init__(
        self, index: int, listener: ListenerConfig, config: EdgeConfig, *, is_local: bool
    ) -> None:
        limits = config.limits
        self.index = index
        self.name = listener.name or listener.address
        self.address = listener.address
        # Unset: only who is on this machine may stay unnamed.
        self.anonymous_allowed = is_local if listener.anonymous is None else listener.anonymous
        self.keep_alive_s_max = listener.keep_alive_s_max or limits.keep_alive_s_max
        self.packet_bytes_max = listener.packet_bytes_max or limits.packet_bytes_max
        self.qos_max = min(listener.qos_max, limits.qos_max)
        self.retain_available = listener.retain_available and limits.retain_available
        self.username_from = listener.tls.username_from if listener.tls else "none"
        self.certificate_required = (
            listener.tls is not None and listener.tls.client_certificate == "required"
        )
        self.mount_point = listener.mount_point
        self.is_mount_per_client = "%" in listener.mount_point


class Settings:
    """The configuration in force and the listener policies that follow from it."""

    __slots__ = ("config", "listeners", "versions")

    def __init__(self, config: EdgeConfig) -> None:
        self.config: EdgeConfig
        self.listeners: tuple[ListenerPolicy, ...]
        self.versions: frozenset[int]
        self.replace(config)

    def replace(self, config: EdgeConfig) -> None:
        """Put another configuration in force."""
        from edge.config.address import parse_address

        self.config = config
        self.listeners = tuple(
            ListenerPolicy(
                index,
                listener,
                config,
                is_local=parse_address(listener.address).is_loopback,
            )
            for index, listener in enumerate(config.listener)
        )
        self.versions = frozenset(
            _VERSIONS[name] for name in config.limits.protocol_versions if name in _VERSIONS
        )
