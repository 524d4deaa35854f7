"""Chroma's filters: what they match, and which are none. What is expected is what chromadb 1.5.9's server answers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock_protocols.canonical import WireError
from aimock_protocols.chroma import schema
from aimock_protocols.chroma.where import condition_of


@attrs.frozen
class Filed:
    metadata: dict[str, Any] | None = None
    document: str | None = None


FILED = {
    "d": Filed({"n": 1, "s": "x", "f": 1.5, "b": True, "t": ["x", "y"], "m": [1, 2]}, "hello world"),
    "a": Filed(None, None),
    "c": Filed({"n": 2, "s": "y", "f": 2.5, "b": False, "t": ["z"]}, "Hello World"),
    "b": Filed({"n": 1.5, "s": "2"}, "the quick (brown) fox"),
    "e": Filed({"n": "1", "t": "x", "m": [1.5], "tb": [True]}, ""),
    "f": Filed({"z": -3}, 'it\'s 100% a_b "q" café'),
}


def searcher(source: str) -> Callable[[str], bool]:
    compiled = re.compile(source)
    return lambda text: compiled.search(text) is not None


def matching(where: Any = None, where_document: Any = None, its_schema: schema.Schema | None = None) -> str:
    """The ids that match, in order."""
    condition = condition_of(where, where_document, its_schema or schema.with_space("l2"), searcher)
    assert condition is not None
    return "".join(id for id, filed in FILED.items() if condition(filed))


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"n": 1}, "d"),
        ({"n": 1.0}, "d"),
        ({"n": {"$eq": "1"}}, "e"),
        ({"n": {"$ne": 1}}, "acbef"),
        ({"n": {"$gt": 1}}, "cb"),
        ({"n": {"$gte": 1}}, "dcb"),
        ({"n": {"$lt": 2}}, "db"),
        ({"n": {"$lte": 2.0}}, "dcb"),
        ({"n": {"$in": [1, 2]}}, "dc"),
        ({"n": {"$in": [1.0, 1.5]}}, "db"),
        ({"n": {"$nin": [1, 2]}}, "abef"),
        ({"s": {"$in": ["x", "y"]}}, "dc"),
        ({"s": {"$nin": ["x"]}}, "acbef"),
        ({"b": True}, "d"),
        ({"b": 1}, ""),
        ({"n": True}, ""),
        ({"n": {"$in": [True]}}, ""),
        ({"b": {"$ne": True}}, "acbef"),
        ({"$and": [{"n": 1}, {"s": "x"}]}, "d"),
        ({"$or": [{"n": 1}, {"s": "y"}]}, "dc"),
        ({"$and": []}, "dacbef"),
        ({"$or": []}, ""),
        ({"$and": [{"n": 1}, {"$or": [{"s": "x"}, {"s": "y"}]}]}, "d"),
        ({"t": {"$contains": "x"}}, "d"),
        ({"t": {"$not_contains": "x"}}, "acbef"),
        ({"m": {"$contains": 1}}, "d"),
        ({"m": {"$contains": 1.0}}, ""),
        ({"m": {"$contains": 1.5}}, "e"),
        ({"tb": {"$contains": True}}, "e"),
        ({"s": {"$contains": "x"}}, ""),
        ({"t": "x"}, "e"),
        ({"t": {"$ne": "x"}}, "dacbf"),
        ({"z": {"$lt": 0}}, "f"),
        ({"missing": {"$nin": ["x"]}}, "dacbef"),
        ({"#document": {"$contains": "hello"}}, "d"),
        ({"$and": [{"#document": {"$contains": "hello"}}, {"n": 1}]}, "d"),
    ],
)
def test_where(where: Any, ids: str) -> None:
    assert matching(where) == ids


@pytest.mark.parametrize(
    ("where_document", "ids"),
    [
        ({"$contains": "hello"}, "d"),
        ({"$contains": ""}, "dcbef"),
        ({"$not_contains": ""}, "a"),
        ({"$not_contains": "h"}, "acef"),
        ({"$contains": "%"}, "f"),
        ({"$regex": "h.llo"}, "d"),
        ({"$not_regex": "h.llo"}, "acbef"),
        ({"$and": [{"$contains": "h"}, {"$contains": "w"}]}, "db"),
        ({"$or": [{"$contains": "quick"}, {"$contains": "100"}]}, "bf"),
        ({"$and": []}, "dacbef"),
        ({"$or": []}, ""),
    ],
)
def test_where_document(where_document: Any, ids: str) -> None:
    assert matching(None, where_document) == ids


def test_both_filters_hold() -> None:
    assert matching({"n": {"$gte": 1}}, {"$contains": "hello"}) == "d"
    assert condition_of(None, None, schema.with_space("l2"), searcher) is None


@pytest.mark.parametrize(
    "where",
    [
        *({"n": {name: operand}} for name in ("$gt", "$gte", "$lt", "$lte") for operand in ("1", True, None, [1])),
        *({"n": {name: operand}} for name in ("$in", "$nin") for operand in ([], [1, "x"], [1, 1.5], 1, [[1]], [None])),
        *({"n": {"$eq": operand}} for operand in (None, [1], {}, 2**63)),
        {"n": {}},
        {"n": None},
        {"n": [1]},
        {"n": {"$gt": 1, "$lt": 2}},
        {"n": {"$exists": True}},
        {"n": 1, "s": "x"},
        {"$and": {"n": 1}},
        {"$and": [{}]},
        {"$not": {"n": 1}},
        {"t": {"$contains": ["x"]}},
        {"s": {"$regex": "x"}},
        {},
        [],
        5,
        "x",
    ],
)
def test_no_where_clause(where: Any) -> None:
    with pytest.raises(WireError, match="Invalid where clause") as refusal:
        matching(where)
    assert refusal.value.reply.status == 400


@pytest.mark.parametrize(
    "where_document",
    [
        {"$regex": 5},
        {"$contains": ["x"]},
        {"$contains": None},
        {"$eq": "x"},
        {"$contains": "h", "$not_contains": "q"},
        {"$and": {}},
        {"n": 1},
        "hello",
        [],
        {},
    ],
)
def test_no_where_document_clause(where_document: Any) -> None:
    with pytest.raises(WireError, match="Invalid where document clause"):
        matching(None, where_document)


def test_as_deep_as_the_server_reads() -> None:
    where: Any = {"n": 1}
    for _ in range(62):
        where = {"$and": [where]}
    assert matching(where) == "d"
    with pytest.raises(WireError, match="recursion limit"):
        matching({"$and": [where]})


def test_keys_that_are_not_indexed_cannot_be_filtered_by() -> None:
    off = {"enabled": False, "config": {}}
    keys = {"s": {"string": {"string_inverted_index": off}}, "i": {"int": {"int_inverted_index": off}}}
    given_schema = {"defaults": {"bool": {"bool_inverted_index": off}}, "keys": keys}
    made = schema.created(None, given_schema, None)
    for where, key, kind in (
        ({"s": "x"}, "s", "Str"),
        ({"s": {"$contains": "x"}}, "s", "Str"),
        ({"$or": [{"n": 1}, {"i": {"$in": [1]}}]}, "i", "Int"),
        ({"any": True}, "any", "Bool"),
    ):
        with pytest.raises(WireError, match=rf"key '{key}' with type '{kind}' because indexing is disabled"):
            matching(where, None, made)
    assert matching({"s": 1}, None, made) == ""
    assert matching({"n": 1}, None, made) == "d"


def test_documents_that_are_not_indexed_cannot_be_searched() -> None:
    off = {"enabled": False, "config": {}}
    made = schema.created(None, {"defaults": {}, "keys": {"#document": {"string": {"fts_index": off}}}}, None)
    with pytest.raises(WireError, match="FTS indexing is disabled"):
        matching(None, {"$contains": "x"}, made)


SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from([-1.5, 0.5, 2.5]), st.sampled_from("xyz"))
VALUES = SCALARS | st.lists(st.integers(-2, 2)) | st.lists(st.sampled_from("xyz"))


@given(st.none() | st.dictionaries(st.sampled_from("ab"), VALUES), SCALARS)
@settings(max_examples=200)
def test_what_is_negated_is_the_rest(metadata: dict[str, Any] | None, operand: Any) -> None:
    filed = Filed(metadata)
    for positive, negative, wanted in (
        ("$eq", "$ne", operand),
        ("$in", "$nin", [operand]),
        ("$contains", "$not_contains", operand),
    ):
        said = [
            condition_of({"a": {name: wanted}}, None, schema.with_space("l2"), searcher)
            for name in (positive, negative)
        ]
        assert [condition is not None and condition(filed) for condition in said] in ([True, False], [False, True])


@given(st.recursive(st.none() | SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@settings(max_examples=200)
def test_any_value_is_a_filter_or_refused(value: Any) -> None:
    for where, where_document in ((value, None), (None, value), ({"n": value}, None), ({"$and": value}, None)):
        with contextlib.suppress(WireError):
            condition = condition_of(where, where_document, schema.with_space("l2"), lambda source: lambda text: False)
            assert condition is None or {condition(filed) for filed in FILED.values()} <= {True, False}
