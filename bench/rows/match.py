"""What matching costs as fixtures multiply: the same request among ever more of them, its match always the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from bench import fixtures
from bench.load import WARM_UP, cpu_per_request
from bench.plan import Plan
from bench.report import Judged, Row
from bench.servers import DidNotStart, Running, running
from bench.traffic import Traffic, check, plain_head, traffic

SCALING_TARGET = 1.2
SCALING_SIZES = (10_000, 10)
LOAD_TIMEOUT = 120.0


def measure(plan: Plan) -> list[Row]:
    """All sizes are up at once and take turns, so that their ratio is not that of two moments of the machine."""
    requests = {size: _needle_request(size) for size in plan.sizes}
    rows = {size: Row(f"CPU per request among {size:,} fixtures", "µs") for size in plan.sizes}
    with ExitStack() as stack:
        up = [
            (size, started)
            for size, sent in requests.items()
            for started in _start_all(stack, plan, size, sent, rows[size])
        ]
        for _ in plan.progress("match", plan.rounds):
            for size, server in up:
                cost = cpu_per_request(server, requests[size], seconds=plan.seconds, core=plan.cores.load)
                rows[size].add(server.name, cost)
    return [*rows.values(), *_scaling(rows)]


def _needle_request(size: int) -> Traffic:
    return traffic(plain_head, fixtures.needle(size), fixtures.needle_answer(size), streamed=False)


def _start_all(stack: ExitStack, plan: Plan, size: int, sent: Traffic, row: Row) -> Iterator[Running]:
    """The servers that manage so many fixtures, checked and warm; the row notes those that do not in time."""
    directory = fixtures.haystack(plan.directory / f"match-{size}", size)
    for server in plan.servers:
        try:
            started = stack.enter_context(running(server, directory, core=plan.cores.server, timeout=LOAD_TIMEOUT))
        except DidNotStart as reason:
            row.notes.append(f"skipped among {size:,} fixtures: {str(reason).splitlines()[0]}")
            continue
        check(started.port, sent)
        cpu_per_request(started, sent, seconds=WARM_UP, core=plan.cores.load)
        yield started


def _scaling(rows: dict[int, Row]) -> list[Row]:
    """How much dearer a request is among many fixtures than among few: each server against itself, round by round."""
    many, few = SCALING_SIZES
    if many not in rows or few not in rows:
        return []
    row = Row(f"match cost, {many:,} fixtures over {few:,}", "×", target=SCALING_TARGET, judged=Judged.ALONE)
    for server in rows[many].samples.keys() & rows[few].samples.keys():
        for large, small in zip(rows[many].samples[server], rows[few].samples[server], strict=True):
            row.add(server, large / small)
    return [row]
