"""From `edge.toml` and the environment to an EdgeConfig.

All mistakes of a file are found and reported together, each with its path in the file, its value and what
would be right. Environment variables `ROBUSTMQ_EDGE__SECTION__KEY` override keys of plain sections.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final

from edge.config import schema
from edge.config.address import Address, parse_address
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

__all__ = ["Address", "from_toml", "load", "parse_address"]

ENVIRONMENT_PREFIX: Final = "ROBUSTMQ_EDGE__"
FILE_BYTES_MAX: Final = 4 * schema.MIB

# Sections that are lists of tables, and tables inside the tables of a list.
_LISTS: Final[dict[str, Any]] = {
    "listener": schema.ListenerConfig,
    "ban": schema.BanConfig,
    "rewrite": schema.RewriteConfig,
    "auto_subscribe": schema.AutoSubscribeConfig,
}
_SECTIONS: Final[dict[str, Any]] = {
    "node": schema.NodeConfig,
    "log": schema.LogConfig,
    "limits": schema.LimitsConfig,
    "session": schema.SessionConfig,
    "retained": schema.RetainedConfig,
    "delayed": schema.DelayedConfig,
    "sys": schema.SysTopicsConfig,
    "metrics": schema.MetricsConfig,
    "access": schema.AccessConfig,
    "flapping": schema.FlappingConfig,
}
_NESTED: Final[dict[str, Any]] = {"tls": schema.TlsConfig, "websocket": schema.WebSocketConfig}


def load(path: str | None, environ: Mapping[str, str]) -> schema.EdgeConfig:
    """Read a configuration file (None: the defaults) and apply the environment.

    Raises:
        ConfigError: the file cannot be read, or holds mistakes: all of them, a line each.
    """
    text = "" if path is None else _read(path)
    return from_toml(text, path or "defaults", environ)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (pathlib costs the idle broker memory)
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="check the path and its permissions"
        ) from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error


def from_toml(
    text: str, source_name: str, environ: Mapping[str, str] | None = None
) -> schema.EdgeConfig:
    """Build the tree from TOML text; `source_name` names it in messages.

    Raises:
        ConfigError: as load().
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source_name}: {error}", hint="this is not valid TOML") from error
    reader = _Reader(source_name)
    for key in document:
        if key not in _SECTIONS and key not in _LISTS:
            reader.unknown(key, key, [*_SECTIONS, *_LISTS], "section")
    _apply_environment(reader, document, environ or {})
    parts: dict[str, Any] = {}
    for name, cls in _SECTIONS.items():
        if name in document:
            parts[name] = reader.table(cls, document[name], name)
    for name, cls in _LISTS.items():
        if name not in document:
            continue
        rows = document[name]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            reader.wrong(name, rows, f"write [[{name}]], once for each")
            continue
        parts[name] = tuple(
            reader.table(cls, row, f"{name}[{index}]") for index, row in enumerate(rows)
        )
    reader.finish()
    config = schema.EdgeConfig(**parts)
    from edge.config.check import check

    for place, message in check(config):
        reader.problems.append(f"{source_name}: {place}: {message}")
    reader.finish()
    return config


def _apply_environment(
    reader: _Reader, document: dict[str, Any], environ: Mapping[str, str]
) -> None:
    """Put `ROBUSTMQ_EDGE__SECTION__KEY=value` into the document; the value is TOML, or else a string."""
    import tomllib

    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if section not in _SECTIONS or key not in {field.name for field in fields(_SECTIONS[section])}:
            reader.problems.append(
                f"environment: {variable}: no such key; the form is {ENVIRONMENT_PREFIX}SECTION__KEY"
            )
            continue
        value: Any = environ[variable]
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            pass
        table = document.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value


class _Reader:
    """Builds dataclasses from tables and collects what is wrong."""

    def __init__(self, source_name: str) -> None:
        self.source_name = source_name
        self.problems: list[str] = []

    def finish(self) -> None:
        """Raise what was collected, if anything was."""
        if self.problems:
            raise ConfigError(
                "\n".join(self.problems),
                hint="`robustmq-edge config example` shows every key with its range",
            )

    def wrong(self, place: str, value: object, what: str) -> None:
        """Note a value that cannot be used."""
        shown = repr(value) if not isinstance(value, bool) else str(value).lower()
        self.problems.append(f"{self.source_name}: {place} = {shown[:80]}: {what}")

    def unknown(self, place: str, key: str, known: list[str], kind: str) -> None:
        """Note a name that does not exist, with the nearest one that does."""
        import difflib

        near = difflib.get_close_matches(key, known, n=1)
        guess = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
        self.problems.append(f"{self.source_name}: {place}: no such {kind}; {guess}")

    def table(self, cls: Any, table: object, place: str) -> Any:
        """Build one dataclass from one TOML table; mistakes are noted and defaults stand in."""
        if not isinstance(table, dict):
            self.wrong(place, table, f"must be a table: [{place}]")
            return cls()
        known = {field.name: field for field in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in table.items():
            where = f"{place}.{key}"
            if key not in known:
                self.unknown(where, key, list(known), "key")
            elif key in _NESTED and "listener" in place:
                values[key] = self.table(_NESTED[key], value, where)
            else:
                self._value(values, known[key], value, where)
        return cls(**values)

    def _value(self, values: dict[str, Any], field: Field[Any], value: object, where: str) -> None:
        """Check one value against the rule of its field."""
        rule: schema.Rule = field.metadata["rule"]
        default = field.default if field.default is not MISSING else None
        if isinstance(default, bool) or default is None:
            if not isinstance(value, bool):
                self.wrong(where, value, "must be true or false")
                return
        elif isinstance(default, int):
            if not isinstance(value, int) or isinstance(value, bool):
                self.wrong(where, value, f"must be a whole number, {rule.minimum} to {rule.maximum}")
                return
            if (rule.minimum is not None and value < rule.minimum) or (
                rule.maximum is not None and value > rule.maximum
            ):
                self.wrong(where, value, f"must be {rule.minimum} to {rule.maximum}")
                return
        elif isinstance(default, tuple):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                self.wrong(where, value, "must be a list of strings")
                return
            value = tuple(value)
        else:
            if not isinstance(value, str):
                self.wrong(where, value, "must be a string")
                return
            if rule.choices and value not in rule.choices:
                self.wrong(where, value, f"must be one of: {', '.join(rule.choices)}")
                return
        values[field.name] = value
