"""The data plane's vectors: upsert, query, fetch, list, update, delete, statistics."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone.places import SPARSE, Place, index_named, located, namespaces_of, vectors_of
from aimock.surfaces.vector.script import Asked
from aimock.surfaces.vector.store import Hit, Record, Snapshot, Sparse, Vector
from aimock_protocols.pinecone import vectors as wire
from aimock_protocols.pinecone.errors import not_found
from aimock_protocols.pinecone.filters import Predicate
from aimock_protocols.pinecone.indexes import Kind
from aimock_protocols.pinecone.namespaces import counted
from aimock_protocols.pinecone.pages import Page, page
from aimock_protocols.pinecone.reading import fields_of, member, text
from aimock_protocols.pinecone.versions import version_of

READ_COST = 1e-8
"""Seconds that it takes to read a byte of vectors in JSON, about."""
_FETCHED_A_UNIT = 10
"""Records that are fetched for one read unit."""


def _upsert(call: Call) -> Answer:
    if "index" in call.params:
        index_named(call, call.params["index"])  # what was told of it comes before its vectors are read
    else:
        _located(call, wire.namespace_of(call.body()))

    def read() -> tuple[str, Sequence[wire.Vector], list[Record]]:
        body = call.body()
        vectors = wire.read_upsert(body)
        records = [Record(each.id, vectors_of(each.values, each.sparse), each.metadata) for each in vectors]
        return wire.namespace_of(body), vectors, records

    def then(given: tuple[str, Sequence[wire.Vector], list[Record]]) -> Answer:
        namespace, vectors, records = given
        place = _located(call, namespace)
        wire.check_vectors(vectors, place.index.shape)
        place.put([attrs.evolve(each, id=place.key(str(each.id))) for each in records])
        return call.reply(200, {"upsertedCount": len(records)})

    return call.computed(len(call.exchange.request.body) * READ_COST, read, then)


def _query(call: Call) -> Answer:
    body = call.body()
    place = _located(call, wire.namespace_of(body))
    asked = wire.read_query(body, place.index.shape)
    scripted = call.scripted(place.collection, Asked(asked.values, asked.top_k, asked.filter))
    if scripted is not None:
        told = [(wire.Found(str(each.id), (), None, each.metadata), each.score) for each in scripted]
        return call.reply(200, wire.matches(told, place.echoed, 1))
    vectors = vectors_of(asked.values or [], asked.sparse)
    if asked.id is not None:
        record = place.get(asked.id)
        vectors = (
            {} if record is None else {name: each for name, each in record.vectors.items() if name in ("", SPARSE)}
        )

    def then(hits: list[Hit]) -> Answer:
        found = [
            (found_of(hit.record, asked.includes_values, asked.includes_metadata), np.float32(hit.score))
            for hit in hits
        ]
        return call.reply(200, wire.matches(found, place.echoed, 1))

    return searched(call, place, vectors, asked.top_k, asked.where, then)


def searched(
    call: Call,
    place: Place,
    vectors: Mapping[str, Vector],
    top_k: int,
    where: Predicate | None,
    then: Callable[[list[Hit]], Answer],
) -> Answer:
    """What `then` makes of the records of a place that are nearest to these vectors."""
    snapshot = place.namespace.snapshot()
    known = {name: vector for name, vector in vectors.items() if name in place.collection.fields}
    cost = snapshot.cost(len(known), where is not None)
    return call.computed(cost, functools.partial(nearest, snapshot, known, top_k, where), then)


def nearest(snapshot: Snapshot, vectors: Mapping[str, Vector], top_k: int, where: Predicate | None) -> list[Hit]:
    """By one vector, or by a dense and a sparse one together: then scores are added up, of records that lack either
    the other alone."""
    selects = selecting(where)
    if len(vectors) < 2:
        return [hit for name, vector in vectors.items() for hit in snapshot.nearest(name, vector, top_k, where=selects)]
    hits = [hit for name, vector in vectors.items() for hit in snapshot.nearest(name, vector, None, where=selects)]
    records = {hit.record.id: hit.record for hit in hits}
    scores = dict.fromkeys(records, 0.0)
    for record, score in hits:
        scores[record.id] += score
    ordered = sorted(records.values(), key=lambda record: (-scores[record.id], record.place))
    return [Hit(record, scores[record.id]) for record in ordered[:top_k]]


def selecting(where: Predicate | None) -> Callable[[Record], bool] | None:
    """A filter of metadata as one of records."""
    return None if where is None else lambda record: where(record.metadata or {})


def found_of(record: Record, with_values: bool = True, with_metadata: bool = True) -> wire.Found:
    """A record as it is shown."""
    dense, sparse = record.vectors.get("", ()), record.vectors.get(SPARSE)
    return wire.Found(
        str(record.id),
        dense if with_values and not isinstance(dense, Sparse) else (),
        (sparse.indices, sparse.values) if with_values and isinstance(sparse, Sparse) else None,
        (record.metadata or None) if with_metadata else None,
    )


def _fetch(call: Call) -> Answer:
    place = _located(call, wire.namespace_asked(call.query))
    records = [place.get(each) for each in wire.read_fetch(call.query)]
    found = [found_of(each) for each in records if each is not None]
    return call.reply(200, wire.fetched(found, place.echoed, _units(len(found))))


def _fetch_by_metadata(call: Call) -> Answer:
    body = call.body()
    place = _located(call, wire.namespace_of(body))
    asked = wire.read_fetch_by_metadata(body)

    def then(records: list[Record]) -> Answer:
        by_id, shown = paged(records, asked.limit, asked.token)
        told = wire.fetched(map(found_of, by_id), place.echoed, _units(len(by_id)))
        return call.reply(200, told | shown.pagination)

    return matched(call, place, asked.where, then)


def matched(call: Call, place: Place, where: Predicate | None, then: Callable[[list[Record]], Answer]) -> Answer:
    """What `then` makes of the records of a place that a filter selects."""
    snapshot = place.namespace.snapshot()
    selects = selecting(where)
    return call.computed(snapshot.cost(1, True), functools.partial(snapshot.matching, selects), then)


def paged(records: list[Record], limit: int, token: Any) -> tuple[list[Record], Page]:
    """The records of one page, in the order of their ids."""
    by_id = {str(record.id): record for record in records}
    shown = page(sorted(by_id), limit, token)
    return [by_id[key] for key in shown.keys], shown


def listed(call: Call, place: Place, prefix: str, limit: int, token: Any, then: Callable[[Page], Answer]) -> Answer:
    """What `then` makes of a page of the ids of a place."""
    snapshot = place.namespace.snapshot()

    def ids() -> list[str]:
        return sorted(each for each in (str(record.id) for record in snapshot) if each.startswith(prefix))

    return call.computed(len(snapshot) * 1e-6, ids, lambda keys: then(page(keys, limit, token)))


def _list(call: Call) -> Answer:
    place = _located(call, wire.namespace_asked(call.query))
    prefix, limit, token = wire.read_list(call.query)

    def then(shown: Page) -> Answer:
        told = {"vectors": [{"id": key} for key in shown.keys], "namespace": place.echoed, "usage": {"readUnits": 1}}
        return call.reply(200, told | shown.pagination)

    return listed(call, place, prefix, limit, token, then)


def _update(call: Call) -> Answer:
    body = call.body()
    place = _located(call, wire.namespace_of(body))
    update = wire.read_update(body, place.index.shape)
    if update.id is not None:
        record = place.get(update.id)
        if record is not None and not update.is_dry:
            place.put([_updated(record, update)])
        return call.reply(200, {})

    def then(records: list[Record]) -> Answer:
        if not update.is_dry:
            current = (place.namespace.get(each.id) for each in records)
            place.put([_updated(each, update) for each in current if each is not None])
        return call.reply(200, {"matchedRecords": len(records)})

    return matched(call, place, update.where, then)


def _updated(record: Record, update: wire.Update) -> Record:
    vectors = {**record.vectors, **vectors_of(update.values or [], update.sparse)}
    metadata = {**(record.metadata or {}), **update.metadata} or None
    return attrs.evolve(record, vectors=vectors, metadata=metadata)


def _delete(call: Call) -> Answer:
    body = call.body()
    place = _located(call, wire.namespace_of(body))
    selection = wire.read_delete(body)
    if not place.exists:
        raise not_found("Namespace")
    if selection.ids is not None:
        place.delete([place.key(each) for each in selection.ids])
        return call.reply(200, {})

    def then(records: list[Record]) -> Answer:
        place.delete([record.id for record in records])
        return call.reply(200, {})

    return matched(call, place, selection.where, then)


def _stats(call: Call) -> Answer:
    body = call.body()
    wire.refuse_filtered_stats(body)
    place = located(call, member(fields_of(body), "namespace", text, ""))
    version = version_of(call.exchange.head.headers)
    counts = {name: len(place.collection.namespace(name)) for name in namespaces_of(place.collection)}
    index = place.index
    return call.reply(200, wire.stats(counts, index.shape, index.metric, lambda name: counted(name, version)))


def _located(call: Call, namespace: str) -> Place:
    return located(call, namespace).served_by(Kind.VECTORS, Kind.RECORDS)


def _units(records: int) -> int:
    return max(1, math.ceil(records / _FETCHED_A_UNIT))


ROUTES = (
    Route("POST", "/vectors/upsert", "upsert", _upsert),
    Route("POST", "/query", "query", _query),
    Route("GET", "/vectors/fetch", "query", _fetch),
    Route("POST", "/vectors/fetch_by_metadata", "query", _fetch_by_metadata),
    Route("GET", "/vectors/list", "list", _list),
    Route("POST", "/vectors/update", "upsert", _update),
    Route("POST", "/vectors/delete", "delete", _delete),
    Route("POST", "/describe_index_stats", "describe", _stats),
)
