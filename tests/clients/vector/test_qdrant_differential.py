"""The official client against two databases that are told the same: ours, over REST, and the client's own local mode.

Where they differ is argued in docs/qdrant.md, and noted at the tests.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("qdrant_client")

from qdrant_client import QdrantClient
from qdrant_client import models as m
from qdrant_client.http.exceptions import UnexpectedResponse

import qdrant_cases as cases
from aimock.surfaces.vector.mock import VectorMock

EXAMPLES = 12

BY_LOCAL_MODE = (ValueError, KeyError, TypeError, IndexError)
"""How it refuses."""


class Both(NamedTuple):
    """A collection of one name in both databases."""

    ours: QdrantClient
    theirs: QdrantClient
    name: str

    def ask(self, method: str, **told: Any) -> tuple[Any, Any] | None:
        """What both answer; None if both refuse. Fails if only one does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = [_asked(functools.partial(getattr(client, method), self.name, **told)) for client in self[:2]]
        refused = [isinstance(answer, Exception) for answer in answers]
        assert len({*refused}) == 1, (method, told, answers)
        return None if refused[0] else (answers[0], answers[1])


def _asked(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except UnexpectedResponse as error:
        if error.status_code not in (400, 404, 409, 422):
            raise
        return error
    except BY_LOCAL_MODE as error:
        return error


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[QdrantClient, QdrantClient]]:
    with VectorMock(dialects=["qdrant"]) as mock, contextlib.ExitStack() as stack:
        ours = QdrantClient(url=mock.url, check_compatibility=False)
        theirs = QdrantClient(":memory:")
        stack.callback(ours.close)
        stack.callback(theirs.close)
        yield ours, theirs


@pytest.fixture(scope="module")
def collections(clients: tuple[QdrantClient, QdrantClient]) -> Callable[[], Both]:
    """Gives one with all kinds of vectors, empty."""
    ours, theirs = clients
    ours.create_collection("c", cases.VECTORS, sparse_vectors_config=cases.SPARSE_VECTORS)
    for field, kind in cases.INDEXES.items():
        ours.create_payload_index("c", field, m.PayloadSchemaType(kind))

    def empty() -> Both:
        ours.delete("c", m.Filter())
        theirs.delete_collection("c")
        theirs.create_collection("c", cases.VECTORS, sparse_vectors_config=cases.SPARSE_VECTORS)
        return Both(ours, theirs, "c")

    return empty


def filled(both: Both, points: list[m.PointStruct]) -> Both:
    if points:
        both.ask("upsert", points=points)
    return both


some_points = st.lists(cases.points, min_size=1, max_size=10, unique_by=lambda point: point.id)
"""One at least: local mode fails at some queries of nothing."""
quick = settings(max_examples=EXAMPLES)


def same_contents(both: Both) -> None:
    answers = both.ask("scroll", limit=50, with_vectors=True)
    assert answers is not None
    (ours, _), (theirs, _) = answers
    assert [point.id for point in ours] == [point.id for point in theirs]
    for one, two in zip(ours, theirs, strict=True):
        assert cases.same(one.payload, two.payload), (one, two)
        assert cases.same(one.vector, two.vector), (one, two)


@given(first=some_points, changes=st.lists(cases.changes, max_size=6))
@quick
def test_after_any_changes_the_same_is_there(
    collections: Callable[[], Both], first: list[m.PointStruct], changes: list[cases.Change]
) -> None:
    both = filled(collections(), first)
    for method, told in changes:
        both.ask(method, **told)
        same_contents(both)


@given(points=some_points, where=st.lists(cases.filters, min_size=3, max_size=6))
@settings(max_examples=2 * EXAMPLES)
def test_filters_find_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], where: list[m.Filter]
) -> None:
    both = filled(collections(), points)
    for each in where:
        answers = both.ask("scroll", scroll_filter=each, limit=50)
        if answers is not None:
            (ours, _), (theirs, _) = answers
            assert [point.id for point in ours] == [point.id for point in theirs], each
            counted = both.ask("count", count_filter=each)
            assert counted is not None
            assert counted[0] == counted[1]


