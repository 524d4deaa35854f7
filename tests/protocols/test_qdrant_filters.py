"""Filters, paths, times, places and ids of Qdrant, by tables and properties."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import WireError
from aimock_protocols.qdrant import geo, ids, moments, paths, tokens
from aimock_protocols.qdrant.filters import Filters

FILTERS = Filters({})
"""Of a collection without text indexes."""


@attrs.frozen
class Point:
    metadata: Mapping[str, Any]
    id: int | str = 1
    vectors: Mapping[str, Any] = attrs.field(factory=dict)


def holds(condition: Any, payload: Mapping[str, Any], **point: Any) -> bool:
    return FILTERS.filter({"must": [condition]}, "filter")(Point(payload, **point))


# -- conditions on fields ----------------------------------------------------------------------------------------------

NESTED = {"c": [{"n": "a", "p": 3, "tags": ["x", "y"]}, {"n": "b", "p": 9}], "o": {"k": [1, [2, 3]]}, "d.e": 5}


@pytest.mark.parametrize(
    ("condition", "payload", "expected"),
    [
        pytest.param({"key": "a", "match": {"value": 1}}, {"a": 1}, True, id="an integer"),
        pytest.param({"key": "a", "match": {"value": 1}}, {"a": 1.0}, False, id="a float is no integer"),
        pytest.param({"key": "a", "match": {"value": 1}}, {"a": True}, False, id="nor is a boolean"),
        pytest.param({"key": "a", "match": {"value": True}}, {"a": 1}, False, id="and the other way round"),
        pytest.param({"key": "a", "match": {"value": "x"}}, {"a": ["y", "x"]}, True, id="any item of an array"),
        pytest.param({"key": "a", "match": {"value": "x"}}, {"a": [["x"]]}, False, id="but not of one within"),
        pytest.param({"key": "a", "match": {"any": ["x", "y"]}}, {"a": "y"}, True, id="any"),
        pytest.param({"key": "a", "match": {"any": []}}, {"a": "y"}, False, id="any of none"),
        pytest.param({"key": "a", "match": {"any": [1]}}, {"a": True}, False, id="any of another kind"),
        pytest.param({"key": "a", "match": {"except": [1, 2]}}, {"a": 3}, True, id="except"),
        pytest.param({"key": "a", "match": {"except": [1, 2]}}, {"a": [1, 3]}, True, id="except one item"),
        pytest.param({"key": "a", "match": {"except": [1, 2]}}, {"a": [1, 2]}, False, id="except all items"),
        pytest.param({"key": "a", "match": {"except": [1]}}, {}, False, id="except what is not there"),
        pytest.param({"key": "a", "match": {"except": [1]}}, {"a": None}, False, id="except null"),
        pytest.param({"key": "a", "match": {"text": "quick FOX"}}, {"a": "The fox is quick."}, True, id="text"),
        pytest.param({"key": "a", "match": {"text": "quick"}}, {"a": "quickly"}, False, id="text by whole words"),
        pytest.param({"key": "a", "match": {"text": "-"}}, {"a": "-"}, False, id="text without words"),
        pytest.param({"key": "a", "match": {"text_any": "dog fox"}}, {"a": "a fox"}, True, id="any word"),
        pytest.param({"key": "a", "match": {"phrase": "is quick"}}, {"a": "fox is quick"}, True, id="a phrase"),
        pytest.param({"key": "a", "match": {"phrase": "quick is"}}, {"a": "fox is quick"}, False, id="its order"),
        pytest.param({"key": "a", "match": {"prefix": "fo"}}, {"a": "fox"}, True, id="a prefix"),
        pytest.param({"key": "a", "match": {"prefix": "FO"}}, {"a": "fox"}, False, id="a prefix in another case"),
        pytest.param({"key": "a", "match": {"substring": "ox"}}, {"a": "fox"}, True, id="a substring"),
        pytest.param({"key": "a", "range": {"gt": 1, "lte": 2}}, {"a": 2}, True, id="a range"),
        pytest.param({"key": "a", "range": {"gt": 1}}, {"a": 1}, False, id="its edge"),
        pytest.param({"key": "a", "range": {"gte": 0}}, {"a": True}, False, id="a boolean is in no range"),
        pytest.param({"key": "a", "range": {"gt": None, "lt": 5}}, {"a": [9, 4]}, True, id="a range of any item"),
        pytest.param({"key": "a", "range": {"gt": "2024-01-01"}}, {"a": "2024-01-01T00:00:01Z"}, True, id="a time"),
        pytest.param({"key": "a", "range": {"gt": "2024-01-01"}}, {"a": "soon"}, False, id="no time"),
        pytest.param({"key": "a", "values_count": {"gte": 2}}, {"a": [1, 2]}, True, id="a count"),
        pytest.param({"key": "a", "values_count": {"gte": 1}}, {"a": "x"}, True, id="a count of one"),
        pytest.param({"key": "a", "values_count": {"lt": 1}}, {}, True, id="a count of none"),
        pytest.param({"is_empty": {"key": "a"}}, {"a": []}, True, id="empty"),
        pytest.param({"is_empty": {"key": "a"}}, {"a": None}, True, id="null is empty"),
        pytest.param({"is_empty": {"key": "a"}}, {}, True, id="absent is empty"),
        pytest.param({"is_empty": {"key": "a"}}, {"a": [None]}, False, id="a null in an array is something"),
        pytest.param({"is_null": {"key": "a"}}, {"a": None}, True, id="null"),
        pytest.param({"is_null": {"key": "a"}}, {"a": [1, None]}, True, id="a null in an array"),
        pytest.param({"is_null": {"key": "a"}}, {}, False, id="absent is not null"),
        pytest.param({"key": "a", "is_empty": False}, {"a": 1}, True, id="told not to be empty"),
        pytest.param({"key": "a", "is_null": False}, {"a": None}, False, id="told not to be null"),
        pytest.param({"key": "c[].p", "range": {"gt": 5}}, NESTED, True, id="every item"),
        pytest.param({"key": "c[0].p", "range": {"gt": 5}}, NESTED, False, id="one item"),
        pytest.param({"key": "c.p", "range": {"gt": 5}}, NESTED, False, id="an array has no keys"),
        pytest.param({"key": "c[].tags", "match": {"value": "y"}}, NESTED, True, id="arrays in items"),
        pytest.param({"key": "c[].tags[]", "match": {"value": "y"}}, NESTED, True, id="their items"),
        pytest.param({"key": "o.k[][]", "match": {"value": 3}}, NESTED, True, id="arrays in arrays"),
        pytest.param({"key": '"d.e"', "match": {"value": 5}}, NESTED, True, id="a key with a dot"),
        pytest.param({"key": "d.e", "match": {"value": 5}}, NESTED, False, id="and without quotes"),
    ],
)
def test_conditions(condition: Any, payload: dict[str, Any], expected: bool) -> None:
    assert holds(condition, payload) is expected


def test_a_nested_filter_is_about_one_element() -> None:
    both = {"must": [{"key": "n", "match": {"value": "a"}}, {"key": "p", "range": {"gt": 5}}]}
    for key in ("c", "c[]"):
        assert not holds({"nested": {"key": key, "filter": both}}, NESTED)
        assert holds({"nested": {"key": key, "filter": {"must": both["must"][:1]}}}, NESTED)
    assert not holds({"nested": {"key": "o", "filter": {"must_not": both["must"]}}}, NESTED)
    assert not holds({"nested": {"key": "c", "filter": {"must": {"has_id": [1]}}}}, NESTED)


def test_conditions_on_points() -> None:
    assert holds({"has_id": [3, 4]}, {}, id=4)
    assert not holds({"has_id": [3, 4]}, {}, id=1)
    assert holds({"has_id": [uuid.UUID(int=11).hex.upper()]}, {}, id=str(uuid.UUID(int=11)))
    assert holds({"has_vector": "v"}, {}, vectors={"v": [1]})
    assert not holds({"has_vector": ""}, {}, vectors={"v": [1]})


YES, NO = {"has_id": [1]}, {"has_id": [2]}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"must": YES}, True, id="one that is no list"),
        pytest.param({"must": [YES, NO]}, False, id="must"),
        pytest.param({"must_not": [NO, NO]}, True, id="must not"),
        pytest.param({"must_not": [NO, YES]}, False, id="must not any"),
        pytest.param({"should": [NO, YES]}, True, id="should"),
        pytest.param({"should": [NO, NO]}, False, id="should none"),
        pytest.param({"should": []}, True, id="should, of none"),
        pytest.param({"must": None, "should": [YES]}, True, id="null is absent"),
        pytest.param({"min_should": {"conditions": [YES, NO, YES], "min_count": 2}}, True, id="two of three"),
        pytest.param({"min_should": {"conditions": [YES, NO, NO], "min_count": 2}}, False, id="one of three"),
        pytest.param({"must": [{"should": [NO, {"must_not": [NO]}]}]}, True, id="filters in filters"),
        pytest.param({"must": [YES], "should": [YES], "must_not": [YES]}, False, id="all clauses"),
    ],
)
def test_clauses(told: Any, expected: bool) -> None:
    assert FILTERS.filter(told, "filter")(Point({})) is expected


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        pytest.param([], 400, "filter: invalid type: sequence", id="no object"),
        pytest.param({"must": [{"key": "a"}]}, 422, "At least one field condition", id="a key and no condition"),
        pytest.param({"must": [{"match": {"value": 1}}]}, 400, "any variant of untagged enum Condition", id="no key"),
        pytest.param({"musst": []}, 400, "unknown field `musst`, expected one of `should`", id="an unknown clause"),
        pytest.param({"must": [{"key": "a", "match": {}}]}, 400, "filter.must[0].match", id="an empty match"),
        pytest.param({"must": [{"key": "a", "match": {"value": 1.5}}]}, 400, "ValueVariants", id="a float to match"),
        pytest.param({"must": [{"key": "a", "match": {"any": [1, "x"]}}]}, 400, "AnyVariants", id="mixed kinds"),
        pytest.param({"must": [{"key": "a.", "is_null": True}]}, 400, "Invalid json path: 'a.'", id="no path"),
        pytest.param({"must": [{"key": "a", "range": {"gt": "x"}}]}, 400, "date/time format", id="no time"),
        pytest.param({"must": [{"key": "a", "range": {"gt": [1]}}]}, 400, "expected a number", id="no bound"),
        pytest.param({"must": [{"has_id": ["x"]}]}, 400, "not a valid point ID", id="no id"),
        pytest.param({"must": [{"slice": {"total": 2, "index": 2}}]}, 422, "must be from 0 to 1", id="no slice"),
        pytest.param({"min_should": {"conditions": [], "min_count": 0}}, 422, "must be 1 or larger", id="none of some"),
        pytest.param(
            {"must": [{"key": "g", "geo_polygon": {"exterior": {"points": [{"lon": 1, "lat": 1}] * 3}}}]},
            422,
            "the size must be at least 4, got 3",
            id="no polygon",
        ),
        pytest.param(
            {"must": [{"key": "g", "geo_radius": {"center": {"lon": 200, "lat": 0}, "radius": 1}}]},
            400,
            "Wrong format of GeoPoint",
            id="no place",
        ),
    ],
)
def test_what_is_no_filter_is_refused(told: Any, status: int, words: str) -> None:
    with pytest.raises(WireError) as caught:
        FILTERS.filter(told, "filter")
    assert caught.value.reply.status == status
    assert words in caught.value.reply.message


def test_a_filter_may_not_be_too_deep() -> None:
    told: Any = {}
    for _ in range(200):
        told = {"must": [told]}
    with pytest.raises(WireError, match="recursion limit"):
        FILTERS.filter(told, "filter")


def test_filters_are_handed_down_clause_by_clause() -> None:
    one = FILTERS.filter({"should": [NO], "min_should": {"conditions": [YES], "min_count": 1}}, "")
    two = FILTERS.filter({"should": [YES], "min_should": {"conditions": [YES], "min_count": 2}}, "")
    assert one.and_(two)(Point({}))
    assert not one(Point({}))


# -- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "query", "document", "expected"),
    [
        pytest.param({}, "fox", "The FOX", True, id="words in any case"),
        pytest.param({"lowercase": False}, "fox", "The FOX", False, id="in their own case"),
        pytest.param({"tokenizer": "whitespace"}, "red-ish", "a red-ish fox", True, id="between spaces"),
        pytest.param({"tokenizer": "whitespace"}, "red", "a red-ish fox", False, id="and nothing less"),
        pytest.param({"tokenizer": "prefix"}, "fo", "the fox", True, id="prefixes"),
        pytest.param({"tokenizer": "prefix", "min_token_len": 3}, "fo", "the fox", False, id="of so many letters"),
        pytest.param({"min_token_len": 4}, "fox", "the fox", False, id="words too short"),
        pytest.param({"max_token_len": 2}, "fox", "the fox", False, id="words too long"),
        pytest.param({"ascii_folding": True}, "cafe", "Café", True, id="accents off"),
        pytest.param({"stopwords": {"custom": ["The"]}}, "the fox", "a fox", True, id="stop words"),
    ],
)
def test_a_text_index_says_what_words_are(params: dict[str, Any], query: str, document: str, expected: bool) -> None:
    filters = Filters({("t",): tokens.of_index(params)})
    asked = filters.filter({"must": {"key": "t", "match": {"text": query}}}, "")
    assert asked(Point({"t": document})) is expected


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a]", "a[x]", "a[-1]", 'a"b"', '"a', "a b"])
def test_no_paths(path: str) -> None:
    assert paths.parsed(path) is None


PAYLOAD = {"a": {"b": 1, "c": 2}, "l": [{"b": 1, "c": 2}, {"b": 3}], "s": "x"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(True, PAYLOAD, id="all"),
        pytest.param(False, None, id="nothing"),
        pytest.param([], {}, id="no key"),
        pytest.param(["a.b", "s"], {"a": {"b": 1}, "s": "x"}, id="keys"),
        pytest.param(["l[].b"], {"l": [{"b": 1}, {"b": 3}]}, id="of items"),
        pytest.param(["l.b"], {"l": []}, id="of an array itself"),
        pytest.param({"include": ["a", "a.b"]}, {"a": PAYLOAD["a"]}, id="more of the same"),
        pytest.param({"exclude": ["a.b", "l"]}, {"a": {"c": 2}, "s": "x"}, id="less keys"),
        pytest.param({"exclude": ["l[].c"]}, {**PAYLOAD, "l": [{"b": 1}, {"b": 3}]}, id="less of items"),
    ],
)
def test_what_is_given_back_of_a_payload(selector: Any, expected: Any) -> None:
    assert paths.selecting(selector, "with_payload")(PAYLOAD) == expected


@pytest.mark.parametrize(
    ("path", "told", "expected"),
    [
        pytest.param("a", {"b": 5, "d": 1}, {"a": {"b": 5, "c": 2, "d": 1}}, id="merged"),
        pytest.param("a", {"b": None}, {"a": {"c": 2}}, id="null takes away"),
        pytest.param("s.t", {"u": 1}, {"s": {"t": {"u": 1}}}, id="what is in the way gives way"),
        pytest.param("l[].b", {"z": 1}, {"l": [{"b": {"z": 1}, "c": 2}, {"b": {"z": 1}}]}, id="every item"),
        pytest.param("l[1]", {"z": 1}, {"l": [{"b": 1, "c": 2}, {"b": 3, "z": 1}]}, id="one item"),
        pytest.param("l[7]", {"z": 1}, {}, id="an item that is not there"),
        pytest.param("n[]", {"z": 1}, {"n": []}, id="no array"),
        pytest.param("n.m", {"z": 1}, {"n": {"m": {"z": 1}}}, id="made"),
    ],
)
def test_an_object_is_put_at_a_path(path: str, told: dict[str, Any], expected: dict[str, Any]) -> None:
    steps = paths.parsed(path)
    assert steps is not None
    assert paths.assigned(PAYLOAD, steps, told) == {**PAYLOAD, **expected}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("a.b", {**PAYLOAD, "a": {"c": 2}}, id="a key"),
        pytest.param("l[].b", {**PAYLOAD, "l": [{"c": 2}, {}]}, id="of every item"),
        pytest.param("l[0].b", {**PAYLOAD, "l": [{"c": 2}, {"b": 3}]}, id="of one item"),
        pytest.param("l[]", {**PAYLOAD, "l": []}, id="all items"),
        pytest.param("l[0]", PAYLOAD, id="an item stays"),
        pytest.param("x.y", PAYLOAD, id="nothing there"),
    ],
)
def test_what_is_at_a_path_is_taken_out(path: str, expected: dict[str, Any]) -> None:
    steps = paths.parsed(path)
    assert steps is not None
    assert paths.without(PAYLOAD, steps) == expected


# -- times, places, ids ------------------------------------------------------------------------------------------------


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(9990, 1, 1)),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["T", " "]),
)
def test_a_time_is_read_as_datetime_reads_it(moment: datetime, offset: int, between: str) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    expected = (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert moments.microseconds_of(local.isoformat(between)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:01", 60_000_000),
        ("1970-01-01 00:00:01", 1_000_000),
        ("1970-01-01T00:00:01.5", 1_500_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("1970-01-01T01:00:00+01", 0),
        ("1970-01-01T01:00:00 +0100", 0),
        ("1970-01-01T00:00:00z", 0),
        ("1970-01-01 00:00:00 UTC", 0),
        ("1970-01-01T", None),
        ("1970-13-01", None),
        ("2023-02-29", None),
        ("2000-02-29T24:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times(text: str, expected: int | None) -> None:
    assert moments.microseconds_of(text) == expected


BERLIN, MOSCOW = geo.Place(13.4050, 52.5200), geo.Place(37.6173, 55.7558)


def test_metres_between_places() -> None:
    assert geo.distance(BERLIN, MOSCOW) == pytest.approx(1_608_000, rel=0.001)
    assert geo.distance(BERLIN, BERLIN) == 0
    assert geo.distance(geo.Place(0, 0), geo.Place(180, 0)) == pytest.approx(20_015_115, rel=1e-6)


SQUARE = [{"lon": lon, "lat": lat} for lon, lat in ((0, 0), (10, 0), (10, 10), (0, 10), (0, 0))]
HOLE = [{"lon": lon, "lat": lat} for lon, lat in ((4, 4), (6, 4), (6, 6), (4, 6), (4, 4))]
AREA = {"geo_polygon": {"exterior": {"points": SQUARE}, "interiors": [{"points": HOLE}]}}
BOX = {"geo_bounding_box": {"top_left": {"lon": 170, "lat": 10}, "bottom_right": {"lon": -170, "lat": -10}}}
NEAR = {"geo_radius": {"center": {"lon": 13.4, "lat": 52.5}, "radius": 5000.0}}


@pytest.mark.parametrize(
    ("area", "lon", "lat", "expected"),
    [
        (AREA, 2, 2, True),
        (AREA, 5, 5, False),
        (AREA, 4, 5, False),
        (AREA, 10, 5, False),
        (AREA, 0, 0, False),
        (AREA, 11, 5, False),
        (BOX, 175, 0, True),
        (BOX, -175, 0, True),
        (BOX, 0, 0, False),
        (BOX, 170, 0, False),
        (NEAR, *BERLIN, True),
        (NEAR, *MOSCOW, False),
    ],
)
def test_areas(area: dict[str, Any], lon: float, lat: float, expected: bool) -> None:
    assert holds({"key": "g", **area}, {"g": {"lon": lon, "lat": lat}}) is expected


@pytest.mark.parametrize(
    "value", [None, 5, {"lon": 1}, {"lon": "1", "lat": 1}, {"lon": 1, "lat": 91}, {"lon": True, "lat": 1}]
)
def test_what_is_no_place_is_nowhere(value: Any) -> None:
    assert not holds({"key": "g", **AREA}, {"g": value})


@given(st.uuids())
def test_a_uuid_may_be_written_in_four_ways(told: uuid.UUID) -> None:
    for text in (str(told), told.hex, "{" + str(told) + "}", told.urn, str(told).upper()):
        assert ids.canonical(text) == str(told)


@pytest.mark.parametrize("value", [-1, 1 << 64, 1.0, True, None, "", "1", "x", "{" + "0" * 32 + "}", [1]])
def test_what_is_no_id(value: Any) -> None:
    assert ids.canonical(value) is None


def test_integers_come_before_uuids() -> None:
    low, high = str(uuid.UUID(int=1)), str(uuid.UUID(int=1 << 120))
    assert sorted([high, 10, low, 9], key=ids.order) == [9, 10, low, high]


@given(st.one_of(st.integers(0, (1 << 64) - 1), st.uuids().map(str)), st.integers(1, 9))
def test_every_point_is_in_one_slice(point: int | str, total: int) -> None:
    told = [{"slice": {"total": total, "index": index}} for index in range(total)]
    assert sum(holds(each, {}, id=point) for each in told) == 1


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (0, 16738165381834614119),
        (1, 9224715256000962398),
        (1 << 63, 12891205267294459377),
        (str(uuid.UUID(int=1)), 2357602481561414697),
    ],
)
def test_slices_are_those_of_the_client(point: int | str, expected: int) -> None:
    """What qdrant-client 1.20 computes, which has been compared with a server."""
    assert ids.slice_of(point, 1 << 64) == expected
