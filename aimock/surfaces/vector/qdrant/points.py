"""Routes that change points, and those that read them without a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.qdrant.ordering import in_order
from aimock.surfaces.vector.qdrant.replies import ok, point, update_result
from aimock.surfaces.vector.qdrant.target import target
from aimock.surfaces.vector.qdrant.writes import prepared
from aimock.surfaces.vector.store import Record
from aimock_protocols.qdrant import operations
from aimock_protocols.qdrant.asking import order_by, shown_of
from aimock_protocols.qdrant.collections import FACETED
from aimock_protocols.qdrant.errors import not_found, wrong_input
from aimock_protocols.qdrant.filters import EVERYTHING
from aimock_protocols.qdrant.ids import canonical, ids, in_path, order, point_id
from aimock_protocols.qdrant.paths import items, path, selecting
from aimock_protocols.qdrant.queries import Shown
from aimock_protocols.qdrant.reading import Fields, counted, text

_LIMIT = 10


def _doing(read: operations.Read) -> Callable[[Call], Answer]:
    """Answers a route that is one operation."""

    def handle(call: Call) -> Answer:
        asked = target(call)
        prepared(asked, read(asked.filters, call.body(), ""))()
        return ok(call, update_result(call, asked.collection))

    return handle


def _batch(call: Call) -> Answer:
    """The operations in a row, once all have been checked; one that fails later leaves what those before it did."""
    asked = target(call)
    results = []
    for run in [prepared(asked, operation) for operation in operations.operations(asked.filters, call.body())]:
        run()
        results.append(update_result(call, asked.collection))
    return ok(call, results)


# -- reading -----------------------------------------------------------------------------------------------------------


def _retrieve(call: Call) -> Answer:
    asked, fields = target(call), Fields(call.body())
    shown = shown_of(fields, payload=True)
    found = (asked.points.get(each) for each in fields.need("ids", ids))
    return ok(call, [point(record, shown) for record in found if record is not None])


def _get(call: Call) -> Answer:
    asked, named = target(call), call.params["id"]
    wanted = in_path(named)
    if wanted is None:
        raise wrong_input(f'Can not recognize "{named}" as point id')
    record = asked.points.get(wanted)
    if record is None:
        raise not_found(f"Point with id {wanted} does not exists!")
    return ok(call, point(record, Shown(selecting(True, ""), True)))


def _scroll(call: Call) -> Answer:
    asked, fields = target(call), Fields(call.body())
    limit, start = fields.get("limit", counted(1), _LIMIT), fields.get("offset", point_id)
    where, by = fields.get("filter", asked.filters.filter, EVERYTHING), fields.get("order_by", order_by)
    shown, snapshot = shown_of(fields, payload=True), asked.points.snapshot()
    if by is not None and start is not None:
        raise wrong_input(
            "Cannot use an `offset` when using `order_by`. The alternative for paging is to use "
            "`order_by.start_from` and a filter to exclude the IDs that you've already seen for the value"
        )

    def page() -> dict[str, Any]:
        if by is not None:
            found = in_order(asked, snapshot.matching(where), by)[:limit]
            return {"points": [point(each, shown, value) for value, each in found], "next_page_offset": None}
        records = sorted(snapshot.matching(where), key=lambda record: order(record.id))
        if start is not None:
            records = [record for record in records if order(record.id) >= order(start)]
        following = records[limit].id if len(records) > limit else None
        return {"points": [point(each, shown) for each in records[:limit]], "next_page_offset": following}

    return call.computed(snapshot.cost(filtered=True), page, lambda result: ok(call, result))


def _count(call: Call) -> Answer:
    asked, fields = target(call), Fields(call.body())
    where, snapshot = fields.get("filter", asked.filters.filter), asked.points.snapshot()
    if where is None:
        return ok(call, {"count": len(snapshot)})
    return call.computed(
        snapshot.cost(filtered=True),
        lambda: len(snapshot.matching(where)),
        lambda count: ok(call, {"count": count}),
    )


def _facet(call: Call) -> Answer:
    asked, fields = target(call), Fields(call.body())
    key, steps = fields.need("key", text), fields.need("key", path)
    kind = asked.index_type(key)
    if kind not in FACETED:
        raise wrong_input(
            f"No appropriate index for faceting: `{key}`. Please create one to facet on this field. "
            "Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas "
            "support Match conditions"
        )
    limit = fields.get("limit", counted(1), _LIMIT)
    where, snapshot = fields.get("filter", asked.filters.filter, EVERYTHING), asked.points.snapshot()

    def hits() -> list[dict[str, Any]]:
        counts = Counter(
            value for record in snapshot.matching(where) for value in set(_facets(record, steps, kind or ""))
        )
        ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        return [{"value": value, "count": count} for value, count in ordered[:limit]]

    return call.computed(snapshot.cost(filtered=True), hits, lambda found: ok(call, {"hits": found}))


_KINDS: dict[str, type] = {"keyword": str, "integer": int, "bool": bool}


def _facets(record: Record, steps: Any, kind: str) -> Iterator[Any]:
    """The values that an index of that type has of a point."""
    for value in items(record.metadata or {}, steps):
        if kind == "uuid":
            if isinstance(value, str) and (found := canonical(value)) is not None:
                yield found
        elif type(value) is _KINDS[kind]:
            yield value


_POINTS = "/collections/{collection}/points"
ROUTES = (
    Route("PUT", _POINTS, "upsert", _doing(operations.upsert)),
    Route("POST", _POINTS, "query", _retrieve),
    Route("GET", f"{_POINTS}/{{id}}", "query", _get),
    Route("POST", f"{_POINTS}/delete", "delete", _doing(operations.delete)),
    Route("POST", f"{_POINTS}/payload", "upsert", _doing(operations.set_payload)),
    Route("PUT", f"{_POINTS}/payload", "upsert", _doing(operations.overwrite_payload)),
    Route("POST", f"{_POINTS}/payload/delete", "upsert", _doing(operations.delete_payload)),
    Route("POST", f"{_POINTS}/payload/clear", "upsert", _doing(operations.clear_payload)),
    Route("PUT", f"{_POINTS}/vectors", "upsert", _doing(operations.update_vectors)),
    Route("POST", f"{_POINTS}/vectors/delete", "upsert", _doing(operations.delete_vectors)),
    Route("POST", f"{_POINTS}/batch", "upsert", _batch),
    Route("POST", f"{_POINTS}/scroll", "list", _scroll),
    Route("POST", f"{_POINTS}/count", "describe", _count),
    Route("POST", "/collections/{collection}/facet", "query", _facet),
)
