"""Whatever a body says, Pinecone's API answers it or refuses it, and keeps nothing that it cannot tell again."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock.app import App
from aimock.net.exchange import Head, Request, Task, Whole
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces.vector import from_config

SERVERLESS = {"cloud": "aws", "region": "r", "read_capacity": {"mode": "OnDemand"}, "schema": {"fields": {}}}
DEDICATED = {"node_type": "b1", "scaling": "Manual", "manual": {"shards": 1, "replicas": 1}}
EMBED = {"model": "pinecone-sparse-english-v0", "field_map": {"text": "t"}, "read_parameters": {"truncate": "END"}}
TEXT = {"type": "string", "embed": {"model": "multilingual-e5-large"}, "sparse_embed": {}, "full_text_search": {}}
SCHEMA = {"fields": {"v": {"type": "dense_vector", "dimension": 2, "metric": "cosine"}, "t": TEXT}}
SPARSE = {"indices": [1], "values": [0.5]}
FILTER = {"$and": [{"a": {"$gte": 1}}, {"$or": [{"b": {"$in": ["x"]}}, {"c": {"$exists": True}}]}]}
DOCUMENTS = "/i/docs/namespaces/n/documents"

VALID: list[tuple[str, str, Any]] = [
    ("POST", "/indexes", {"name": "one", "dimension": 2, "metric": "dotproduct", "spec": {"serverless": SERVERLESS}}),
    ("POST", "/indexes", {"name": "docs", "schema": SCHEMA, "tags": {"a": "b"}}),
    ("POST", "/indexes/create-for-model", {"name": "recs", "cloud": "aws", "region": "r", "embed": EMBED}),
    ("PATCH", "/indexes/one", {"read_capacity": {"mode": "Dedicated", "dedicated": DEDICATED}, "tags": {"a": ""}}),
    ("PATCH", "/indexes/recs", {"schema": {"fields": {"t": {"type": "semantic_text", "write_parameters": {}}}}}),
    ("POST", "/collections", {"name": "copy", "source": "one"}),
    ("POST", "/indexes/one/backups", {"name": "b", "description": "d"}),
    (
        "POST",
        "/i/one/vectors/upsert",
        {"vectors": [{"id": "a", "values": [1, 0], "sparseValues": SPARSE, "metadata": {"a": 1, "b": ["x"]}}]},
    ),
    ("POST", "/i/one/query", {"topK": 1, "vector": [1, 0], "sparseVector": SPARSE, "filter": FILTER}),
    ("POST", "/i/one/query", {"topK": 1, "id": "a", "includeValues": True, "namespace": ""}),
    ("POST", "/i/one/vectors/fetch_by_metadata", {"filter": FILTER, "limit": 1}),
    ("POST", "/i/one/vectors/update", {"id": "a", "values": [1, 1], "setMetadata": {"a": 2}}),
    ("POST", "/i/one/vectors/update", {"filter": FILTER, "setMetadata": {"a": 2}, "dryRun": False}),
    ("POST", "/i/one/vectors/delete", {"ids": ["b"], "deleteAll": False, "namespace": ""}),
    ("POST", "/i/one/vectors/delete", {"filter": FILTER}),
    ("POST", "/i/one/describe_index_stats", {"filter": {}}),
    ("POST", "/i/one/namespaces", {"name": "n", "schema": {"fields": {"a": {"filterable": True}}}}),
    ("POST", "/i/recs/records/namespaces/n/upsert", {"_id": "a", "t": "text", "a": 1}),
    (
        "POST",
        "/i/recs/records/namespaces/n/search",
        {
            "query": {
                "inputs": {"text": "x"},
                "top_k": 1,
                "filter": FILTER,
                "match_terms": {"strategy": "all", "terms": ["x"]},
            },
            "fields": ["t"],
            "rerank": {"model": "bge-reranker-v2-m3", "rank_fields": ["t"], "top_n": 1},
        },
    ),
    ("POST", "/i/one/records/namespaces/n/search", {"query": {"vector": {"values": [1, 0]}, "top_k": 1}}),
    ("POST", f"{DOCUMENTS}/upsert", {"documents": [{"_id": "a", "v": [1, 0], "t": "one", "a": 1, "b": ["x"]}]}),
    ("POST", f"{DOCUMENTS}/update", {"documents": [{"_id": "a", "a": 2, "t": "two", "_remove_fields": ["b"]}]}),
    ("POST", f"{DOCUMENTS}/update", {"filter": FILTER, "set_fields": {"a": 2}, "remove_fields": ["b"]}),
    (
        "POST",
        f"{DOCUMENTS}/search",
        {
            "score_by": [
                {"type": "text", "query": "one", "fields": ["t"]},
                {"type": "query_string", "query": 't:(one OR "two"^2)'},
            ],
            "top_k": 1,
            "filter": {"t": {"$match_any": "one"}},
            "include_fields": ["*"],
        },
    ),
    (
        "POST",
        f"{DOCUMENTS}/search",
        {"score_by": [{"type": "dense_vector", "field": "v", "values": [1, 0]}], "top_k": 1},
    ),
    ("POST", f"{DOCUMENTS}/search", {"score_by": [{"type": "embed", "field": "t", "query": "x"}], "top_k": 1}),
    ("POST", f"{DOCUMENTS}/fetch", {"filter": {"a": {"$gt": 0}}, "limit": 1, "include_fields": ["a"]}),
    ("POST", f"{DOCUMENTS}/list", {"prefix": "a", "limit": 1}),
    ("POST", f"{DOCUMENTS}/delete", {"ids": ["b"]}),
    (
        "POST",
        "/embed",
        {"model": "llama-text-embed-v2", "inputs": [{"text": "x"}], "parameters": {"input_type": "query"}},
    ),
    ("POST", "/rerank", {"model": "bge-reranker-v2-m3", "query": "x", "documents": [{"text": "x"}], "top_n": 1}),
]
"""What is well asked, in an order in which it can be."""

DEEP = "nested deeply"
"""Stands for 300 arrays in each other, which orjson reads but does not write."""

OTHER = st.one_of(
    st.sampled_from([None, True, 0, -1, 2**63, 0.5, 1e39, "", "a", "ä\0", "one", [], {}, [None], [[1]], {"a": None}]),
    st.sampled_from([{"$eq": 1}, {"text": 1}, {"fields": 1}, {"indices": [1, 1], "values": [1, 2]}, "x" * 600]),
    st.just(DEEP),
)
"""What may stand where something else was expected."""


@pytest.fixture(autouse=True)
def _plain() -> None:
    """Not the other tests' API, but the real ones."""


