"""Embedding models: Titan, Cohere and Nova (wire-bedrock §5.9). Each family takes texts in words of its own; the
request is OpenAI's in all, and so are fixtures.

Images, which some of them take too, are as their data URIs: text that has a vector like any other.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from aimock_protocols.bedrock_invoke.family import Shape
from aimock_protocols.bedrock_invoke.malformed import one_of, optional
from aimock_protocols.canonical import ChatRequest, Vectors
from aimock_protocols.embedding import input_tokens, vectors_for
from aimock_protocols.usage import first

Vector = tuple[float, ...]

LATENCY = 80
"""Milliseconds that the vectors of any texts are said to have taken."""

_TOKENS = ("input_tokens", "prompt_tokens", "promptTokenCount", "total_tokens")


class Own(NamedTuple):
    """What answers take from their request."""

    texts: tuple[str, ...]
    dimensions: int
    types: tuple[str, ...] = ()
    """The kinds of numbers that are asked for."""
    is_raw: bool = False
    """Whether vectors shall not be brought to length 1."""
    lowers: bool = False
    """Whether the texts are repeated in lower case."""


def request(sent: dict[str, Any], model: str, texts: list[str], dimensions: int | None) -> ChatRequest:
    """The canonical request for the vectors of texts."""
    body: dict[str, Any] = {"model": model, "input": texts}
    if dimensions is not None:
        body["dimensions"] = dimensions
    return ChatRequest(body, sent, model, endpoint="embedding")


def shape_of(family: str, request: ChatRequest, default: int, **more: Any) -> Shape:
    texts: list[str] = request.body["input"]
    own = Own(tuple(texts), request.body.get("dimensions", default), **more)
    return Shape(family, own, input_tokens(texts))


def dimensions_of(sent: dict[str, Any], key: str, allowed: tuple[int, ...], place: str = "#") -> int | None:
    """How many values are asked for; None if that is not said. Raises WireError."""
    dimensions: int | None = optional(sent, key, int, place)
    if dimensions is not None:
        one_of(dimensions, f"{place}/{key}", allowed)
    return dimensions


def types_of(sent: dict[str, Any], key: str, allowed: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of numbers that are asked for, each once. Raises WireError."""
    kinds: list[Any] = optional(sent, key, list) or []
    for index, kind in enumerate(kinds):
        one_of(kind, f"#/{key}/{index}", allowed)
    return tuple(dict.fromkeys(kinds)) or default


def own_of(shape: Shape) -> Own:
    return cast(Own, shape.own)


def values_of(reply: Vectors, shape: Shape) -> list[Vector]:
    """The vectors of a reply."""
    own = own_of(shape)
    return vectors_for(reply, own.texts, own.dimensions)


def tokens(reply: Vectors, prompt_tokens: int) -> int:
    """The count that a reply gives, or else the estimate."""
    given = first(reply.usage or {}, _TOKENS, int)
    return prompt_tokens if given is None else given


def floats(values: Any) -> Vector:
    """A vector as it stands in a body. Raises ValueError if it is none."""
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError("a vector is a list of numbers")
    return tuple(map(float, values))
