"""What a relay adds to a frame's time on its way from a provider, and how far from its recorded time a replay sends it.

What is relayed comes from `relayed.py`, what is replayed from one more server of ours, with jitter. There is no peer:
the reference's recordings have no frames.
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
from bench.relayed import probe
from bench.report import Judged, Row
from bench.rows.fidelity import RAMP, listening_to
from bench.servers import OURS, Running, Server, running
from bench.streams import Heard, hear

STREAMS = (1, 20, 200)
"""At once."""
UNEVEN = Pacing("unevenly", ttft=200, tps=20, slices=59, jitter=0.5)
FRAMES, GAP = 60, 0.05
"""Of a stream that is relayed: how many, and the seconds between them."""
WARM_UP = (20, 10, 0.01)
"""Streams, frames, gap."""

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
        with probe(core=plan.cores.load) as provider:
            provider.transit(provider.port, *WARM_UP)
            for streams, rows in adds.items():
                direct = provider.transit(provider.port, streams, FRAMES, GAP)
                with bench.serving(_recording(provider.port), bench.scratch()) as relay:
                    provider.transit(relay.port, *WARM_UP)
                    before = relay.cpu_nanoseconds()
                    relayed = provider.transit(relay.port, streams, FRAMES, GAP)
                    cpu[streams].add(OURS.name, (relay.cpu_nanoseconds() - before) / 1000 / streams / FRAMES)
                for row, without, through in zip(rows, direct, relayed, strict=True):
                    row.add(OURS.name, (through - without) * 1e3)
        directory = bench.scratch()
        with (
            bench.serving(OURS, fixtures.paced(bench.scratch(), [UNEVEN])) as up,
            bench.serving(_recording(up.port), directory) as relay,
        ):
            bench.hear(relay, UNEVEN, 1)
        with bench.serving(_REPLAYING, directory) as replaying:
            bench.hear(replaying, UNEVEN, 1, _recorded(directory))
            for streams, rows in off.items():
                heard = bench.hear(replaying, UNEVEN, streams, _recorded(directory))
                for row, late in zip(rows, heard.lateness, strict=True):
                    row.add(OURS.name, late * 1e3)
    return [row for rows in (*adds.values(), cpu.values(), *off.values()) for row in rows]


_REPLAYING = Server("replay", lambda: [*OURS.prepare(), "--strict"], OURS.version)


def _recording(port: int) -> Server:
    """One that records what comes from this port."""
    url = f"http://127.0.0.1:{port}"
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
    def serving(self, server: Server, directory: Path) -> Iterator[Running]:
        directory.mkdir(parents=True, exist_ok=True)
        with running(server, directory, core=self._plan.cores.server) as up:
            yield up

    def hear(self, server: Running, pacing: Pacing, streams: int, due: list[float] | None = None) -> Heard:
        """`due`: when each frame is, [DONE] included, in seconds."""
        listening = listening_to(server, pacing, streams, RAMP)
        if due:
            listening = replace(listening, counted=len(due), uncounted=0, due=due)
        return hear(listening, core=self._plan.cores.load)
