"""What requests of Qdrant ask, what is refused of them, and what formulas, fusions and words come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import WireError
from aimock_protocols.qdrant import asking, bm25, collections, fusion, inference, older, operations, queries, vectors
from aimock_protocols.qdrant.filters import Filters
from aimock_protocols.qdrant.formula import formula
from aimock_protocols.qdrant.reading import Fields
from aimock_protocols.qdrant.vectors import Dense, Inferred, Multi, Sparse

FILTERS = Filters({})
"""Of a collection without text indexes."""

UUID = "00000000-0000-0000-0000-000000000001"

# -- queries -----------------------------------------------------------------------------------------------------------


def asked(query: Any, **more: Any) -> queries.Search:
    return asking.query(FILTERS, {"query": query, **more})[0]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ([1.0, 2], queries.Nearest),
        (7, queries.Nearest),
        (UUID, queries.Nearest),
        ({"indices": [1], "values": [2]}, queries.Nearest),
        ([[1.0], [2.0]], queries.Nearest),
        ({"text": "words", "model": "any/model"}, queries.Nearest),
        ({"nearest": [1]}, queries.Nearest),
        ({"recommend": {"positive": [1, [2.0]]}}, queries.Recommend),
        ({"discover": {"target": 1, "context": {"positive": 1, "negative": 2}}}, queries.Discover),
        ({"context": [{"positive": 1, "negative": [1.0]}]}, queries.Discover),
        ({"order_by": "n"}, queries.OrderBy),
        ({"order_by": {"key": "n", "direction": "desc", "start_from": "2024-01-01"}}, queries.OrderBy),
        ({"sample": "random"}, queries.Sample),
        ({"text": {"query": "words", "scoring": {"bm25": {"k": 1.0}}}}, queries.TextQuery),
        (
            {
                "relevance_feedback": {
                    "target": 1,
                    "feedback": [{"example": 2, "score": 1}],
                    "strategy": {"naive": {"a": 1, "b": 1, "c": 1}},
                }
            },
            queries.Feedback,
        ),
    ],
)
def test_kinds_of_queries(query: Any, kind: type) -> None:
    assert isinstance(asked(query).query, kind)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"fusion": "rrf"}, queries.Fusion(2)),
        ({"fusion": "dbsf"}, queries.Fusion(None)),
        ({"rrf": {"k": 60, "weights": [1, 2]}}, queries.Fusion(60, [1.0, 2.0])),
    ],
)
def test_fusions(query: Any, expected: queries.Fusion) -> None:
    assert asked(query, prefetch={}).query == expected


def test_points_that_are_named_anywhere_are_told() -> None:
    there = {"collection": "d"}
    search = asked(
        {"recommend": {"positive": [1, [1.0]], "negative": [2]}},
        prefetch=[{"query": 3}, {"query": 4, "lookup_from": there}, {"query": UUID, "prefetch": {"query": 5}}],
    )
    assert {*search.mentioned("c")} == {1, 2, 3, 5, UUID}
    assert {*search.mentioned("d")} == {1, 2, 3, 4, 5, UUID}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param({"query": {}}, 400, "untagged enum Vector", id="an empty object"),
        pytest.param({"query": "x"}, 400, "not a valid point ID", id="no id"),
        pytest.param({"query": ["x"]}, 400, "expected a sequence of numbers", id="no numbers"),
        pytest.param({"query": [True]}, 400, "expected a sequence of numbers", id="booleans"),
        pytest.param({"query": [[1], []]}, 422, "all vectors must be non-empty", id="an empty row"),
        pytest.param({"query": [[1], [1, 2]]}, 422, "same dimension", id="rows of two lengths"),
        pytest.param({"query": {"indices": [1], "values": []}}, 422, "must be the same length", id="less values"),
        pytest.param({"query": {"indices": [1, 1], "values": [1, 2]}}, 422, "must be unique", id="an index twice"),
        pytest.param({"query": {"indices": [-1], "values": [1]}}, 400, "u32", id="a negative index"),
        pytest.param({"limit": 0}, 422, "[limit: value 0 invalid, must be 1 or larger]", id="limit 0"),
        pytest.param({"limit": -1}, 400, "limit: invalid value", id="a negative limit"),
        pytest.param({"limit": "5"}, 400, "limit: invalid type: string", id="a limit in quotes"),
        pytest.param({"prefetch": {}}, 400, "A query is needed to merge the prefetches", id="only a prefetch"),
        pytest.param(
            {"score_threshold": 1}, 400, "A query is needed to use the score_threshold", id="only a threshold"
        ),
        pytest.param({"query": {"order_by": "n"}, "score_threshold": 1}, 400, "order_by query", id="an ordered one"),
        pytest.param({"query": {"fusion": "rrf"}}, 400, "cannot apply Fusion", id="fusion of nothing"),
        pytest.param({"query": {"formula": 1}}, 400, "cannot apply Formula", id="a formula of nothing"),
        pytest.param({"query": {"fusion": "x"}, "prefetch": {}}, 400, "expected one of `rrf`, `dbsf`", id="a fusion"),
        pytest.param({"query": {"fusion": "rrf"}, "prefetch": {}, "using": "v"}, 400, "'using'", id="fusion in one"),
        pytest.param({"query": {"recommend": {}}}, 422, "[positives, negatives: ", id="no examples"),
        pytest.param({"query": {"recommend": {"negative": [1]}}}, 400, "At least one positive", id="none positive"),
        pytest.param({"query": {"context": []}}, 400, "at least one pair", id="no pairs"),
        pytest.param({"query": {"nearest": [1], "mmr": {"diversity": 2}}}, 422, "from 0.0 to 1.0", id="diversity"),
        pytest.param({"query": {"rrf": {"k": 0}}, "prefetch": {}}, 422, "must be 1 or larger", id="k 0"),
        pytest.param({"query": {"order_by": {"key": "n", "start_from": "x"}}}, 400, "StartFrom", id="no start"),
        pytest.param({"query": {"text": {"query": "x", "scoring": {"bm25": {"b": 2}}}}}, 422, "0.0 to 1.0", id="b 2"),
        pytest.param({"with_payload": "yes"}, 400, "with_payload", id="a payload by name"),
        pytest.param({"with_vector": "v"}, 400, "with_vector", id="a vector by name"),
        pytest.param({"lookup_from": {}}, 400, "missing field `collection`", id="nowhere to look"),
        pytest.param([], 400, "body: invalid type: sequence", id="no object"),
    ],
)
def test_queries_that_are_refused(body: Any, status: int, words: str) -> None:
    with pytest.raises(WireError) as caught:
        asking.query(FILTERS, body)
    assert caught.value.reply.status == status
    assert words in caught.value.reply.message


def test_prefetches_may_not_be_too_deep() -> None:
    told: Any = {}
    for _ in range(70):
        told = {"query": [1], "prefetch": told}
    with pytest.raises(WireError, match="exceeds max depth 64"):
        asking.query(FILTERS, told)


def test_the_older_routes_are_queries_too() -> None:
    searched, shown = older.search(FILTERS, {"vector": {"name": "v", "vector": [1]}, "top": 3, "with_vectors": True})
    assert (searched.using, searched.limit, shown.vectors) == ("v", 3, True)
    recommended, _ = older.recommend(FILTERS, {"positive": [1], "limit": 2, "using": {"name": "v"}})
    assert (recommended.using, recommended.query) == ("v", queries.Recommend([1], []))
    discovered, _ = older.discover(FILTERS, {"context": [{"positive": 1, "negative": 2}], "limit": 2})
    assert discovered.query == queries.Discover(None, [(1, 2)])
    for body in ({"vector": [[1]], "limit": 1}, {"vector": [1]}):
        with pytest.raises(WireError):
            older.search(FILTERS, body)


# -- operations --------------------------------------------------------------------------------------------------------


def test_points_in_rows_and_in_columns_are_the_same() -> None:
    rows = {"points": [{"id": 1, "vector": {"v": [1]}, "payload": {"a": 1}}, {"id": UUID, "vector": {"v": [2]}}]}
    columns = {"batch": {"ids": [1, UUID], "vectors": {"v": [[1], [2]]}, "payloads": [{"a": 1}, None]}}
    one, two = (
        [(point.id, point.vectors["v"].values, point.payload) for point in operations.upsert(FILTERS, told).points]  # type: ignore[union-attr]
        for told in (rows, columns)
    )
    assert one == two == [(1, [1], {"a": 1}), (UUID, [2], {})]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param({}, 400, "PointInsertOperations", id="nothing"),
        pytest.param({"points": []}, 400, "Bad request: Empty update request", id="no points"),
        pytest.param({"points": [{"id": 1}]}, 400, "points[0].vector: missing field", id="no vector"),
        pytest.param({"points": [{"id": -1, "vector": [1]}]}, 400, "not a valid point ID", id="a negative id"),
        pytest.param({"points": [{"id": 1, "vector": [1], "payload": 3}]}, 400, "points[0].payload", id="no payload"),
        pytest.param({"batch": {"ids": [1], "vectors": []}}, 422, "ids and vectors must be equal (1 != 0)", id="less"),
        pytest.param(
            {"batch": {"ids": [1], "vectors": [[1]], "payloads": []}},
            422,
            "ids and payloads must be",
            id="less payloads",
        ),
    ],
)
def test_points_that_are_refused(body: Any, status: int, words: str) -> None:
    with pytest.raises(WireError) as caught:
        operations.upsert(FILTERS, body)
    assert caught.value.reply.status == status
    assert words in caught.value.reply.message


@pytest.mark.parametrize(
    "told",
    [
        {"delete": {"points": [1]}},
        {"delete": {"filter": {}}},
        {"set_payload": {"payload": {}, "points": [1], "key": "a.b"}},
        {"overwrite_payload": {"payload": {}, "points": [1]}},
        {"delete_payload": {"keys": ["a"], "points": [1]}},
        {"clear_payload": {"points": [1]}},
        {"update_vectors": {"points": [{"id": 1, "vector": [1]}]}},
        {"delete_vectors": {"vector": ["v"], "points": [1]}},
        {"upsert": {"points": [{"id": 1, "vector": []}]}},
    ],
)
def test_a_batch_has_all_operations(told: Any) -> None:
    assert len(operations.operations(FILTERS, {"operations": [told, told]})) == 2


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "UpdateOperation"),
        ({"delete": {}}, "Either list of point ids or filter"),
        ({"update_vectors": {"points": []}}, "must specify points to update"),
        ({"update_vectors": {"points": [{"id": 1, "vector": {}}]}}, "must specify vectors to update"),
        ({"delete_vectors": {"vector": [], "points": [1]}}, "must specify vector names"),
        ({"set_payload": {"payload": {}, "points": [1], "key": ""}}, "Invalid json path"),
    ],
)
def test_a_batch_is_read_as_a_whole(told: Any, words: str) -> None:
    with pytest.raises(WireError, match=words):
        operations.operations(FILTERS, {"operations": [{"delete": {"points": [1]}}, told]})


# -- formulas ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Point:
    metadata: Mapping[str, Any]
    id: int | str = 1
    vectors: Mapping[str, Any] = attrs.field(factory=dict)


PAYLOAD = {"n": 3, "list": [2], "two": [1, 2], "g": {"lon": 0, "lat": 0}, "t": "1970-01-01T00:00:10Z", "s": "x"}


def computed(expression: Any, defaults: Any = None) -> float:
    fields = Fields({"formula": expression, "defaults": defaults})
    return formula(FILTERS, fields).score(Point(PAYLOAD), [{1: 0.5}, {2: 0.7}])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (2, 2.0),
        ("$score", 0.5),
        ("$score[0]", 0.5),
        ("$score[1]", 0.25),
        ("$score[5]", 0.0),
        ("n", 3.0),
        ("list", 2.0),
        ("missing", 9.0),
        ({"key": "s", "match": {"value": "x"}}, 1.0),
        ({"must_not": [{"is_empty": {"key": "s"}}]}, 1.0),
        ({"sum": ["$score", "n", 1]}, 4.5),
        ({"sum": []}, 0.0),
        ({"mult": ["n", 2]}, 6.0),
        ({"mult": [0, "nowhere"]}, 0.0),
        ({"max": [1, "n"]}, 3.0),
        ({"min": [1, "n"]}, 1.0),
        ({"neg": "n"}, -3.0),
        ({"abs": {"neg": "n"}}, 3.0),
        ({"div": {"left": "n", "right": 2}}, 1.5),
        ({"div": {"left": "n", "right": 0, "by_zero_default": 7}}, 7.0),
        ({"div": {"left": 0, "right": 0}}, 0.0),
        ({"sqrt": 16}, 4.0),
        ({"pow": {"base": 2, "exponent": 10}}, 1024.0),
        ({"exp": 0}, 1.0),
        ({"ln": {"exp": 2}}, 2.0),
        ({"log10": 1000}, 3.0),
        ({"acosh": 1}, 0.0),
        ({"datetime_key": "t"}, 10.0),
        ({"datetime": "1970-01-01T00:01:00"}, 60.0),
        ({"geo_distance": {"origin": {"lon": 0, "lat": 0}, "to": "g"}}, 0.0),
        ({"lin_decay": {"x": 2, "target": 1, "scale": 2}}, 0.75),
        ({"lin_decay": {"x": 99, "scale": 2}}, 0.0),
        ({"exp_decay": {"x": 4, "scale": 2}}, 0.25),
        ({"gauss_decay": {"x": 4, "scale": 2}}, 0.0625),
        ({"gauss_decay": {"x": 5, "target": 3, "scale": 2, "midpoint": 0.25}}, 0.25),
    ],
)
def test_formulas(expression: Any, expected: float) -> None:
    assert computed(expression, {"missing": 9, "$score[1]": 0.25}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("nowhere", "No value found for nowhere"),
        ("s", "Expected number value for s"),
        ("two", "Expected number value for two"),
        ("a..b", "Invalid json path"),
        ("$score[x]", "Invalid score variable"),
        ({"div": {"left": 1, "right": 0}}, "1.0/0.0 produced a non-finite number"),
        ({"sqrt": -1}, "non-finite"),
        ({"ln": 0}, "non-finite"),
        ({"acosh": 0}, "non-finite"),
        ({"exp": 1000}, "non-finite"),
        ({"pow": {"base": -1, "exponent": 0.5}}, "non-finite"),
        ({"pow": {"base": 10, "exponent": 999}}, "non-finite"),
        ({"pow": {"base": 10, "exponent": 39}}, "as f32 produced a non-finite"),
        ({"max": []}, "needs at least one operand"),
        ({"datetime_key": "s"}, "Expected datetime for s"),
        ({"datetime": "soon"}, "date/time format"),
        ({"geo_distance": {"origin": {"lon": 0, "lat": 0}, "to": "s"}}, "Expected geo point for s"),
        ({"exp_decay": {"x": 1, "scale": 0}}, "Scale must be non-zero positive"),
        ({"exp_decay": {"x": 1, "midpoint": 1}}, "out of range"),
        ({"unknown": 1}, "untagged enum Condition"),
        (True, "invalid type: boolean"),
    ],
)
def test_formulas_that_are_refused(expression: Any, words: str) -> None:
    with pytest.raises(WireError, match=words.replace("[", r"\[")):
        computed(expression)


# -- fusions, words, vectors -------------------------------------------------------------------------------------------


def test_reciprocal_ranks() -> None:
    scores = fusion.reciprocal_rank([[(1, 9.0), (2, 8.0)], [(2, 0.1)]])
    assert scores == pytest.approx({1: 1 / 2, 2: 1 / 3 + 1 / 2})
    weighted = fusion.reciprocal_rank([[(1, 9.0), (2, 8.0)], [(2, 0.1)]], 60, [2.0, 0.0])
    assert weighted == pytest.approx({1: 1 / 59.5, 2: 1 / 60})
    with pytest.raises(WireError, match=r"RRF weights length \(1\) does not match number of prefetches \(2\)"):
        fusion.reciprocal_rank([[], []], 2, [1.0])


def test_scores_by_their_distribution() -> None:
    scores = fusion.distribution_based([[(1, 1.0), (2, 2.0), (3, 3.0)], [(3, 5.0)], []])
    assert scores == pytest.approx({1: 1 / 3, 2: 0.5, 3: 2 / 3 + 0.5})
    assert fusion.distribution_based([[(1, 4.0), (2, 4.0)]]) == {1: 0.5, 2: 0.5}


@given(st.lists(st.lists(st.floats(-10, 10, width=32), max_size=6), max_size=4))
def test_every_point_of_every_source_is_fused(sources: list[list[float]]) -> None:
    rankings = [[*enumerate(sorted(source, reverse=True))] for source in sources]
    points = {point for ranking in rankings for point, _ in ranking}
    for scores in (fusion.reciprocal_rank(rankings), fusion.distribution_based(rankings)):
        assert scores.keys() == points
        assert all(map(math.isfinite, scores.values()))


def test_words_that_few_documents_have_count_for_more() -> None:
    scores = bm25.scores({1: ["a", "b"], 2: ["a", "a"], 3: ["c"]}, ["a", "b", "z"])
    assert scores.keys() == {1, 2}
    assert scores[1] > scores[2]
    assert bm25.scores({}, ["a"]) == {}


def test_what_lies_amid_sparse_vectors() -> None:
    one, two, three = Sparse((1, 2), (1.0, 2.0)), Sparse((2,), (4.0,)), Sparse((1, 3), (2.0, 1.0))
    assert vectors.averaged([one, two], []) == Sparse((1, 2), (0.5, 3.0))
    assert vectors.averaged([one, two], [three]) == Sparse((1, 2, 3), (-1.0, 6.0, -1.0))


def test_vectors_are_made_of_texts() -> None:
    told = vectors.vectors({"text": "red fox", "model": "m"}, "vector")[""]
    assert isinstance(told, Inferred)
    dense = inference.inferred(told, "dense", 8)
    assert isinstance(dense, Dense)
    assert math.hypot(*dense.values) == pytest.approx(1)
    assert inference.inferred(attrs.evolve(told, content={"a": 1}), "dense", 8) != dense
    sparse, other = (
        inference.inferred(Inferred("text", text, "Qdrant/bm25"), "sparse", 0) for text in ("Red fox", "fox red red")
    )
    assert isinstance(sparse, Sparse)
    assert isinstance(other, Sparse)
    assert sparse.indices == other.indices
    rows = inference.inferred(told, "multi", 4)
    assert isinstance(rows, Multi)
    assert len(rows.rows) == 2


# -- collections -------------------------------------------------------------------------------------------------------


def test_what_a_collection_is_created_with_is_told_of_it() -> None:
    body = {
        "vectors": {"a": {"size": 3, "distance": "Dot", "on_disk": None}},
        "sparse_vectors": {"s": {"modifier": "idf"}},
        "hnsw_config": {"m": 32},
        "metadata": {"k": 1},
        "shard_number": 2,
    }
    fields, settings = collections.created(body)
    assert fields == {
        "a": collections.VectorField("dense", 3, "Dot"),
        "s": collections.VectorField("sparse"),
    }
    told = collections.described(settings, 5, {})
    assert told["points_count"] == 5
    assert told["config"]["params"]["vectors"] == {"a": {"size": 3, "distance": "Dot"}}
    assert told["config"]["params"]["shard_number"] == 2
    assert told["config"]["hnsw_config"]["m"] == 32
    assert told["config"]["hnsw_config"]["ef_construct"] == 100
    assert told["config"]["metadata"] == {"k": 1}
    after = collections.updated(
        settings,
        {
            "vectors": {"a": {"on_disk": True}},
            "hnsw_config": {"ef_construct": 9},
            "metadata": {"k": None, "l": 2},
            "params": {"replication_factor": 3},
            "quantization_config": {"scalar": {"type": "int8"}},
        },
    )
    told = collections.described(after, 0, {})["config"]
    assert told["params"]["vectors"]["a"] == {"size": 3, "distance": "Dot", "on_disk": True}
    assert told["params"]["replication_factor"] == 3
    assert (told["hnsw_config"]["m"], told["hnsw_config"]["ef_construct"]) == (32, 9)
    assert told["metadata"] == {"l": 2}
    assert told["quantization_config"] == {"scalar": {"type": "int8"}}
    assert collections.updated(after, {"quantization_config": "Disabled"}).get("quantization_config") is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"vectors": {"size": 0, "distance": "Dot"}}, 422, "value 0 invalid, must be from 1 to 65536"),
        ({"vectors": {"size": 3}}, 400, "missing field `distance`"),
        ({"vectors": {"size": 3, "distance": "cosine"}}, 400, "unknown variant `cosine`, expected one of `Cosine`"),
        ({"vectors": {"v": 3}}, 400, "vectors.v: invalid type: integer"),
        ({"sparse_vectors": {"": {}}}, 400, "Sparse vector name cannot be empty"),
        (
            {"vectors": {"v": {"size": 1, "distance": "Dot"}}, "sparse_vectors": {"v": {}}},
            400,
            "duplicated name: v",
        ),
        ({"shard_number": 0}, 422, "shard_number"),
    ],
)
def test_collections_that_are_refused(body: Any, status: int, words: str) -> None:
    with pytest.raises(WireError) as caught:
        collections.created(body)
    assert caught.value.reply.status == status
    assert words in caught.value.reply.message


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a\0", "x" * 256])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(WireError) as caught:
        collections.named(name)
    assert caught.value.reply.status == 422
