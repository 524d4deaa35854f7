"""After any writes, what Chroma's API finds is what a dictionary and numpy find."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chroma_server import chroma_mock

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
DIMENSION = 3
IDS = st.sampled_from([f"r{number}" for number in range(12)])
VECTORS = st.lists(st.floats(-4, 4, width=32), min_size=DIMENSION, max_size=DIMENSION)
NUMBERS = st.integers(-2, 2)
BATCHES = st.lists(st.tuples(IDS, VECTORS, NUMBERS), min_size=1, max_size=4, unique_by=lambda row: row[0])

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def distances(space: str, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if space == "l2":
        return ((rows - query) ** 2).sum(axis=1)
    products = rows @ query
    if space == "cosine":
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        products = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return 1 - products


class Writes(RuleBasedStateMachine):
    """One collection, and what it should have: vectors and numbers by id, in the order of insertion."""

    def __init__(self) -> None:
        super().__init__()
        self.open = contextlib.ExitStack()
        mock = self.open.enter_context(chroma_mock(seed=1))
        self.http = self.open.enter_context(httpx.Client(base_url=mock.url, trust_env=False))
        self.kept: dict[str, tuple[np.ndarray, int]] = {}

    def teardown(self) -> None:
        self.open.close()

    def call(self, operation: str, **body: Any) -> Any:
        answer = self.http.post(f"{self.path}/{operation}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def write(self, operation: str, rows: list[tuple[str, list[float], int]]) -> None:
        ids, vectors, numbers = zip(*rows, strict=True)
        self.call(operation, ids=ids, embeddings=vectors, metadatas=[{"n": number} for number in numbers])

    @initialize(space=st.sampled_from(["l2", "cosine", "ip"]))
    def make(self, space: str) -> None:
        self.space = space
        body = {"name": "docs", "configuration": {"hnsw": {"space": space}}}
        self.path = f"{DATABASE}/collections/{self.http.post(f'{DATABASE}/collections', json=body).json()['id']}"

    @rule(rows=BATCHES)
    def add(self, rows: list[tuple[str, list[float], int]]) -> None:
        self.write("add", rows)
        for id, vector, number in rows:
            self.kept.setdefault(id, (np.array(vector), number))

    @rule(rows=BATCHES)
    def upsert(self, rows: list[tuple[str, list[float], int]]) -> None:
        self.write("upsert", rows)
        for id, vector, number in rows:
            self.kept[id] = (np.array(vector), number)

    @rule(rows=BATCHES)
    def update(self, rows: list[tuple[str, list[float], int]]) -> None:
        self.write("update", rows)
        for id, vector, number in rows:
            if id in self.kept:
                self.kept[id] = (np.array(vector), number)

    @rule(ids=st.lists(IDS, min_size=1, max_size=4))
    def delete(self, ids: list[str]) -> None:
        self.call("delete", ids=ids)
        for id in ids:
            self.kept.pop(id, None)

    @rule(name=st.sampled_from([*COMPARISONS]), number=NUMBERS)
    def delete_by_filter(self, name: str, number: int) -> None:
        going = [id for id, (_, own) in self.kept.items() if COMPARISONS[name](own, number)]
        assert self.call("delete", where={"n": {name: number}}) == {"deleted": len(going)}
        for id in going:
            del self.kept[id]

    @rule(vector=VECTORS, k=st.integers(1, 15), name=st.sampled_from([*COMPARISONS]), number=NUMBERS)
    def query(self, vector: list[float], k: int, name: str, number: int) -> None:
        found = self.call("query", query_embeddings=[vector], n_results=k, where={"n": {name: number}})
        ids = [id for id, (_, own) in self.kept.items() if COMPARISONS[name](own, number)]
        rows = np.array([self.kept[id][0] for id in ids]).reshape(-1, DIMENSION)
        expected = distances(self.space, np.array(vector), rows)
        order = np.argsort(expected, kind="stable")[:k]
        np.testing.assert_allclose(found["distances"][0], expected[order], rtol=1e-5, atol=1e-5)
        by_id = dict(zip(ids, expected, strict=True))
        np.testing.assert_allclose([by_id[id] for id in found["ids"][0]], expected[order], rtol=1e-5, atol=1e-5)

    @invariant()
    def has_what_it_should(self) -> None:
        if not hasattr(self, "path"):
            return
        got = self.call("get", include=["embeddings", "metadatas"])
        assert got["ids"] == [*self.kept]
        assert [each["n"] for each in got["metadatas"]] == [number for _, number in self.kept.values()]
        assert np.array_equal(
            np.array(got["embeddings"], np.float32).reshape(-1, DIMENSION),
            np.array([vector for vector, _ in self.kept.values()], np.float32).reshape(-1, DIMENSION),
        )


TestWrites = Writes.TestCase
TestWrites.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
