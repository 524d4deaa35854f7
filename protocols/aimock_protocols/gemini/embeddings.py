"""Google's embeddings (wire-gemini §6): `embedContent` for one text, `batchEmbedContents` for several, and `predict`,
which Vertex AI has for its older models. Each is a protocol of its own: they differ in how texts are sent and vectors
told, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, Head, Headers, Stamp, Vectors, WireError
from aimock_protocols.collapsing import json_object, listed, mapping
from aimock_protocols.embedding import following
from aimock_protocols.gemini import platform
from aimock_protocols.gemini.decode import model_of
from aimock_protocols.gemini.fields import field, many, one
from aimock_protocols.gemini.platform import read_object, refusal
from aimock_protocols.usage import estimate, utf16_length

LARGEST = 3072
"""Dimensions of the largest vectors, which are those of Gemini's own models."""
_OLDER = 768
"""Those of all other models."""


class Asked(NamedTuple):
    """A text, and the dimensions that its vector is to have, if the request says."""

    text: str
    dimensions: int | None


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    texts: tuple[str, ...]
    dimensions: tuple[int, ...]
    """Of the vector of each text, if it follows from the text."""


@attrs.frozen
class Embeddings:
    """A protocol for embeddings (see `canonical.WireProtocol`)."""

    name: str
    read: Callable[[dict[str, Any]], list[Asked]]
    """What a body asks for. Raises WireError."""
    write: Callable[[list[dict[str, Any]], list[int]], dict[str, Any]]
    """A body of vectors, of which each is `{"values": […]}`, and of the tokens in each text."""
    vectors: Callable[[dict[str, Any]], list[Any]]
    """The inverse: the vectors of a body."""

    heeds: tuple[str, ...] = ()
    whole_headers: Headers = platform.WHOLE_HEADERS
    fresh_headers = staticmethod(platform.fresh_headers)
    rate_limits = staticmethod(platform.rate_limits)
    rate_limited = staticmethod(platform.rate_limited)
    error = staticmethod(platform.error)

    def decode(self, head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
        """The request with its texts as `input`. Raises WireError, a 400."""
        sent = read_object(body)
        model, _ = model_of(params)
        asked = self.read(sent)
        canonical: dict[str, Any] = {"model": model, "input": [each.text for each in asked]}
        wanted = {each.dimensions for each in asked}
        if len(wanted) == 1 and None not in wanted:
            canonical["dimensions"] = asked[0].dimensions
        return ChatRequest(canonical, sent, model, endpoint="embedding", aliases=(f"models/{model}",))

    def shape(self, request: ChatRequest) -> Shape:
        asked = self.read(request.native)
        own = LARGEST if "gemini" in request.model else _OLDER
        return Shape(tuple(each.text for each in asked), tuple(each.dimensions or own for each in asked))

    def encode(self, reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
        """The body of a response."""
        each = zip(reply.values, shape.texts, shape.dimensions, strict=True)
        vectors = [
            following(reply, text, dimensions) if values is None else values for values, text, dimensions in each
        ]
        counts = [estimate(utf16_length(text)) for text in shape.texts]
        return orjson.dumps(self.write([{"values": vector} for vector in vectors], counts))

    def parse(self, body: bytes) -> Vectors:
        """The inverse of `encode`. Raises ValueError if it is none, and WireError if it is an error."""
        value = json_object(body)
        error = platform.read_error(value)
        if error is not None:
            raise WireError(error)
        told = [_floats(mapping(vector).get("values")) for vector in self.vectors(value)]
        if not told:
            raise ValueError("no vectors in the body")
        return Vectors(tuple(told))


def _floats(values: Any) -> tuple[float, ...]:
    if isinstance(values, list) and all(type(value) in (int, float) for value in values):
        return tuple(map(float, values))
    raise ValueError("no vector in the body")


# -- requests ----------------------------------------------------------------------------------------------------------


def _single(sent: dict[str, Any], where: str = "") -> Asked:
    """One content, whose texts are joined with a space."""
    content = field(sent, "content")
    if content is None:
        raise refusal(f"* EmbedContentRequest.{where}content: content is not specified")
    config = one(sent, "embedContentConfig", f"{where}embed_content_config")
    dimensions = field(config, "outputDimensionality") or field(sent, "outputDimensionality")
    parts = many(one(sent, "content", f"{where}content"), "parts", f"{where}content.parts")
    text = " ".join(text for part in parts if type(text := part.get("text")) is str)
    return Asked(text, _dimensions(dimensions, where))


def _batch(sent: dict[str, Any]) -> list[Asked]:
    requests = many(sent, "requests", "requests")
    if not requests:
        raise refusal("* BatchEmbedContentsRequest.requests: requests is not specified")
    return [_single(request, f"requests[{place}].") for place, request in enumerate(requests)]


def _instances(sent: dict[str, Any]) -> list[Asked]:
    instances = many(sent, "instances", "instances")
    if not instances:
        raise refusal("instances is not specified")
    dimensions = _dimensions(field(one(sent, "parameters", "parameters"), "outputDimensionality"), "parameters.")
    for place, instance in enumerate(instances):
        if type(instance.get("content")) is not str:
            raise refusal(f"Invalid value at 'instances[{place}].content': must be a string")
    return [Asked(instance["content"], dimensions) for instance in instances]


def _dimensions(given: Any, where: str) -> int | None:
    """What a request says of dimensions. Raises WireError."""
    if given is None or (type(given) is int and 1 <= given <= LARGEST):
        return given
    raise refusal(f"* {where}output_dimensionality: must be from 1 to {LARGEST}")


# -- responses ---------------------------------------------------------------------------------------------------------


def _single_body(vectors: list[dict[str, Any]], counts: list[int]) -> dict[str, Any]:
    details = [{"modality": "TEXT", "tokenCount": sum(counts)}]
    return {
        "embedding": vectors[0],
        "usageMetadata": {"promptTokenCount": sum(counts), "promptTokensDetails": details},
    }


def _predictions(vectors: list[dict[str, Any]], counts: list[int]) -> dict[str, Any]:
    told = [
        {"embeddings": vector | {"statistics": {"truncated": False, "token_count": count}}}
        for vector, count in zip(vectors, counts, strict=True)
    ]
    return {"predictions": told}


embed_content = Embeddings(
    "gemini.embeddings:embed_content",
    lambda sent: [_single(sent)],
    _single_body,
    lambda body: [body.get("embedding")],
)
batch_embed_contents = Embeddings(
    "gemini.embeddings:batch_embed_contents",
    _batch,
    lambda vectors, counts: {"embeddings": vectors},
    lambda body: listed(body.get("embeddings")),
)
predict = Embeddings(
    "gemini.embeddings:predict",
    _instances,
    _predictions,
    lambda body: [mapping(told).get("embeddings") for told in listed(body.get("predictions"))],
)
