"""`config`: check a configuration, print the example, move in from mosquitto."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from edge.commands.options import add_command, add_verbs
from edge.commands.output import print_json, print_result
from edge.commands.paths import config_file

if TYPE_CHECKING:
    import argparse

    from edge.commands.options import Parser, Subparsers
    from edge.config.schema import EdgeConfig


def add(verbs: Subparsers[Parser]) -> None:
    """Add the commands."""
    nouns = add_verbs(
        add_command(
            verbs,
            "config",
            None,
            "check, explain and convert configurations",
            examples=(
                "  robustmq-edge config example > edge.toml\n"
                "  robustmq-edge config check edge.toml\n"
                "  robustmq-edge config import-mosquitto /etc/mosquitto/mosquitto.conf --out new"
            ),
        )
    )
    parser = add_command(nouns, "check", check, "find mistakes before the broker does")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="edge.toml (default: /etc/robustmq-edge/edge.toml if it exists)",
    )
    add_command(nouns, "example", example, "print every setting with its default, explained")
    parser = add_command(
        nouns, "import-mosquitto", import_mosquitto, "turn a mosquitto.conf into our files"
    )
    parser.add_argument("file", metavar="FILE", help="mosquitto.conf")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="robustmq-edge",
        help="folder to write (default: %(default)s)",
    )


def check(options: argparse.Namespace) -> int:
    """Load a configuration and the files that it names."""
    from edge.config.load import load

    path = config_file(options.file)
    config = load(path, os.environ)
    warnings = _check_access_files(config)
    name = path or "the embedded default"
    if options.output == "json":
        from edge.config.dump import to_dict

        print_json({"file": path, "ok": True, "warnings": warnings, "config": to_dict(config)})
    else:
        sys.stdout.write(f"{name}: no mistakes\n")
        for warning in warnings:
            sys.stdout.write(f"warning: {warning}\n")
    return 0


def _check_access_files(config: EdgeConfig) -> list[str]:
    """Read the password and ACL files and return warnings; AccessError says what is wrong."""
    warnings: list[str] = []
    if config.access.password_file:
        from edge.access.passwords import PasswordFile

        warnings += PasswordFile.load(config.access.password_file).warnings
    if config.access.acl_file:
        from edge.access.acl import AclFile

        AclFile.load(config.access.acl_file)
    return warnings


def example(options: argparse.Namespace) -> int:
    """Print the example; it is the default too."""
    from edge.config.example import example_toml

    text = example_toml()
    if options.output == "json":
        print_json({"toml": text})
    else:
        sys.stdout.write(text)
    return 0


def import_mosquitto(options: argparse.Namespace) -> int:
    """Convert a mosquitto configuration and say what was left behind.

    The exit code is 1 if the new files are there and something in them is to be put right first.
    """
    from edge.config.import_mosquitto import run

    report = run(options.file, options.out)
    print_result(report.as_dict(), options.output)
    return 1 if report.check else 0
