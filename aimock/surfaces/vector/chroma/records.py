"""What is in collections: writing, finding, and answering with it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import orjson

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.chroma.catalog import with_id
from aimock.surfaces.vector.chroma.keeping import FIELD, Settings, dimension_of
from aimock.surfaces.vector.chroma.patterns import Patterns
from aimock.surfaces.vector.script import Asked
from aimock.surfaces.vector.store import (
    Collection,
    Field,
    Form,
    Full,
    Hit,
    Id,
    Measure,
    Namespace,
    Record,
    Snapshot,
    VectorError,
    dense,
)
from aimock_protocols.chroma import records, schema
from aimock_protocols.chroma.errors import over_quota, refused, unsupported
from aimock_protocols.chroma.metadata import merged
from aimock_protocols.chroma.where import Condition, condition_of

MAX_ROWS = 1_000_000
"""In the answer to one query, for all its vectors together."""

_PATTERN_COST = 1.0
"""Seconds that a search by a pattern is taken for: as long as it may keep no stream waiting."""
_ROW_COST, _NUMBER_COST = 1e-6, 5e-8
"""Seconds for a record in an answer, and for each number in it."""
_DIGITS = 20
"""Of the largest number that an id is anywhere."""


class Writing(enum.Enum):
    """What becomes of records that are there already, and of those that are not."""

    ADD = enum.auto()
    UPSERT = enum.auto()
    UPDATE = enum.auto()


# -- writing -----------------------------------------------------------------------------------------------------------


def add(call: Call) -> Answer:
    write(with_id, call, Writing.ADD)
    return call.reply(201, {})


def upsert(call: Call) -> Answer:
    write(with_id, call, Writing.UPSERT)
    return call.reply(200, {})


def update(call: Call) -> Answer:
    write(with_id, call, Writing.UPDATE)
    return call.reply(200, {})


_BATCHES = {
    Writing.ADD: records.new_batch,
    Writing.UPSERT: records.upserted_batch,
    Writing.UPDATE: records.changed_batch,
}


def write(find: Callable[[Call], Collection], call: Call, writing: Writing) -> None:
    """`find`: the collection that the call is about; after the body's shape is known to be right. Raises WireError."""
    batch = _BATCHES[writing](call.body())
    collection = find(call)
    vectors = batch.vectors()
    batch.check(vectors)
    _settle(collection, records.check_dimensions(vectors, dimension_of(collection)))
    namespace = collection.namespace()
    changes = _effective(namespace, batch.changes(vectors), writing)
    try:
        namespace.put(_written(namespace, changes))
    except Full as error:
        raise over_quota(str(error)) from error
    except VectorError as error:
        raise refused(str(error)) from error
    _learn(collection, changes)


def _effective(namespace: Namespace, changes: Sequence[records.Change], writing: Writing) -> list[records.Change]:
    """Without those that are for records which are there already, or are not."""
    if writing is Writing.UPDATE:
        return [change for change in changes if _kept_id(namespace, change.id) in namespace]
    if writing is Writing.ADD:
        new: dict[str, records.Change] = {}
        for change in changes:
            new.setdefault(change.id, change)
        return [change for change in new.values() if _kept_id(namespace, change.id) not in namespace]
    return [*changes]


def _written(namespace: Namespace, changes: Sequence[records.Change]) -> list[Record]:
    """The records as they are to be. What comes twice in a batch is changed twice."""
    coming: dict[Id, Record] = {}
    for change in changes:
        id = _kept_id(namespace, change.id)
        coming[id] = _changed(coming.get(id) or namespace.get(id) or Record(id, {}), change)
    return [*coming.values()]


def _changed(record: Record, change: records.Change) -> Record:
    vectors = record.vectors
    if change.embedding is not None:
        vectors = {**vectors, FIELD: dense(np.frombuffer(change.embedding, "f4"))}
    return attrs.evolve(
        record,
        vectors=vectors,
        metadata=merged(record.metadata, change.metadata),
        document=record.document if change.document is None else change.document,
        uri=record.uri if change.uri is None else change.uri,
    )


def _settle(collection: Collection, dimension: int | None) -> None:
    """The dimension of its vectors: even by an update of unknown records, or a batch that is refused for its sizes."""
    field = _field(collection)
    if field.dimension != dimension:
        collection.fields[FIELD] = attrs.evolve(field, dimension=dimension)
        collection.changed()


def _field(collection: Collection) -> Field:
    """That of the embeddings. Raises WireError for collections that have others, which clients did not make."""
    field = collection.fields.get(FIELD)
    if field is None or field.form is not Form.DENSE:
        raise refused(f"Collection [{collection.name}] has no embeddings")
    return field


def _learn(collection: Collection, changes: Sequence[records.Change]) -> None:
    """The keys of records that were written."""
    settings = Settings.of(collection)
    seen = schema.seen(settings.schema, (change.metadata for change in changes))
    if seen is not settings.schema:
        attrs.evolve(settings, schema=seen).keep(collection)
        collection.changed()


# -- finding -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Sought:
    """Which records of a collection a call is for."""

    snapshot: Snapshot
    ids: list[Id] | None
    condition: Condition | None
    has_pattern: bool

    def cost(self) -> float:
        """About how many seconds it takes to look at each."""
        if self.has_pattern:
            return _PATTERN_COST
        return 0.0 if self.condition is None else len(self.snapshot) * 2 * _ROW_COST

    def matching(self) -> list[Record]:
        return self.snapshot.matching(self.condition, self.ids)


