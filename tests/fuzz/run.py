"""Run fuzz targets: `python -m tests.fuzz.run --seconds 60 [--target NAME] [--seed N]`.

Inputs are random, mutated from a corpus that grows by what the run itself makes, and
reproducible: the same seed gives the same inputs. A failing input is saved under
tests/fuzz/crashes/ and the command to repeat it is printed. Under sanitizers (tools/sanitize.py)
a memory error ends the process; the input that did it is in tests/fuzz/crashes/current-TARGET.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CRASHES: Final = HERE / "crashes"
INPUT_BYTES_MAX: Final = 2048
CORPUS_MAX: Final = 200

Target = Callable[[bytes], None]


def discover() -> dict[str, Target]:
    """All targets: what the modules tests/fuzz/targets_*.py list in TARGETS."""
    found: dict[str, Target] = {}
    for path in sorted(HERE.glob("targets_*.py")):
        found.update(importlib.import_module(f"tests.fuzz.{path.stem}").TARGETS)
    return found


def mutate(source: random.Random, corpus: list[bytes]) -> bytes:
    """One input: fresh bytes, or a changed, spliced or shortened one from the corpus."""
    kind = source.randrange(6)
    if kind == 0 or not corpus:
        return source.randbytes(source.randrange(1, 400))
    data = bytearray(source.choice(corpus))
    for _ in range(source.randrange(1, 6)):
        at = source.randrange(len(data) + 1)
        change = source.randrange(5)
        if change == 0 and data:
            data[at % len(data)] ^= 1 << source.randrange(8)
        elif change == 1 and data:
            data[at % len(data)] = source.choice((0, 1, 2, 0x7F, 0x80, 0xFF))
        elif change == 2:
            data[at:at] = source.randbytes(source.randrange(1, 16))
        elif change == 3:
            del data[at : at + source.randrange(1, 16)]
        else:
            data[at:] = source.choice(corpus)[at:]
    return bytes(data[:INPUT_BYTES_MAX])


def run_target(name: str, target: Target, seconds: float, seed: int) -> bool:
    """Run one target for a time; True if nothing failed."""
    source = random.Random(f"{name} {seed}")
    corpus = [path.read_bytes() for path in sorted((HERE / "corpus" / name).glob("*"))]
    CRASHES.mkdir(exist_ok=True)
    current = CRASHES / f"current-{name}"
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutate(source, corpus)
        current.write_bytes(data)
        try:
            target(data)
        except Exception:
            path = CRASHES / f"{name}-{seed}-{count}"
            path.write_bytes(data)
            traceback.print_exc()
            print(
                f"fuzz: {name} FAILED; repeat: "
                f"python -m tests.fuzz.run --target {name} --input {path}"
            )
            return False
        count += 1
        if len(corpus) < CORPUS_MAX:
            corpus.append(data)
        else:
            corpus[source.randrange(CORPUS_MAX)] = data
    current.unlink(missing_ok=True)
    print(f"fuzz: {name:<14} {count:>9} inputs, seed {seed}", flush=True)
    return True


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=Path, help="run one saved input and end")
    options = parser.parse_args()
    targets = discover()
    wanted = options.target or list(targets)
    unknown = [name for name in wanted if name not in targets]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; known: {', '.join(targets)}")
    if options.input is not None:
        targets[wanted[0]](options.input.read_bytes())
        return 0
    # The engine has the most to hide, so it gets as much time as all the others together.
    weights = {
        name: len(wanted) - 1 if name == "engine" and len(wanted) > 1 else 1 for name in wanted
    }
    share = options.seconds / sum(weights.values())
    results = [
        run_target(name, targets[name], share * weights[name], options.seed) for name in wanted
    ]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
