"""What an idle broker must not carry: each module named here was measured in MiB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter and return which modules it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return set(done.stdout.split())


def test_serving_needs_no_heavy_module() -> None:
    loaded = modules_after(
        "from edge.broker.app import import_trio_lean\n"
        "import_trio_lean()\n"
        "import edge.broker.server\n"
    )
    assert "trio" in loaded
    heavy = {"ssl", "hmac", "hashlib", "asyncio", "http", "json", "argparse", "unittest"}
    heavy |= {"tomllib", "edge.access.acl", "edge.access.passwords", "edge.gateways.pump"}
    assert loaded & heavy == set()


def test_left_out_modules_are_real_for_whoever_imports_them_later() -> None:
    modules_after(
        "from edge.broker.app import import_trio_lean\n"
        "import_trio_lean()\n"
        "import ssl, hmac\n"
        "assert issubclass(ssl.SSLError, OSError)\n"
        "assert hmac.new(b'k', b'm', 'sha256').digest()\n"
    )
