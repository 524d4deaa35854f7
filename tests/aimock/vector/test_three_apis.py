"""The same records through three APIs: each finds the same neighbours, and they are those of plain numpy."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import vector_oracle
from aimock.app import App
from aimock.net.exchange import Head, Request, Task, Whole
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces.vector.dialects import speaking
from aimock.surfaces.vector.service import VectorService
from aimock.surfaces.vector.store import Field, Measure, Record, Store, dense

Numbers = list[float]
Metadata = dict[str, Any]
Hits = list[tuple[int, float]]
"""Ids, and scores by the measure as it is."""


class Compared(NamedTuple):
    """`op` of a key and a value."""

    op: str
    key: str
    value: Any


class Joined(NamedTuple):
    """`op`: and, or."""

    op: str
    parts: tuple[Any, ...]


Condition = Compared | Joined

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, listed: value in listed,
    "nin": lambda value, listed: value not in listed,
}


def holds(condition: Condition, metadata: Metadata) -> bool:
    if isinstance(condition, Joined):
        parts = [holds(part, metadata) for part in condition.parts]
        return all(parts) if condition.op == "and" else any(parts)
    return _OPERATORS[condition.op](metadata[condition.key], condition.value)


class Server:
    """All three APIs, asked without a wire."""

    def __init__(self) -> None:
        state = State(Settings(seed=1))
        state.mounts.add("/vector", VectorService(Store(), speaking(["pinecone", "qdrant", "chroma"])))
        self._app = App(state)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        path, _, query = f"/vector/{path}".partition("?")
        head = Head(method, path, path, query, {"host": "h"}, ())
        answer = self._app.answer(Request(head, orjson.dumps(body)))
        while isinstance(answer, Task):
            answer = trio.run(answer.run)
        assert isinstance(answer, Whole)
        assert answer.status < 300, (path, body, answer)
        return orjson.loads(answer.body)


# -- the APIs ----------------------------------------------------------------------------------------------------------


class Pinecone:
    METRICS: Mapping[Measure, str] = {
        Measure.COSINE: "cosine",
        Measure.DOT: "dotproduct",
        Measure.SQUARED_EUCLIDEAN: "euclidean",
    }

    def __init__(self, server: Server, measure: Measure) -> None:
        spec = {"serverless": {"cloud": "aws", "region": "us-east-1"}}
        made = {"name": "docs", "dimension": 3, "metric": self.METRICS[measure], "spec": spec}
        server.ask("POST", "pinecone/indexes", made)
        self._ask = lambda method, path, body=None: server.ask(method, f"pinecone/i/docs/{path}", body)

    def upsert(self, records: Mapping[int, tuple[Numbers, Metadata]]) -> None:
        vectors = [{"id": str(id), "values": values, "metadata": told} for id, (values, told) in records.items()]
        assert self._ask("POST", "vectors/upsert", {"vectors": vectors}) == {"upsertedCount": len(records)}

    def move(self, id: int, values: Numbers) -> None:
        self._ask("POST", "vectors/update", {"id": str(id), "values": values})

    def tell(self, id: int, metadata: Metadata) -> None:
        self._ask("POST", "vectors/update", {"id": str(id), "setMetadata": metadata})

    def delete(self, ids: Sequence[int]) -> None:
        self._ask("POST", "vectors/delete", {"ids": [*map(str, ids)]})

    def delete_where(self, condition: Condition) -> None:
        self._ask("POST", "vectors/delete", {"filter": dollars(condition)})

    def nearest(self, vector: Numbers, k: int, condition: Condition | None) -> Hits:
        told = {} if condition is None else {"filter": dollars(condition)}
        found = self._ask("POST", "query", {"vector": vector, "topK": k, **told})["matches"]
        return [(int(match["id"]), match["score"]) for match in found]

    def everything(self) -> dict[int, tuple[Numbers, Metadata]]:
        asked = {"vector": [1, 0, 0], "topK": 10_000, "includeValues": True, "includeMetadata": True}
        found = self._ask("POST", "query", asked)["matches"]
        return {int(match["id"]): (match["values"], match["metadata"]) for match in found}


class Chroma:
    SPACES: Mapping[Measure, str] = {Measure.COSINE: "cosine", Measure.DOT: "ip", Measure.SQUARED_EUCLIDEAN: "l2"}
    BASE = "chroma/api/v2/tenants/default_tenant/databases/default_database/collections"

    def __init__(self, server: Server, measure: Measure) -> None:
        made = {"name": "docs", "configuration": {"hnsw": {"space": self.SPACES[measure]}}}
        id = server.ask("POST", self.BASE, made)["id"]
        self._measure = measure
        self._ask = lambda operation, body: server.ask("POST", f"{self.BASE}/{id}/{operation}", body)

    def upsert(self, records: Mapping[int, tuple[Numbers, Metadata]]) -> None:
        embeddings, metadatas = zip(*records.values(), strict=True)
        self._ask("upsert", {"ids": [*map(str, records)], "embeddings": embeddings, "metadatas": metadatas})

    def move(self, id: int, values: Numbers) -> None:
        self._ask("update", {"ids": [str(id)], "embeddings": [values]})

    def tell(self, id: int, metadata: Metadata) -> None:
        self._ask("update", {"ids": [str(id)], "metadatas": [metadata]})

    def delete(self, ids: Sequence[int]) -> None:
        self._ask("delete", {"ids": [*map(str, ids)]})

    def delete_where(self, condition: Condition) -> None:
        self._ask("delete", {"where": dollars(condition)})

    def nearest(self, vector: Numbers, k: int, condition: Condition | None) -> Hits:
        told = {} if condition is None else {"where": dollars(condition)}
        asked = {"query_embeddings": [vector], "n_results": k, "include": ["distances"], **told}
        answer = self._ask("query", asked)
        similar = self._measure in (Measure.COSINE, Measure.DOT)
        scores = [1 - distance if similar else distance for distance in answer["distances"][0]]
        return [*zip(map(int, answer["ids"][0]), scores, strict=True)]

    def everything(self) -> dict[int, tuple[Numbers, Metadata]]:
        answer = self._ask("get", {"include": ["embeddings", "metadatas"]})
        rows = zip(answer["ids"], answer["embeddings"], answer["metadatas"], strict=True)
        return {int(id): (values, told) for id, values, told in rows}


class Qdrant:
    DISTANCES: Mapping[Measure, str] = {
        Measure.COSINE: "Cosine",
        Measure.DOT: "Dot",
        Measure.SQUARED_EUCLIDEAN: "Euclid",
    }
    BASE = "qdrant/collections/docs"

    def __init__(self, server: Server, measure: Measure) -> None:
        server.ask("PUT", self.BASE, {"vectors": {"size": 3, "distance": self.DISTANCES[measure]}})
        self._measure = measure
        self._ask = lambda method, path, body: server.ask(method, f"{self.BASE}/points{path}", body)["result"]

    def upsert(self, records: Mapping[int, tuple[Numbers, Metadata]]) -> None:
        points = [{"id": id, "vector": values, "payload": told} for id, (values, told) in records.items()]
        self._ask("PUT", "?wait=true", {"points": points})

    def move(self, id: int, values: Numbers) -> None:
        self._ask("PUT", "/vectors?wait=true", {"points": [{"id": id, "vector": values}]})

    def tell(self, id: int, metadata: Metadata) -> None:
        self._ask("POST", "/payload?wait=true", {"points": [id], "payload": metadata})

    def delete(self, ids: Sequence[int]) -> None:
        self._ask("POST", "/delete?wait=true", {"points": ids})

    def delete_where(self, condition: Condition) -> None:
        self._ask("POST", "/delete?wait=true", {"filter": clauses(condition)})

    def nearest(self, vector: Numbers, k: int, condition: Condition | None) -> Hits:
        told = {} if condition is None else {"filter": clauses(condition)}
        found = self._ask("POST", "/query", {"query": vector, "limit": k, **told})["points"]
        power = 2 if self._measure is Measure.SQUARED_EUCLIDEAN else 1
        return [(point["id"], point["score"] ** power) for point in found]

    def everything(self) -> dict[int, tuple[Numbers, Metadata]]:
        asked = {"limit": 1000, "with_payload": True, "with_vector": True}
        found = self._ask("POST", "/scroll", asked)["points"]
        return {point["id"]: (point["vector"], point["payload"]) for point in found}


Api = Pinecone | Chroma | Qdrant


def dollars(condition: Condition) -> dict[str, Any]:
    """In the words of Pinecone and Chroma."""
    if isinstance(condition, Joined):
        return {f"${condition.op}": [dollars(part) for part in condition.parts]}
    return {condition.key: {f"${condition.op}": condition.value}}


def clauses(condition: Condition) -> dict[str, Any]:
    """A filter of Qdrant's."""
    if isinstance(condition, Joined):
        return {"must" if condition.op == "and" else "should": [clauses(part) for part in condition.parts]}
    op, key, value = condition
    match op:
        case "eq" | "ne":
            clause = {"key": key, "match": {"value": value}}
        case "in" | "nin":
            clause = {"key": key, "match": {"any": value}}
        case _:
            clause = {"key": key, "range": {op: value}}
    return {"must_not" if op in ("ne", "nin") else "must": [clause]}


