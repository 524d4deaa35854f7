"""The models: embeddings, reranking, and which there are."""

from __future__ import annotations

from collections.abc import Sequence

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.store import Vector, dense, sparse
from aimock_protocols.embedding import input_tokens
from aimock_protocols.pinecone import inference as wire
from aimock_protocols.rerank.lexical import relevance
from aimock_protocols.semantic import semantic_vector_of


def embedded(model: str, dimension: int | None, text: str) -> Vector:
    """What a model makes of a text, which is near to what it makes of related ones; `dimension` is None of a sparse
    one."""
    if wire.EMBED_MODELS[model].is_sparse or dimension is None:
        return sparse(*wire.sparse_embedding(text))
    return dense(semantic_vector_of(text, dimension))


def ranked(query: str, texts: Sequence[str]) -> list[tuple[int, float]]:
    """Places of texts with their scores, the most relevant first."""
    scores = relevance(query, texts)
    return sorted(enumerate(scores), key=lambda each: -each[1])


def _embed(call: Call) -> Answer:
    asked = wire.read_embed(call.body())
    vectors = [] if asked.model.is_sparse else [semantic_vector_of(each, asked.dimension) for each in asked.texts]
    return call.reply(200, wire.embeddings(asked, vectors, input_tokens(asked.texts)))


def _rerank(call: Call) -> Answer:
    asked = wire.read_rerank(call.body())
    return call.reply(200, wire.reranked(asked, ranked(asked.query, asked.texts)))


def _list(call: Call) -> Answer:
    return call.reply(200, wire.models(call.query))


def _describe(call: Call) -> Answer:
    return call.reply(200, wire.model_named(call.params["model"]))


ROUTES = (
    Route("POST", "/embed", "query", _embed),
    Route("POST", "/rerank", "query", _rerank),
    Route("GET", "/models", "list", _list),
    Route("GET", "/models/{model}", "describe", _describe),
)
