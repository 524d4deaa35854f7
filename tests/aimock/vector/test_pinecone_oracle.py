"""What Pinecone's API finds after any series of changes, against a plain account of the same in lists and numpy."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import orjson
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aimock.app import App
from aimock.net.exchange import Head, Request, Whole
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces.vector import from_config

IDS = st.sampled_from("abcdefgh")
NAMESPACES = st.sampled_from(["", "n", "__default__"])
VALUES = st.lists(st.integers(-4, 4), min_size=3, max_size=3)
METADATA = st.dictionaries(st.sampled_from("xy"), st.one_of(st.integers(0, 2), st.sampled_from("pq"), st.booleans()))
FILTERS = st.one_of(
    st.none(),
    st.builds(lambda value: {"x": {"$gte": value}}, st.integers(0, 2)),
    st.builds(lambda value: {"y": {"$in": ["p", value]}}, st.booleans()),
    st.builds(lambda value: {"$or": [{"x": {"$ne": value}}, {"y": {"$exists": False}}]}, st.integers(0, 2)),
)


@pytest.fixture(autouse=True)
def _plain() -> None:
    """Not the other tests' API, but the real ones."""


class Asked:
    """A server without a socket."""

    def __init__(self) -> None:
        state = State(Settings(seed=1))
        state.mounts.add("/vector", from_config({}, Path()))
        self._app = App(state)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The JSON of the answer, which must be a good one."""
        written = urllib.parse.urlencode(query)
        target = f"/vector{path}" + (f"?{written}" if written else "")
        headers = {"x-pinecone-api-version": "2026-07"}
        head = Head(method, target, f"/vector{path}", written, headers, tuple(headers.items()))
        answer = self._app.answer(Request(head, b"" if body is None else orjson.dumps(body)))
        assert isinstance(answer, Whole)
        assert answer.status < 300, answer.body
        return orjson.loads(answer.body) if answer.body else None


def selects(filter: Any, metadata: dict[str, Any]) -> bool:
    """The four filters of above, told plainly."""
    if filter is None:
        return True
    x, y = metadata.get("x"), metadata.get("y")
    if "x" in filter:
        return type(x) is int and x >= filter["x"]["$gte"]
    if "y" in filter:
        return y == "p" or (type(y) is bool and y is filter["y"]["$in"][1])
    return not (type(x) is int and x == filter["$or"][0]["x"]["$ne"]) or y is None


class Pinecone(RuleBasedStateMachine):
    metric: str

    @initialize(metric=st.sampled_from(["cosine", "dotproduct", "euclidean"]))
    def make(self, metric: str) -> None:
        self.metric = metric
        self.server = Asked()
        spec = {"serverless": {"cloud": "aws", "region": "us-east-1"}}
        self.server.ask("POST", "/indexes", {"name": "one", "dimension": 3, "metric": metric, "spec": spec})
        self.held: dict[str, dict[str, tuple[list[float], dict[str, Any]]]] = {"": {}, "n": {}}

    def data(self, path: str, body: Any) -> Any:
        return self.server.ask("POST", f"/i/one{path}", body)

    def of(self, namespace: str) -> dict[str, tuple[list[float], dict[str, Any]]]:
        return self.held["" if namespace == "__default__" else namespace]

    @rule(namespace=NAMESPACES, records=st.dictionaries(IDS, st.tuples(VALUES, METADATA), min_size=1, max_size=4))
    def upsert(self, namespace: str, records: dict[str, tuple[list[float], dict[str, Any]]]) -> None:
        records = {key: (values, metadata) for key, (values, metadata) in records.items() if any(values)}
        if records:
            vectors = [{"id": key, "values": values, "metadata": held} for key, (values, held) in records.items()]
            assert self.data("/vectors/upsert", {"vectors": vectors, "namespace": namespace})["upsertedCount"] == len(
                records
            )
            self.of(namespace).update(records)

    @rule(namespace=NAMESPACES, record_id=IDS, metadata=METADATA)
    def update(self, namespace: str, record_id: str, metadata: dict[str, Any]) -> None:
        self.data("/vectors/update", {"id": record_id, "setMetadata": metadata, "namespace": namespace})
        if record_id in self.of(namespace):
            values, held = self.of(namespace)[record_id]
            self.of(namespace)[record_id] = (values, {**held, **metadata})

    @rule(namespace=NAMESPACES, filter=FILTERS.filter(bool), metadata=METADATA)
    def update_by_filter(self, namespace: str, filter: Any, metadata: dict[str, Any]) -> None:
        told = self.data("/vectors/update", {"filter": filter, "setMetadata": metadata, "namespace": namespace})
        chosen = {key: each for key, each in self.of(namespace).items() if selects(filter, each[1])}
        assert told["matchedRecords"] == len(chosen)
        self.of(namespace).update({key: (values, {**held, **metadata}) for key, (values, held) in chosen.items()})

    @rule(ids=st.lists(IDS, min_size=1, max_size=3))
    def delete(self, ids: list[str]) -> None:
        self.data("/vectors/delete", {"ids": ids})
        for each in ids:
            self.held[""].pop(each, None)

    @rule(filter=FILTERS.filter(bool))
    def delete_by_filter(self, filter: Any) -> None:
        self.data("/vectors/delete", {"filter": filter})
        self.held[""] = {key: each for key, each in self.held[""].items() if not selects(filter, each[1])}

    @rule()
    def delete_all(self) -> None:
        self.data("/vectors/delete", {"deleteAll": True})
        self.held[""].clear()

    @rule(namespace=NAMESPACES, query=VALUES, top_k=st.integers(1, 9), filter=FILTERS)
    def query(self, namespace: str, query: list[float], top_k: int, filter: Any) -> None:
        body = {"vector": query, "topK": top_k, "namespace": namespace, "filter": filter}
        matches = self.data("/query", body)["matches"]
        held = {key: values for key, (values, metadata) in self.of(namespace).items() if selects(filter, metadata)}
        scores = {key: self.score(np.array(query, np.float64), np.array(values)) for key, values in held.items()}
        best = sorted(scores.values(), reverse=self.metric != "euclidean")[:top_k]
        assert [match["score"] for match in matches] == pytest.approx(best, abs=1e-6)
        assert [match["score"] for match in matches] == pytest.approx([scores[m["id"]] for m in matches], abs=1e-6)
        assert len({match["id"] for match in matches}) == len(matches)

    def score(self, query: Any, values: Any) -> float:
        if self.metric == "euclidean":
            return float(((query - values) ** 2).sum())
        lengths = 1.0 if self.metric == "dotproduct" else float(np.linalg.norm(query) * np.linalg.norm(values))
        return float(query @ values) / lengths if lengths else 0.0

    @invariant()
    def everything_is_there(self) -> None:
        if not hasattr(self, "held"):
            return
        for namespace, held in self.held.items():
            listed = self.server.ask("GET", "/i/one/vectors/list", namespace=namespace)["vectors"]
            assert [each["id"] for each in listed] == sorted(held)
        stats = self.data("/describe_index_stats", {})
        assert stats["totalVectorCount"] == sum(map(len, self.held.values()))


TestPinecone = Pinecone.TestCase
TestPinecone.settings = settings(max_examples=30, stateful_step_count=20)