# -- what is asked -----------------------------------------------------------------------------------------------------

IDS = st.integers(0, 14)
VECTORS = st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3).filter(any)
"""Small, so that there are ties; never zero, which Pinecone does not take."""
N, T = st.integers(0, 4), st.sampled_from(["a", "b", "ü"])
METADATA = st.fixed_dictionaries({"n": N, "t": T})
COMPARED = (
    st.builds(Compared, st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), st.just("n"), N)
    | st.builds(Compared, st.sampled_from(["eq", "ne"]), st.just("t"), T)
    | st.builds(Compared, st.sampled_from(["in", "nin"]), st.just("n"), st.lists(N, min_size=1, max_size=3))
    | st.builds(Compared, st.sampled_from(["in", "nin"]), st.just("t"), st.lists(T, min_size=1, max_size=2))
)
CONDITIONS = st.recursive(
    COMPARED,
    lambda parts: st.builds(Joined, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3).map(tuple)),
    max_leaves=4,
)


class Machine(RuleBasedStateMachine):
    """Three collections that are told the same, and the dictionary that they ought to be like."""

    @initialize(measure=st.sampled_from([Measure.COSINE, Measure.DOT, Measure.SQUARED_EUCLIDEAN]))
    def begin(self, measure: Measure) -> None:
        server = Server()
        self.measure = measure
        self.apis: list[Api] = [api(server, measure) for api in (Pinecone, Chroma, Qdrant)]
        self.held: dict[int, tuple[Numbers, Metadata]] = {}

    @rule(records=st.dictionaries(IDS, st.tuples(VECTORS, METADATA), min_size=1, max_size=6))
    def upsert(self, records: dict[int, tuple[Numbers, Metadata]]) -> None:
        for api in self.apis:
            api.upsert(records)
        self.held |= records

    @rule(data=st.data(), values=VECTORS)
    def move(self, data: st.DataObject, values: Numbers) -> None:
        if self.held:
            id = data.draw(st.sampled_from(sorted(self.held)))
            for api in self.apis:
                api.move(id, values)
            self.held[id] = values, self.held[id][1]

    @rule(data=st.data(), metadata=st.fixed_dictionaries({}, optional={"n": N, "t": T}).filter(bool))
    def tell(self, data: st.DataObject, metadata: Metadata) -> None:
        if self.held:
            id = data.draw(st.sampled_from(sorted(self.held)))
            for api in self.apis:
                api.tell(id, metadata)
            self.held[id] = self.held[id][0], self.held[id][1] | metadata

    @rule(ids=st.lists(IDS, min_size=1, max_size=4, unique=True))
    def delete(self, ids: list[int]) -> None:
        if self.held:  # Pinecone does not know a namespace that has nothing
            for api in self.apis:
                api.delete(ids)
            self.held = {id: record for id, record in self.held.items() if id not in ids}

    @rule(condition=CONDITIONS)
    def delete_where(self, condition: Condition) -> None:
        if self.held:
            for api in self.apis:
                api.delete_where(condition)
            self.held = {id: record for id, record in self.held.items() if not holds(condition, record[1])}

    @rule(vector=VECTORS, k=st.integers(1, 8), conditions=st.lists(CONDITIONS, min_size=1, max_size=5))
    def query(self, vector: Numbers, k: int, conditions: list[Condition]) -> None:
        for condition in (None, *conditions):
            self._ask(vector, k, condition)

    def _ask(self, vector: Numbers, k: int, condition: Condition | None) -> None:
        expected = self._expected(vector, condition)
        scores = dict(expected)
        for api in self.apis:
            found = api.nearest(vector, k, condition)
            # Qdrant keeps what is to be compared by its angle at length 1, as floats: what is as near as can be may
            # then be nearer or farther by a bit.
            nearly = isinstance(api, Qdrant) and self.measure is Measure.COSINE
            if not nearly:
                by_ties = _by_ties(expected, self.measure) if isinstance(api, Qdrant) else expected
                assert [id for id, _ in found] == [id for id, _ in by_ties[:k]], api
            assert [score for _, score in found] == pytest.approx(
                [score for _, score in expected[:k]], rel=1e-6, abs=1e-6
            ), api
            assert len({id for id, _ in found}) == len(found) == len(expected[:k])
            for id, score in found:
                assert score == pytest.approx(scores[id], rel=1e-6, abs=1e-6), api

    @invariant()
    def holds_what_it_was_told(self) -> None:
        for api in self.apis if hasattr(self, "apis") else ():
            found = api.everything()
            assert found.keys() == self.held.keys(), api
            for id, (values, metadata) in found.items():
                expected = self.held[id][0]
                if isinstance(api, Qdrant) and self.measure is Measure.COSINE:
                    expected = [number / math.hypot(*expected) for number in expected]
                assert (values, metadata) == (pytest.approx(expected, abs=1e-6), self.held[id][1]), api

    def _expected(self, vector: Numbers, condition: Condition | None) -> list[tuple[Any, float]]:
        records = (
            Record(id, {"": dense(values)})
            for id, (values, metadata) in self.held.items()
            if condition is None or holds(condition, metadata)
        )
        return vector_oracle.nearest(Field(self.measure), "", dense(vector), records)


def _by_ties(expected: Iterable[tuple[Any, float]], measure: Measure) -> list[tuple[Any, float]]:
    """Of those equally near the one with the smallest id first: so Qdrant has them."""
    return sorted(expected, key=lambda pair: (pair[1] if measure.is_distance else -pair[1], pair[0]))


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=20, stateful_step_count=25)
