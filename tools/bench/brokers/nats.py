"""nats-server with its MQTT listener, as Debian packages it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.bench.brokers.base import INFLIGHT_MESSAGES, Ability, Setting
from tools.bench.errors import PeerMissingError
from tools.bench.network import LOOPBACK, free_port
from tools.bench.processes import Command, run_quietly

if TYPE_CHECKING:
    from pathlib import Path

ABILITY: Final = Ability(qos_max=1)


@dataclass(frozen=True, slots=True)
class Nats:
    """nats-server 2.9 speaks MQTT 3.1.1 up to QoS 1; sessions and QoS 1 live in JetStream files."""

    name: str = "nats"
    ability: Ability = ABILITY

    def install(self, cache: Path) -> str:
        """Find the installed program."""
        return run_quietly([_program(), "-v"], timeout_s=10).split("v")[-1].strip()

    def command(self, setting: Setting) -> Command:
        """Write nats.conf."""
        tls = ""
        if setting.tls is not None:
            tls = (
                f'tls {{ cert_file: "{setting.tls.certificate_file}", '
                f'key_file: "{setting.tls.key_file}" }}'
            )
        config = setting.folder / "nats.conf"
        config.write_text(f"""\
server_name: bench
listen: "{LOOPBACK}:{free_port()}"
jetstream {{ store_dir: "{setting.folder}" }}
max_connections: 200000
mqtt {{
  listen: "{LOOPBACK}:{setting.port}"
  max_ack_pending: {INFLIGHT_MESSAGES}
  {tls}
}}
""")
        return Command(argv=[_program(), "-c", str(config)])


def _program() -> str:
    found = shutil.which("nats-server") or shutil.which("/usr/sbin/nats-server")
    if found is None:
        raise PeerMissingError("nats-server is not installed (Debian package nats-server)")
    return found
