"""Metadata filters as predicates (wire-vector §1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import WireError
from aimock_protocols.pinecone.filters import MAX_DEPTH, compiled
from aimock_protocols.pinecone.text import TEXT

SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, -2.5]), st.sampled_from("abc"))
VALUES = st.one_of(SCALARS, st.lists(st.sampled_from("abc"), max_size=3))
RECORDS = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)


def conditions(operands: st.SearchStrategy[Any], *operators: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(operators), operands, min_size=1, max_size=2)


NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -2.5]))
CONDITIONS = st.one_of(
    SCALARS,
    conditions(SCALARS, "$eq", "$ne"),
    conditions(NUMBERS, "$gt", "$gte", "$lt", "$lte"),
    conditions(st.lists(SCALARS, max_size=3), "$in", "$nin"),
    conditions(st.booleans(), "$exists"),
)
FILTERS: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(st.sampled_from("xyz"), CONDITIONS, min_size=1, max_size=2),
    lambda inner: st.dictionaries(
        st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=5,
)


def same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def holds(operator: str, operand: Any, value: Any) -> bool:
    """What an operator means, told once more and plainly."""
    elements = value if isinstance(value, list) else [] if value is None else [value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match operator:
        case "$eq":
            return any(same(each, operand) for each in elements)
        case "$ne":
            return not holds("$eq", operand, value)
        case "$in":
            return any(holds("$eq", each, value) for each in operand)
        case "$nin":
            return not holds("$in", operand, value)
        case "$exists":
            return (value is not None) is operand
        case "$gt":
            return is_number and value > operand
        case "$gte":
            return is_number and value >= operand
        case "$lt":
            return is_number and value < operand
    assert operator == "$lte"
    return is_number and value <= operand


def matches(filter: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    for key, value in filter.items():
        if key in ("$and", "$or"):
            join = all if key == "$and" else any
            if not join(matches(each, record) for each in value):
                return False
        elif not all(
            holds(operator, operand, record.get(key))
            for operator, operand in (value if isinstance(value, dict) else {"$eq": value}).items()
        ):
            return False
    return True


@given(FILTERS, st.lists(RECORDS, max_size=5))
def test_a_filter_selects_what_it_says(filter: Any, records: list[dict[str, Any]]) -> None:
    where = compiled(filter)
    assert where is not None
    assert [where(record) for record in records] == [matches(filter, record) for record in records]


def test_no_filter_selects_all() -> None:
    assert compiled(None) is None
    assert compiled({}) is None


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ("x", "filter must be an object"),
        ({"$xor": [{"a": 1}]}, "$xor is not a valid operator"),
        ({"$and": {}}, "the $and operator must be followed by a non-empty list, got an object instead"),
        ({"$or": []}, "the $or operator must be followed by a non-empty list"),
        ({"$or": [1]}, "filter must be an object"),
        ({"a": {}}, "illegal condition for field a"),
        ({"a": {"b": 1}}, "illegal condition for field a, got 'b'"),
        ({"a": {"$eq": None}}, "the $eq operator must be followed by a string, boolean or number, got null instead"),
        ({"a": ["b"]}, "the $eq operator must be followed by"),
        ({"a": {"$gt": True}}, "the $gt operator must be followed by a number, got true instead"),
        ({"a": {"$lte": "1"}}, "the $lte operator must be followed by a number, got '1' instead"),
        ({"a": {"$in": [["b"]]}}, "the $in operator must be followed by a list of"),
        ({"a": {"$nin": "b"}}, "the $nin operator must be followed by a list of"),
        ({"a": {"$exists": 1}}, "the $exists operator must be followed by a boolean, got 1 instead"),
    ],
)
def test_what_is_no_filter(filter: Any, message: str) -> None:
    with pytest.raises(WireError) as error:
        compiled(filter)
    assert error.value.reply.status == 400
    assert message in error.value.reply.message


def test_filters_have_a_depth() -> None:
    filter: Any = {"a": 1}
    for _ in range(MAX_DEPTH):
        filter = {"$and": [filter]}
    where = compiled(filter)
    assert where is not None
    assert where({"a": 1})
    with pytest.raises(WireError, match="nested deeper"):
        compiled({"$or": [filter]})


@pytest.mark.parametrize(
    ("operator", "operand", "expected"),
    [
        ("$match_phrase", "Quick brown", [True, False, False]),
        ("$match_all", "brown quick", [True, True, False]),
        ("$match_any", "slow BROWN", [True, True, False]),
        ("$match_phrase", "fox-hole", [True, False, False]),
    ],
)
def test_operators_of_words(operator: str, operand: str, expected: list[bool]) -> None:
    where = compiled({"t": {operator: operand}}, lambda field: TEXT)
    assert where is not None
    texts = ["The quick brown fox hole", "brown and quick", 7]
    assert [where({"t": each}) for each in texts] == expected
    for wrong in ("", "!?", 1):
        with pytest.raises(WireError):
            compiled({"t": {operator: wrong}}, lambda field: TEXT)
