"""Any other broker, given on the command line as `--add NAME=COMMAND`.

For prototypes and other builds: `{port}` and `{folder}` in the command are filled in.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.bench.brokers.base import Ability, Setting
from tools.bench.errors import PeerMissingError
from tools.bench.processes import Command

if TYPE_CHECKING:
    from pathlib import Path

ABILITY: Final = Ability(has_tls=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A broker that needs nothing but a command; plain TCP and anonymous clients only."""

    name: str
    template: str
    ability: Ability = ABILITY

    def install(self, cache: Path) -> str:
        """Check that the program exists."""
        program = shlex.split(self.template)[0]
        if shutil.which(program) is None:
            raise PeerMissingError(f"{program} is not installed")
        return "custom"

    def command(self, setting: Setting) -> Command:
        """Fill in the command."""
        text = self.template.format(port=setting.port, folder=setting.folder)
        return Command(argv=shlex.split(text), folder=setting.folder)
