"""Whatever is sent to Qdrant is understood or refused in its words, by a status of its own; nothing else is raised."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import ErrorReply, WireError
from aimock_protocols.qdrant import asking, collections, older, operations
from aimock_protocols.qdrant.filters import Filters
from aimock_protocols.qdrant.reading import Fields

FILTERS = Filters({})
"""Of a collection without text indexes."""

FILTER = {
    "must": [
        {"key": "a[].b", "match": {"any": ["x"]}},
        {"key": "t", "range": {"gt": "2024-01-01T00:00:00Z"}},
        {"key": "n", "range": {"gt": 1, "lte": 2.5}},
        {"key": "g", "geo_radius": {"center": {"lon": 1, "lat": 2}, "radius": 3}},
        {"key": "g", "geo_polygon": {"exterior": {"points": [{"lon": 0, "lat": 0}] * 4}}},
        {"key": "v", "values_count": {"gt": 1}, "is_null": False},
        {"nested": {"key": "o", "filter": {"must_not": [{"is_empty": {"key": "k"}}]}}},
    ],
    "min_should": {"conditions": [{"has_id": [1]}, {"slice": {"total": 2, "index": 0}}], "min_count": 1},
}
FORMULA = {
    "sum": [
        "$score[0]",
        {"mult": [2, {"div": {"left": "n", "right": 3, "by_zero_default": 1}}]},
        {
            "gauss_decay": {
                "x": {"datetime_key": "t"},
                "target": {"datetime": "2024-01-01"},
                "scale": 2,
                "midpoint": 0.5,
            }
        },
        {"geo_distance": {"origin": {"lon": 0, "lat": 0}, "to": "g"}},
        {"key": "n", "match": {"value": 1}},
    ]
}
POINTS = {
    "points": [
        {"id": 1, "vector": {"a": [1.0], "s": {"indices": [1], "values": [2]}, "m": [[1], [2]]}, "payload": {"k": 1}},
        {"id": 2, "vector": {"text": "x", "model": "m"}},
    ],
    "update_filter": FILTER,
    "update_mode": "insert_only",
}
Read = Callable[[Any], Any]
BODIES: list[tuple[Read, Any]] = [
    (lambda body: FILTERS.filter(body, "filter"), FILTER),
    (
        lambda body: asking.query(FILTERS, body),
        {
            "query": {"nearest": [1, 2], "mmr": {"diversity": 0.5, "candidates_limit": 3}},
            "filter": FILTER,
            "limit": 3,
            "offset": 1,
            "score_threshold": 0.5,
            "with_payload": {"include": ["a"]},
            "with_vector": ["a"],
            "lookup_from": {"collection": "c", "vector": "v"},
            "params": {"idf": {"corpus": FILTER}},
        },
    ),
    (
        lambda body: asking.query(FILTERS, body),
        {
            "prefetch": [
                {"query": {"recommend": {"positive": [1], "negative": [[1]], "strategy": "best_score"}}},
                {"query": {"discover": {"target": 1, "context": [{"positive": 1, "negative": 2}]}}, "prefetch": {}},
                {
                    "query": {
                        "relevance_feedback": {
                            "target": 1,
                            "feedback": [{"example": 2, "score": 1}],
                            "strategy": {"naive": {"a": 1, "b": 1, "c": 1}},
                        }
                    }
                },
                {"query": {"text": {"query": "x", "scoring": {"bm25": {"k": 1, "b": 0.5}}}}, "using": "f"},
                {"query": {"order_by": {"key": "n", "direction": "asc", "start_from": 1}}},
            ],
            "query": {"formula": FORMULA, "defaults": {"$score": 1, "n": 2}},
        },
    ),
    (lambda body: asking.query(FILTERS, body), {"query": {"rrf": {"k": 2, "weights": [1]}}, "prefetch": {"query": 1}}),
    (asking.grouping, {"group_by": "a", "group_size": 2, "with_lookup": {"collection": "c", "with_payload": ["a"]}}),
    (lambda body: asking.matrix(FILTERS, body), {"sample": 5, "limit": 2, "using": "v", "filter": FILTER}),
    (lambda body: older.search(FILTERS, body), {"vector": {"name": "v", "vector": [1]}, "limit": 1, "filter": FILTER}),
    (lambda body: older.recommend(FILTERS, body), {"positive": [1], "limit": 1, "using": {"name": "v"}}),
    (lambda body: older.discover(FILTERS, body), {"context": [{"positive": 1, "negative": 2}], "limit": 1}),
    (lambda body: operations.upsert(FILTERS, body), POINTS),
    (
        lambda body: operations.upsert(FILTERS, body),
        {"batch": {"ids": [1], "vectors": {"v": [[1]]}, "payloads": [{"a": 1}]}},
    ),
    (
        lambda body: operations.operations(FILTERS, body),
        {
            "operations": [
                {"upsert": POINTS},
                {"set_payload": {"payload": {"a": 1}, "filter": FILTER, "key": "a.b"}},
                {"delete_payload": {"keys": ["a"], "points": [1]}},
                {"update_vectors": {"points": [{"id": 1, "vector": [1]}]}},
                {"delete_vectors": {"vector": ["v"], "points": [1]}},
            ]
        },
    ),
    (
        collections.created,
        {
            "vectors": {"v": {"size": 1, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}},
            "sparse_vectors": {"s": {"modifier": "idf"}},
            "hnsw_config": {"m": 1},
            "metadata": {"a": 1},
        },
    ),
    (
        lambda body: collections.updated({"vectors": {"v": {"size": 1}}, "metadata": {"a": 1}}, body),
        {"vectors": {"v": {"on_disk": True}}, "metadata": {"a": None}, "params": {"shard_number": 1}},
    ),
    (
        lambda body: collections.vector_added({"vectors": {"size": 1, "distance": "Dot"}}, "b", body),
        {"dense": {"size": 1, "distance": "Dot"}},
    ),
    (collections.index, {"field_name": "a.b", "field_schema": {"type": "text", "tokenizer": "word"}}),
    (collections.alias_actions, {"actions": [{"create_alias": {"alias_name": "a", "collection_name": "c"}}]}),
    (lambda body: asking.shown_of(Fields(body)), {"with_payload": {"exclude": ["a"]}, "with_vectors": True}),
]

_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 63), (1 << 64) - 1),
        st.floats(allow_nan=False),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def places(value: Any) -> list[tuple[Any, ...]]:
    """The paths to all parts of a body."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *place) for key, item in inside for place in places(item))]


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Read, Any]:
    """A body that can be read, but that something else stands in one place."""
    read, body = draw(st.sampled_from(BODIES))
    place, other = draw(st.sampled_from(places(body))), draw(_json)
    if not place:
        return read, other
    body = copy.deepcopy(body)
    part = body
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = other
    return read, body


def refused(read: Read, body: Any) -> ErrorReply | None:
    try:
        read(body)
    except WireError as error:
        return error.reply
    return None


def test_the_bodies_can_be_read() -> None:
    for read, body in BODIES:
        read(body)


@given(spoiled())
def test_what_is_spoiled_is_refused_or_read(asked: tuple[Read, Any]) -> None:
    read, body = asked
    refusal = refused(read, body)
    assert refusal is None or (refusal.status in (400, 404, 422) and refusal.message)
