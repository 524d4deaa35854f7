"""`POST /api/embed` (wire-ollama §6): a vector of length 1 for each text; the module is the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, Head, Stamp, Vectors, WireError, WireResponse
from aimock_protocols.collapsing import json_object, string
from aimock_protocols.embedding import following, input_tokens, normalised
from aimock_protocols.ollama.fields import ASKED, Field, check_asked, model_of
from aimock_protocols.ollama.metrics import DURATIONS, PROMPT_COUNTS, told
from aimock_protocols.ollama.names import other_names
from aimock_protocols.ollama.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.ollama.platform import error, fresh_headers, rate_limited, rate_limits, read_object, refusal
from aimock_protocols.openai_platform import read_error
from aimock_protocols.usage import first

name = "ollama.embed"
heeds: tuple[str, ...] = ()

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

DIMENSIONS = 1536
"""Of vectors that follow from their text."""

_FIELDS: Mapping[str, Field] = {**ASKED, "dimensions": Field(int, "int")}
_METRICS = ("total_duration", "load_duration", "prompt_eval_count")


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    texts: tuple[str, ...]
    dimensions: int


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its texts as a list; one without any is settled. Raises WireError, a 400."""
    sent = read_object(body)
    check_asked(sent, _FIELDS, "EmbedRequest")
    model = model_of(sent)
    given = sent.get("input")
    texts = given if type(given) is list else [given] if given not in (None, "") else []
    if any(type(text) is not str for text in texts):
        raise refusal("invalid input type")
    request = ChatRequest({**sent, "input": texts}, sent, model, endpoint="embedding", aliases=other_names(model))
    if not texts:
        request.settled = lambda stamp: WireResponse(200, whole_headers, _body(model, []))
    return request


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request. A model has no more dimensions than it has."""
    wanted = request.native.get("dimensions") or 0
    dimensions = wanted if 0 < wanted < DIMENSIONS else DIMENSIONS
    return Shape(request.model, tuple(request.body["input"]), dimensions)


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a response. Vectors that a fixture gives are sent as they are."""
    vectors = [
        normalised(following(reply, text, shape.dimensions)) if values is None else values
        for values, text in zip(reply.values, shape.texts, strict=True)
    ]
    given = reply.usage or {}
    tokens = first(given, PROMPT_COUNTS, int)
    costs = told(given, input_tokens(shape.texts) if tokens is None else tokens, 0)
    costs = {metric: costs[metric] for metric in _METRICS if metric in costs}
    return _body(reply.model or shape.model, vectors, **costs)


def _body(model: str, vectors: list[tuple[float, ...]], **costs: int) -> bytes:
    return orjson.dumps({"model": model, "embeddings": vectors, **costs})


def parse(body: bytes) -> Vectors:
    """The inverse of `encode`. Raises ValueError on what is no such body, and WireError on one that tells an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    vectors = value.get("embeddings")
    if not isinstance(vectors, list):
        raise ValueError("no embeddings in the body")
    usage = {metric: value[metric] for metric in DURATIONS if type(value.get(metric)) is int}
    if type(value.get("prompt_eval_count")) is int:
        usage["prompt_tokens"] = value["prompt_eval_count"]
    return Vectors(tuple(map(vector, vectors)), usage=usage or None, model=string(value.get("model")))


def vector(values: Any) -> tuple[float, ...]:
    """A vector that a body tells. Raises ValueError if it is none."""
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError("an embedding that is no list of numbers")
    return tuple(map(float, values))
