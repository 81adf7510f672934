"""`status` and `reload`: the running broker as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    parser.add_argument("-a", "--all", action="store_true", help="every counter")
    add_control(parser)
    parser = add_command(
        verbs, "reload", reload, "read configuration, passwords, ACL and certificates again"
    )
    add_control(parser)


def show(options: argparse.Namespace) -> int:
    """Print the broker's answer to `status`; people get the counters that matter."""
    answer = ask(options, "status")
    if options.output == "table" and not options.all:
        answer = brief(answer)
    print_result(answer, options.output)
    return 0


def brief(answer: dict[str, Any]) -> dict[str, object]:
    """Return the status without its two long lists of counters, but with what was dropped."""
    shown: dict[str, object] = {
        name: value for name, value in answer.items() if name not in ("engine", "control")
    }
    counters = answer.get("engine", {}) | answer.get("control", {})
    shown["dropped"] = {
        name.removeprefix("dropped_"): value
        for name, value in counters.items()
        if name.startswith("dropped_") and value
    } or "nothing"
    return shown


def reload(options: argparse.Namespace) -> int:
    """Reload; a mistake in a file is reported here, and the old settings stay."""
    print_result(ask(options, "reload"), options.output)
    return 0
