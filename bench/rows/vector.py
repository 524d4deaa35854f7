"""A hundred thousand vectors behind Qdrant's API: how long they take to load, what memory they take, how long a query
takes, and how late the frames of streams are meanwhile.

There is no peer: the reference's vector databases do not search.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
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
    queries = {
        "query": _latencies(f"{name}: query"),
        "rare filter": _latencies(f"{name}: query with a filter that 1 in 1,000 passes"),
    }
    late = {
        "alone": _lateness("frame lateness, nothing else asked"),
        "queries": _lateness("frame lateness while queries run", LATENESS_TARGET),
        "rare filter": _lateness("frame lateness while queries with that filter run", LATENESS_TARGET),
    }
    for number in plan.progress("vector", min(plan.rounds, ROUNDS)):
        directory = fixtures.paced(plan.directory / f"vector-{number}", [CELL.pacing, WARM_UP])
        with running(_with_vectors(plan.directory), directory, core=plan.cores.server) as up:
            asking = _Asking(up.port, number)
            before = up.resident_mib()
            load.add(OURS.name, asking.load())
            taken = (up.resident_mib() - before) * 2**20
            memory.add(OURS.name, taken / (VECTORS * DIMENSIONS * 4))
            for kind, rows in queries.items():
                _add_percentiles(rows, asking.latencies(kind))
            hear(listening_to(up, WARM_UP, WARM_UP_STREAMS, WARM_UP_RAMP), core=plan.cores.load)
            for kind, rows in late.items():
                with asking.meanwhile(kind) as asked:
                    heard = timed(up, listening_to(up, CELL.pacing, CELL.streams, 0.5), plan.cores)
                for row, lateness in zip(rows, heard.heard.lateness, strict=True):
                    row.add(OURS.name, lateness * 1e3)
                if kind != "alone":
                    rows[1].notes.append(f"{len(asked)} queries ran while {rows[1].metric} was measured")
    return [load, memory, *(row for rows in (*queries.values(), *late.values()) for row in rows)]


def _latencies(metric: str) -> tuple[Row, Row]:
    return Row(f"{metric}, median", "ms"), Row(f"{metric}, 99th percentile", "ms")


def _lateness(metric: str, target: float | None = None) -> tuple[Row, Row]:
    """Of frames: median and 99th percentile, for which the target is."""
    metric = f"{CELL}: {metric}"
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
        taken = 0.0
        for start in range(0, VECTORS, BATCH):
            numbers = range(start, start + BATCH)
            vectors = self._random.standard_normal((BATCH, DIMENSIONS), np.float32)
            payloads = [{"number": number} for number in numbers]
            body = _json({"batch": {"ids": [*numbers], "vectors": vectors, "payloads": payloads}})
            began = time.perf_counter()
            self._send("PUT", f"{COLLECTION}/points?wait=true", body)
            taken += time.perf_counter() - began
        counted = self._ask("POST", f"{COLLECTION}/points/count", {"exact": True})["count"]
        if counted != VECTORS:
            raise CannotRun(f"expected {VECTORS} vectors to be there, got {counted}")
        return taken

    def latencies(self, kind: str) -> list[float]:
        """Milliseconds."""
        return [self._query(kind) * 1e3 for _ in range(QUERIES)]

    @contextmanager
    def meanwhile(self, kind: str) -> Iterator[list[float]]:
        """Queries of that kind one after the other, on a thread of their own; their latencies."""
        latencies: list[float] = []
        failures: list[Exception] = []
        ended = threading.Event()

        def ask() -> None:
            try:
                while not ended.is_set():
                    latencies.append(self._query(kind))
            except Exception as failure:  # told where the block ends
                failures.append(failure)

        thread = threading.Thread(target=ask)
        if kind != "alone":
            thread.start()
        try:
            yield latencies
        finally:
            ended.set()
            if kind != "alone":
                thread.join()
        if failures:
            raise failures[0]

    def _query(self, kind: str) -> float:
        """Seconds."""
        asked: dict[str, Any] = {"query": self._random.standard_normal(DIMENSIONS, np.float32), "limit": NEAREST}
        body = _json(asked | ({"filter": RARE} if kind == "rare filter" else {}))
        began = time.perf_counter()
        answer = self._send("POST", f"{COLLECTION}/points/query", body)
        taken = time.perf_counter() - began
        found = orjson.loads(answer)["result"]["points"]
        scores = [point["score"] for point in found]
        if len(found) != NEAREST or scores != sorted(scores, reverse=True):
            raise CannotRun(f"expected the {NEAREST} nearest, got {answer[:500]!r}")
        return taken

    def _ask(self, method: str, path: str, body: Any) -> Any:
        return orjson.loads(self._send(method, path, _json(body)))["result"]

    def _send(self, method: str, path: str, body: bytes) -> bytes:
        self._connection.request(method, path, body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise CannotRun(f"{method} {path}: expected a 200, got {response.status}: {answer[:500]!r}")
        return answer


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _add_percentiles(rows: Sequence[Row], values: list[float]) -> None:
    values.sort()
    for row, value in zip(rows, (values[len(values) // 2], values[len(values) * 99 // 100]), strict=True):
        row.add(OURS.name, value)
