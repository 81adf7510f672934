"""What the commands share: the parser, the options that several take, and talking to the broker."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives its type no public name


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line the way all our errors look."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - those of ArgumentParser
        """Keep the layout of descriptions and examples as they are written."""
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        # An abbreviation that works today may be ambiguous tomorrow.
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        """Write the message with a hint and end with code 2."""
        sys.stderr.write(f"error: {message}\nhint: see `{self.prog} --help`\n")
        raise SystemExit(2)


def add_command(
    parent: Subparsers[Parser],
    name: str,
    handler: Callable[[argparse.Namespace], int] | None,
    text: str,
    *,
    examples: str = "",
) -> Parser:
    """Add a command with its one line of help; `handler` is None for a noun that has verbs."""
    epilog = f"examples:\n{examples}" if examples else None
    parser = parent.add_parser(name, help=text, description=text, epilog=epilog)
    if handler is not None:
        parser.set_defaults(handler=handler)
        add_output(parser)
    return parser


def add_verbs(parser: Parser) -> Subparsers[Parser]:
    """Make a parser that expects a verb."""
    return parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --output, which every command takes."""
    parser.add_argument(
        "--output",
        choices=("table", "json"),
        default="table",
        help="for people or for programs (default: %(default)s)",
    )


def add_control(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which running broker is meant."""
    group = parser.add_argument_group("which broker (default: the one that is found)")
    group.add_argument("--socket", metavar="PATH", help="its control socket")
    group.add_argument("--data-dir", metavar="DIR", help="the folder it was started with")
    group.add_argument("--config", metavar="FILE", help="its edge.toml")


def ask(options: argparse.Namespace, *command: str, **arguments: object) -> Any:  # noqa: ANN401
    """Send a command to the broker that the options name and return its answer."""
    from edge.commands.paths import find_control_socket
    from edge.ops.control_client import request

    path = find_control_socket(
        os.environ,
        socket_path=options.socket,
        data_dir_path=options.data_dir,
        config_path=options.config,
    )
    given = {name: value for name, value in arguments.items() if value is not None}
    return request(path, list(command), given)
