"""What Qdrant's client can be asked to do, drawn at random: points, filters, queries, changes; and how two answers are
compared, one of which has its floats from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st
from qdrant_client import models as m

SIZE = 4
UUIDS = tuple(f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "3579")
DENSE = {"cosine": m.Distance.COSINE, "dot": m.Distance.DOT, "euclid": m.Distance.EUCLID, "city": m.Distance.MANHATTAN}
SPARSE = ("sparse", "idf")
VECTORS = {
    **{name: m.VectorParams(size=SIZE, distance=distance) for name, distance in DENSE.items()},
    "multi": m.VectorParams(
        size=SIZE,
        distance=m.Distance.COSINE,
        multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
    ),
}
SPARSE_VECTORS = {"sparse": m.SparseVectorParams(), "idf": m.SparseVectorParams(modifier=m.Modifier.IDF)}
INDEXES = {"n": "integer", "f": "float", "s": "keyword", "b": "bool", "t": "datetime", "u": "uuid"}
"""Of the payload's fields: without them a server neither orders nor counts."""

ids = st.one_of(st.integers(0, 12), st.sampled_from(UUIDS))
numbers = st.integers(-1000, 1000).map(lambda value: value / 128)
dense = st.lists(numbers, min_size=SIZE, max_size=SIZE).filter(lambda values: math.hypot(*values) > 0.1)
multi = st.lists(dense, min_size=1, max_size=3)
sparse = st.dictionaries(st.integers(0, 6), numbers.filter(bool), min_size=1, max_size=4).map(
    lambda pairs: m.SparseVector(indices=[*pairs], values=[*pairs.values()])
)
vectors = st.fixed_dictionaries(
    {},
    optional={**dict.fromkeys(DENSE, dense), "multi": multi, **dict.fromkeys(SPARSE, sparse)},
)

words = st.lists(st.sampled_from(["red", "Green", "blue", "big", "red-ish", "BIG"]), max_size=4).map(" ".join)
times = st.sampled_from(
    ["2024-01-01T00:00:00Z", "2024-01-01", "2024-06-15 12:30:00.5+02:00", "2025-01-01T00:00:00", "1969-12-31T23:59:59Z"]
)
places = st.builds(lambda lon, lat: {"lon": lon, "lat": lat}, st.integers(-179, 179), st.integers(-89, 89))
small = st.integers(-3, 3)
texts = st.sampled_from(["x", "y", "xy", "Z", ""])


def one_or_some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, st.lists(values, max_size=3), st.none())


elements = st.fixed_dictionaries({}, optional={"k": one_or_some(small), "w": texts})
payloads = st.fixed_dictionaries(
    {},
    optional={
        "n": one_or_some(small),
        "f": one_or_some(numbers),
        "s": one_or_some(texts),
        "b": one_or_some(st.booleans()),
        "t": one_or_some(times),
        "u": st.sampled_from(UUIDS),
        "text": words,
        "geo": one_or_some(places),
        "mixed": st.one_of(small, texts, st.booleans(), numbers, st.lists(st.one_of(small, st.none()))),
        "o": st.one_of(elements, st.lists(elements, max_size=3)),
        "a.b": small,
        "a": st.fixed_dictionaries({}, optional={"b": one_or_some(small), "c": st.lists(st.lists(small, max_size=2))}),
    },
)
points = st.builds(
    lambda id, vector, payload: m.PointStruct(id=id, vector=vector, payload=payload), ids, vectors, payloads
)

PATHS = (
    "n",
    "f",
    "s",
    "b",
    "mixed",
    "text",
    "o",
    "o.k",
    "o[].k",
    "o[0].k",
    "o[].w",
    "a",
    "a.b",
    '"a.b"',
    "a.c[]",
    "no",
    "o[]",
)
paths = st.sampled_from(PATHS)


def _bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), values, min_size=1, max_size=2)


def _square(lon: int, lat: int, half: int) -> list[m.GeoPoint]:
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    return [m.GeoPoint(lon=lon + east, lat=lat + north) for east, north in corners]


