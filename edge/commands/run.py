"""`robustmq-edge run`: the broker itself.

Parsed by hand and with few imports, since the process stays and every module costs memory.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.commands import paths
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config.schema import EdgeConfig, ListenerConfig

HELP: Final = """\
usage: robustmq-edge run [--config FILE] [--listen ADDRESS]... [--data-dir DIR] [--memory]

Run the broker in the foreground. Without a configuration file it listens on 127.0.0.1:1883 and
allows anonymous clients. SIGTERM and Ctrl-C end it in an orderly way, SIGHUP makes it read its
configuration, passwords, ACL and certificates again.

options:
  --config FILE      edge.toml to read (default: /etc/robustmq-edge/edge.toml if it exists,
                     else the embedded default; see `robustmq-edge config example`)
  --listen ADDRESS   HOST:PORT, [IPv6]:PORT or unix:/path, in place of the configured listeners;
                     may be given several times
  --data-dir DIR     folder for state and for the control socket
  --memory           keep everything in memory, never write to disk
  -h, --help         show this text

examples:
  robustmq-edge run
  robustmq-edge run --listen 0.0.0.0:1883 --config edge.toml
  robustmq-edge run --listen '[::1]:1883' --listen unix:/tmp/mqtt.sock --memory
"""

_VALUED: Final = ("--config", "--listen", "--data-dir")


class RunOptions:
    """What the command line says."""

    __slots__ = ("config", "data_dir", "help", "listen", "memory")

    def __init__(self) -> None:
        self.config: str | None = None
        self.listen: list[str] = []
        self.data_dir: str | None = None
        self.memory = False
        self.help = False


def parse(words: list[str]) -> RunOptions:
    """Read the words behind `run`.

    Raises:
        ConfigError: a word is not understood.
    """
    options = RunOptions()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-h", "--help"):
            options.help = True
        elif word == "--memory":
            options.memory = True
        elif name in _VALUED:
            if not equals:
                if not rest:
                    message = f"run: {name} needs a value"
                    raise ConfigError(message, hint="see `robustmq-edge run --help`")
                value = rest.pop(0)
            _set(options, name, value)
        else:
            message = f"run: `{word}` is not understood"
            raise ConfigError(message, hint="see `robustmq-edge run --help`")
    return options


def _set(options: RunOptions, name: str, value: str) -> None:
    if not value:
        message = f"run: {name} needs a value"
        raise ConfigError(message, hint="see `robustmq-edge run --help`")
    if name == "--config":
        options.config = value
    elif name == "--listen":
        options.listen.append(value)
    else:
        options.data_dir = value


def effective_config(
    options: RunOptions, environ: Mapping[str, str]
) -> tuple[EdgeConfig, str | None]:
    """Return the configuration that the broker runs with, and the file it came from.

    The folder for state is filled in and made. Where the control socket goes if neither the file
    nor --data-dir says, is the broker's business.

    Raises:
        ConfigError: the file, the environment, an option or a folder cannot be used.
    """
    from edge.config.load import load

    path = paths.config_file(options.config)
    config = load(path, environ)
    if options.listen:
        config = replace(config, listener=_listeners(options.listen))
    node = config.node
    if options.memory:
        node = replace(node, mode="memory")
    if options.data_dir:
        node = replace(node, data_dir=str(Path(options.data_dir).absolute()))
        if not node.control_socket:
            # Two brokers of one user are told apart by their state folder.
            node = replace(node, control_socket=f"{node.data_dir}/control.sock")
    config = replace(config, node=node)
    folder = paths.data_dir(config, environ)
    if node.mode != "memory":
        paths.make_data_dir(folder)
    return replace(config, node=replace(node, data_dir=str(folder))), path


def _listeners(addresses: list[str]) -> tuple[ListenerConfig, ...]:
    from edge.config.load import parse_address
    from edge.config.schema import ListenerConfig

    for address in addresses:
        try:
            parse_address(address)
        except ConfigError as error:
            message = f"--listen {address}: {error.message}"
            raise ConfigError(message, hint=error.hint) from error
    return tuple(ListenerConfig(address=address) for address in addresses)


def main(words: list[str]) -> int:
    """Run the broker until it is told to end; return the exit code."""
    options = parse(words)
    if options.help:
        sys.stdout.write(HELP)
        return 0
    config, path = effective_config(options, os.environ)
    from edge.broker.app import run

    return run(config, config_path=path)
