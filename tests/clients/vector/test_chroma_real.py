"""Random calls to chromadb's own server and to the mock are answered alike (see `chroma_twins`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from chroma_twins import DATABASE, Both, both_servers


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both_servers(tmp_path_factory.mktemp("chroma")) as servers:
        yield servers


IDS = [f"r{number}" for number in range(8)]
NUMBERS = st.integers(-4, 4).map(float) | st.sampled_from([0.5, -0.25, 1.75])
EMBEDDINGS = st.lists(NUMBERS, min_size=3, max_size=3)
TEXTS = st.sampled_from(["alpha beta", "beta gamma", "Alpha", "", "gamma\ndelta", "100% sure"])
WHOLE = st.integers(-2, 3)
SCALARS = WHOLE | WHOLE.map(float) | st.booleans() | st.sampled_from(["x", "y", "1"])
LISTS = st.lists(WHOLE, max_size=3) | st.lists(st.sampled_from("xy"), max_size=2) | st.lists(st.booleans(), max_size=2)
KEYS = st.sampled_from(["a", "b", "c"])
NEW = st.dictionaries(KEYS, SCALARS | LISTS, max_size=3)
CHANGED = st.dictionaries(KEYS, SCALARS | LISTS | st.none(), max_size=3)


@st.composite
def batches(draw: st.DrawFn, *, changes: bool) -> dict[str, Any]:
    """The columns of an add, an upsert or an update; rarely one that is too short or of another dimension."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=4))
    size = len(ids) - draw(st.sampled_from([0] * 15 + [1]))

    def column(values: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | st.lists(st.none() | values, min_size=size, max_size=size))

    embedding = st.lists(NUMBERS, min_size=2, max_size=2) if draw(st.integers(0, 15)) == 15 else EMBEDDINGS
    embeddings = st.lists(embedding, min_size=len(ids), max_size=len(ids))
    return {
        "ids": ids,
        "embeddings": column(embedding) if changes else draw(embeddings),
        "metadatas": column(CHANGED if changes else NEW),
        "documents": column(TEXTS),
        "uris": column(st.just("u:1")),
    }


def conditions() -> st.SearchStrategy[Any]:
    operators = st.one_of(
        st.tuples(st.sampled_from(["$eq", "$ne"]), SCALARS),
        st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), WHOLE | WHOLE.map(float) | st.just("x")),
        st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(WHOLE, max_size=3) | st.lists(st.sampled_from("xy"))),
        st.tuples(st.sampled_from(["$contains", "$not_contains"]), SCALARS),
    )
    leaf = st.one_of(
        st.tuples(KEYS, operators).map(lambda pair: {pair[0]: {pair[1][0]: pair[1][1]}}),
        st.dictionaries(KEYS, SCALARS, min_size=1, max_size=1),
    )
    return st.recursive(leaf, _connected, max_leaves=4)


def text_conditions() -> st.SearchStrategy[Any]:
    needles = st.sampled_from(["alpha", "Alpha", "a", "beta g", "", "%", "zz"])
    patterns = st.sampled_from(["^alpha", "beta$", "a.*a", "(?i)ALPHA", r"\d+%", "gamma.delta", "[", "(x)\\1", "x{2}"])
    leaf = st.one_of(
        st.tuples(st.sampled_from(["$contains", "$not_contains"]), needles),
        st.tuples(st.sampled_from(["$regex", "$not_regex"]), patterns),
    ).map(lambda pair: {pair[0]: pair[1]})
    return st.recursive(leaf, _connected, max_leaves=3)


def _connected(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.tuples(st.sampled_from(["$and", "$or"]), several).map(lambda pair: {pair[0]: pair[1]})


WRITES = st.one_of(
    st.tuples(st.just("add"), batches(changes=False)),
    st.tuples(st.just("upsert"), batches(changes=False)),
    st.tuples(st.just("update"), batches(changes=True)),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"ids": st.lists(st.sampled_from(IDS), max_size=3)})),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"where": conditions()}, optional={"limit": st.integers(0, 2)})),
)
READS = st.fixed_dictionaries(
    {"include": st.lists(st.sampled_from(["documents", "embeddings", "metadatas", "uris"]), unique=True)},
    optional={
        "where": conditions(),
        "where_document": text_conditions(),
        "ids": st.lists(st.sampled_from([*IDS, "unknown"])),
        "limit": st.integers(0, 5),
        "offset": st.integers(0, 5),
    },
)
QUERIES = st.fixed_dictionaries(
    {
        "query_embeddings": st.lists(EMBEDDINGS, min_size=1, max_size=2),
        "n_results": st.integers(1, 9),
        "include": st.just(["documents", "distances", "metadatas", "uris"]),
    },
    optional={"where": conditions(), "where_document": text_conditions()},
)


@given(
    st.sampled_from(["l2", "cosine", "ip"]),
    st.lists(WRITES, min_size=1, max_size=6),
    st.lists(READS, max_size=4),
    st.lists(QUERIES, max_size=4),
)
@settings(max_examples=60, derandomize=True, phases=(Phase.generate,))
def test_random_calls_are_answered_alike(
    both: Both, space: str, writes: Sequence[tuple[str, Any]], reads: Sequence[Any], queries: Sequence[Any]
) -> None:
    twins = both.collection(configuration={"hnsw": {"space": space}})
    note("writes: " + json.dumps(writes))
    for operation, body in writes:
        twins.same(operation, body)
    twins.same("get", {"include": ["documents", "metadatas", "uris"]})
    for body in reads:
        without = {**body, "include": [name for name in body["include"] if name != "embeddings" or space != "cosine"]}
        twins.same("get", without)
    for body in queries:
        twins.same_nearest(body)
    real, ours = (answer.json() for answer in both.ask("GET", f"{DATABASE}/collections/{twins.name}"))
    assert {**ours, "id": real["id"]} == real
