"""Aedes, a broker for Node.js, from npm in a folder of its own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.bench.brokers.base import Ability, Setting
from tools.bench.errors import BenchError, PeerMissingError
from tools.bench.network import LOOPBACK
from tools.bench.processes import Command, run_quietly

SOURCE_FOLDER: Final = Path(__file__).parent.parent / "peers" / "aedes"
INSTALL_TIMEOUT_S: Final = 300.0
ABILITY: Final = Ability()


@dataclass(slots=True)
class Aedes:
    """Aedes behind the TCP and TLS servers of Node.js itself."""

    name: str = "aedes"
    ability: Ability = ABILITY
    _folder: Path = SOURCE_FOLDER

    def install(self, cache: Path) -> str:
        """Copy the small server into the cache and install the pinned version beside it."""
        if shutil.which("npm") is None or shutil.which("node") is None:
            raise PeerMissingError("Node.js is not installed (Debian packages nodejs and npm)")
        package = json.loads((SOURCE_FOLDER / "package.json").read_text())
        version: str = package["dependencies"]["aedes"]
        self._folder = cache / f"aedes-{version}"
        shutil.copytree(SOURCE_FOLDER, self._folder, dirs_exist_ok=True)
        if not (self._folder / "node_modules" / "aedes").is_dir():
            try:
                run_quietly(
                    ["npm", "install", "--no-audit", "--no-fund", "--silent"],
                    folder=self._folder,
                    timeout_s=INSTALL_TIMEOUT_S,
                )
            except BenchError as error:
                raise PeerMissingError(str(error)) from error
        return version

    def command(self, setting: Setting) -> Command:
        """Start the server script; it needs no configuration file."""
        argv = ["node", str(self._folder / "server.mjs"), LOOPBACK, str(setting.port)]
        if setting.tls is not None:
            argv += [str(setting.tls.certificate_file), str(setting.tls.key_file)]
        return Command(argv=argv, folder=setting.folder)
