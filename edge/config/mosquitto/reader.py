"""Read mosquitto.conf the way mosquitto does: lines, scopes, included folders.

An option belongs to what stands before it: a `listener` or a `connection` begins a block that lasts
to the next one or to the end of the file. What stands before the first `listener` is for the
default listener, of which there is one: in the main file and in included ones alike.

Security options are for all listeners, unless `per_listener_settings` is true.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.config.mosquitto.options import BRIDGE, LISTENER, SECURITY
from edge.config.mosquitto.report import Setting
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_BYTES_MAX: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class Block:
    """A listener or a bridge: its first line, and its options in their order."""

    head: Setting | None  # None: the default listener
    settings: list[Setting] = field(default_factory=list)

    def all(self, *names: str) -> list[Setting]:
        """Return the settings of some options."""
        return [setting for setting in self.settings if setting.name in names]

    def last(self, *names: str) -> Setting | None:
        """Return the setting that counts: mosquitto takes the last."""
        found = self.all(*names)
        return found[-1] if found else None

    def is_true(self, name: str) -> bool:
        """Return whether an option is set and true."""
        setting = self.last(name)
        return setting is not None and is_true(setting)


@dataclass(slots=True)
class MosquittoConf:
    """What is in a mosquitto configuration."""

    general: Block = field(default_factory=lambda: Block(None))
    default_listener: Block = field(default_factory=lambda: Block(None))
    listeners: list[Block] = field(default_factory=list)
    bridges: list[Block] = field(default_factory=list)
    strays: list[Setting] = field(default_factory=list)  # bridge options without a bridge
    included: dict[str, int] = field(default_factory=dict)  # files by where an include_dir is
    per_listener: bool = False
    folder: Path = Path()  # of the main file

    def resolve(self, path: str) -> Path:
        """Return a file that the configuration names.

        mosquitto starts relative paths from its working directory, which nobody remembers: the
        folder of the configuration is looked at first.
        """
        beside = self.folder / path
        try:
            is_there = beside.exists()
        except (OSError, ValueError):  # whoever opens it will tell
            is_there = False
        return beside if is_there else Path(path).absolute()


def is_true(setting: Setting) -> bool:
    """Return whether a boolean option is on."""
    return setting.word in ("true", "1")


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield `FILE:LINE` and the text of each line that says something.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: {what}", hint="check the path and its permissions") from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    text = raw.decode("utf-8-sig", "replace")
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            yield f"{path}:{number}", stripped


def read_conf(path: Path) -> MosquittoConf:
    """Read a configuration and what it includes.

    Raises:
        ConfigError: the main file or an included one cannot be read.
    """
    conf = MosquittoConf(folder=path.absolute().parent)
    settings = _settings(path)
    included = {
        setting.where: [_settings(each) for each in _included_files(conf, setting)]
        for setting in settings
        if setting.name == "include_dir"
    }
    conf.per_listener = any(
        setting.name == "per_listener_settings" and is_true(setting)
        for part in [settings, *(part for parts in included.values() for part in parts)]
        for setting in part
    )
    _sort_in(conf, settings, included)
    return conf


def _settings(path: Path) -> list[Setting]:
    settings = []
    for where, line in read_lines(path):
        name, _, value = line.replace("\t", " ").partition(" ")
        settings.append(Setting(where, name, value.strip(" ")))
    return settings


def _included_files(conf: MosquittoConf, setting: Setting) -> list[Path]:
    """Return the files that an `include_dir` names, in mosquitto's order."""
    try:
        found = [path for path in conf.resolve(setting.value).iterdir() if path.suffix == ".conf"]
    except (OSError, ValueError):
        conf.included[setting.where] = -1
        return []
    conf.included[setting.where] = len(found)
    return sorted(found, key=lambda path: (path.name.lower(), path.name))


def _sort_in(
    conf: MosquittoConf, settings: list[Setting], included: Mapping[str, list[list[Setting]]]
) -> None:
    """Put each setting of one file where it belongs; no scope reaches into an included file."""
    listener = conf.default_listener
    bridge: Block | None = None
    for setting in settings:
        name = setting.name
        if name == "listener":
            listener = Block(setting)
            conf.listeners.append(listener)
        elif name == "connection":
            bridge = Block(setting)
            conf.bridges.append(bridge)
        elif name in BRIDGE:
            (conf.strays if bridge is None else bridge.settings).append(setting)
        elif name in ("port", "bind_address"):
            conf.default_listener.settings.append(setting)  # wherever they stand
        elif name in LISTENER or (conf.per_listener and is_security(name)):
            listener.settings.append(setting)
        else:
            conf.general.settings.append(setting)
            for part in included.get(setting.where, ()):
                _sort_in(conf, part, {})


def is_security(name: str) -> bool:
    """Return whether an option can be one of a listener, with `per_listener_settings`."""
    return name in SECURITY or name.startswith(("auth_opt_", "plugin_opt_"))
