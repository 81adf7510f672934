"""The command `robustmq-edge`.

`run` goes its own way, because the broker stays: what it imports here it would carry for ever. All
other commands are parsed with argparse. Errors are one line on standard error, with a hint.

Exit codes: 0 done; 1 it failed; 2 the command line or a configuration file cannot be used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from edge.errors import AccessError, ConfigError, EdgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED: Final = 1
EXIT_UNUSABLE: Final = 2
EXIT_INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line and return the exit code.

    Args:
        argv: the words behind the name of the program; None: those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["run"]:
            from edge.commands.run import main as run

            return run(words[1:])
        from edge.commands.tree import carry_out

        return carry_out(words)
    except EdgeError as error:
        print_error(error)
        unusable = isinstance(error, ConfigError | AccessError)
        return EXIT_UNUSABLE if unusable else EXIT_FAILED
    except BrokenPipeError:
        # Whoever reads our output, e.g. `head`, has seen enough; Python must not flush again.
        _drop_stdout()
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def print_error(error: EdgeError) -> None:
    """Write an error and its hint to standard error; a file's mistakes are a line each."""
    for line in error.message.splitlines():
        sys.stderr.write(f"error: {line}\n")
    if error.hint:
        sys.stderr.write(f"hint: {error.hint}\n")


def _drop_stdout() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
