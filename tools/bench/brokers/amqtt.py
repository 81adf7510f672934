"""aMQTT, a broker in pure Python, from PyPI in an environment of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.bench.brokers.base import Ability, Setting
from tools.bench.errors import BenchError, PeerMissingError
from tools.bench.network import LOOPBACK
from tools.bench.processes import Command, run_quietly

ABILITY: Final = Ability()
VERSION: Final = "0.12.1"
INSTALL_TIMEOUT_S: Final = 300.0


@dataclass(slots=True)
class Amqtt:
    """aMQTT 0.12, MQTT 3.1.1."""

    name: str = "amqtt"
    ability: Ability = ABILITY
    _program: Path = Path("amqtt")

    def install(self, cache: Path) -> str:
        """Make a virtual environment in the cache and install the pinned version there."""
        folder = cache / f"amqtt-{VERSION}"
        self._program = folder / "bin" / "amqtt"
        if not self._program.exists():
            try:
                run_quietly(
                    [sys.executable, "-m", "venv", str(folder)], timeout_s=INSTALL_TIMEOUT_S
                )
                run_quietly(
                    [str(folder / "bin" / "pip"), "install", "-q", f"amqtt=={VERSION}"],
                    timeout_s=INSTALL_TIMEOUT_S,
                )
            except BenchError as error:
                raise PeerMissingError(str(error)) from error
        return VERSION

    def command(self, setting: Setting) -> Command:
        """Write amqtt.yaml."""
        tls = ""
        if setting.tls is not None:
            tls = (
                f"    ssl: on\n    certfile: {setting.tls.certificate_file}\n"
                f"    keyfile: {setting.tls.key_file}\n"
            )
        config = setting.folder / "amqtt.yaml"
        config.write_text(f"""\
listeners:
  default:
    type: tcp
    bind: {LOOPBACK}:{setting.port}
    max_connections: 200000
{tls}plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
""")
        return Command(argv=[str(self._program), "-c", str(config)], folder=setting.folder)
