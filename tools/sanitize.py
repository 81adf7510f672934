#!/usr/bin/env python3
"""Fuzz and test the native modules under sanitizers, in a copy of the tree.

    python3 tools/sanitize.py [--seconds N]     AddressSanitizer and UndefinedBehaviorSanitizer
    python3 tools/sanitize.py --thread          ThreadSanitizer over the thread boundary

The copy is built afresh with the sanitizer's flags, so that the checkout's own modules stay as
they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

# CPython itself is not built with ThreadSanitizer: what happens inside it is not ours to judge.
SUPPRESSIONS: Final = """\
called_from_lib:libpython
race:^_Py
race:^Py
race:^PyObject
race:^take_gil
race:^drop_gil
mutex:^Py
called_from_lib:libcrypto
called_from_lib:libssl
"""


def library(name: str) -> str:
    """Return the path of a compiler runtime library."""
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    path = found.stdout.strip()
    if not Path(path).is_file():
        sys.exit(f"sanitize: {name} is missing; it comes with Debian's gcc")
    return str(Path(path).resolve())


def copy_tree(target: Path) -> None:
    """Copy the sources, without anything compiled."""
    for name in ("edge", "tests", "tools"):
        shutil.copytree(
            ROOT / name,
            target / name,
            ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__", "crashes", "node_modules"),
        )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)


def run(words: list[str], folder: Path, environment: dict[str, str]) -> int:
    """Run a command in the copy, printed first."""
    print("sanitize:", " ".join(words), flush=True)
    return subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, check=False
    ).returncode


def main() -> int:
    """Build and run."""
    parser = argparse.ArgumentParser(prog="tools/sanitize.py", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of fuzzing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", default=[], help="only this fuzz target")
    parser.add_argument("--thread", action="store_true", help="ThreadSanitizer instead")
    options = parser.parse_args()
    flags = "-fsanitize=thread" if options.thread else "-fsanitize=address,undefined"
    flags += " -fno-omit-frame-pointer -fno-sanitize-recover=undefined -g -O1"
    with tempfile.TemporaryDirectory(prefix="edge-sanitize-") as name:
        folder = Path(name)
        copy_tree(folder)
        build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"-j{os.cpu_count()}"]
        code = run(build, folder, {"CFLAGS": flags, "LDFLAGS": flags})
        if code:
            return code
        (folder / "suppressions").write_text(SUPPRESSIONS)
        environment = {"PYTHONMALLOC": "malloc", "PYTHONPATH": str(folder)}
        # Into files: what pytest has captured is lost when the sanitizer ends the process.
        common = f"log_path={folder}/report:exitcode=66"
        if options.thread:
            environment |= {
                "LD_PRELOAD": library("libtsan.so"),
                "TSAN_OPTIONS": f"suppressions={folder}/suppressions:halt_on_error=1:{common}",
            }
        else:
            environment |= {
                "LD_PRELOAD": f"{library('libasan.so')}:{library('libubsan.so')}",
                # Leaks show in the engine's own account; CPython keeps memory on purpose.
                "ASAN_OPTIONS": f"detect_leaks=0:abort_on_error=0:{common}",
                "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:{common}",
            }
        targets = [word for target in options.target for word in ("--target", target)]
        fuzz = [sys.executable, "-m", "tests.fuzz.run", "--seconds", str(options.seconds)]
        code = run([*fuzz, "--seed", str(options.seed), *targets], folder, environment)
        crashes = folder / "tests" / "fuzz" / "crashes"
        if code and crashes.is_dir():
            shutil.copytree(crashes, ROOT / "tests" / "fuzz" / "crashes", dirs_exist_ok=True)
            print("sanitize: the failing input is in tests/fuzz/crashes/", flush=True)
        engine_tests = folder / "tests" / "unit" / "engine"
        if not code and engine_tests.is_dir():
            code = run(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "tests/unit/engine",
                    "tests/unit/gateways",
                ],
                folder,
                environment,
            )
        for report in sorted(folder.glob("report.*")):
            print(report.read_text(errors="replace"), flush=True)
            code = code or 1
        return code


if __name__ == "__main__":
    sys.exit(main())
