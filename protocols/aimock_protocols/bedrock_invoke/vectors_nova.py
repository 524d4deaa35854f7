"""Nova's multimodal embeddings: of one text at a time (wire-bedrock §5.9)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.bedrock_invoke import vectors
from aimock_protocols.bedrock_invoke.family import Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import one_of, required
from aimock_protocols.bedrock_platform import compact
from aimock_protocols.canonical import ChatRequest, Stamp, Vectors
from aimock_protocols.collapsing import json_object, mapping

name = "nova_embedding"
models = provided_by(r"amazon\.nova-2-multimodal-embeddings")

_PARAMETERS = "singleEmbeddingParams"
_SIZES = (256, 384, 1024, 3072)
_SIZE = 3072
_MEDIA = ("image", "audio", "video")


def asks(sent: dict[str, Any]) -> bool:
    return "taskType" in sent and _PARAMETERS in sent


def answers(document: dict[str, Any]) -> bool:
    embeddings = document.get("embeddings")
    return isinstance(embeddings, list) and bool(embeddings) and "embeddingType" in mapping(embeddings[0])


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    """Tasks that cut what they embed into segments are for asynchronous invocations alone."""
    one_of(required(sent, "taskType", str), "#/taskType", ("SINGLE_EMBEDDING",))
    asked: dict[str, Any] = required(sent, _PARAMETERS, dict)
    place = f"#/{_PARAMETERS}"
    dimensions = vectors.dimensions_of(asked, "embeddingDimension", _SIZES, place)
    medium = next((medium for medium in _MEDIA if medium in asked), None)
    if medium is not None:
        text = compact(asked[medium], medium)
    else:
        text = required(required(asked, "text", dict, place), "value", str, f"{place}/text")
    return vectors.request(sent, model, [text], dimensions)


def shape(request: ChatRequest) -> Shape:
    asked = request.native[_PARAMETERS]
    medium = next((medium for medium in _MEDIA if medium in asked), "text")
    return vectors.shape_of(name, request, _SIZE, types=(medium.upper(),))


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    own = vectors.own_of(shape)
    told = [{"embeddingType": own.types[0], "embedding": vector} for vector in vectors.values_of(reply, shape)]
    return orjson.dumps({"embeddings": told})


def parse(body: bytes) -> Vectors:
    rows = json_object(body).get("embeddings")
    if not isinstance(rows, list):
        raise ValueError("no embeddings in the body")
    return Vectors(tuple(vectors.floats(mapping(row).get("embedding")) for row in rows))
