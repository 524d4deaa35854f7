"""`POST /api/embeddings` (wire-ollama §6), the older form: one prompt, one vector; the module is the protocol."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from aimock_protocols.canonical import ChatRequest, Head, Stamp, Vectors, WireError, WireResponse
from aimock_protocols.collapsing import json_object
from aimock_protocols.embedding import vectors_for
from aimock_protocols.ollama.embed import DIMENSIONS, Shape, vector
from aimock_protocols.ollama.fields import ASKED, STRING, Field, check_asked, model_of
from aimock_protocols.ollama.names import other_names
from aimock_protocols.ollama.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.ollama.platform import error, fresh_headers, rate_limited, rate_limits, read_object
from aimock_protocols.openai_platform import read_error

name = "ollama.embeddings"
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

_FIELDS: Mapping[str, Field] = {**ASKED, "prompt": STRING}


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its prompt as the one text; a request without one is settled. Raises WireError, a 400."""
    sent = read_object(body)
    check_asked(sent, _FIELDS, "EmbeddingRequest")
    model = model_of(sent)
    texts = [sent["prompt"]] if sent.get("prompt") else []
    request = ChatRequest({**sent, "input": texts}, sent, model, endpoint="embedding", aliases=other_names(model))
    if not texts:
        request.settled = lambda stamp: WireResponse(200, whole_headers, _body())
    return request


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request."""
    return Shape(request.model, tuple(request.body["input"]), DIMENSIONS)


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a response, whose vector has whatever length it has."""
    return _body(*vectors_for(reply, shape.texts, shape.dimensions))


def _body(values: tuple[float, ...] = ()) -> bytes:
    return orjson.dumps({"embedding": values})


def parse(body: bytes) -> Vectors:
    """The inverse of `encode`. Raises ValueError on what is no such body, and WireError on one that tells an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    return Vectors((vector(value.get("embedding")),))
