"""The command line: choose, prepare, run, report."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.bench.brokers.custom import Custom
from tools.bench.brokers.registry import BROKERS, US
from tools.bench.credentials import make_tls_files
from tools.bench.errors import BenchError, PeerMissingError
from tools.bench.generator import Generator
from tools.bench.plot import render_svg
from tools.bench.profiles import FULL, QUICK, Profile
from tools.bench.report import Outcome, render_json, render_text
from tools.bench.scenarios import SCENARIOS, Scenario
from tools.bench.session import Plan, run_session
from tools.bench.stage import Bench
from tools.bench.verdict import Samples, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.bench.brokers.base import Broker

OPEN_FILES_WANTED: Final = 65_536
EXIT_TARGET_MISSED: Final = 1
EXIT_USAGE: Final = 2


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about three minutes, us and mosquitto only"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="run this scenario (may be repeated, or a list with commas)",
    )
    parser.add_argument("--brokers", metavar="A,B", help="who takes part: " + ", ".join(BROKERS))
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="another broker; {port} and {folder} are filled in",
    )
    parser.add_argument("--subject", default=US, help="the broker that the targets are for")
    parser.add_argument("--rounds", type=int, help="instead of the profile's number of rounds")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench-results"),
        help="folder for results.json, report.txt and plot.svg",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("var") / "bench-cache",
        help="folder for the compiled generator and installed peers",
    )
    parser.add_argument("--broker-cpu", type=int, default=0)
    parser.add_argument("--generator-cpu", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    return parser.parse_args(argv)


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _chosen_scenarios(only: Sequence[str]) -> list[Scenario]:
    """Return the scenarios asked for, and those that they are compared with.

    Raises:
        BenchError: there is no scenario of that name.
    """
    names = {name for words in only for name in _words(words)}
    unknown = names - {scenario.name for scenario in SCENARIOS}
    if unknown:
        raise BenchError(f"no such scenario: {', '.join(sorted(unknown))} (see --list)")
    chosen = [s for s in SCENARIOS if not names or s.name in names]
    needed = {target.scenario for s in chosen for target in s.targets if target.scenario}
    return [s for s in SCENARIOS if s in chosen or s.name in needed]


def _chosen_brokers(arguments: argparse.Namespace, profile: Profile) -> list[Broker]:
    """Return the brokers asked for.

    Raises:
        BenchError: there is no broker of that name.
    """
    added: dict[str, Broker] = {}
    for text in arguments.add:
        name, _, template = text.partition("=")
        added[name] = Custom(name=name, template=template)
    names = _words(arguments.brokers) if arguments.brokers else list(profile.default_brokers)
    brokers: list[Broker] = []
    for name in dict.fromkeys([*names, *added]):
        if name not in added and name not in BROKERS:
            raise BenchError(f"no such broker: {name} (there are {', '.join(BROKERS)})")
        brokers.append(added[name] if name in added else BROKERS[name]())
    return brokers


def _install(
    brokers: Sequence[Broker], cache: Path
) -> tuple[dict[str, Broker], dict[str, str], dict[str, str]]:
    """Return the brokers that are here, their versions, and why the others are not."""
    here: dict[str, Broker] = {}
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for broker in brokers:
        try:
            versions[broker.name] = broker.install(cache)
            here[broker.name] = broker
        except PeerMissingError as error:
            missing[broker.name] = str(error)
            _tell(f"{broker.name} is missing: {error}")
    return here, versions, missing


def _prepare_process(generator_cpu: int) -> None:
    """Keep the harness off the broker's CPU, and let everybody open many connections."""
    os.sched_setaffinity(0, {generator_cpu})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        wanted = max(hard, OPEN_FILES_WANTED)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(outcome: Outcome, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = render_text(outcome)
    (out / "results.json").write_text(json.dumps(render_json(outcome), indent=1) + "\n")
    (out / "report.txt").write_text(text)
    (out / "plot.svg").write_text(render_svg(outcome))
    print(text)


def _run(arguments: argparse.Namespace) -> int:
    profile = QUICK if arguments.quick else FULL
    if arguments.rounds:
        profile = replace(profile, rounds=arguments.rounds, slow_rounds=arguments.rounds)
    scenarios = _chosen_scenarios(arguments.only)
    brokers = _chosen_brokers(arguments, profile)
    _prepare_process(arguments.generator_cpu)
    cache: Path = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    here, versions, missing = _install(brokers, cache)
    if not here:
        raise BenchError("no broker can be started")
    generator = Generator.build(cache, arguments.generator_cpu)
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
        bench = Bench(
            generator=generator,
            profile=profile,
            broker_cpu=arguments.broker_cpu,
            tls=make_tls_files(Path(folder)),
        )
        samples = run_session(bench, Plan(scenarios=scenarios, brokers=here), _tell)
    verdicts = judge(Samples(samples), scenarios, arguments.subject)
    _write(
        Outcome(
            profile=profile,
            subject=arguments.subject,
            versions=versions,
            missing=missing,
            scenarios=scenarios,
            samples=samples,
            verdicts=verdicts,
        ),
        arguments.out,
    )
    return EXIT_TARGET_MISSED if any(v.is_met is False for v in verdicts) else 0


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; return 0, or 1 if a target is missed, or 2 if it cannot run."""
    arguments = _parse(argv)
    if arguments.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:<20} {scenario.title}")
        return 0
    try:
        return _run(arguments)
    except BenchError as error:
        _tell(f"bench: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        _tell("bench: interrupted")
        return EXIT_USAGE
