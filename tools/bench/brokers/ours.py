"""robustmq-edge itself, from this checkout."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.bench.brokers.base import INFLIGHT_MESSAGES, QUEUE_MESSAGES, Ability, Setting
from tools.bench.errors import PeerMissingError
from tools.bench.network import LOOPBACK
from tools.bench.processes import Command, run_quietly

if TYPE_CHECKING:
    from tools.bench.credentials import Logins

REPOSITORY: Final = Path(__file__).resolve().parents[3]
HASH_TIMEOUT_S: Final = 300.0  # a thousand deliberately slow hashes
HOG_VARIABLE: Final = "ROBUSTMQ_EDGE_BENCH_HOG_MS"
ABILITY: Final = Ability(has_logins=True, has_hog=True)


@dataclass(frozen=True, slots=True)
class Ours:
    """The broker of this checkout, run by the interpreter that runs the harness.

    `-OO` is how the systemd unit starts it too: docstrings would cost memory.
    """

    name: str = "us"
    ability: Ability = ABILITY

    def install(self, cache: Path) -> str:
        """Check that it is built."""
        done = subprocess.run(
            [sys.executable, "-m", "edge", "--version"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PeerMissingError(f"python -m edge does not run: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    def command(self, setting: Setting) -> Command:
        """Write edge.toml."""
        password_file = ""
        if setting.logins is not None:
            password_file = f'password_file = "{_password_file(setting.folder, setting.logins)}"'
        tls = ""
        if setting.tls is not None:
            tls = (
                f'[listener.tls]\ncertificate_file = "{setting.tls.certificate_file}"\n'
                f'key_file = "{setting.tls.key_file}"\n'
            )
        config = setting.folder / "edge.toml"
        config.write_text(f"""\
[node]
data_dir = "{setting.folder}/data"
control_socket = "{setting.folder}/control.sock"
mode = "memory"

[log]
connections = false

[session]
inflight_messages_max = {INFLIGHT_MESSAGES}
receive_max = {INFLIGHT_MESSAGES}
queued_messages_max = {QUEUE_MESSAGES}
queued_bytes_max = 0
output_bytes_max = {64 << 20}

[access]
{password_file}

[[listener]]
address = "{LOOPBACK}:{setting.port}"
anonymous = true
{tls}""")
        environment = {HOG_VARIABLE: str(setting.hog_ms)} if setting.hog_ms else {}
        return Command(
            argv=[sys.executable, "-OO", "-m", "edge", "run", "--config", str(config)],
            folder=REPOSITORY,
            environment=environment,
        )


def _password_file(folder: Path, logins: Logins) -> Path:
    """Hash the passwords the way `robustmq-edge passwd` does, in one process for all users.

    Raises:
        BenchError: this checkout cannot hash passwords.
    """
    path = folder / "passwords"
    run_quietly(
        [sys.executable, "-m", "edge", "passwd", str(path), "--batch"],
        folder=REPOSITORY,
        timeout_s=HASH_TIMEOUT_S,
        text_in="".join(f"{name}:{logins.password}\n" for name in logins.names()),
    )
    return path
