"""How late the frames of paced streams are: one stream, and thousands at once; and beside a client that does not read.

A server is started afresh for each cell, so that no cell is burdened with what another left behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import fixtures
from bench.fixtures import Pacing
from bench.machine import Cores
from bench.plan import Plan
from bench.procfs import core_nanoseconds
from bench.report import Judged, Row
from bench.servers import CONTROL, Running, Server, running
from bench.streams import DidNotStream, Heard, Listening, hear
from bench.traffic import check, plain_head, traffic

ROUNDS = 3
"""At most: a round takes two minutes."""
TTFT = 200
"""Milliseconds."""
SECONDS = 3
"""Of frames, after the first."""
RAMP = 0.5
"""Seconds over which the requests of a cell are spread."""
LIMIT = 3.0
"""A stream is given up after so many times its duration."""

DURATION_TARGET = 1.0
"""Per cent of the configured duration."""
LATENESS_TARGET = 1.0
SINGLE_STREAM_TARGET = 1.5
"""Milliseconds, median."""
MEMORY_TARGET = 0.33
DISTURBED_TARGET = 1.25


@dataclass(frozen=True)
class Cell:
    """So many streams at once, each of so many frames a second."""

    streams: int
    tps: int

    @property
    def pacing(self) -> Pacing:
        return Pacing(f"paced at {self.tps} a second", TTFT, self.tps, slices=SECONDS * self.tps - 1)

    def __str__(self) -> str:
        return f"{self.streams:,} × {self.tps}/s"


SINGLE, LARGEST = Cell(1, 50), Cell(4000, 10)
CELLS = (SINGLE, Cell(100, 50), Cell(500, 50), Cell(1000, 20), Cell(2000, 20), LARGEST)
DISTURBED = Cell(100, 50)
"""Has a client beside it that reads nothing."""
CONTROLLED = (Cell(500, 50), Cell(2000, 20))
"""What a loop that does nothing but send is late is measured here too."""

WARM_UP = Pacing("warming up", ttft=0, tps=100, slices=fixtures.FRAMES - 3)
WARM_UP_STREAMS = 500
WARM_UP_RAMP = 2.0
"""Thousands of frames, after which Node's compiler is done with them."""
STALLED = Pacing("long frames", ttft=0, tps=50, slices=100, slice_size=64 * 1024)
"""More than sockets hold, within a second."""
SHARED = 0.03
"""A cell is suspect if more than this fraction of the time something else ran on the server's core."""


@dataclass(frozen=True)
class Slice:
    """One cell, once, on one server."""

    heard: Heard
    cpu: float
    """Microseconds a frame."""
    memory: float
    """MiB at the peak."""
    others: float
    """Fraction of the time that something else ran on the server's core."""


@dataclass(frozen=True)
class Metric:
    """One line of a cell."""

    name: str
    unit: str
    of: Callable[[Slice], float]
    targets: Callable[[Cell], tuple[float | None, Judged]] = lambda cell: (None, Judged.AGAINST_REFERENCE)

    def row(self, cell: Cell) -> Row:
        target, judged = self.targets(cell)
        return Row(f"{cell}: {self.name}", self.unit, target=target, judged=judged)


def _less_late(cell: Cell) -> tuple[float | None, Judged]:
    return LATENESS_TARGET, Judged.AGAINST_REFERENCE


LATENESS = (
    Metric(
        "frame lateness, median",
        "ms",
        lambda slice: slice.heard.lateness[0] * 1e3,
        lambda cell: (SINGLE_STREAM_TARGET, Judged.ALONE) if cell == SINGLE else _less_late(cell),
    ),
    Metric("frame lateness, 99th percentile", "ms", lambda slice: slice.heard.lateness[1] * 1e3, _less_late),
)
_METRICS = (
    Metric("duration off by, median", "%", lambda slice: slice.heard.duration_error[0] * 100, _less_late),
    Metric(
        "duration off by, 99th percentile",
        "%",
        lambda slice: slice.heard.duration_error[1] * 100,
        lambda cell: (DURATION_TARGET, Judged.ALONE),
    ),
    *LATENESS,
    Metric("first frame off by, median", "ms", lambda slice: slice.heard.ttft_error[0] * 1e3),
    Metric("CPU per frame", "µs", lambda slice: slice.cpu),
    Metric(
        "peak memory",
        "MiB",
        lambda slice: slice.memory,
        lambda cell: (MEMORY_TARGET if cell == LARGEST else None, Judged.AGAINST_REFERENCE),
    ),
)