@given(
    points=some_points,
    asked=st.lists(cases.asked, min_size=2, max_size=4),
    where=cases.some_filter,
    limit=st.integers(1, 12),
    offset=st.integers(0, 3),
    threshold=st.one_of(st.none(), cases.numbers),
)
@settings(max_examples=2 * EXAMPLES)
def test_queries_of_vectors_find_the_same(
    collections: Callable[[], Both],
    points: list[m.PointStruct],
    asked: list[tuple[str, Any]],
    where: m.Filter | None,
    limit: int,
    offset: int,
    threshold: float | None,
) -> None:
    both = filled(collections(), points)
    for name, query in asked:
        if name in ("euclid", "city") and not isinstance(query, m.NearestQuery):
            threshold = None  # local mode takes scores by examples for distances there
        told = {"query": query, "using": name, "query_filter": where, "score_threshold": threshold}
        same_query(both, limit, offset, **told)


def same_query(both: Both, limit: int, offset: int, **told: Any) -> None:
    """With an offset only the values are comparable: which of equals come first is each one's own affair."""
    answers = both.ask("query_points", limit=limit, offset=offset, with_vectors=True, **told)
    if answers is not None:
        ours, theirs = (answer.points for answer in answers)
        if offset:
            assert cases.same([point.score for point in ours], [point.score for point in theirs])
        else:
            cases.same_ranking(ours, theirs, lambda point: point.score, cut=len(ours) == limit)


@given(
    points=some_points,
    sources=st.lists(st.tuples(cases.asked_by_vectors, cases.some_filter), min_size=1, max_size=3),
    merge=st.one_of(
        st.just(m.FusionQuery(fusion=m.Fusion.DBSF)),
        st.just(m.FusionQuery(fusion=m.Fusion.RRF)),
        st.integers(1, 60).map(lambda k: m.RrfQuery(rrf=m.Rrf(k=k))),
        st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=1, max_size=3).map(
            lambda weights: m.RrfQuery(rrf=m.Rrf(weights=weights))
        ),
        cases.formulas,
    ),
    where=cases.some_filter,
)
@settings(max_examples=2 * EXAMPLES)
def test_prefetches_are_merged_to_the_same(
    collections: Callable[[], Both],
    points: list[m.PointStruct],
    sources: list[tuple[tuple[str, Any], m.Filter | None]],
    merge: Any,
    where: m.Filter | None,
) -> None:
    """By vectors only: points that a prefetch names are no results of any prefetch, but in local mode of this one."""
    both = filled(collections(), points)
    prefetch = [m.Prefetch(query=query, using=name, filter=inner, limit=50) for (name, query), inner in sources]
    if not ranked_by_places(merge) or not any(has_equals(both, each) for each in prefetch):
        same_query(both, 50, 0, query=merge, prefetch=prefetch, query_filter=where)


def ranked_by_places(merge: Any) -> bool:
    return isinstance(merge, m.RrfQuery) or getattr(merge, "fusion", None) is m.Fusion.RRF


def has_equals(both: Both, source: m.Prefetch) -> bool:
    """Whether points are equally good, so that their places are each database's own affair."""
    found = both.theirs.query_points(both.name, query=source.query, using=source.using, limit=50).points
    return any(len(run) > 1 for run in cases.runs(found, lambda point: point.score))


@given(points=some_points, outer=cases.asked_by_vectors, inner=cases.asked_by_vectors, limit=st.integers(1, 12))
@quick
def test_a_query_of_prefetched_points_ranks_them_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], outer: tuple[str, Any], inner: Any, limit: int
) -> None:
    both = filled(collections(), points)
    nested = m.Prefetch(query=inner[1], using=inner[0], limit=50)
    prefetch = m.Prefetch(prefetch=[nested], query=outer[1], using=outer[0], limit=50)
    same_query(both, limit, 0, query=outer[1], using=outer[0], prefetch=[nested])
    same_query(both, 50, 0, query=m.FusionQuery(fusion=m.Fusion.DBSF), prefetch=[prefetch, nested])


