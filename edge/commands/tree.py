"""The tree of commands: nouns, verbs and their help."""

from __future__ import annotations

import argparse
import sys
from typing import Final, NoReturn

from edge import __version__
from edge.commands import ban, client, config, passwd, pub, status, sub, topic
from edge.commands.options import Parser, add_verbs

DESCRIPTION: Final = "An MQTT broker for small boards that must not lose what they acknowledged."

EPILOG: Final = """\
examples:
  robustmq-edge run                              run the broker on 127.0.0.1:1883
  robustmq-edge sub -t 'sensors/#' -v            print what is published below sensors/
  robustmq-edge pub -t sensors/porch -m 21.5     publish a message
  robustmq-edge status                           how the running broker does
  robustmq-edge config example > edge.toml       every setting, explained

Each command explains itself: robustmq-edge COMMAND --help
"""


def carry_out(words: list[str]) -> int:
    """Parse any command line but that of `run`, and carry it out."""
    options = build_parser().parse_args(words)
    code: int = options.handler(options)
    return code


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(prog="robustmq-edge", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action=VersionAction, nargs=0, help="show the version")
    verbs = add_verbs(parser)
    # Listed here for the help; cli.py has taken the words away before.
    verbs.add_parser("run", help="run the broker", add_help=False)
    config.add(verbs)
    passwd.add(verbs)
    pub.add(verbs)
    sub.add(verbs)
    status.add(verbs)
    client.add(verbs)
    topic.add(verbs)
    ban.add(verbs)
    return parser


class VersionAction(argparse.Action):
    """Prints the version. argparse's own would look it up for every command."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Print and end."""
        sys.stdout.write(f"{version_text()}\n")
        raise SystemExit(0)


def version_text() -> str:
    """Return name and version."""
    return f"robustmq-edge {__version__}"
