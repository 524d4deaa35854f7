"""The models: embeddings, reranking, and which there are."""

from __future__ import annotations

from collections.abc import Sequence

from aimock.net.exchange import Answer
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Route
from aimock.surfaces.vector.store import Sparse, Vector, dense, sparse
from aimock_protocols.embedding import input_tokens
from aimock_protocols.pinecone import inference as wire
from aimock_protocols.rerank.lexical import relevance
from aimock_protocols.semantic import semantic_vector_of

COST = 1e-6
"""Seconds that it takes to embed or to rank a byte of text, about."""
_CHARACTERS_A_TOKEN = 4


def embedded(model: str, dimension: int | None, text: str) -> Vector:
    """What a model makes of a text, as far as it reads it, which is near to what it makes of related ones; `dimension`
    is None of a sparse one."""
    read = text[: wire.EMBED_MODELS[model].max_tokens * _CHARACTERS_A_TOKEN]
    return sparse(*wire.sparse_embedding(read)) if dimension is None else dense(semantic_vector_of(read, dimension))


def ranked(query: str, texts: Sequence[str]) -> list[tuple[int, float]]:
    """Places of texts with their scores, the most relevant first."""
    scores = relevance(query, texts)
    return sorted(enumerate(scores), key=lambda each: -each[1])


def _embed(call: Call) -> Answer:
    asked = wire.read_embed(call.body())

    def embed() -> list[Vector]:
        return [embedded(asked.model.name, asked.dimension or None, each) for each in asked.texts]

    def then(vectors: list[Vector]) -> Answer:
        told = [(each.indices, each.values) if isinstance(each, Sparse) else each for each in vectors]
        return call.reply(200, wire.embeddings(asked, told, input_tokens(asked.texts)))

    return call.computed(_cost(call), embed, then)


def _rerank(call: Call) -> Answer:
    asked = wire.read_rerank(call.body())

    def then(ranking: list[tuple[int, float]]) -> Answer:
        return call.reply(200, wire.reranked(asked, ranking))

    return call.computed(_cost(call), lambda: ranked(asked.query, asked.texts), then)


def _cost(call: Call) -> float:
    return len(call.exchange.request.body) * COST


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
