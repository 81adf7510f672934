"""`status` and `reload`: the running broker as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.commands.options import add_command, add_control, ask
from edge.commands.output import print_result

if TYPE_CHECKING:
    import argparse

    from edge.commands.options import Parser, Subparsers


def add(verbs: Subparsers[Parser]) -> None:
    """Add the commands."""
    parser = add_command(
        verbs,
        "status",
        show,
        "show how the running broker does",
        examples="  robustmq-edge status\n  robustmq-edge status --output json",
    )
    add_control(parser)
    parser = add_command(
        verbs, "reload", reload, "read configuration, passwords, ACL and certificates again"
    )
    add_control(parser)


def show(options: argparse.Namespace) -> int:
    """Print the broker's answer to `status`."""
    print_result(ask(options, "status"), options.output)
    return 0


def reload(options: argparse.Namespace) -> int:
    """Reload; a mistake in a file is reported here, and the old settings stay."""
    print_result(ask(options, "reload"), options.output)
    return 0
