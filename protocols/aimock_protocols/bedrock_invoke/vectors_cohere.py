"""Cohere's embeddings: of up to 96 texts or images at once, in several kinds of numbers (wire-bedrock §5.9,
wire-cohere §6)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.bedrock_invoke import vectors
from aimock_protocols.bedrock_invoke.family import Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import malformed, objects, optional, typed
from aimock_protocols.canonical import ChatRequest, Stamp, Vectors
from aimock_protocols.cohere import embed
from aimock_protocols.cohere.embed.decode import DIMENSIONS, MOST_INPUTS, parts_of
from aimock_protocols.cohere.embed.forms import FORMS

name = "cohere_embedding"
models = provided_by(r"cohere\.embed")

_FOURTH = provided_by(r"cohere\.embed-v4")
_ENGLISH = provided_by(r"cohere\.embed-english-v3")
_FOURTH_SIZE, _THIRD_SIZE = 1536, 1024
_SOURCES = ("texts", "images", "inputs")

parse = embed.parse


def asks(sent: dict[str, Any]) -> bool:
    return "input_type" in sent and not sent.keys().isdisjoint(_SOURCES)


def answers(document: dict[str, Any]) -> bool:
    response_type = document.get("response_type")
    return isinstance(response_type, str) and response_type.startswith("embeddings_")


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    vectors.types_of(sent, "embedding_types", tuple(FORMS), ())
    return vectors.request(sent, model, _texts(sent), vectors.dimensions_of(sent, "output_dimension", DIMENSIONS))


def _texts(sent: dict[str, Any]) -> list[str]:
    """What is to be embedded. Raises WireError."""
    source = next((source for source in _SOURCES if sent.get(source) is not None), "texts")
    given = optional(sent, source, list)
    if given is None:
        raise malformed("#: required key [texts] not found")
    if len(given) > MOST_INPUTS:
        raise malformed(f"#/{source}: expected maximum item count: {MOST_INPUTS}, found: {len(given)}")
    if source == "inputs":
        return [_joined(each.get("content")) for each in objects(given, "#/inputs")]
    return [typed(text, f"#/{source}/{place}", str) for place, text in enumerate(given)]


def _joined(content: Any) -> str:
    """The texts and images of one input."""
    return "".join(text or url for text, url in map(parts_of, content if isinstance(content, list) else ()))


def shape(request: ChatRequest) -> Shape:
    """The third generation tells floats alone unless it is asked; and if it is English, all in lower case."""
    is_fourth = _FOURTH.search(request.model) is not None
    default = ("float",) if is_fourth else ()
    types = vectors.types_of(request.native, "embedding_types", tuple(FORMS), default)
    size = _FOURTH_SIZE if is_fourth else _THIRD_SIZE
    return vectors.shape_of(name, request, size, types=types, lowers=_ENGLISH.search(request.model) is not None)


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    own = vectors.own_of(shape)
    values = vectors.values_of(reply, shape)
    embeddings: Any = {kind: [FORMS[kind].write(vector) for vector in values] for kind in own.types} or values
    told = {
        "id": stamp.uuid("answer") if reply.id is None else reply.id,
        "texts": [text.lower() for text in own.texts] if own.lowers else own.texts,
        "embeddings": embeddings,
        "response_type": "embeddings_by_type" if own.types else "embeddings_floats",
    }
    return orjson.dumps(told)