@pytest.fixture(scope="module")
def app() -> App:
    state = State(Settings(seed=1))
    state.mounts.add("/vector", from_config({}, Path()))
    return App(state)


def status(app: App, method: str, path: str, body: Any = None) -> int:
    headers = {"x-pinecone-api-version": "2026-07"}
    head = Head(method, f"/vector{path}", f"/vector{path}", "", headers, tuple(headers.items()))
    answer = app.answer(Request(head, b"" if body is None else written(body)))
    while isinstance(answer, Task):
        answer = trio.run(answer.run)
    assert isinstance(answer, Whole)
    return answer.status


def written(body: Any) -> bytes:
    return orjson.dumps(body).replace(orjson.dumps(DEEP), b"[" * 300 + b"]" * 300)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a value: keys and indices, from the outside."""
    yield place
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        yield from places(each, (*place, key))


def replaced(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    if not place:
        return other
    changed = copy.copy(value)
    changed[place[0]] = replaced(value[place[0]], place[1:], other)
    return changed


@pytest.fixture(scope="module", autouse=True)
def _made(app: App) -> None:
    """What is well asked is well answered."""
    for method, path, body in VALID:
        assert status(app, method, path, body) < 300, path


CASES = [(method, path, body, place) for method, path, body in VALID for place in places(body)]


@settings(max_examples=300)
@given(case=st.sampled_from(CASES), other=OTHER)
def test_a_body_that_is_wrong_somewhere_is_answered_or_refused(app: App, case: Any, other: Any) -> None:
    method, path, body, place = case
    assert status(app, method, path, replaced(body, place, other)) < 500


def test_and_all_can_still_be_told(app: App) -> None:
    for path in ("/indexes", "/indexes/one", "/indexes/docs", "/indexes/recs", "/collections", "/backups", "/models"):
        assert status(app, "GET", path) == 200
    for index in ("one", "docs", "recs"):
        assert status(app, "GET", f"/i/{index}/namespaces") == 200
        assert status(app, "POST", f"/i/{index}/describe_index_stats", {}) == 200
