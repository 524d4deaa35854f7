"""The data plane's records: texts that are embedded by the index's model."""

from __future__ import annotations

import numpy as np

from aimock.cors import CORS
from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.pinecone.inference import COST, embedded, ranked
from aimock.surfaces.vector.pinecone.places import Place, located, vectors_of
from aimock.surfaces.vector.pinecone.vectors import searched
from aimock.surfaces.vector.store import Hit, Record, Vector
from aimock_protocols.canonical import WireResponse
from aimock_protocols.embedding import input_tokens
from aimock_protocols.pinecone import records as wire
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import Predicate
from aimock_protocols.pinecone.indexes import Kind
from aimock_protocols.pinecone.inference import EMBED_MODELS, ranked_texts
from aimock_protocols.pinecone.text import tokens_of


def _upsert(call: Call) -> Answer:
    place = _embedding(_located(call))
    embed = place.index.embed
    assert embed is not None
    body = call.exchange.request.body
    model = EMBED_MODELS[embed["model"]]

    def read() -> list[Record]:
        given = wire.read_upsert(body, embed["field_map"]["text"], model.max_batch)
        return [Record(each.id, _vectors(place, each.text), each.metadata) for each in given]

    def then(records: list[Record]) -> Answer:
        place.put(records)
        return call.respond(WireResponse(201, CORS, b""))

    return call.computed(len(body) * COST, read, then)


def _search(call: Call) -> Answer:
    place = _located(call)
    asked = wire.read_search(call.body(), place.index.shape)
    if asked.text is not None:
        vectors = _vectors(_embedding(place), asked.text)
    elif asked.id is not None:
        record = place.get(asked.id)
        vectors = {} if record is None else dict(record.vectors)
    else:
        vectors = vectors_of(asked.values or [], asked.sparse)

    def then(hits: list[Hit]) -> Answer:
        told = [(str(hit.record.id), np.float32(hit.score), dict(hit.record.metadata or {})) for hit in hits]
        if asked.rerank is not None:
            fields = [metadata for _, _, metadata in told]
            texts = ranked_texts(asked.rerank.model, fields, asked.rerank.fields)
            ranking = ranked(asked.rerank.query, texts)[: asked.rerank.top_n]
            told = [(told[at][0], np.float32(score), told[at][2]) for at, score in ranking]
        shown = [(each, score, wire.shown(metadata, asked.fields)) for each, score, metadata in told]
        tokens = 0 if asked.text is None else input_tokens([asked.text])
        return call.reply(200, wire.hits(shown, place.echoed, tokens, asked.rerank is not None))

    return searched(call, place, vectors, asked.top_k, _where(place, asked), then)


def _where(place: Place, asked: wire.Search) -> Predicate | None:
    """The filter that is asked for, and that the text must have some words."""
    if not asked.terms or place.index.embed is None:
        return asked.where
    name, needed, where = place.index.embed["field_map"]["text"], {*asked.terms}, asked.where

    def selects(metadata: object) -> bool:
        assert isinstance(metadata, dict)
        return needed <= {*tokens_of(metadata.get(name, ""))} and (where is None or where(metadata))

    return selects


def _vectors(place: Place, text: str) -> dict[str, Vector]:
    [(name, field)] = place.index.vector_fields.items()
    assert field.model is not None
    return {name: embedded(field.model, field.dimension, text)}


def _embedding(place: Place) -> Place:
    if place.index.kind is not Kind.RECORDS:
        raise refusal("Integrated inference is not configured for this index")
    return place


def _located(call: Call) -> Place:
    return located(call, call.params["namespace"]).served_by(Kind.RECORDS, Kind.VECTORS)


ROUTES = (
    Route("POST", "/records/namespaces/{namespace}/upsert", "upsert", _upsert),
    Route("POST", "/records/namespaces/{namespace}/search", "query", _search),
)
