"""OpenAI's embeddings, and Azure's deployments of them (wire-openai-other §1): texts in, vectors out.

A protocol without `frames` is one for embeddings: its replies are `Vectors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, ErrorReply, Head, Stamp, Vectors, WireError
from aimock_protocols.collapsing import json_object, mapping
from aimock_protocols.embedding import float32_base64, from_float32_base64, vectors_for
from aimock_protocols.openai_inputs import texts_of, tokens_in
from aimock_protocols.openai_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.openai_platform import (
    error,
    fresh_headers,
    missing,
    rate_limited,
    rate_limits,
    read_error,
    read_model,
    read_object,
    refusal,
)
from aimock_protocols.usage import OPENAI_CHAT, extras, given_counts

__all__ = [
    "decode",
    "encode",
    "error",
    "fresh_headers",
    "heeds",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "shape",
    "whole_headers",
]

name = "openai_embeddings"
heeds: tuple[str, ...] = ()

DEFAULT_MODEL = "text-embedding-3-small"
"""The model that answers a request that names none: clients need the field."""
DEFAULT_DIMENSIONS = 1536
MAX_DIMENSIONS = 100_000
MAX_INPUTS = 2048
MAX_VALUES = MAX_INPUTS * 3072
"""In all vectors of one answer: as many as the largest of OpenAI's own."""

_EMPTY = ErrorReply("Input cannot be an empty string.", "invalid_request_error", "input", status=400)


# -- requests ----------------------------------------------------------------------------------------------------------


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its input as a list of texts. Raises WireError, always a 400.

    Empty texts are answered, since the reference does, and objected to, since the provider does.
    """
    native = read_object(body)
    model = read_model(native, params)
    texts = _texts(native)
    dimensions = _dimensions(native)
    if len(texts) * dimensions > MAX_VALUES:
        raise refusal(f"{len(texts)} embeddings of {dimensions} dimensions are too many for one request", "dimensions")
    encoding = native.get("encoding_format")
    if encoding not in (None, "float", "base64"):
        message = f"Invalid value for 'encoding_format': {encoding!r}. Supported values are: 'float' and 'base64'."
        raise refusal(message, "encoding_format", "invalid_value")
    objection = None if all(texts) else _EMPTY
    return ChatRequest(native | {"input": texts}, native, model, endpoint="embedding", objection=objection)


def _texts(native: Mapping[str, Any]) -> list[str]:
    if "input" not in native:
        raise missing("input")
    if native["input"] == []:
        message = (
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
        )
        raise refusal(message, "input")
    texts = texts_of(native["input"], "input")
    if len(texts) > MAX_INPUTS:
        told = f"Expected an array with maximum length {MAX_INPUTS}, but got an array with length {len(texts)} instead."
        raise refusal(f"Invalid 'input': array too long. {told}", "input", "array_above_max_length")
    return texts


def _dimensions(native: Mapping[str, Any]) -> int:
    dimensions = native.get("dimensions")
    if dimensions is None:
        return DEFAULT_DIMENSIONS
    if type(dimensions) is int and 1 <= dimensions <= MAX_DIMENSIONS:
        return dimensions
    raise refusal(f"Invalid parameter: 'dimensions' must be an integer between 1 and {MAX_DIMENSIONS}")


class Shape(NamedTuple):
    """What the answer takes from the request."""

    model: str
    """As asked for; empty if the request names none."""
    texts: tuple[str, ...]
    dimensions: int
    """Of the vectors that follow from their texts; others have as many as they have."""
    in_base64: bool
    prompt_tokens: int


def shape(request: ChatRequest) -> Shape:
    texts = tuple(request.body["input"])
    in_base64 = request.native.get("encoding_format") == "base64"
    return Shape(
        request.model, texts, _dimensions(request.native), in_base64, tokens_in(request.native["input"], texts)
    )


# -- answers -----------------------------------------------------------------------------------------------------------


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a response."""
    vectors = vectors_for(reply, shape.texts, shape.dimensions)
    sent = map(float32_base64, vectors) if shape.in_base64 else vectors
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(sent)],
        "model": (shape.model if reply.model is None else reply.model) or DEFAULT_MODEL,
        "usage": _usage(reply, shape),
    }
    if reply.id is not None:
        body["id"] = reply.id
    return orjson.dumps(body)


def _usage(reply: Vectors, shape: Shape) -> dict[str, Any]:
    given = reply.usage or {}
    counts = given_counts(given, OPENAI_CHAT)
    prompt, total = (shape.prompt_tokens,) * 2 if counts is None else (counts.prompt, counts.total)
    return {"prompt_tokens": prompt, "total_tokens": total} | extras(given, OPENAI_CHAT)


def parse(body: bytes) -> Vectors:
    """The vectors of a body, in either form. Raises ValueError if it has none, and WireError if it is an error."""
    value = json_object(body)
    told = read_error(value)
    if told is not None:
        raise WireError(told)
    data = value.get("data")
    if not isinstance(data, list):
        raise ValueError("no list of embeddings in the body")
    usage, model, reply_id = value.get("usage"), value.get("model"), value.get("id")
    return Vectors(
        tuple(_vector(mapping(each).get("embedding")) for each in data),
        usage if isinstance(usage, dict) else None,
        reply_id if isinstance(reply_id, str) else None,
        model if isinstance(model, str) else None,
    )


def _vector(value: Any) -> tuple[float, ...]:
    if isinstance(value, str):
        return from_float32_base64(value)
    if isinstance(value, list) and all(type(each) in (float, int) for each in value):
        return tuple(value)
    raise ValueError("an embedding that is neither numbers nor base64")
