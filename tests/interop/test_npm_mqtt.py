"""The npm `mqtt` client: what web pages and Node-RED use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.interop.conftest import Site

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]

HERE: Final = Path(__file__).parent
PACKAGE: Final = "mqtt@5.14.1"


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """A folder with the client installed; kept between runs."""
    folder = HERE.parents[1] / ".venv" / "npm-mqtt"
    if not (folder / "node_modules" / "mqtt").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                "npm",
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(folder),
                PACKAGE,
            ],
            check=True,
            timeout=300,
            cwd=folder,
        )
    shutil.copy(HERE / "npm_client.mjs", folder)
    return folder


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("listener", ["tcp", "tls", "ws", "wss"])
def test_npm_client_exchanges_messages(
    site: Site, node_folder: Path, version: int, listener: str
) -> None:
    """Retained, QoS 0, 1 and 2, over each listener."""
    scheme = {"tcp": "mqtt", "tls": "mqtts"}.get(listener, listener)
    path = "/mqtt" if listener.startswith("ws") else ""
    result = subprocess.run(
        [
            "node",
            "npm_client.mjs",
            f"{scheme}://127.0.0.1:{getattr(site, listener)}{path}",
            str(version),
            *([site.ca] if listener in {"tls", "wss"} else []),
        ],
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [
        ["kept", "k", 1, True],
        ["0", "x", 0, False],
        ["1", "x", 1, False],
        ["2", "x", 2, False],
    ]
