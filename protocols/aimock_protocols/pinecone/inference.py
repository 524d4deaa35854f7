"""Pinecone's models: which there are, what embeds and reranks with them asks for, and the answers.

Embeddings follow from the text alone, so that the same text always has the same one.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import attrs

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.reading import (
    fields_of,
    filled,
    flag,
    kept_fields,
    listed,
    member,
    one_of,
    required,
    text,
    within,
)
from aimock_protocols.pinecone.text import tokens_of
from aimock_protocols.pinecone.values import SparseValues


@attrs.frozen
class EmbedModel:
    name: str
    description: str
    provider: str
    dimensions: tuple[int, ...]
    """Those that it can have, the default one first; none of sparse models."""
    metrics: tuple[str, ...]
    """The default one first."""
    max_tokens: int
    max_batch: int = 96

    @property
    def is_sparse(self) -> bool:
        return not self.dimensions

    @property
    def vector_type(self) -> str:
        return "sparse" if self.is_sparse else "dense"


@attrs.frozen
class RerankModel:
    name: str
    description: str
    provider: str
    max_tokens: int
    max_documents: int
    fields: int | None = 1
    """How many rank fields it takes; None: any number."""


Model = EmbedModel | RerankModel

EMBED_MODELS: Mapping[str, EmbedModel] = {
    model.name: model
    for model in (
        EmbedModel(
            "llama-text-embed-v2",
            "Dense embeddings of long texts in many languages",
            "NVIDIA",
            (1024, 384, 512, 768, 2048),
            ("cosine", "dotproduct"),
            2048,
        ),
        EmbedModel(
            "multilingual-e5-large",
            "Dense embeddings of short texts in many languages",
            "Microsoft",
            (1024,),
            ("cosine", "euclidean"),
            507,
        ),
        EmbedModel(
            "pinecone-sparse-english-v0", "Sparse embeddings for keyword search", "Pinecone", (), ("dotproduct",), 512
        ),
    )
}

RERANK_MODELS: Mapping[str, RerankModel] = {
    model.name: model
    for model in (
        RerankModel("bge-reranker-v2-m3", "Reranks texts in many languages", "BAAI", 1024, 100),
        RerankModel("cohere-rerank-3.5", "Reranks texts and records of several fields", "Cohere", 40_000, 200, None),
        RerankModel("pinecone-rerank-v0", "Reranks short texts", "Pinecone", 512, 100),
    )
}

MODELS: Mapping[str, Model] = {**EMBED_MODELS, **RERANK_MODELS}

DENSE_DEFAULT = "llama-text-embed-v2"
SPARSE_DEFAULT = "pinecone-sparse-english-v0"


M = TypeVar("M", bound=Model)


def embed_model(name: str) -> EmbedModel:
    """Raises WireError if there is none of that name."""
    return _known(name, EMBED_MODELS)


def rerank_model(name: str) -> RerankModel:
    return _known(name, RERANK_MODELS)


def _known(name: str, models: Mapping[str, M]) -> M:
    if name not in models:
        known = ", ".join(f"'{each}'" for each in models)
        raise refusal(f"Model '{name[:60]}' not found. Supported models: {known}", 404)
    return models[name]


# -- embed -------------------------------------------------------------------------------------------------------------


class Embed(NamedTuple):
    model: EmbedModel
    texts: Sequence[str]
    dimension: int
    """0 of a sparse model."""
    returns_tokens: bool


def read_embed(body: Any) -> Embed:
    """Raises WireError for what Pinecone refuses."""
    fields = fields_of(body)
    model = embed_model(required(fields, "model", filled))
    inputs = required(fields, "inputs", listed)
    if not 1 <= len(inputs) <= model.max_batch:
        raise refusal(f"inputs must have between 1 and {model.max_batch} elements, got {len(inputs)}")
    texts = [
        required(fields_of(each, f"inputs[{place}]"), "text", filled, f"inputs[{place}].")
        for place, each in enumerate(inputs)
    ]
    parameters = member(fields, "parameters", fields_of, {})
    if parameters.get("input_type") is None:
        raise refusal(f"Missing required parameter 'input_type' for model '{model.name}'")
    one_of("query", "passage")(parameters["input_type"], "input_type")
    member(parameters, "truncate", one_of("END", "NONE"), "END")
    dimension = dimension_of(model, parameters.get("dimension"))
    return Embed(model, texts, dimension, member(parameters, "return_tokens", flag, False))


def dimension_of(model: EmbedModel, asked: Any) -> int:
    """The dimension of what a model gives, if that is asked for; 0 of a sparse one. Raises WireError if it has none
    such."""
    if asked is None:
        return model.dimensions[0] if model.dimensions else 0
    if type(asked) is not int or asked not in model.dimensions:
        known = ", ".join(map(str, sorted(model.dimensions))) or "none"
        raise refusal(f"Model '{model.name}' does not support dimension {asked}. Supported dimensions: {known}")
    return asked


def sparse_embedding(value: str) -> SparseValues:
    """A number for each word of a text, at a place that follows from it: the more often it is there, the larger."""
    counts = Counter(_place(token) for token in tokens_of(value))
    weights = {place: math.log1p(count) for place, count in sorted(counts.items())}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return SparseValues([*weights], [weight / length for weight in weights.values()])


def _place(token: str) -> int:
    return zlib.crc32(token.encode("utf-8", "replace"))


def embeddings(asked: Embed, vectors: Sequence[Any], total_tokens: int) -> dict[str, Any]:
    """The answer to an embed; `vectors` are of each text the numbers, or of a sparse model indices and numbers."""
    if asked.model.is_sparse:
        pairs = zip(asked.texts, vectors, strict=True)
        data = [_sparse_datum(each, indices, values, asked.returns_tokens) for each, (indices, values) in pairs]
    else:
        data = [{"vector_type": "dense", "values": values} for values in vectors]
    usage = {"total_tokens": total_tokens}
    return {"model": asked.model.name, "vector_type": asked.model.vector_type, "data": data, "usage": usage}


def _sparse_datum(value: str, indices: Any, values: Any, with_tokens: bool) -> dict[str, Any]:
    datum: dict[str, Any] = {"vector_type": "sparse", "sparse_values": values, "sparse_indices": indices}
    if with_tokens:
        token_at = {_place(token): token for token in tokens_of(value)}
        datum["sparse_tokens"] = [token_at[int(index)] for index in indices]
    return datum


# -- rerank ------------------------------------------------------------------------------------------------------------


class Rerank(NamedTuple):
    model: RerankModel
    query: str
    documents: Sequence[Mapping[str, Any]]
    texts: Sequence[str]
    """Of the documents, what they are ranked by."""
    top_n: int
    returns_documents: bool


def read_rerank(body: Any) -> Rerank:
    fields = kept_fields(body)
    model = rerank_model(required(fields, "model", filled))
    given = required(fields, "documents", listed)
    if not 1 <= len(given) <= model.max_documents:
        raise refusal(f"documents must have between 1 and {model.max_documents} elements, got {len(given)}")
    documents = [
        {"text": each} if type(each) is str else fields_of(each, f"documents[{place}]")
        for place, each in enumerate(given)
    ]
    return Rerank(
        model,
        required(fields, "query", filled),
        documents,
        ranked_texts(model, documents, fields.get("rank_fields") or ["text"]),
        member(fields, "top_n", within(1, 2**31 - 1), len(documents)),
        member(fields, "return_documents", flag, True),
    )


def ranked_texts(model: RerankModel, documents: Sequence[Mapping[str, Any]], rank_fields: Any) -> list[str]:
    """What documents are ranked by: these fields of theirs, which each must have."""
    names = [text(each, "rank_fields") for each in listed(rank_fields, "rank_fields")]
    if model.fields is not None and len(names) > model.fields:
        raise refusal(f"Only {model.fields} rank field is supported for model '{model.name}', got {len(names)}")
    for place, document in enumerate(documents):
        for name in names:
            if type(document.get(name)) is not str:
                raise refusal(f"Rank field '{name}' is missing or not a string in document at position {place}")
    return ["\n".join(document[name] for name in names) for document in documents]


def reranked(asked: Rerank, ranking: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """The answer to a rerank; `ranking`: places of documents with their scores, the best first."""
    data: list[dict[str, Any]] = [{"index": place, "score": score} for place, score in ranking[: asked.top_n]]
    if asked.returns_documents:
        data = [each | {"document": asked.documents[each["index"]]} for each in data]
    return {"model": asked.model.name, "data": data, "usage": {"rerank_units": 1}}


# -- models ------------------------------------------------------------------------------------------------------------

_INPUT_TYPE = {
    "parameter": "input_type",
    "type": "one_of",
    "value_type": "string",
    "required": True,
    "allowed_values": ["query", "passage"],
}
_TRUNCATE = {
    "parameter": "truncate",
    "type": "one_of",
    "value_type": "string",
    "required": False,
    "allowed_values": ["END", "NONE"],
    "default": "END",
}


def model_named(name: str) -> dict[str, Any]:
    """A model described. Raises WireError if there is none of that name."""
    return _described(_known(name, MODELS))


def models(query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """All of a type and a type of vectors, if a query string asks for these."""
    wanted = {key: values[-1] for key, values in query.items() if key in ("type", "vector_type")}
    if "type" in wanted:
        one_of("embed", "rerank")(wanted["type"], "type")
    if "vector_type" in wanted:
        one_of("dense", "sparse")(wanted["vector_type"], "vector_type")
    described = map(_described, MODELS.values())
    return {"models": [each for each in described if all(each.get(key) == value for key, value in wanted.items())]}


def _described(model: Model) -> dict[str, Any]:
    told = {
        "model": model.name,
        "short_description": model.description,
        "modality": "text",
        "max_sequence_length": model.max_tokens,
        "provider_name": model.provider,
    }
    if isinstance(model, RerankModel):
        return told | {"type": "rerank", "max_batch_size": model.max_documents, "supported_parameters": [_TRUNCATE]}
    told |= {
        "type": "embed",
        "vector_type": model.vector_type,
        "max_batch_size": model.max_batch,
        "supported_metrics": [*model.metrics],
        "supported_parameters": [_INPUT_TYPE, _TRUNCATE],
    }
    if not model.is_sparse:
        told |= {"default_dimension": model.dimensions[0], "supported_dimensions": sorted(model.dimensions)}
    return told
