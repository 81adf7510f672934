"""tools/spec_coverage.py: nothing is missing, and the tool notices what would be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TOOL: Final = ROOT / "tools" / "spec_coverage.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool as a developer would."""
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """A tests folder with the real statement lists and no tests."""
    spec = tmp_path / "spec"
    spec.mkdir()
    for path in (ROOT / "tests" / "spec").glob("statements_*.toml"):
        shutil.copy(path, spec)
    return tmp_path


def test_every_statement_for_servers_is_tested_or_excused() -> None:
    """Goal: the promise about specification coverage holds for this tree."""
    result = run("--missing")
    assert result.returncode == 0, result.stdout + result.stderr


def test_json_output_lists_every_statement() -> None:
    """Goal: other programs can read the same facts."""
    document = json.loads(run("--output", "json").stdout)
    assert len(document["statements"]) == sum(
        sum(states.values()) for states in document["counts"].values()
    )
    assert {each["state"] for each in document["statements"]} == {"tested", "not applicable"}


def test_statement_without_test_is_missing(tests: Path) -> None:
    """Goal: a tree without tests fails and says what is missing."""
    result = run("--tests", str(tests))
    assert result.returncode == 1
    assert "MQTT-1.5.4-1         MISSING" in result.stdout


@pytest.mark.parametrize(
    ("decorators", "state"),
    [
        ('@pytest.mark.spec("MQTT-3.12.4-1")', "tested"),
        ('@pytest.mark.spec("MQTT-1.5.4-1", "MQTT-3.12.4-1")', "tested"),
        ('@pytest.mark.skip(reason="later")\n@pytest.mark.spec("MQTT-3.12.4-1")', "MISSING"),
        ('@pytest.mark.xfail(reason="bug")\n@pytest.mark.spec("MQTT-3.12.4-1")', "MISSING"),
        (
            "@pytest.mark.parametrize("
            '"a", [pytest.param(1, marks=pytest.mark.spec("MQTT-3.12.4-1"))])',
            "tested",
        ),
        ("", "MISSING"),
    ],
)
def test_marker_decides_the_state(tests: Path, decorators: str, state: str) -> None:
    """Goal: only a test that runs counts."""
    text = f"import pytest\n\n{decorators}\ndef test_it(a=1): ...\n"
    (tests / "spec" / "test_it.py").write_text(text)
    document = json.loads(run("--tests", str(tests), "--output", "json").stdout)
    found = {each["id"]: each["state"] for each in document["statements"]}
    assert found["MQTT-3.12.4-1"] == state


def test_marker_that_names_no_statement_is_an_error(tests: Path) -> None:
    """Goal: a typing error in a marker does not pass for coverage."""
    (tests / "spec" / "test_it.py").write_text(
        'import pytest\n\n@pytest.mark.spec("MQTT-9.9.9-9")\ndef test_it(): ...\n'
    )
    result = run("--tests", str(tests))
    assert result.returncode == 1
    assert "test_it names MQTT-9.9.9-9" in result.stderr
