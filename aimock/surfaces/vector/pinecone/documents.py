"""The data plane's documents: of indexes with a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone.inference import embedded
from aimock.surfaces.vector.pinecone.places import Place, located
from aimock.surfaces.vector.pinecone.vectors import listed, matched, paged, searched, selecting
from aimock.surfaces.vector.store import Hit, Record, Snapshot, Sparse, Vector, VectorError, dense, sparse
from aimock_protocols.embedding import input_tokens
from aimock_protocols.pinecone import documents as wire
from aimock_protocols.pinecone import lucene
from aimock_protocols.pinecone.errors import not_found, refusal
from aimock_protocols.pinecone.indexes import Kind, sparse_name
from aimock_protocols.pinecone.pages import Page
from aimock_protocols.pinecone.text import Texts, summed, tokens_of

_WORD_COST = 2e-7
"""Seconds that it takes to look at a byte of text, about."""


def _upsert(call: Call) -> Answer:
    place = _located(call)
    documents = wire.read_upsert(call.body(), place.index.fields)
    place.put([_record(place, each, None) for each in documents])
    tokens = _embedded_tokens(place, documents)
    return call.reply(202, {"upserted_count": len(documents)} | _embedding_usage(tokens))


def _update(call: Call) -> Answer:
    place = _located(call)
    update = wire.read_update(call.body(), place.index.fields)
    if update.where is None:
        found = [(place.get(each.id), each) for each in update.patches]
        place.put([_record(place, patch, record) for record, patch in found if record is not None])
        return call.reply(202, _embedding_usage(_embedded_tokens(place, update.patches)))
    [patch] = update.patches

    def then(records: list[Record]) -> Answer:
        current = (place.namespace.get(each.id) for each in records)
        place.put([_record(place, patch, each) for each in current if each is not None])
        tokens = _embedded_tokens(place, update.patches)
        return call.reply(202, {"matched_records": len(records)} | _embedding_usage(tokens))

    return matched(call, place, update.where, then)


def _record(place: Place, document: wire.Document, before: Record | None) -> Record:
    """A document as the store has it; `before`: the one that it is a patch of."""
    try:
        vectors: dict[str, Vector] = {name: dense(values) for name, values in document.dense.items()}
        vectors |= {name: sparse(*values) for name, values in document.sparse.items()}
    except VectorError as error:
        raise refusal(str(error)) from error
    for name, text in document.held.items():
        vectors |= _embeddings(place, name, text)
    if before is None:
        return Record(document.id, vectors, document.held)
    gone = document.removed | {sparse_name(name) for name in document.removed}
    kept = {name: vector for name, vector in before.vectors.items() if name not in gone}
    held = {name: value for name, value in (before.metadata or {}).items() if name not in gone}
    return attrs.evolve(before, vectors=kept | vectors, metadata={**held, **document.held})


def _embeddings(place: Place, name: str, text: Any) -> dict[str, Vector]:
    """The vectors that a document has because of a text."""
    fields = place.index.vector_fields
    models = {each: fields[each] for each in (name, sparse_name(name)) if each in fields}
    return {each: embedded(field.model, field.dimension, text) for each, field in models.items() if field.model}


def _embedded_tokens(place: Place, documents: Any) -> int:
    schema = place.index.fields
    names = [name for name, field in schema.items() if wire.is_embedded(field)]
    return input_tokens([each.held[name] for each in documents for name in names if name in each.held])


def _embedding_usage(tokens: int) -> dict[str, Any]:
    return {"usage": {"embed_total_tokens": tokens}} if tokens else {}


def _search(call: Call) -> Answer:
    place = _located(call)
    asked = wire.read_search(call.body(), place.index.fields)
    scoring = asked.scoring
    tokens = input_tokens([scoring.query]) if isinstance(scoring, wire.ByText) else 0

    def then(hits: list[Hit]) -> Answer:
        told = [(_shown(place, hit.record, asked.shown), np.float32(hit.score)) for hit in hits]
        return call.reply(200, wire.matches(told, place.echoed, tokens))

    if isinstance(scoring, wire.ByWords):
        return _by_words(call, place, scoring, asked, then)
    return searched(call, place, _query_vectors(place, scoring), asked.top_k, asked.where, then)


def _query_vectors(place: Place, scoring: wire.ByDense | wire.BySparse | wire.ByText) -> dict[str, Vector]:
    if isinstance(scoring, wire.ByText):
        name = sparse_name(scoring.field) if scoring.is_sparse else scoring.field
        field = place.index.vector_fields[name]
        assert field.model is not None
        return {name: embedded(field.model, field.dimension, scoring.query)}
    try:
        values = dense(scoring.values) if isinstance(scoring, wire.ByDense) else sparse(*scoring.values)
    except VectorError as error:
        raise refusal(str(error)) from error
    return {scoring.field: values}


def _by_words(
    call: Call, place: Place, scoring: wire.ByWords, asked: wire.Search, then: Callable[[list[Hit]], Answer]
) -> Answer:
    """What `then` makes of the documents that are most relevant; how rare words are is told by all documents."""
    snapshot = place.namespace.snapshot()
    fields = wire.text_fields(place.index.fields)
    cost = sum(record.size for record in snapshot) * _WORD_COST
    return call.computed(cost, lambda: _most_relevant(snapshot, fields, scoring, asked), then)


def _most_relevant(snapshot: Snapshot, fields: list[str], scoring: wire.ByWords, asked: wire.Search) -> list[Hit]:
    records = [*snapshot]
    texts = {name: Texts([tokens_of((each.metadata or {}).get(name, "")) for each in records]) for name in fields}
    answers = [lucene.scored(query, texts, len(records)) for query in scoring.queries]
    scores = summed((each.scores for each in answers), len(records))
    selects = selecting(asked.where) or (lambda record: True)
    hits = [
        Hit(record, score)
        for place, (record, score) in enumerate(zip(records, scores, strict=True))
        if any(each.matched[place] for each in answers) and selects(record)
    ]
    return sorted(hits, key=lambda hit: -hit.score)[: asked.top_k]


def _fetch(call: Call) -> Answer:
    place = _located(call)
    asked = wire.read_fetch(call.body(), place.index.fields)
    if asked.ids is not None:
        found = [each for each in map(place.get, asked.ids) if each is not None]
        return call.reply(200, wire.fetched([_shown(place, each, asked.shown) for each in found], place.echoed, None))

    def then(records: list[Record]) -> Answer:
        by_id, page = paged(records, asked.limit, asked.token)
        return call.reply(200, wire.fetched([_shown(place, each, asked.shown) for each in by_id], place.echoed, page))

    return matched(call, place, asked.where, then)


def _shown(place: Place, record: Record, asked: Any) -> Mapping[str, Any]:
    """A record as the document that was put there: what was embedded of it does not show."""
    schema = place.index.fields
    fields: dict[str, Any] = dict(record.metadata or {})
    for name, vector in record.vectors.items():
        if schema.get(name, {}).get("type") in ("dense_vector", "sparse_vector"):
            if isinstance(vector, Sparse):
                fields[name] = {"indices": vector.indices, "values": vector.values}
            else:
                fields[name] = vector
    return wire.document(str(record.id), fields, asked, schema)


def _list(call: Call) -> Answer:
    place = _located(call)
    prefix, limit, token = wire.read_list(call.body())

    def then(page: Page) -> Answer:
        return call.reply(200, wire.listing(page, place.echoed))

    return listed(call, place, prefix, limit, token, then)


def _delete(call: Call) -> Answer:
    place = _located(call)
    selection = wire.read_delete(call.body(), place.index.fields)
    if not place.exists:
        raise not_found("Namespace")
    if selection.ids is not None:
        place.delete(selection.ids)
        return call.reply(202, {})

    def then(records: list[Record]) -> Answer:
        place.delete([record.id for record in records])
        return call.reply(202, {} if selection.where is None else {"matched_records": len(records)})

    return matched(call, place, selection.where, then)


def _located(call: Call) -> Place:
    return located(call, call.params["namespace"]).served_by(Kind.DOCUMENTS)


_PREFIX = "/namespaces/{namespace}/documents"

ROUTES = (
    Route("POST", f"{_PREFIX}/upsert", "upsert", _upsert),
    Route("POST", f"{_PREFIX}/search", "query", _search),
    Route("POST", f"{_PREFIX}/fetch", "query", _fetch),
    Route("POST", f"{_PREFIX}/list", "list", _list),
    Route("POST", f"{_PREFIX}/update", "upsert", _update),
    Route("POST", f"{_PREFIX}/delete", "delete", _delete),
)
