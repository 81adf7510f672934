"""`topic retained`: the retained messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.commands.options import add_command, add_control, add_verbs, ask
from edge.commands.output import print_result

if TYPE_CHECKING:
    import argparse

    from edge.commands.options import Parser, Subparsers

LIMIT: Final = 1000


def add(verbs: Subparsers[Parser]) -> None:
    """Add the commands."""
    examples = (
        "  robustmq-edge topic retained list 'sensors/#'\n"
        "  robustmq-edge topic retained delete sensors/old"
    )
    topics = add_verbs(add_command(verbs, "topic", None, "look at topics", examples=examples))
    nouns = add_verbs(
        add_command(
            topics, "retained", None, "list and delete retained messages", examples=examples
        )
    )
    parser = add_command(nouns, "list", list_, "list retained messages")
    parser.add_argument(
        "filter", metavar="FILTER", nargs="?", default="#", help="Topic Filter (default: all)"
    )
    parser.add_argument(
        "--limit", type=int, default=LIMIT, metavar="N", help="at most N (default: %(default)s)"
    )
    add_control(parser)
    parser = add_command(nouns, "delete", delete, "delete retained messages")
    parser.add_argument("filter", metavar="FILTER", help="Topic Filter; '#' for all")
    add_control(parser)


def list_(options: argparse.Namespace) -> int:
    """Print the retained messages that match."""
    found = ask(options, "retained", "list", filter=options.filter, limit=options.limit)
    print_result(found, options.output, empty="no retained messages")
    return 0


def delete(options: argparse.Namespace) -> int:
    """Delete the retained messages that match."""
    print_result(ask(options, "retained", "delete", filter=options.filter), options.output)
    return 0