def _field(key: st.SearchStrategy[str], **condition: st.SearchStrategy[Any]) -> st.SearchStrategy[m.FieldCondition]:
    return st.builds(m.FieldCondition, key=key, **condition)


_matches = st.one_of(
    st.builds(m.MatchValue, value=st.one_of(small, texts, st.booleans())),
    st.builds(m.MatchAny, any=st.one_of(st.lists(small, max_size=3), st.lists(texts, min_size=1, max_size=3))),
    st.builds(lambda values: m.MatchExcept(**{"except": values}), st.lists(small, min_size=1, max_size=3)),
    st.builds(m.MatchPrefix, prefix=texts),
    st.builds(m.MatchSubstring, substring=texts),
)
_text_matches = st.one_of(
    st.builds(m.MatchText, text=words),
    st.builds(m.MatchTextAny, text_any=words),
    st.builds(m.MatchPhrase, phrase=words),
)
_boxes = st.builds(
    lambda west, south, wide, high: m.GeoBoundingBox(
        top_left=m.GeoPoint(lon=west, lat=min(south + high, 90)),
        bottom_right=m.GeoPoint(lon=(west + wide + 180) % 360 - 180, lat=south),
    ),
    st.integers(-179, 179),
    st.integers(-89, 60),
    st.integers(1, 200),
    st.integers(1, 100),
)
_polygons = st.builds(
    lambda lon, lat, half, hole: m.GeoPolygon(
        exterior=m.GeoLineString(points=_square(lon, lat, half)),
        interiors=[m.GeoLineString(points=_square(lon, lat, half // 3))] if hole else None,
    ),
    st.integers(-100, 100),
    st.integers(-40, 40),
    st.integers(3, 45),
    st.booleans(),
)
_key = st.builds(m.PayloadField, key=paths)
conditions: st.SearchStrategy[Any] = st.one_of(
    _field(paths, match=_matches),
    _field(st.sampled_from(["text", "s"]), match=_text_matches),
    _field(paths, range=_bounds(numbers).map(lambda bounds: m.Range(**bounds))),
    _field(st.sampled_from(["t", "s"]), range=_bounds(times).map(lambda bounds: m.DatetimeRange(**bounds))),
    _field(st.just("geo"), geo_bounding_box=_boxes),
    _field(
        st.just("geo"),
        geo_radius=st.builds(
            lambda here, metres: m.GeoRadius(center=m.GeoPoint(**here), radius=metres), places, st.integers(1, 10**7)
        ),
    ),
    _field(st.just("geo"), geo_polygon=_polygons),
    _field(paths, values_count=_bounds(st.integers(0, 3)).map(lambda bounds: m.ValuesCount(**bounds))),
    _field(paths, is_empty=st.booleans()),
    _field(paths, is_null=st.booleans()),
    st.builds(m.IsEmptyCondition, is_empty=_key),
    st.builds(m.IsNullCondition, is_null=_key),
    st.builds(m.HasIdCondition, has_id=st.lists(ids, max_size=5)),
    st.builds(m.HasVectorCondition, has_vector=st.sampled_from([*VECTORS, *SPARSE])),
    st.integers(1, 3).flatmap(
        lambda total: st.integers(0, total - 1).map(
            lambda index: m.SliceCondition(slice=m.Slice(total=total, index=index))
        )
    ),
)


def _filters(of: st.SearchStrategy[Any]) -> st.SearchStrategy[m.Filter]:
    some = st.lists(of, min_size=1, max_size=3)
    least = st.builds(m.MinShould, conditions=some, min_count=st.integers(1, 2))
    clauses = st.fixed_dictionaries(
        {}, optional={"must": st.one_of(some, of), "should": some, "must_not": some, "min_should": least}
    )
    return clauses.map(lambda told: m.Filter(**told))


filters = _filters(
    st.recursive(
        conditions,
        lambda inner: st.one_of(
            _filters(inner),
            st.builds(
                lambda key, inside: m.NestedCondition(nested=m.Nested(key=key, filter=inside)),
                st.sampled_from(["o", "o[]", "a.c", "n"]),
                _filters(inner),
            ),
        ),
        max_leaves=4,
    )
)
some_filter = st.one_of(st.none(), filters)

# -- queries -----------------------------------------------------------------------------------------------------------


def _vectors_of(name: str) -> st.SearchStrategy[Any]:
    return multi if name == "multi" else sparse if name in SPARSE else dense


def _queries(name: str, near: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Of the vectors of a name; `near`: the inputs of all kinds."""
    pair = st.builds(m.ContextPair, positive=near, negative=near)
    recommend = st.builds(
        m.RecommendInput,
        positive=st.lists(near, max_size=2),
        negative=st.lists(near, max_size=2),
        strategy=st.sampled_from([None, *m.RecommendStrategy]),
    )
    kinds = [
        st.builds(m.NearestQuery, nearest=near),
        recommend.map(lambda told: m.RecommendQuery(recommend=told)),
        st.builds(m.DiscoverInput, target=near, context=st.lists(pair, max_size=2)).map(
            lambda told: m.DiscoverQuery(discover=told)
        ),
        st.lists(pair, min_size=1, max_size=2).map(lambda told: m.ContextQuery(context=told)),
    ]
    if name in DENSE:
        judged = st.builds(m.FeedbackItem, example=near, score=st.integers(0, 4).map(lambda value: value / 2))
        naive = m.NaiveFeedbackStrategy(naive=m.NaiveFeedbackStrategyParams(a=0.5, b=1.5, c=0.3))
        kinds.append(
            st.builds(
                lambda target, feedback: m.RelevanceFeedbackQuery(
                    relevance_feedback=m.RelevanceFeedbackInput(target=target, feedback=feedback, strategy=naive)
                ),
                near,
                st.lists(judged, max_size=3),
            )
        )
    return st.one_of(kinds)


def _has_examples(query: Any) -> bool:
    """Local mode does not look whether a query has, where it has nothing to rank."""
    if not isinstance(query, m.RecommendQuery):
        return True
    told = query.recommend
    averaged = told.strategy in (None, m.RecommendStrategy.AVERAGE_VECTOR)
    return bool(told.positive or (told.negative and not averaged))


def _asked(near: Callable[[str], st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return names.flatmap(lambda name: st.tuples(st.just(name), _queries(name, near(name))))


names = st.sampled_from([*VECTORS, *SPARSE])
asked = _asked(lambda name: st.one_of(_vectors_of(name), ids))
"""A name, and a query of its vectors by vectors and points."""
asked_rightly = asked.filter(lambda pair: _has_examples(pair[1]))
asked_by_vectors = _asked(_vectors_of).filter(lambda pair: _has_examples(pair[1]))

_x = st.sampled_from(["$score", "$score[1]", "f", "n", 2.0, -0.5])
_decays = st.builds(
    lambda x, target, scale, midpoint: m.DecayParamsExpression(x=x, target=target, scale=scale, midpoint=midpoint),
    _x,
    st.one_of(st.none(), _x),
    st.sampled_from([None, 0.5, 3.0]),
    st.sampled_from([None, 0.3, 0.9]),
)


def _expressions(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(of, min_size=1, max_size=3)
    return st.one_of(
        some.map(lambda told: m.SumExpression(sum=told)),
        some.map(lambda told: m.MultExpression(mult=told)),
        some.map(lambda told: m.MaxExpression(max=told)),
        some.map(lambda told: m.MinExpression(min=told)),
        of.map(lambda told: m.NegExpression(neg=told)),
        of.map(lambda told: m.AbsExpression(abs=told)),
        of.map(lambda told: m.SqrtExpression(sqrt=told)),
        of.map(lambda told: m.ExpExpression(exp=told)),
        of.map(lambda told: m.LnExpression(ln=told)),
        of.map(lambda told: m.Log10Expression(log10=told)),
        of.map(lambda told: m.AcoshExpression(acosh=told)),
        st.builds(lambda left, right: m.DivExpression(div=m.DivParams(left=left, right=right)), of, of),
        st.builds(lambda base, top: m.PowExpression(pow=m.PowParams(base=base, exponent=top)), of, of),
        _decays.map(lambda told: m.LinDecayExpression(lin_decay=told)),
        _decays.map(lambda told: m.ExpDecayExpression(exp_decay=told)),
        _decays.map(lambda told: m.GaussDecayExpression(gauss_decay=told)),
    )


expressions = st.recursive(
    st.one_of(
        _x,
        conditions,
        places.map(lambda here: m.GeoDistance(geo_distance=m.GeoDistanceParams(origin=m.GeoPoint(**here), to="geo"))),
        st.just(m.DatetimeKeyExpression(datetime_key="t")),
        times.map(lambda at: m.DatetimeExpression(datetime=at)),
    ),
    _expressions,
    max_leaves=4,
)
formulas = st.builds(
    m.FormulaQuery,
    formula=expressions,
    defaults=st.just({"f": 0.5, "n": 2, "geo": {"lon": 1.0, "lat": 2.0}, "t": "2024-01-01", "$score[1]": 0.25}),
)

# -- changes -----------------------------------------------------------------------------------------------------------

selections = st.one_of(st.lists(ids, max_size=4), filters)
Change = tuple[str, dict[str, Any]]
"""A method of the client, and what it is given."""


def _change(method: str, **told: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    return st.fixed_dictionaries(told).map(lambda given: (method, given))


_some_points = st.lists(points, min_size=1, max_size=4)
_keys = st.lists(paths, min_size=1, max_size=2)
_parts = st.fixed_dictionaries({}, optional={"n": one_or_some(small), "k": small, "b": st.none()})
changes = st.one_of(
    _change(
        "upsert",
        points=_some_points,
        update_filter=some_filter,
        update_mode=st.sampled_from([None, *m.UpdateMode]),
    ),
    _change("delete", points_selector=selections),
    _change("set_payload", payload=_parts, points=selections, key=st.one_of(st.none(), paths)),
    _change("overwrite_payload", payload=payloads, points=selections),
    _change("delete_payload", keys=_keys, points=selections),
    _change("clear_payload", points_selector=selections),
    _change(
        "update_vectors",
        points=st.lists(
            st.builds(lambda id, vector: m.PointVectors(id=id, vector=vector), ids, vectors.filter(bool)),
            min_size=1,
            max_size=3,
        ),
        update_filter=some_filter,
    ),
    _change("delete_vectors", vectors=st.lists(names, min_size=1, max_size=2), points=selections),
)

# -- comparing ---------------------------------------------------------------------------------------------------------

CLOSE = 1e-5


def close(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=CLOSE, abs_tol=CLOSE)


def same(one: Any, two: Any) -> bool:
    """Whether two parts of answers say the same; floats may differ a little."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return close(one, two)
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, Sequence) and isinstance(two, Sequence) and not isinstance(one, str):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, m.SparseVector) and isinstance(two, m.SparseVector):
        return same(one.indices, two.indices) and same(one.values, two.values)
    return bool(one == two)


def runs(points: Iterable[Any], value: Callable[[Any], float]) -> list[list[Any]]:
    """Points in the order of their values, those together that are equal."""
    grouped: list[list[Any]] = []
    for point in points:
        if grouped and close(value(grouped[-1][-1]), value(point)):
            grouped[-1].append(point)
        else:
            grouped.append([point])
    return grouped


def same_ranking(ours: Sequence[Any], theirs: Sequence[Any], value: Callable[[Any], float], cut: bool = False) -> None:
    """Asserts that two rankings have the same points with the same values; among equals the order may differ, and
    `cut`, which of the last ones are there."""
    assert same([*map(value, ours)], [*map(value, theirs)]), (ours, theirs)
    groups = runs(ours, value), runs(theirs, value)
    for place, (one, two) in enumerate(zip(*groups, strict=True)):
        if cut and place == len(groups[0]) - 1:
            continue
        by_id = {point.id: point for point in two}
        assert {point.id for point in one} == by_id.keys(), (ours, theirs)
        for point in one:
            assert same(point.payload, by_id[point.id].payload), (point, by_id[point.id])
            assert same(point.vector, by_id[point.id].vector), (point, by_id[point.id])
