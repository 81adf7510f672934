"""Where things are when nobody says: the configuration, the state, a running broker.

As a service the broker has `/etc`, `/var/lib` and `/run`; tried out by a user it has the folders
of the XDG Base Directory Specification. This is the one place that looks at them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config.schema import EdgeConfig

CONFIG_FILE: Final = Path("/etc/robustmq-edge/edge.toml")
STATE_DIR: Final = Path("/var/lib/robustmq-edge")
RUN_DIR: Final = Path("/run/robustmq-edge")

_NAME: Final = "robustmq-edge"
_SOCKET: Final = "control.sock"


def config_file(explicit: str | None) -> str | None:
    """Return the configuration file to read; None: the embedded default."""
    if explicit is not None:
        return explicit
    return str(CONFIG_FILE) if CONFIG_FILE.exists() else None


def user_state_dir(environ: Mapping[str, str]) -> Path:
    """Return the user's folder for state."""
    base = environ.get("XDG_STATE_HOME", "")
    # The specification: paths that are not absolute are ignored.
    if base.startswith("/"):
        return Path(base) / _NAME
    return Path(environ.get("HOME") or "/") / ".local" / "state" / _NAME


def is_usable(folder: Path) -> bool:
    """Return whether we may write into the folder, or may make it."""
    if folder.is_dir():
        return os.access(folder, os.W_OK | os.X_OK)
    return not folder.exists() and os.access(folder.parent, os.W_OK | os.X_OK)


def data_dir(config: EdgeConfig, environ: Mapping[str, str]) -> Path:
    """Return the folder for state: configured, else the system's, else the user's."""
    if config.node.data_dir:
        return Path(config.node.data_dir)
    return STATE_DIR if is_usable(STATE_DIR) else user_state_dir(environ)


def make_data_dir(folder: Path) -> None:
    """Make the folder for state, for its owner alone.

    Raises:
        ConfigError: it cannot be made or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"node.data_dir `{folder}`: {error.strerror}"
        raise ConfigError(message, hint="name another folder with --data-dir") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"node.data_dir `{folder}`: no permission to write"
        raise ConfigError(message, hint="name another folder with --data-dir")


def find_control_socket(
    environ: Mapping[str, str],
    *,
    socket_path: str | None,
    data_dir_path: str | None,
    config_path: str | None,
) -> Path:
    """Return the control socket of the broker that a command talks to.

    That is the one that is named, or in the state folder that is named; else the first that exists
    of the configured one and those where a broker puts it when nobody says; else the first of all.
    """
    if socket_path:
        return Path(socket_path)
    if data_dir_path:
        return Path(data_dir_path) / _SOCKET
    candidates = _configured_sockets(environ, config_path)
    candidates.append(RUN_DIR / _SOCKET)
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        candidates.append(Path(runtime) / _NAME / _SOCKET)
    candidates.append(Path(f"/tmp/{_NAME}-{os.geteuid()}") / _SOCKET)  # noqa: S108 - see _exists
    return next((path for path in candidates if _exists(path)), candidates[0])


def _configured_sockets(environ: Mapping[str, str], config_path: str | None) -> list[Path]:
    path = config_file(config_path)
    if path is None:
        return []
    from edge.config.load import load

    try:
        config = load(path, environ)
    except ConfigError:
        if config_path is not None:
            raise
        # Not ours to judge: this user may not be allowed to read it.
        return []
    return [Path(config.node.control_socket)] if config.node.control_socket else []


def _exists(path: Path) -> bool:
    """Return whether a socket is there that we or root have made: anybody may write to /tmp."""
    try:
        return path.stat().st_uid in (0, os.geteuid()) or path.parent == RUN_DIR
    except OSError:
        return False
