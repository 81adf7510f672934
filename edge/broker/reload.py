"""SIGHUP and `reload`: read the files again and let what can change live take effect.

All files are read before anything changes: one error, and everything stays as it was. What belongs
to the engine or to an open socket needs a restart, and the log names it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final

from edge.access.bans import BanList
from edge.config.schema import NodeConfig
from edge.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.access.acl import AclFile
    from edge.access.passwords import PasswordFile
    from edge.broker.control_plane import ControlPlane
    from edge.config.schema import AccessConfig, EdgeConfig, ListenerConfig

# Settings that were given to the engine, or to something else that is made once.
NEEDS_RESTART: Final = {
    "node": ("id", "mode", "data_dir", "control_socket"),
    "limits": (
        "memory_bytes_max",
        "connections_max",
        "packet_timeout_s",
        "topic_levels_max",
    ),
    "session": (
        "inflight_bytes_max",
        "queued_messages_max",
        "queued_bytes_max",
        "queued_messages_total_max",
        "queued_bytes_total_max",
        "output_bytes_max",
        "queue_full",
        "queue_qos0_offline",
    ),
    "retained": (),
    "metrics": (),
}
_LISTENER_NEEDS_RESTART: Final = (
    "unix_mode",
    "proxy_protocol",
    "connections_max",
    "websocket",
)


class AccessFiles:
    """The password file and the ACL file, read and checked; None where there is none."""

    __slots__ = ("acl", "passwords")

    def __init__(self, passwords: PasswordFile | None, acl: AclFile | None) -> None:
        self.passwords = passwords
        self.acl = acl

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know about them, in whole sentences."""
        return self.passwords.warnings if self.passwords is not None else ()


def read_access_files(access: AccessConfig) -> AccessFiles:
    """Read what `[access]` names.

    Raises:
        AccessError: a file is missing or wrong.
    """
    passwords = None
    acl = None
    if access.password_file:
        from edge.access.passwords import PasswordFile

        passwords = PasswordFile.load(access.password_file)
    if access.acl_file:
        from edge.access.acl import AclFile

        acl = AclFile.load(access.acl_file)
    return AccessFiles(passwords, acl)


class Reloader:
    """Reads the configuration again. `apply_others` gets the new one for logs, TLS and `$SYS`."""

    def __init__(
        self,
        plane: ControlPlane,
        *,
        config_path: str | None,
        environ: Mapping[str, str],
        prepare_others: Callable[[EdgeConfig], Callable[[], None]],
    ) -> None:
        """Wire up.

        Args:
            plane: whose settings change.
            config_path: of edge.toml; None: only the other files are read again.
            environ: the environment, which overrides the file.
            prepare_others: reads what else the new configuration names, e.g. certificates, and
                returns the function that puts it in force.
        """
        self._plane = plane
        self._config_path = config_path
        self._environ = environ
        self._prepare_others = prepare_others

    async def reload(self) -> dict[str, object]:
        """Reload and tell what happened.

        Raises:
            EdgeError: a file is wrong; nothing has changed.
        """
        context = self._plane.context
        try:
            wanted = self._load()
            files = read_access_files(wanted.access)
            config, needs_restart = merge(context.settings.config, wanted)
            BanList(config.ban)  # would say what is wrong
            put_others_in_force = self._prepare_others(config)
        except EdgeError as error:
            context.log.error("config.reload_failed", why=str(error), hint="the old one holds on")
            raise
        context.settings.replace(config)
        put_others_in_force()
        dropped = self._apply(config, files)
        context.engine.flush()
        for warning in files.warnings:
            context.log.warning("access.warning", what=warning)
        if needs_restart:
            context.log.warning("config.needs_restart", settings=", ".join(needs_restart))
        context.log.info("config.reloaded", file=self._config_path or "(defaults)", **dropped)
        return {"needs_restart": needs_restart, **dropped}

    def _load(self) -> EdgeConfig:
        if self._config_path is None:
            return self._plane.context.settings.config
        from edge.config.load import load

        return load(self._config_path, self._environ)

    def _apply(self, config: EdgeConfig, files: AccessFiles) -> dict[str, int]:
        plane = self._plane
        plane.authentication.passwords = files.passwords
        plane.access.replace(files.acl)
        plane.rewriter.replace(config.rewrite)
        plane.context.engine.set_map_filters(plane.rewriter.map_filters())
        plane.admission.configure()
        plane.admission.bans.configure(config.ban)
        return {
            "subscriptions_dropped": sum(
                plane.subscriptions.recheck(client) for client in plane.context.clients
            ),
            "clients_banned": plane.disconnect_banned(),
        }


def merge(running: EdgeConfig, wanted: EdgeConfig) -> tuple[EdgeConfig, list[str]]:
    """Return the configuration to put in force, and the settings that a restart would change.

    Listeners are matched by address; one that is new or gone needs a restart.
    """
    needs_restart = [
        f"{section}.{name}"
        for section, names in NEEDS_RESTART.items()
        for name in (names or [field.name for field in fields(getattr(running, section))])
        if _differs(getattr(running, section), getattr(wanted, section), name)
    ]
    wanted_at = {listener.address: listener for listener in wanted.listener}
    listeners = []
    for listener in running.listener:
        other = wanted_at.pop(listener.address, None)
        if other is None:
            needs_restart.append(f"listener {listener.address} (gone)")
            listeners.append(listener)
            continue
        merged, names = _merge_listener(listener, other)
        needs_restart += [f"listener {listener.address} {name}" for name in names]
        listeners.append(merged)
    needs_restart += [f"listener {address} (new)" for address in wanted_at]
    config = replace(
        wanted,
        node=running.node,
        retained=running.retained,
        metrics=running.metrics,
        listener=tuple(listeners),
    )
    return config, needs_restart


def _differs(running: object, wanted: object, name: str) -> bool:
    """Return whether a setting has changed in the file.

    `[node]` is filled in by the command line: there, what the file leaves at its default is not a
    wish for the default.
    """
    value = getattr(wanted, name)
    if isinstance(wanted, NodeConfig) and value == getattr(NodeConfig(), name):
        return False
    return bool(value != getattr(running, name))


def _merge_listener(
    running: ListenerConfig, wanted: ListenerConfig
) -> tuple[ListenerConfig, list[str]]:
    names = [
        name for name in _LISTENER_NEEDS_RESTART if getattr(running, name) != getattr(wanted, name)
    ]
    keep = {name: getattr(running, name) for name in _LISTENER_NEEDS_RESTART}
    if (running.tls is None) != (wanted.tls is None):
        names.append("tls")
        keep["tls"] = running.tls
    return replace(wanted, **keep), names