def measure(plan: Plan) -> list[Row]:
    pacings = dict.fromkeys(cell.pacing for cell in CELLS)
    directory = fixtures.paced(plan.directory / "fidelity", [*pacings, WARM_UP])
    long = fixtures.paced(plan.directory / "fidelity-stalled", [DISTURBED.pacing, WARM_UP, STALLED])
    bench = _Bench(plan, directory, long)
    rows = {(cell, metric): metric.row(cell) for cell in CELLS for metric in _METRICS}
    beside = {metric: Row(f"{DISTURBED} beside a stalled client: {metric.name}", metric.unit) for metric in LATENESS}
    disturbance = Row("… the median over that without", "×", target=DISTURBED_TARGET, judged=Judged.ALONE)
    for _ in plan.progress("fidelity", min(plan.rounds, ROUNDS)):
        for server in plan.servers:
            alone: dict[Cell, Slice] = {}
            for cell in CELLS:
                heard = bench.run(server, cell)
                if heard is None:
                    continue
                alone[cell] = heard
                for metric in _METRICS:
                    rows[cell, metric].add(server.name, metric.of(heard))
            disturbed = bench.run(server, DISTURBED, stalled=True)
            if disturbed is None or DISTURBED not in alone:
                continue
            for metric, row in beside.items():
                row.add(server.name, metric.of(disturbed))
            disturbance.add(server.name, LATENESS[0].of(disturbed) / LATENESS[0].of(alone[DISTURBED]))
        for cell in CONTROLLED:
            bench.run(CONTROL, cell)
    disturbance.notes += bench.notes()
    return [*rows.values(), *beside.values(), disturbance]


class _Bench:
    """Runs cells, and remembers what their figures are worth."""

    def __init__(self, plan: Plan, directory: Path, stalled_directory: Path) -> None:
        self._plan = plan
        self._directory = directory
        self._stalled_directory = stalled_directory
        self._slices: list[tuple[Server, Cell, Slice]] = []
        self._failures: dict[str, None] = {}

    def run(self, server: Server, cell: Cell, *, stalled: bool = False) -> Slice | None:
        """None, and a note, if the server does not get through it."""
        cores = self._plan.cores
        with running(server, self._stalled_directory if stalled else self._directory, core=cores.server) as up:
            if server is not CONTROL:
                check(up.port, traffic(plain_head, WARM_UP.prompt, fixtures.ANSWER, streamed=True))
            try:
                hear(listening_to(up, WARM_UP, WARM_UP_STREAMS, WARM_UP_RAMP), core=cores.load)
                listening = listening_to(up, cell.pacing, cell.streams, RAMP)
                if stalled:
                    listening = replace(listening, stalled_request=_request(STALLED))
                heard = timed(up, listening, cores)
            except DidNotStream as reason:
                self._failures[f"{server.name} failed at {cell}: {reason}"] = None
                return None
        if heard.heard.unfinished:
            self._failures[
                f"{server.name} was not done with {cell} after {LIMIT:g} times the duration: lower bounds"
            ] = None
        self._slices.append((server, cell, heard))
        return heard

    def notes(self) -> list[str]:
        notes = list(self._failures)
        slices = [slice for _, _, slice in self._slices]
        if not slices:
            return notes
        stamps = "the kernel's stamps" if all(slice.heard.stamped for slice in slices) else "stamps of the reader's own"
        busy, lag = max(slice.heard.busy for slice in slices), max(slice.heard.lag for slice in slices)
        notes.append(
            f"reader: {stamps}; busy at most {busy:.0%} of the time; read 99 % within {lag * 1e3:.1f} ms in all cells"
        )
        notes += [
            f"suspect: during one {cell} of {server.name}, something else had its core {slice.others:.0%} of the time"
            for server, cell, slice in self._slices
            if slice.others > SHARED
        ]
        for cell in CONTROLLED:
            control = [slice for server, of, slice in self._slices if server is CONTROL and of == cell]
            if control:
                middle, worst = (median(map(metric.of, control)) for metric in LATENESS)
                notes.append(
                    f"control, {cell}: frame lateness of a loop that only sends, median {middle:.2f} ms,"
                    f" 99th percentile {worst:.2f} ms"
                )
        return notes


def timed(server: Running, listening: Listening, cores: Cores) -> Slice:
    began, before, core_before = time.perf_counter_ns(), server.cpu_nanoseconds(), core_nanoseconds(cores.server)
    heard = hear(listening, core=cores.load)
    cpu, core = server.cpu_nanoseconds() - before, core_nanoseconds(cores.server) - core_before
    return Slice(
        heard,
        cpu=cpu / 1000 / max(1, heard.frames),
        memory=server.peak_resident_mib(),
        others=(core - cpu) / (time.perf_counter_ns() - began),
    )


def listening_to(server: Running, pacing: Pacing, streams: int, ramp: float) -> Listening:
    duration = pacing.ttft / 1000 + (pacing.counted - 1) / pacing.tps
    return Listening(
        port=server.port,
        request=_request(pacing),
        streams=streams,
        counted=pacing.counted,
        uncounted=1,
        ttft=pacing.ttft / 1000,
        gap=1 / pacing.tps,
        ramp=ramp,
        limit=LIMIT * duration,
    )


def _request(pacing: Pacing) -> str:
    return traffic(plain_head, pacing.prompt, pacing.content, streamed=True).request.decode("latin-1")