def _sought(collection: Collection, filters: records.Filters) -> Sought:
    """Raises WireError for filters that are none."""
    patterns = Patterns()
    condition = condition_of(filters.where, filters.where_document, Settings.of(collection).schema, patterns.searcher)
    namespace = collection.namespace()
    ids = None if filters.ids is None else [_kept_id(namespace, id) for id in filters.ids]
    return Sought(namespace.snapshot(), ids, condition, patterns.is_used)


def get(call: Call) -> Answer:
    asked = records.get(call.body())
    sought = _sought(with_id(call), asked.filters)
    end = None if asked.limit is None else asked.offset + asked.limit

    def work() -> Any:
        return _encoded(records.got([_row(record) for record in sought.matching()[asked.offset : end]], asked.include))

    most = len(sought.snapshot if sought.ids is None else sought.ids)
    rows = most if asked.limit is None else min(most, asked.limit)
    cost = sought.cost() + _answer_cost(sought.snapshot, rows, asked.include)
    return call.computed(cost, work, lambda content: call.reply(200, content))


def count(call: Call) -> Answer:
    records.check_read_level(call.query)
    return call.reply(200, len(with_id(call).namespace()))


def query(call: Call) -> Answer:
    return queried(with_id, call)


def queried(find: Callable[[Call], Collection], call: Call) -> Answer:
    """`find`: as of `write`."""
    asked = records.query(call.body())
    collection = find(call)
    sought = _sought(collection, asked.filters)
    records.check_dimensions(asked.embeddings, dimension_of(collection))
    told = [_scripted(call, collection, vector, asked) for vector in asked.embeddings]
    field, snapshot = _field(collection), sought.snapshot

    def rows(vector: Sequence[float]) -> list[records.Row]:
        if field.dimension is None:  # nothing was ever written
            return []
        query, k = np.asarray(vector, "f4"), asked.n_results
        hits = snapshot.nearest(FIELD, query, k, where=sought.condition, ids=sought.ids)
        return [_hit(hit, field.measure) for hit in hits]

    def work() -> Any:
        try:
            pairs = zip(asked.embeddings, told, strict=True)
            results = [rows(vector) if script is None else script for vector, script in pairs]
        except VectorError as error:
            raise refused(str(error)) from error
        return _encoded(records.queried(results, asked.include))

    many = told.count(None)
    rows_at_most = many * min(len(snapshot), asked.n_results)
    if rows_at_most > MAX_ROWS:
        raise over_quota(f"A query cannot have more than {MAX_ROWS} results")
    cost = snapshot.cost(many) + many * sought.cost() + _answer_cost(snapshot, rows_at_most, asked.include)
    return call.computed(cost, work, lambda content: call.reply(200, content))


def delete(call: Call) -> Answer:
    asked = records.delete(call.body())
    collection = with_id(call)
    asked.check()
    sought = _sought(collection, asked.filters)
    if sought.condition is None:
        collection.namespace().delete(sought.ids or ())
        return call.reply(200, {"deleted": len(asked.filters.ids or ())})

    def then(found: list[Record]) -> Answer:
        collection.namespace().delete(record.id for record in found)
        return call.reply(200, {"deleted": len(found)})

    return call.computed(sought.cost(), lambda: sought.matching()[: asked.limit], then)


def search(call: Call) -> Answer:
    records.check_search(call.body())
    with_id(call)
    raise unsupported("Error executing plan: Not implemented: Search operation is not implemented for local executor")


# -- answers -----------------------------------------------------------------------------------------------------------


def _row(record: Record, distance: Any = None) -> records.Row:
    embedding = record.vectors.get(FIELD)
    return records.Row(str(record.id), embedding, record.metadata, record.document, record.uri, distance)


def _hit(hit: Hit, measure: Measure) -> records.Row:
    distance = hit.score if measure.is_distance else 1.0 - hit.score
    return _row(hit.record, np.float32(distance))


def _scripted(
    call: Call, collection: Collection, vector: Sequence[float], asked: records.Query
) -> list[records.Row] | None:
    """The rows that were told beforehand, with their scores as distances; what they do not tell, from the store."""
    told = call.scripted(collection, Asked([*vector], asked.n_results, asked.filters.where))
    if told is None:
        return None
    namespace = collection.namespace()
    rows = []
    for each in told:
        record = namespace.get(each.id) or Record(each.id, {})
        metadata, document = each.metadata or record.metadata, each.document or record.document
        rows.append(_row(attrs.evolve(record, metadata=metadata, document=document), each.score))
    return rows


def _encoded(body: dict[str, Any]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY))


def _answer_cost(snapshot: Snapshot, rows: int, include: Sequence[str]) -> float:
    """About how many seconds it takes to write the answer."""
    width = 0
    if "embeddings" in include:
        first = next(iter(snapshot), None)
        embedding = None if first is None else first.vectors.get(FIELD)
        width = len(embedding) if isinstance(embedding, np.ndarray) else 0
    return rows * (_ROW_COST + width * _NUMBER_COST)


def _kept_id(namespace: Namespace, id: str) -> Id:
    """The id as the namespace has it: those of collections for all dialects may be numbers, which texts are here."""
    if id not in namespace and id.isascii() and id.isdecimal() and len(id) <= _DIGITS and int(id) in namespace:
        return int(id)
    return id