@given(
    points=some_points,
    by=st.sampled_from(["n", "f"]),
    direction=st.sampled_from([None, *m.Direction]),
    start=st.one_of(st.none(), cases.small),
    limit=st.integers(1, 20),
)
@quick
def test_points_are_ordered_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], by: str, direction: Any, start: Any, limit: int
) -> None:
    both = filled(collections(), points)
    order = m.OrderBy(key=by, direction=direction, start_from=start)
    answers = both.ask("scroll", order_by=order, limit=limit)
    assert answers is not None
    (ours, _), (theirs, _) = answers
    cases.same_ranking(ours, theirs, lambda point: point.order_value, cut=len(ours) == limit)


@given(points=some_points, limit=st.integers(1, 4), where=cases.some_filter)
@quick
def test_pages_follow_each_other_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], limit: int, where: m.Filter | None
) -> None:
    both = filled(collections(), points)
    offset = None
    while True:
        answers = both.ask("scroll", scroll_filter=where, limit=limit, offset=offset)
        assert answers is not None
        (ours, following), (theirs, their_following) = answers
        assert [point.id for point in ours] == [point.id for point in theirs]
        assert following == their_following
        if following is None:
            break
        offset = following


@given(points=some_points, key=st.sampled_from(["n", "s", "b", "u"]), where=cases.some_filter)
@quick
def test_values_are_counted_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], key: str, where: m.Filter | None
) -> None:
    both = filled(collections(), points)
    answers = both.ask("facet", key=key, facet_filter=where, limit=20)
    assert answers is not None
    assert answers[0] == answers[1]


@given(points=some_points, query=cases.dense, by=st.sampled_from(["n", "s", "o[].k", "mixed"]), size=st.integers(1, 3))
@quick
def test_groups_are_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], query: list[float], by: str, size: int
) -> None:
    both = filled(collections(), points)
    answers = both.ask("query_points_groups", group_by=by, query=query, using="dot", group_size=size, limit=20)
    assert answers is not None
    ours, theirs = ({group.id: [point.score for point in group.hits] for group in answer.groups} for answer in answers)
    assert cases.same(ours, theirs)


@given(points=some_points, query=cases.dense, diversity=st.sampled_from([0.0, 0.3, 0.7, 1.0]))
@quick
def test_the_most_diverse_are_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], query: list[float], diversity: float
) -> None:
    """Only the first two are looked at where there are equals, for one's choice sets the next."""
    both = filled(collections(), points)
    told = m.NearestQuery(nearest=query, mmr=m.Mmr(diversity=diversity, candidates_limit=50))
    answers = both.ask("query_points", query=told, using="cosine", limit=10)
    assert answers is not None
    ours, theirs = ([(point.id, point.score) for point in answer.points] for answer in answers)
    scores = [score for _, score in ours]
    if not any(cases.close(one, two) for one, two in itertools.combinations(scores, 2)):
        assert [id for id, _ in ours] == [id for id, _ in theirs]


@given(points=some_points, where=cases.some_filter)
@quick
def test_matrices_are_the_same(
    collections: Callable[[], Both], points: list[m.PointStruct], where: m.Filter | None
) -> None:
    both = filled(collections(), points)
    answers = both.ask("search_matrix_pairs", query_filter=where, limit=20, sample=50, using="euclid")
    assert answers is not None
    ours, theirs = ({(pair.a, pair.b): pair.score for pair in answer.pairs} for answer in answers)
    assert cases.same(ours, theirs)


@given(
    points=some_points,
    keys=st.lists(cases.paths, max_size=3),
    excluded=st.booleans(),
    names=st.lists(cases.names, max_size=2, unique=True),
)
@quick
def test_what_is_shown_of_points_is_the_same(
    collections: Callable[[], Both],
    points: list[m.PointStruct],
    keys: list[str],
    excluded: bool,
    names: list[str],
) -> None:
    both = filled(collections(), points)
    wanted = m.PayloadSelectorExclude(exclude=keys) if excluded else m.PayloadSelectorInclude(include=keys)
    ids = [point.id for point in points]
    answers = both.ask("retrieve", ids=[*ids, 999], with_payload=wanted, with_vectors=names)
    assert answers is not None
    for one, two in zip(*answers, strict=True):
        assert one.id == two.id
        assert cases.same(one.payload, two.payload), (one, two)
        assert cases.same(one.vector, two.vector), (one, two)
