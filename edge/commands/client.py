"""`client`: who is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.commands.options import add_command, add_control, add_verbs, ask
from edge.commands.output import print_result

if TYPE_CHECKING:
    import argparse

    from edge.commands.options import Parser, Subparsers

# What fits on a line; JSON has everything.
COLUMNS: Final = (
    *("client_id", "online", "username", "peer", "listener", "version"),
    *("subscription_count", "queued", "inflight", "received", "sent", "dropped"),
)


def add(verbs: Subparsers[Parser]) -> None:
    """Add the commands."""
    nouns = add_verbs(
        add_command(
            verbs,
            "client",
            None,
            "list, show and disconnect clients",
            examples="  robustmq-edge client list\n  robustmq-edge client kick sensor-7",
        )
    )
    parser = add_command(nouns, "list", list_, "list all sessions, online and offline")
    add_control(parser)
    parser = add_command(nouns, "show", show, "show everything about one client")
    parser.add_argument("client_id", metavar="ID", help="its Client Identifier")
    add_control(parser)
    parser = add_command(nouns, "kick", kick, "close a client's connection; it may come back")
    parser.add_argument("client_id", metavar="ID", help="its Client Identifier")
    parser.add_argument(
        "--end-session", action="store_true", default=None, help="forget its session too"
    )
    add_control(parser)


def list_(options: argparse.Namespace) -> int:
    """Print all sessions."""
    rows = ask(options, "client", "list")
    if options.output == "table":
        rows = [{name: row[name] for name in COLUMNS if name in row} for row in rows]
    print_result(rows, options.output, empty="no clients")
    return 0


def show(options: argparse.Namespace) -> int:
    """Print one session."""
    print_result(ask(options, "client", "show", client_id=options.client_id), options.output)
    return 0


def kick(options: argparse.Namespace) -> int:
    """Disconnect one client."""
    answer = ask(
        options, "client", "kick", client_id=options.client_id, end_session=options.end_session
    )
    print_result(answer, options.output)
    return 0
