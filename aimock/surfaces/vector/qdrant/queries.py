"""Routes of queries: the universal one, the older ones, groups and matrices."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.qdrant.replies import ok, point, scored, scripted
from aimock.surfaces.vector.qdrant.searching import Found, Searcher, View
from aimock.surfaces.vector.qdrant.target import Target, other, target
from aimock.surfaces.vector.script import Asked
from aimock_protocols.qdrant import asking, older
from aimock_protocols.qdrant.filters import Filters
from aimock_protocols.qdrant.ids import PointId, canonical
from aimock_protocols.qdrant.paths import items
from aimock_protocols.qdrant.queries import Grouping, Nearest, Search, Shown, VectorQuery
from aimock_protocols.qdrant.reading import Fields, anything, listed
from aimock_protocols.qdrant.vectors import Dense

Told = list[dict[str, Any]]
Read = Callable[[Filters, Any], tuple[Search, Shown]]
"""Reads one query. Raises WireError."""
Form = Callable[[Told], Any]
"""How the results of a query stand in an answer."""


def _points(results: Told) -> Any:
    return {"points": results}


def _bare(results: Told) -> Any:
    return results


def _one(read: Read, form: Form) -> Callable[[Call], Answer]:
    def handle(call: Call) -> Answer:
        return _answered(call, [call.body()], read, lambda results: form(results[0]))

    return handle


def _several(read: Read, form: Form) -> Callable[[Call], Answer]:
    def handle(call: Call) -> Answer:
        return _answered(
            call, Fields(call.body()).need("searches", listed(anything)), read, lambda results: [*map(form, results)]
        )

    return handle


def _answered(call: Call, bodies: Sequence[Any], read: Read, form: Callable[[list[Told]], Any]) -> Answer:
    """Answers queries together, each by its script if the collection has one."""
    asked = target(call)
    queries = [read(asked.filters, body) for body in bodies]
    told = [_scripted(call, asked, search, body) for (search, _), body in zip(queries, bodies, strict=True)]
    open_queries = [search for (search, _), results in zip(queries, told, strict=True) if results is None]
    searcher = _searcher(call, asked, open_queries)

    def work() -> list[Told]:
        return [
            [scored(record, score, shown, value) for record, score, value in searcher.results(search)]
            if results is None
            else results
            for (search, shown), results in zip(queries, told, strict=True)
        ]

    cost = searcher.view.snapshot.cost(sum(map(_vectors_in, open_queries)), filtered=True) if open_queries else 0.0
    return call.computed(cost, work, lambda results: ok(call, form(results)))


def _scripted(call: Call, asked: Target, search: Search, body: Any) -> Told | None:
    query = search.query
    vector = query.to.values if isinstance(query, Nearest) and isinstance(query.to, Dense) else None
    results = call.scripted(asked.collection, Asked(vector, search.limit, body.get("filter")))
    return None if results is None else [*map(scripted, results)]


def _searcher(call: Call, asked: Target, searches: Sequence[Search]) -> Searcher:
    names = {name for search in searches for name in _lookups(search)}
    others = {name: View.of(other(call, name)) for name in names}
    return Searcher(View.of(asked), others, random.Random(call.exchange.stamp.hexadecimal(16, "chance")))


def _lookups(search: Search) -> Iterator[str]:
    if search.lookup is not None:
        yield search.lookup.collection
    for each in search.prefetch:
        yield from _lookups(each)


def _vectors_in(search: Search) -> int:
    own = len([*search.query.inputs]) if isinstance(search.query, VectorQuery) else 1
    return own + sum(map(_vectors_in, search.prefetch))


# -- groups ------------------------------------------------------------------------------------------------------------


def _groups(read: Read) -> Callable[[Call], Answer]:
    def handle(call: Call) -> Answer:
        asked, body = target(call), call.body()
        (search, shown), grouping = read(asked.filters, body), asking.grouping(body)
        results = _scripted(call, asked, search, body)
        if results is not None:
            return ok(call, {"groups": [{"id": each["id"], "hits": [each]} for each in results]})
        searcher = _searcher(call, asked, [search])
        lookup = None if grouping.lookup is None else View.of(other(call, grouping.lookup))
        most = max(len(searcher.view.snapshot), 1)

        def work() -> list[dict[str, Any]]:
            found = searcher.results(_widened(search, most))
            return [_group(id, hits, grouping, shown, lookup) for id, hits in _grouped(found, grouping)[: search.limit]]

        cost = searcher.view.snapshot.cost(_vectors_in(search), filtered=True)
        return call.computed(cost, work, lambda groups: ok(call, {"groups": groups}))

    return handle


def _widened(search: Search, limit: int) -> Search:
    """The same with all its results, that there be enough for each group."""
    return attrs.evolve(search, limit=limit, offset=0, prefetch=[_widened(each, limit) for each in search.prefetch])


def _grouped(results: Sequence[Found], grouping: Grouping) -> list[tuple[PointId, list[Found]]]:
    """The best groups first. A point with several values is in several groups; one with a value that can be no group's
    id is in none."""
    groups: dict[PointId, list[Found]] = {}
    for found in results:
        ids = dict.fromkeys(items(found.record.metadata or {}, grouping.by))
        if all(type(id) in (int, str) for id in ids):
            for id in ids:
                groups.setdefault(id, []).append(found)
    return [(id, hits[: grouping.size]) for id, hits in groups.items()]


def _group(id: PointId, hits: Sequence[Found], grouping: Grouping, shown: Shown, lookup: View | None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": id, "hits": [scored(record, score, shown, value) for record, score, value in hits]}
    wanted = canonical(id)
    record = None if lookup is None or wanted is None else lookup.snapshot.get(wanted)
    if record is not None:
        told["lookup"] = point(record, grouping.lookup_shown)
    return told


# -- matrices ----------------------------------------------------------------------------------------------------------


def _matrix(form: Callable[[list[tuple[PointId, list[Found]]]], Any]) -> Callable[[Call], Answer]:
    def handle(call: Call) -> Answer:
        asked = target(call)
        wanted = asking.matrix(asked.filters, call.body())
        searcher = _searcher(call, asked, [])
        cost = searcher.view.snapshot.cost(wanted.sample, filtered=True)
        return call.computed(cost, lambda: searcher.matrix(wanted), lambda found: ok(call, form(found)))

    return handle


def _pairs(rows: list[tuple[PointId, list[Found]]]) -> Any:
    return {
        "pairs": [
            {"a": id, "b": found.record.id, "score": np.float32(found.score)} for id, near in rows for found in near
        ]
    }


def _offsets(rows: list[tuple[PointId, list[Found]]]) -> Any:
    places = {id: place for place, (id, _) in enumerate(rows)}
    return {
        "offsets_row": [places[id] for id, near in rows for _ in near],
        "offsets_col": [places[found.record.id] for _, near in rows for found in near],
        "scores": [np.float32(found.score) for _, near in rows for found in near],
        "ids": [*places],
    }


_POINTS = "/collections/{collection}/points"
_OLDER = (("search", older.search), ("recommend", older.recommend), ("discover", older.discover))
ROUTES = (
    Route("POST", f"{_POINTS}/query", "query", _one(asking.query, _points)),
    Route("POST", f"{_POINTS}/query/batch", "query", _several(asking.query, _points)),
    Route("POST", f"{_POINTS}/query/groups", "query", _groups(asking.query)),
    *(Route("POST", f"{_POINTS}/{name}", "query", _one(read, _bare)) for name, read in _OLDER),
    *(Route("POST", f"{_POINTS}/{name}/batch", "query", _several(read, _bare)) for name, read in _OLDER),
    *(Route("POST", f"{_POINTS}/{name}/groups", "query", _groups(read)) for name, read in _OLDER[:2]),
    Route("POST", f"{_POINTS}/search/matrix/pairs", "query", _matrix(_pairs)),
    Route("POST", f"{_POINTS}/search/matrix/offsets", "query", _matrix(_offsets)),
)
