"""What a relay adds to a frame's time on its way from a provider, and how far from its recorded time a replay sends it.

The provider is one more server of ours. There is no peer: the reference's recordings have no frames.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import fixtures
from bench.fixtures import Pacing
from bench.plan import Plan
from bench.report import Judged, Row
from bench.rows.fidelity import RAMP, listening_to
from bench.servers import OURS, Running, Server, running
from bench.streams import Heard, hear

STREAMS = (1, 20, 200)
"""At once."""
EVEN = Pacing("evenly", ttft=200, tps=20, slices=59)
UNEVEN = Pacing("unevenly", ttft=200, tps=20, slices=59, jitter=0.5)
WARM_UP = Pacing("warming up", ttft=0, tps=100, slices=9)

REPLAY_TARGET = 5.0
"""Milliseconds, 99th percentile."""
RELAY_TARGET = 2.0
"""Milliseconds, median."""


def measure(plan: Plan) -> list[Row]:
    if OURS not in plan.servers:
        return []
    bench = _Bench(plan)
    adds = {
        streams: _rows(f"{streams} recorded at once: a relay adds to a frame", RELAY_TARGET, 0) for streams in STREAMS
    }
    off = {streams: _rows(f"{streams} replayed at once: a frame is off by", REPLAY_TARGET, 1) for streams in STREAMS}
    cpu = {streams: Row(f"{streams} recorded at once: CPU per frame", "µs") for streams in STREAMS}
    for _ in plan.progress("recording", plan.rounds):
        with bench.serving(OURS, fixtures.paced(bench.scratch(), [EVEN, UNEVEN, WARM_UP]), aside=True) as provider:
            bench.hear(provider, WARM_UP, 20)
            for streams, rows in adds.items():
                direct = bench.hear(provider, EVEN, streams)
                with bench.serving(_recording(provider), bench.scratch()) as relay:
                    bench.hear(relay, WARM_UP, 20)
                    before = relay.cpu_nanoseconds()
                    relayed = bench.hear(relay, EVEN, streams)
                    cpu[streams].add(OURS.name, (relay.cpu_nanoseconds() - before) / 1000 / relayed.frames)
                for row, without, through in zip(rows, direct.lateness, relayed.lateness, strict=True):
                    row.add(OURS.name, (through - without) * 1e3)
            directory = bench.scratch()
            with bench.serving(_recording(provider), directory) as relay:
                bench.hear(relay, UNEVEN, 1)
        with bench.serving(_REPLAYING, directory) as replaying:
            bench.hear(replaying, UNEVEN, 1, _recorded(directory))
            for streams, rows in off.items():
                heard = bench.hear(replaying, UNEVEN, streams, _recorded(directory))
                for row, late in zip(rows, heard.lateness, strict=True):
                    row.add(OURS.name, late * 1e3)
    return [row for rows in (*adds.values(), cpu.values(), *off.values()) for row in rows]


_REPLAYING = Server("replay", lambda: [*OURS.prepare(), "--strict"], OURS.version)


def _recording(provider: Running) -> Server:
    url = f"http://127.0.0.1:{provider.port}"
    return Server("relay", lambda: [*OURS.prepare(), "--record", "--provider-openai", url], OURS.version)


def _rows(metric: str, target: float, judged: int) -> list[Row]:
    """Median and 99th percentile, of which one has a target."""
    names = (f"{metric}, median", f"{metric}, 99th percentile")
    return [
        Row(name, "ms", target=target if place == judged else None, judged=Judged.ALONE)
        for place, name in enumerate(names)
    ]


def _recorded(directory: Path) -> list[float]:
    """When the frames of the one recording there came, in seconds."""
    (file,) = directory.rglob("*.json")
    (entry,) = json.loads(file.read_bytes())["fixtures"]
    return list(itertools.accumulate(gap / 1000 for gap, _ in entry["recording"]["frames"]))


class _Bench:
    """Servers on one core, and the reader on the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers = itertools.count()

    def scratch(self) -> Path:
        """A directory that is not there yet for what has to be written, or one without fixtures."""
        return self._plan.directory / f"recording-{next(self._numbers)}"

    @contextmanager
    def serving(self, server: Server, directory: Path, *, aside: bool = False) -> Iterator[Running]:
        """`aside`: on the reader's core, which has time for it, so that the other is for what is measured."""
        directory.mkdir(parents=True, exist_ok=True)
        cores = self._plan.cores
        with running(server, directory, core=cores.load if aside else cores.server) as up:
            yield up

    def hear(self, server: Running, pacing: Pacing, streams: int, due: list[float] | None = None) -> Heard:
        """`due`: when each frame is, [DONE] included, in seconds."""
        listening = listening_to(server, pacing, streams, RAMP)
        if due:
            listening = replace(listening, counted=len(due), uncounted=0, due=due)
        return hear(listening, core=self._plan.cores.load)
