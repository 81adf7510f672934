"""`passwd`: make and change password files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.commands.options import add_command
from edge.commands.output import print_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from edge.commands.options import Parser, Subparsers


def add(verbs: Subparsers[Parser]) -> None:
    """Add the command."""
    parser = add_command(
        verbs,
        "passwd",
        passwd,
        "set and delete passwords",
        examples=(
            "  robustmq-edge passwd /etc/robustmq-edge/passwords alice\n"
            "  pass show mqtt/alice | robustmq-edge passwd passwords alice --password-stdin\n"
            "  robustmq-edge passwd passwords --batch < users.txt      # lines USER:PASSWORD\n"
            "  robustmq-edge passwd passwords alice --delete"
        ),
    )
    parser.add_argument("file", metavar="FILE", help="password file; made if it is missing")
    parser.add_argument("user", metavar="USER", nargs="?", help="User Name")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--password-stdin",
        action="store_true",
        help="the first line of standard input is the password",
    )
    how.add_argument(
        "--batch", action="store_true", help="standard input has lines USER:PASSWORD; no USER here"
    )
    how.add_argument("--delete", action="store_true", help="delete the user")
    parser.add_argument(
        "--algorithm",
        choices=("scrypt", "argon2id"),
        default="scrypt",
        help="how it is hashed (default: %(default)s)",
    )


def passwd(options: argparse.Namespace) -> int:
    """Change the file; the broker sees it at its next reload."""
    if (options.user is None) != options.batch:
        message = "passwd: name one USER, or give --batch"
        raise ConfigError(message, hint="see `robustmq-edge passwd --help`")
    from edge.access.passwd_command import run

    code = run(
        options.file,
        options.user,
        password_stdin=options.password_stdin,
        delete=options.delete,
        algorithm=options.algorithm,
    )
    if options.output == "json":
        print_json({"file": options.file, "user": options.user, "deleted": options.delete})
    return code
