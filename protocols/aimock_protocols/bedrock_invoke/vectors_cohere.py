"""Cohere's embeddings: of up to 96 texts or images at once, in several kinds of numbers (wire-bedrock §5.9,
wire-cohere §6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from aimock_protocols.bedrock_invoke import vectors
from aimock_protocols.bedrock_invoke.family import Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import malformed, objects, optional, typed
from aimock_protocols.bedrock_platform import uuid4
from aimock_protocols.canonical import ChatRequest, Stamp, Vectors
from aimock_protocols.collapsing import json_object, mapping, string

name = "cohere_embedding"
models = provided_by(r"cohere\.embed")

_FOURTH = provided_by(r"cohere\.embed-v4")
_ENGLISH = provided_by(r"cohere\.embed-english-v3")
_FOURTH_SIZE, _THIRD_SIZE = 1536, 1024
_SIZES = (256, 512, 1024, 1536)
_MOST = 96
_SOURCES = ("texts", "images", "inputs")


def _bits(vector: vectors.Vector) -> list[int]:
    """Signs, eight in a byte, the first in its highest bit."""
    padded = [*vector, *([0.0] * (-len(vector) % 8))]
    return [
        sum((value > 0) << (7 - place) for place, value in enumerate(padded[at : at + 8]))
        for at in range(0, len(padded), 8)
    ]


def _eighths(vector: vectors.Vector) -> list[int]:
    """From -1 to 1 in 255 steps."""
    return [round(max(-1.0, min(value, 1.0)) * 127) for value in vector]


_FORMS: dict[str, Callable[[vectors.Vector], Sequence[float]]] = {
    "float": list,
    "int8": _eighths,
    "uint8": lambda vector: [value + 128 for value in _eighths(vector)],
    "binary": lambda vector: [value - 128 for value in _bits(vector)],
    "ubinary": _bits,
}
"""The kinds of numbers in which a vector can be told."""


def asks(sent: dict[str, Any]) -> bool:
    return "input_type" in sent and not sent.keys().isdisjoint(_SOURCES)


def answers(document: dict[str, Any]) -> bool:
    response_type = document.get("response_type")
    return isinstance(response_type, str) and response_type.startswith("embeddings_")


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    vectors.types_of(sent, "embedding_types", tuple(_FORMS), ())
    return vectors.request(sent, model, _texts(sent), vectors.dimensions_of(sent, "output_dimension", _SIZES))


def _texts(sent: dict[str, Any]) -> list[str]:
    """What is to be embedded. Raises WireError."""
    source = next((source for source in _SOURCES if sent.get(source) is not None), "texts")
    given = optional(sent, source, list)
    if given is None:
        raise malformed("#: required key [texts] not found")
    if len(given) > _MOST:
        raise malformed(f"#/{source}: expected maximum item count: {_MOST}, found: {len(given)}")
    if source == "inputs":
        return [_joined(each.get("content")) for each in objects(given, "#/inputs")]
    return [typed(text, f"#/{source}/{place}", str) for place, text in enumerate(given)]


def _joined(content: Any) -> str:
    """The texts and images of one input."""
    parts = [mapping(part) for part in content] if isinstance(content, list) else []
    return "".join(string(part.get("text") or mapping(part.get("image_url")).get("url")) or "" for part in parts)


def shape(request: ChatRequest) -> Shape:
    """The third generation tells floats alone unless it is asked; and if it is English, all in lower case."""
    is_fourth = _FOURTH.search(request.model) is not None
    default = ("float",) if is_fourth else ()
    types = vectors.types_of(request.native, "embedding_types", tuple(_FORMS), default)
    size = _FOURTH_SIZE if is_fourth else _THIRD_SIZE
    return vectors.shape_of(name, request, size, types=types, lowers=_ENGLISH.search(request.model) is not None)


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    own = vectors.own_of(shape)
    values = vectors.values_of(reply, shape)
    embeddings: Any = {kind: [_FORMS[kind](vector) for vector in values] for kind in own.types} or values
    told = {
        "id": uuid4(stamp, "answer") if reply.id is None else reply.id,
        "texts": [text.lower() for text in own.texts] if own.lowers else own.texts,
        "embeddings": embeddings,
        "response_type": "embeddings_by_type" if own.types else "embeddings_floats",
    }
    return orjson.dumps(told)


def parse(body: bytes) -> Vectors:
    """Of several kinds of numbers, the finest."""
    value = json_object(body)
    told = value.get("embeddings")
    kinds = mapping(told)
    rows = next((kinds[kind] for kind in _FORMS if kind in kinds), told)
    if not isinstance(rows, list):
        raise ValueError("no embeddings in the body")
    return Vectors(tuple(vectors.floats(row) for row in rows), id=string(value.get("id")))
