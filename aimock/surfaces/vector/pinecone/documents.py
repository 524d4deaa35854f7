"""The data plane's documents: of indexes with a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import numpy as np

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone.inference import COST, embedded
from aimock.surfaces.vector.pinecone.places import Place, located
from aimock.surfaces.vector.pinecone.vectors import READ_COST, listed, matched, paged, searched, selecting
from aimock.surfaces.vector.store import Hit, Record, Snapshot, Sparse, Vector, VectorError, dense, sparse
from aimock_protocols.embedding import input_tokens
from aimock_protocols.pinecone import documents as wire
from aimock_protocols.pinecone import lucene, scoring
from aimock_protocols.pinecone.errors import not_found, refusal
from aimock_protocols.pinecone.filters import Predicate
from aimock_protocols.pinecone.indexes import Kind, sparse_name
from aimock_protocols.pinecone.pages import Page
from aimock_protocols.pinecone.text import Texts, summed, tokens_of

_WORD_COST = 2e-7
"""Seconds that it takes to look at a byte of text, about."""


def _upsert(call: Call) -> Answer:
    place = _located(call)

    def read() -> list[_Made]:
        return [_made(place, each) for each in wire.read_upsert(call.body(), place.index.fields)]

    def then(documents: list[_Made]) -> Answer:
        place.put([Record(each.document.id, each.vectors, each.document.held) for each in documents])
        return call.reply(202, {"upserted_count": len(documents)} | _embedding_usage(place, documents))

    return call.computed(_cost(call, place), read, then)


def _update(call: Call) -> Answer:
    place = _located(call)

    def read() -> tuple[list[_Made], Predicate | None]:
        patches, where = wire.read_update(call.body(), place.index.fields)
        return [_made(place, each) for each in patches], where

    def then(update: tuple[list[_Made], Predicate | None]) -> Answer:
        patches, where = update
        if where is not None:
            return matched(call, place, where, lambda records: patch_all(records, patches[0]))
        found = [(place.get(each.document.id), each) for each in patches]
        place.put([_patched(record, patch) for record, patch in found if record is not None])
        return call.reply(202, _embedding_usage(place, patches))

    def patch_all(records: list[Record], patch: _Made) -> Answer:
        current = (place.namespace.get(each.id) for each in records)
        place.put([_patched(each, patch) for each in current if each is not None])
        return call.reply(202, {"matched_records": len(records)} | _embedding_usage(place, [patch]))

    return call.computed(_cost(call, place), read, then)


class _Made(NamedTuple):
    """A document, or a patch of one, with its vectors: those that came, and those that are made of its texts."""

    document: wire.Document
    vectors: Mapping[str, Vector]


def _made(place: Place, document: wire.Document) -> _Made:
    try:
        vectors: dict[str, Vector] = {name: dense(values) for name, values in document.dense.items()}
        vectors |= {name: sparse(*values) for name, values in document.sparse.items()}
    except VectorError as error:
        raise refusal(str(error)) from error
    for name, text in document.held.items():
        vectors |= _embeddings(place, name, text)
    return _Made(document, vectors)


def _patched(before: Record, patch: _Made) -> Record:
    document = patch.document
    gone = document.removed | {sparse_name(name) for name in document.removed}
    kept = {name: vector for name, vector in before.vectors.items() if name not in gone}
    held = {name: value for name, value in (before.metadata or {}).items() if name not in gone}
    return attrs.evolve(before, vectors={**kept, **patch.vectors}, metadata={**held, **document.held})


def _embeddings(place: Place, name: str, text: Any) -> dict[str, Vector]:
    """The vectors that a document has because of a text."""
    fields = place.index.vector_fields
    models = {each: fields[each] for each in (name, sparse_name(name)) if each in fields}
    return {each: embedded(field.model, field.dimension, text) for each, field in models.items() if field.model}


def _embedding_usage(place: Place, documents: Sequence[_Made]) -> dict[str, Any]:
    """Absent where nothing was embedded."""
    names = [name for name, field in place.index.fields.items() if wire.is_embedded(field)]
    held = [each.document.held for each in documents]
    tokens = input_tokens([each[name] for each in held for name in names if name in each])
    return {"usage": {"embed_total_tokens": tokens}} if tokens else {}


def _cost(call: Call, place: Place) -> float:
    """Of reading the body, and of embedding what is in it."""
    embeds = any(map(wire.is_embedded, place.index.fields.values()))
    return len(call.exchange.request.body) * (COST if embeds else READ_COST)


def _search(call: Call) -> Answer:
    place = _located(call)
    asked = scoring.read_search(call.body(), place.index.fields)
    scorer = asked.scoring
    tokens = input_tokens([scorer.query]) if isinstance(scorer, scoring.ByText) else 0

    def then(hits: list[Hit]) -> Answer:
        told = [(_shown(place, hit.record, asked.shown), np.float32(hit.score)) for hit in hits]
        return call.reply(200, wire.matches(told, place.echoed, tokens))

    if isinstance(scorer, scoring.ByWords):
        return _by_words(call, place, scorer, asked, then)
    return searched(call, place, _query_vectors(place, scorer), asked.top_k, asked.where, then)


def _query_vectors(place: Place, scorer: scoring.ByDense | scoring.BySparse | scoring.ByText) -> dict[str, Vector]:
    if isinstance(scorer, scoring.ByText):
        name = sparse_name(scorer.field) if scorer.is_sparse else scorer.field
        field = place.index.vector_fields[name]
        assert field.model is not None
        return {name: embedded(field.model, field.dimension, scorer.query)}
    try:
        values = dense(scorer.values) if isinstance(scorer, scoring.ByDense) else sparse(*scorer.values)
    except VectorError as error:
        raise refusal(str(error)) from error
    return {scorer.field: values}


def _by_words(
    call: Call, place: Place, scorer: scoring.ByWords, asked: scoring.Search, then: Callable[[list[Hit]], Answer]
) -> Answer:
    """What `then` makes of the documents that are most relevant; how rare words are is told by all documents."""
    snapshot = place.namespace.snapshot()
    fields = wire.text_fields(place.index.fields)
    cost = sum(record.size for record in snapshot) * _WORD_COST
    return call.computed(cost, lambda: _most_relevant(snapshot, fields, scorer, asked), then)


def _most_relevant(snapshot: Snapshot, fields: list[str], scorer: scoring.ByWords, asked: scoring.Search) -> list[Hit]:
    records = [*snapshot]
    texts = {name: Texts([tokens_of((each.metadata or {}).get(name, "")) for each in records]) for name in fields}
    answers = [lucene.scored(query, texts, len(records)) for query in scorer.queries]
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
