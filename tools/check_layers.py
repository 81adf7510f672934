#!/usr/bin/env python3
"""Check who may import whom, for `.py`, `.pyx` and `.pxd` alike.

Imports point at the small, pure modules; only the composition root knows everybody. The table
below is the architecture; edge/ARCHITECTURE.md says why. Prints each breach as `file:line:
what`, exits 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

# Package (or module) -> what of this project it may import besides itself. Longest prefix wins.
ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "edge.errors": (),
    "edge.topic": ("edge.errors",),
    "edge.config": ("edge.errors", "edge.topic"),
    "edge.protocol": ("edge.errors", "edge.topic"),
    "edge.access": ("edge.errors", "edge.topic", "edge.config"),
    "edge.engine": ("edge.gateways.proxy_header",),
    "edge.gateways": ("edge.errors", "edge.engine"),
    "edge.gateways.proxy_header": (),
    "edge.ops": ("edge.errors", "edge.config"),
    "edge.broker": (
        "edge.errors",
        "edge.topic",
        "edge.config",
        "edge.protocol",
        "edge.access",
        "edge.engine",
        "edge.gateways",
        "edge.ops",
    ),
    "edge.commands": (
        "edge.errors",
        "edge.topic",
        "edge.config",
        "edge.protocol",
        "edge.access",
        "edge.ops",
        "edge.broker.app",
    ),
    "edge.cli": ("edge.errors", "edge.commands", "edge.config", "edge.ops", "edge.broker.app"),
    "edge.__main__": ("edge.cli", "edge.errors"),
    "sync": (),
}

# Of the standard library and others: (package, module) pairs that must not meet.
FORBIDDEN: Final = (
    ("edge.engine", "trio", "the engine runs no Python"),
    ("edge.protocol", "trio", "protocol logic does no I/O"),
    (
        "edge.protocol",
        "socket",
        "protocol logic does no I/O; edge/commands owns the client's sockets",
    ),
    ("edge", "asyncio", "trio in edge/; asyncio only in sync/"),
    ("edge", "logging", "edge/ops/log.py writes the log"),
    ("edge", "sync", "the broker never knows the bridge"),
)

IMPORT: Final = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))")


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def belongs(name: str, package: str) -> bool:
    """Return whether a module lies in a package, or is it."""
    return name == package or name.startswith(package + ".")


def rule_for(name: str) -> str | None:
    """Return the longest key of ALLOWED that covers a module."""
    keys = [key for key in ALLOWED if belongs(name, key)]
    return max(keys, key=len) if keys else None


def breaches(path: Path) -> list[str]:
    """Return what a file imports and must not."""
    name = module_name(path)
    rule = rule_for(name)
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = IMPORT.match(line)
        if match is None or line == "from edge import __version__":
            continue
        target = match.group(1) or match.group(2)
        where = f"{path.relative_to(ROOT)}:{number}"
        if belongs(target, "edge") and rule is not None:
            package = rule if path.stem != "__init__" else name
            if not (belongs(target, package) or any(belongs(target, ok) for ok in ALLOWED[rule])):
                found.append(f"{where}: {name} imports {target}, which {rule} may not")
        found += [
            f"{where}: {name} imports {target}: {why}"
            for package, module, why in FORBIDDEN
            if belongs(name, package) and belongs(target, module)
        ]
    return found


def main() -> int:
    """Check every source file of the packages."""
    files = [
        path
        for package in ("edge", "sync")
        for suffix in ("*.py", "*.pyx", "*.pxd")
        for path in sorted((ROOT / package).rglob(suffix))
    ]
    found = [text for path in files for text in breaches(path)]
    for text in found:
        print(text)
    print(f"layers: {len(files)} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
