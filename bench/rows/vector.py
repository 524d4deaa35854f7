"""A hundred thousand vectors behind Qdrant's API: how long they take to load, what memory they take, how long a query
takes, and how late the frames of streams are meanwhile.

There is no peer: the reference's vector databases do not search.
"""

from __future__ import annotations

import functools
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bench import CannotRun, fixtures
from bench.plan import Plan
from bench.report import Judged, Row
from bench.rows.fidelity import ROUNDS, WARM_UP, WARM_UP_RAMP, WARM_UP_STREAMS, Cell, listening_to, timed
from bench.servers import OURS, Server, running
from bench.streams import hear

VECTORS, DIMENSIONS = 100_000, 1536
BATCH = 100
"""Vectors of one upsert: three megabytes of JSON."""
QUERIES = 200
NEAREST = 10
CELL = Cell(100, 50)
LATENESS_TARGET = 20.0
"""Milliseconds, 99th percentile, while queries run."""
COLLECTION = "/vector/qdrant/collections/bench"
RARE = {"must": [{"key": "number", "range": {"lt": VECTORS // 1000}}]}
"""A filter that one in a thousand passes."""


def measure(plan: Plan) -> list[Row]:
    if OURS not in plan.servers:
        return []
    name = f"{VECTORS:,} × {DIMENSIONS:,}"
    load = Row(f"{name}: load time", "s")
    memory = Row(f"{name}: memory, over that of the numbers", "×", judged=Judged.ALONE)
    queries = [
        (_latencies(f"{name}: query"), _Asking.query),
        (_latencies(f"{name}: query with a filter that 1 in 1,000 passes"), _Asking.query_with_filter),
    ]
    late = [
        (_lateness("nothing else asked"), None),
        (_lateness("queries run", LATENESS_TARGET), _Asking.query),
        (_lateness("queries with that filter run", LATENESS_TARGET), _Asking.query_with_filter),
        (_lateness(f"vectors are upserted, {BATCH} at a time"), _Asking.upsert),
    ]
    for number in plan.progress("vector", min(plan.rounds, ROUNDS)):
        directory = fixtures.paced(plan.directory / f"vector-{number}", [CELL.pacing, WARM_UP])
        with running(_with_vectors(plan.directory), directory, core=plan.cores.server) as up:
            asking = _Asking(up.port, number)
            before = up.resident_mib()
            load.add(OURS.name, asking.load())
            taken = (up.resident_mib() - before) * 2**20
            memory.add(OURS.name, taken / (VECTORS * DIMENSIONS * 4))
            for rows, ask in queries:
                _add_percentiles(rows, [ask(asking, each) * 1e3 for each in range(QUERIES)])
            hear(listening_to(up, WARM_UP, WARM_UP_STREAMS, WARM_UP_RAMP), core=plan.cores.load)
            for rows, meanwhile in late:
                with _repeating(functools.partial(meanwhile, asking) if meanwhile else None) as asked:
                    heard = timed(up, listening_to(up, CELL.pacing, CELL.streams, 0.5), plan.cores).heard
                for row, lateness in zip(rows, heard.lateness, strict=True):
                    row.add(OURS.name, lateness * 1e3)
                rows[1].notes.append(f"{rows[1].metric}: {len(asked)} requests in round {number + 1}")
    return [load, memory, *(row for rows, _ in (*queries, *late) for row in rows)]


def _latencies(metric: str) -> tuple[Row, Row]:
    return Row(f"{metric}, median", "ms"), Row(f"{metric}, 99th percentile", "ms")


def _lateness(meanwhile: str, target: float | None = None) -> tuple[Row, Row]:
    """Of frames: median and 99th percentile, for which the target is."""
    metric = f"{CELL}: frame lateness, {meanwhile}"
    return (
        Row(f"{metric}, median", "ms"),
        Row(f"{metric}, 99th percentile", "ms", target=target, judged=Judged.ALONE),
    )


def _with_vectors(directory: Path) -> Server:
    """Ours, with a vector database."""
    config = directory / "vector.json"
    config.write_text(json.dumps({"vector": {"path": "/vector", "collections": []}}))
    return Server("vectors", lambda: [*OURS.prepare(), "--config", str(config)], OURS.version)


class _Asking:
    """A client of one server, on one connection, with vectors of its own."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = np.random.default_rng(seed)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def load(self) -> float:
        """Puts all vectors there; in how many seconds, less those that it takes to write them."""
        self._ask("PUT", COLLECTION, {"vectors": {"size": DIMENSIONS, "distance": "Cosine"}})
        taken = sum(self.upsert(batch) for batch in range(VECTORS // BATCH))
        counted = self._ask("POST", f"{COLLECTION}/points/count", {"exact": True})["count"]
        if counted != VECTORS:
            raise CannotRun(f"expected {VECTORS} vectors to be there, got {counted}")
        return taken

    def upsert(self, batch: int) -> float:
        """Seconds. What is there already is replaced."""
        start = batch * BATCH % VECTORS
        numbers = range(start, start + BATCH)
        vectors = self._random.standard_normal((BATCH, DIMENSIONS), np.float32)
        payloads = [{"number": number} for number in numbers]
        body = _json({"batch": {"ids": [*numbers], "vectors": vectors, "payloads": payloads}})
        began = time.perf_counter()
        self._send("PUT", f"{COLLECTION}/points?wait=true", body)
        return time.perf_counter() - began

    def query(self, number: int, filtered: bool = False) -> float:
        """Seconds."""
        asked: dict[str, Any] = {"query": self._random.standard_normal(DIMENSIONS, np.float32), "limit": NEAREST}
        body = _json(asked | ({"filter": RARE} if filtered else {}))
        began = time.perf_counter()
        answer = self._send("POST", f"{COLLECTION}/points/query", body)
        taken = time.perf_counter() - began
        found = orjson.loads(answer)["result"]["points"]
        scores = [point["score"] for point in found]
        if len(found) != NEAREST or scores != sorted(scores, reverse=True):
            raise CannotRun(f"expected the {NEAREST} nearest, got {answer[:500]!r}")
        return taken

    def query_with_filter(self, number: int) -> float:
        return self.query(number, filtered=True)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        return orjson.loads(self._send(method, path, _json(body)))["result"]

    def _send(self, method: str, path: str, body: bytes) -> bytes:
        self._connection.request(method, path, body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise CannotRun(f"{method} {path}: expected a 200, got {response.status}: {answer[:500]!r}")
        return answer


@contextmanager
def _repeating(ask: Callable[[int], float] | None) -> Iterator[list[float]]:
    """Asks again and again, on a thread of its own; in how many seconds each time. None: nothing is asked."""
    taken: list[float] = []
    failures: list[Exception] = []
    ended = threading.Event()

    def repeat() -> None:
        try:
            while ask is not None and not ended.is_set():
                taken.append(ask(len(taken)))
        except Exception as failure:  # told where the block ends
            failures.append(failure)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield taken
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _add_percentiles(rows: Sequence[Row], values: list[float]) -> None:
    values.sort()
    for row, value in zip(rows, (values[len(values) // 2], values[len(values) * 99 // 100]), strict=True):
        row.add(OURS.name, value)
