"""Eclipse Mosquitto, as Debian packages it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.bench.brokers.base import Ability, Setting
from tools.bench.errors import PeerMissingError
from tools.bench.network import LOOPBACK
from tools.bench.processes import Command, run_quietly

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bench.credentials import Logins

HASH_TIMEOUT_S: Final = 120.0
ABILITY: Final = Ability(has_logins=True)


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """Mosquitto without persistence; 0 means "no bound" for both of its queues."""

    name: str = "mosquitto"
    ability: Ability = ABILITY

    def install(self, cache: Path) -> str:
        """Find the installed program."""
        # `-h` prints the version and ends with an error status, so ask without run_quietly's check.
        text = run_quietly(["sh", "-c", f"{_program()} -h || true"], timeout_s=10)
        match = re.search(r"version (\S+)", text)
        return match.group(1) if match else "unknown"

    def command(self, setting: Setting) -> Command:
        """Write mosquitto.conf."""
        lines = [
            f"listener {setting.port} {LOOPBACK}",
            "allow_anonymous true",
            "user root",
            "persistence false",
            "log_dest stderr",
            "log_type error",
            "connection_messages false",
            "max_inflight_messages 0",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
        ]
        if setting.tls is not None:
            lines += [f"certfile {setting.tls.certificate_file}", f"keyfile {setting.tls.key_file}"]
        if setting.logins is not None:
            lines.append(f"password_file {_password_file(setting.folder, setting.logins)}")
        config = setting.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return Command(argv=[_program(), "-c", str(config)])


def _program() -> str:
    found = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if found is None:
        raise PeerMissingError("mosquitto is not installed (Debian package mosquitto)")
    return found


def _password_file(folder: Path, logins: Logins) -> Path:
    path = folder / "passwords"
    path.write_text("".join(f"{name}:{logins.password}\n" for name in logins.names()))
    run_quietly(["mosquitto_passwd", "-U", str(path)], timeout_s=HASH_TIMEOUT_S)
    return path
