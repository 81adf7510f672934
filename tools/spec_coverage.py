"""Lists each normative statement of MQTT as tested, not applicable (why) or MISSING.

Statements come from tests/spec/statements_*.toml, tests from the `@pytest.mark.spec(...)` markers
below tests/. The markers are read from the syntax tree, so nothing has to run and nothing has to
be installed. Exit status 1: a statement that concerns a server has neither a test nor a reason, or
a marker names a statement that does not exist, or a skipped test is all there is.

    python tools/spec_coverage.py [--output table|json] [--missing]
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
VERSIONS: Final = {"5.0": "statements_v5.toml", "3.1.1": "statements_v311.toml"}
CONCERNS: Final = ("server", "client", "both")
STATES: Final = ("tested", "not applicable", "MISSING")


class CoverageError(Exception):
    """The statement lists or the markers are wrong; the message says where."""


@dataclass(slots=True, kw_only=True)
class Statement:
    """One normative statement and the tests that would fail if it were violated."""

    id: str
    version: str
    section: str
    concerns: str
    says: str
    not_applicable: str = ""
    tests: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """What becomes of the statement; a test counts more than a reason."""
        if self.tests:
            return "tested"
        return "not applicable" if self.reason else "MISSING"

    @property
    def reason(self) -> str:
        """Why there need not be a test."""
        if self.concerns == "client":
            return self.not_applicable or "concerns clients only"
        return self.not_applicable


def load_statements(folder: Path) -> dict[str, Statement]:
    """Read the lists of both versions."""
    statements: dict[str, Statement] = {}
    for version, file_name in VERSIONS.items():
        sections = tomllib.loads((folder / file_name).read_text(encoding="utf-8"))
        for section, entries in sections.items():
            for statement_id, entry in entries.items():
                statement = Statement(id=statement_id, version=version, section=section, **entry)
                if statement.concerns not in CONCERNS:
                    raise CoverageError(f"{file_name}: {statement_id} concerns nobody we know")
                if statement_id in statements:
                    raise CoverageError(f"{file_name}: {statement_id} is listed twice")
                statements[statement_id] = statement
    return statements


def find_markers(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (statement, test, line) for each marker in a test file that can run."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        marks = [mark for decorator in node.decorator_list for mark in _marks_in(decorator)]
        if any(name in ("skip", "xfail") for name, _ in marks):
            continue
        for name, call in marks:
            if name == "spec":
                yield from ((each, node.name, call.lineno) for each in _arguments(path, call))


def _marks_in(node: ast.expr) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of pytest.mark.NAME inside a decorator, parameter lists included."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            owner = inner.func.value
            if isinstance(owner, ast.Attribute) and owner.attr == "mark":
                yield inner.func.attr, inner


def _arguments(path: Path, call: ast.Call) -> Iterator[str]:
    for argument in call.args:
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            raise CoverageError(f"{path}:{call.lineno}: a spec marker takes plain strings")
        yield argument.value


def collect(tests: Path, statements: dict[str, Statement]) -> list[str]:
    """Attach each marker to its statement; returns the markers that name none."""
    unknown: list[str] = []
    for path in sorted(tests.rglob("test_*.py")):
        name = path.relative_to(tests).as_posix()
        for statement_id, test, line in find_markers(path):
            if statement_id not in statements:
                unknown.append(f"{name}:{line}: {test} names {statement_id}")
            elif f"{name}::{test}" not in statements[statement_id].tests:
                statements[statement_id].tests.append(f"{name}::{test}")
    return unknown


def count(statements: Sequence[Statement]) -> dict[str, dict[str, int]]:
    """How many statements of each version are in which state."""
    return {
        version: {
            state: sum(each.version == version and each.state == state for each in statements)
            for state in STATES
        }
        for version in VERSIONS
    }


def print_table(statements: Sequence[Statement], *, only_missing: bool) -> None:
    """One line for each statement, then the sums."""
    for each in statements:
        if only_missing and each.state != "MISSING":
            continue
        detail = {"tested": f"{len(each.tests)} tests", "not applicable": each.reason}
        print(f"{each.id:20} {each.state:14} {detail.get(each.state, each.says)}")
    for version, states in count(statements).items():
        print(f"MQTT {version}: " + ", ".join(f"{n} {state}" for state, n in states.items()))


def print_json(statements: Sequence[Statement], unknown: Sequence[str]) -> None:
    """Everything, for other programs."""
    document = {
        "counts": count(statements),
        "unknown_markers": list(unknown),
        "statements": [
            asdict(each) | {"state": each.state, "reason": each.reason} for each in statements
        ],
    }
    print(json.dumps(document, indent=2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the coverage and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, prog="spec_coverage")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument("--missing", action="store_true", help="list only what is missing")
    parser.add_argument("--tests", type=Path, default=ROOT / "tests", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        by_id = load_statements(options.tests / "spec")
        unknown = collect(options.tests, by_id)
    except CoverageError as error:
        print(f"spec_coverage: {error}", file=sys.stderr)
        return 1
    statements = list(by_id.values())
    if options.output == "json":
        print_json(statements, unknown)
    else:
        print_table(statements, only_missing=options.missing)
    for line in unknown:
        print(f"unknown statement: {line}", file=sys.stderr)
    return 1 if unknown or any(each.state == "MISSING" for each in statements) else 0


if __name__ == "__main__":
    sys.exit(main())
