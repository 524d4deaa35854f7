"""`python -m bench`: measures aimock and the reference in turn, and prints their ratios."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bench import CannotRun, load, machine, report
from bench.plan import Plan
from bench.rows import ROWS
from bench.servers import SERVERS


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if not sys.platform.startswith("linux"):
        return _refuse("needs Linux: CPU and memory are read from /proc")
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            plan = _plan(options, Path(scratch))
            about = _introduce(plan)
            rows = _measure(plan, options.only)
    except CannotRun as reason:
        return _refuse(str(reason))
    _summarise(plan, rows)
    if options.json:
        options.json.write_text(json.dumps({"about": about, "rows": report.as_json(rows)}, indent=2) + "\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_list_of(ROWS), default=list(ROWS), help=f"rows to measure: {','.join(ROWS)}")
    parser.add_argument("--servers", type=_list_of(SERVERS), default=list(SERVERS), help=",".join(SERVERS))
    parser.add_argument("--rounds", type=_at_least(1), default=5, help="alternations a row (default 5)")
    parser.add_argument("--starts", type=_at_least(1), default=10, help="alternations of the cold start (default 10)")
    parser.add_argument("--seconds", type=_at_least(1), default=3, help="length of a slice of load (default 3)")
    parser.add_argument("--sizes", type=_sizes, default=(10, 1_000, 10_000, 100_000), help="numbers of fixtures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE as well")
    return parser.parse_args(arguments)


def _list_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)} (known: {', '.join(known)})")
        return names

    return parse


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if (number := int(text)) < least:
            raise argparse.ArgumentTypeError(f"at least {least}")
        return number

    return parse


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def _plan(options: argparse.Namespace, scratch: Path) -> Plan:
    return Plan(
        servers=tuple(SERVERS[name] for name in options.servers),
        rounds=options.rounds,
        starts=options.starts,
        seconds=options.seconds,
        sizes=options.sizes,
        cores=machine.Cores.available(),
        directory=scratch,
    )


def _introduce(plan: Plan) -> dict[str, object]:
    """Says what is measured on what, and warns of a machine that will not measure well."""
    for server in plan.servers:
        server.prepare()
    about: dict[str, object] = {**machine.describe(), "load": load.generator()}
    about |= {server.name: server.version() for server in plan.servers}
    for name, value in about.items():
        print(f"{name}: {value}")
    if plan.cores.shared:
        print("WARNING: only one core: server and load share it, and the figures are worth little")
    if machine.load_average() > 0.5:
        print("WARNING: the machine is busy with something else: trust the ratios only, and those with care")
    print(flush=True)
    os.sched_setaffinity(0, {plan.cores.load})
    return about


def _measure(plan: Plan, names: list[str]) -> list[report.Row]:
    return [row for name in names for row in ROWS[name](plan)]


def _summarise(plan: Plan, rows: list[report.Row]) -> None:
    compared = [server.name for server in plan.servers if server.name != report.REFERENCE]
    for server in compared or ["(no other)"]:
        print(f"\n{report.table(rows, server)}")
    for note in (note for row in rows for note in row.notes):
        print(f"note: {note}")
    print("\nmedians; less is better; ratio is to the reference, the last match row to the same server")


def _refuse(reason: str) -> int:
    print(f"cannot run: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
