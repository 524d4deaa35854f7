"""Titan's embeddings: of one text, an image, or both together (wire-bedrock §5.9)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.bedrock_invoke import vectors
from aimock_protocols.bedrock_invoke.family import Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import malformed, optional
from aimock_protocols.canonical import ChatRequest, Stamp, Vectors
from aimock_protocols.collapsing import json_object, mapping
from aimock_protocols.embedding import normalised

name = "titan_embedding"
models = provided_by(r"amazon\.titan-embed")

_FIRST = provided_by(r"amazon\.titan-embed-(?:g1-)?text-0?1|amazon\.titan-embed-text-v1")
_IMAGE = provided_by(r"amazon\.titan-embed-image")
_TEXT_SIZES = (256, 512, 1024)
_IMAGE_SIZES = (256, 384, 1024)
_LARGEST = 1024
_FIRST_SIZE = 1536
_TYPES = ("float", "binary")
_MEMBERS = frozenset({"dimensions", "normalize", "embeddingTypes", "embeddingConfig", "inputImage"})
"""Of which a request has one that is for no other model of Titan's."""


def asks(sent: dict[str, Any]) -> bool:
    return not _MEMBERS.isdisjoint(sent)


def answers(document: dict[str, Any]) -> bool:
    return "embedding" in document or "embeddingsByType" in document


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    text, image = optional(sent, "inputText", str), optional(sent, "inputImage", str)
    if text is None and image is None:
        raise malformed("#: required key [inputText] not found")
    optional(sent, "normalize", bool)
    vectors.types_of(sent, "embeddingTypes", _TYPES, ())
    if "embeddingConfig" in sent:
        config = optional(sent, "embeddingConfig", dict) or {}
        dimensions = vectors.dimensions_of(config, "outputEmbeddingLength", _IMAGE_SIZES, "#/embeddingConfig")
    else:
        dimensions = vectors.dimensions_of(sent, "dimensions", _TEXT_SIZES)
    return vectors.request(sent, model, ["".join(filter(None, (text, image)))], dimensions)


def shape(request: ChatRequest) -> Shape:
    sent = request.native
    is_first = _FIRST.search(request.model) is not None
    types = (
        () if is_first or _IMAGE.search(request.model) else vectors.types_of(sent, "embeddingTypes", _TYPES, ("float",))
    )
    is_raw = is_first or sent.get("normalize") is False
    return vectors.shape_of(name, request, _FIRST_SIZE if is_first else _LARGEST, types=types, is_raw=is_raw)


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    """The older models tell floats alone. Asked for bits, the newer ones tell only these, each 1 or 0."""
    own = vectors.own_of(shape)
    (given,) = reply.values
    (vector,) = vectors.values_of(reply, shape)
    if given is None and not own.is_raw:
        vector = normalised(vector)
    told: dict[str, Any] = {} if own.types and "float" not in own.types else {"embedding": vector}
    if own.types:
        forms = {"float": vector, "binary": [int(value > 0) for value in vector]}
        told["embeddingsByType"] = {kind: forms[kind] for kind in own.types}
    told["inputTextTokenCount"] = vectors.tokens(reply, shape.prompt_tokens)
    return orjson.dumps(told)


def parse(body: bytes) -> Vectors:
    value = json_object(body)
    kinds = mapping(value.get("embeddingsByType"))
    vector = vectors.floats(value.get("embedding") or kinds.get("float") or kinds.get("binary"))
    count = value.get("inputTextTokenCount")
    return Vectors((vector,), usage={"input_tokens": count} if type(count) is int else None)
