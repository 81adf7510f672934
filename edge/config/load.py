"""From `edge.toml` and the environment to an EdgeConfig.

All mistakes are found and reported together, each with its line, its path in the file, its value
and what would be right:

    edge.toml:12: limits.qos_max = 5: must be 0 to 2
    edge.toml:15: listener[0].adress: no such key; did you mean `address`?
    environment: ROBUSTMQ_EDGE__LOG__LEVEL=loud: must be one of debug, info, warning, error

Environment variables `ROBUSTMQ_EDGE__SECTION__KEY` override the keys of plain sections. Relative
paths start from the folder of the file, so that a folder with a configuration and what belongs to
it can be moved; those of the environment start from the working directory.

Without a file and overrides, nothing of the loader is even imported: the idle broker stays small.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.config.address import Address, parse_address
from edge.config.schema import MIB, EdgeConfig
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Address", "from_toml", "load", "parse_address"]

FILE_BYTES_MAX: Final = 1 * MIB

_ENVIRONMENT_PREFIX: Final = "ROBUSTMQ_EDGE__"


def load(path: str | None, environ: Mapping[str, str]) -> EdgeConfig:
    """Read a configuration file (None: the defaults) and apply the environment.

    Raises:
        ConfigError: the file cannot be read, or holds mistakes: all of them, a line each.
    """
    if path is None:
        return from_toml("", "defaults", environ)
    return from_toml(_read(path), path, environ, base_dir=str(Path(path).absolute().parent))


def from_toml(
    text: str,
    source_name: str,
    environ: Mapping[str, str] | None = None,
    *,
    base_dir: str = "",
) -> EdgeConfig:
    """Build the tree from TOML text.

    Args:
        text: the file.
        source_name: its name, for messages.
        environ: the environment; None: empty.
        base_dir: the folder that relative paths start from; empty: the working directory.

    Raises:
        ConfigError: as load().
    """
    if not text and not any(name.startswith(_ENVIRONMENT_PREFIX) for name in environ or {}):
        return EdgeConfig()
    from edge.config.build import build
    from edge.config.check import check
    from edge.config.environment import override
    from edge.config.problems import raise_all, without_consequences
    from edge.config.syntax import parse_toml

    document = parse_toml(text, source_name)
    variables, wrong_variables = override(document, environ or {})
    config, problems = build(document, base_dir=base_dir, from_environment=variables)
    problems += without_consequences(list(check(config)), problems)
    raise_all(problems, source_name, text, variables, wrong_variables)
    return config


def _read(path: str) -> str:
    """Return the text of a file; Windows may have put a byte order mark before it."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        hint = "check the path and its permissions"
        raise ConfigError(f"{path}: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise ConfigError(f"{path!r} is no path of a file") from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX // MIB} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from error
