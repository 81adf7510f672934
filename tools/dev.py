#!/usr/bin/env python3
"""One command for everything a developer does; needs nothing but Python and, once, apt.

    python3 tools/dev.py run     set up what is missing and run the broker (README, first command)
    python3 tools/dev.py test    set up what is missing and pass the tests (README, second command)

`--help` lists the rest. Each command prints what it runs, so that it can be repeated by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
SETUP_MARK: Final = VENV / ".setup-done"

# Debian packages, by what they are for. Installing them is the only thing here that needs root.
BUILD_PACKAGES: Final = ("gcc", "libc6-dev", "libssl-dev", "python3-dev", "python3-venv")
TEST_PACKAGES: Final = ("mosquitto", "mosquitto-clients", "nodejs", "npm", "openssl", "strace")


def say(text: str) -> None:
    """Tell the developer what happens, at once even in a log."""
    print(f"dev: {text}", flush=True)


def run(*command: str | Path, env: dict[str, str] | None = None, check: bool = True) -> int:
    """Run a command in the checkout, printed first; with `check`, a failure ends the program."""
    words = [str(word) for word in command]
    say(" ".join(words))
    code = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **(env or {})}, check=False
    ).returncode
    if code and check:
        sys.exit(code)
    return code


# ---------------------------------------------------------------- setup


def missing_packages(wanted: tuple[str, ...]) -> list[str]:
    """Return the Debian packages of `wanted` that are not installed; empty where there is no dpkg.

    A tool that is on the PATH counts, whatever put it there.
    """
    if shutil.which("dpkg-query") is None:
        return []
    missing = []
    for name in wanted:
        program = {"nodejs": "node", "mosquitto-clients": "mosquitto_pub"}.get(name, name)
        if shutil.which(program) or Path("/usr/sbin", program).exists():
            continue
        state = subprocess.run(
            ["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True, check=False
        )
        if "ok installed" not in state.stdout:
            missing.append(name)
    return missing


def install_packages(wanted: tuple[str, ...]) -> None:
    """Install Debian packages; without root, say which command does it and stop."""
    missing = missing_packages(wanted)
    if not missing:
        return
    if os.geteuid() != 0 and shutil.which("sudo") is None:
        say("these Debian packages are missing and installing them needs root:")
        sys.exit(f"    apt-get install -y --no-install-recommends {' '.join(missing)}")
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(*sudo, "apt-get", "update", "-qq", env=quiet, check=False)
    run(*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=quiet)
    # Debian starts what it installs. Tests start their own; nobody else's is touched.


def inputs_digest() -> str:
    """Return a digest of what the environment is made from: when it changes, setup runs again."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "setup.py"):
        digest.update((ROOT / name).read_bytes())
    digest.update(sys.version.encode())
    return digest.hexdigest()


def setup(*, tests: bool) -> None:
    """Make the virtual environment, install and compile; quick when nothing changed."""
    wanted = inputs_digest() + (" tests" if tests else "")
    install_packages(BUILD_PACKAGES + (TEST_PACKAGES if tests else ()))
    done = SETUP_MARK.read_text() if SETUP_MARK.exists() else ""
    if done not in {wanted, inputs_digest() + " tests"}:
        if not PYTHON.exists():
            run(sys.executable, "-m", "venv", VENV)
        pip = (PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check")
        run(*pip, *build_requirements())
        run(*pip, "--no-build-isolation", "--editable", ".[test]" if tests else ".")
        SETUP_MARK.write_text(wanted)
    build()


def build_requirements() -> list[str]:
    """Return the exact build requirements that pyproject.toml names."""
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["build-system"]["requires"])


def build() -> None:
    """Compile whatever changed, beside its source."""
    run(PYTHON, "setup.py", "-q", "build_ext", "--inplace", f"-j{os.cpu_count() or 1}")


# ---------------------------------------------------------------- commands


def command_setup(arguments: list[str]) -> int:
    """Install what is missing, make .venv and compile."""
    setup(tests="--no-tests" not in arguments)
    return 0


def command_build(_: list[str]) -> int:
    """Compile the Cython modules."""
    build()
    return 0


def command_run(arguments: list[str]) -> int:
    """Set up and run the broker; further words go to `robustmq-edge run`."""
    setup(tests=False)
    return run(PYTHON, "-m", "edge", "run", *arguments, check=False)


def command_check(_: list[str]) -> int:
    """Format, lint, types, stubs, layers, spec coverage: under half a minute."""
    failures = 0
    for words in (
        ("-m", "ruff", "format", "--check", "edge", "tests", "tools"),
        ("-m", "ruff", "check", "edge", "tests", "tools"),
        ("-m", "cython_lint.cython_lint", "--max-line-length=120", "--ignore=E501", "edge"),
        ("-m", "mypy"),
        ("tools/check_layers.py",),
        ("tools/spec_coverage.py", "--missing"),
    ):
        # cython-lint looks for pycodestyle on the PATH.
        path = {"PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"}
        failures += bool(run(PYTHON, *words, env=path, check=False))
    return failures


def command_test(arguments: list[str]) -> int:
    """Set up, then run the tests, fast ones first; further words go to pytest."""
    setup(tests=True)
    if arguments:
        return run(PYTHON, "-m", "pytest", *arguments, check=False)
    stages = (
        ("tests/unit", "tests/property"),
        ("tests/sim",),
        ("tests/spec",),
        ("tests/interop",),
    )
    for stage in stages:
        present = [path for path in stage if (ROOT / path).is_dir()]
        if present:
            run(PYTHON, "-m", "pytest", "-q", *present)
    return 0


def command_fuzz(arguments: list[str]) -> int:
    """Random input against every parser; `--seconds N`."""
    return run(PYTHON, "-m", "tests.fuzz.run", *arguments, check=False)


def command_sanitize(arguments: list[str]) -> int:
    """The same under sanitizers for memory and undefined behaviour; `--thread` for races."""
    return run(PYTHON, "tools/sanitize.py", *arguments, check=False)


def command_bench(arguments: list[str]) -> int:
    """Us and the peers side by side; see tools/bench/README.md."""
    setup(tests=True)
    return run(PYTHON, "-m", "tools.bench", *arguments, check=False)


COMMANDS: Final = {
    "setup": command_setup,
    "build": command_build,
    "run": command_run,
    "check": command_check,
    "test": command_test,
    "fuzz": command_fuzz,
    "sanitize": command_sanitize,
    "bench": command_bench,
}


def main() -> int:
    """Pick the command by its name."""
    lines = [
        f"  {name:<9} {(function.__doc__ or '').splitlines()[0]}"
        for name, function in COMMANDS.items()
    ]
    parser = argparse.ArgumentParser(
        prog="tools/dev.py",
        description=(__doc__ or "").splitlines()[0],
        epilog="commands:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command", help="see below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on")
    options = parser.parse_args()
    return COMMANDS[options.command](options.arguments)


if __name__ == "__main__":
    sys.exit(main())
