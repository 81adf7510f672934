"""`ban`: who is refused with 0x8A Banned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.commands.options import add_command, add_control, add_verbs, ask
from edge.commands.output import print_result

if TYPE_CHECKING:
    import argparse

    from edge.commands.options import Parser, Subparsers


def add(verbs: Subparsers[Parser]) -> None:
    """Add the commands."""
    examples = (
        "  robustmq-edge ban add --client-id 'probe-*' --seconds 3600 --reason 'floods'\n"
        "  robustmq-edge ban add --address 192.0.2.0/24\n"
        "  robustmq-edge ban remove --client-id 'probe-*'"
    )
    nouns = add_verbs(
        add_command(verbs, "ban", None, "list, add and remove bans", examples=examples)
    )
    parser = add_command(nouns, "list", list_, "list the bans in force")
    add_control(parser)
    parser = add_command(
        nouns, "add", add_ban, "refuse clients until the broker ends", examples=examples
    )
    _add_whom(parser)
    parser.add_argument(
        "--seconds", type=int, metavar="N", help="for N seconds (default: until the broker ends)"
    )
    parser.add_argument("--reason", metavar="TEXT", help="shown to the client")
    add_control(parser)
    parser = add_command(nouns, "remove", remove, "allow clients again", examples=examples)
    _add_whom(parser)
    add_control(parser)


def _add_whom(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--client-id", metavar="ID", help="Client Identifier; * and ? are wildcards")
    group.add_argument("--username", metavar="NAME", help="User Name; * and ? are wildcards")
    group.add_argument("--address", metavar="ADDRESS", help="IP address or network")


def list_(options: argparse.Namespace) -> int:
    """Print the bans."""
    print_result(ask(options, "ban", "list"), options.output, empty="no bans")
    return 0


def add_ban(options: argparse.Namespace) -> int:
    """Add a ban; clients that it covers are disconnected."""
    answer = ask(
        options,
        "ban",
        "add",
        client_id=options.client_id,
        username=options.username,
        address=options.address,
        seconds=options.seconds,
        reason=options.reason,
    )
    print_result(answer, options.output)
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove a ban that `ban add` or flapping detection has made."""
    answer = ask(
        options,
        "ban",
        "remove",
        client_id=options.client_id,
        username=options.username,
        address=options.address,
    )
    print_result(answer, options.output)
    return 0
