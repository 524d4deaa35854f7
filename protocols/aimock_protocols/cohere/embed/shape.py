"""What the answer to an embedding request takes from it: nearly all."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.cohere.embed.decode import parts_of
from aimock_protocols.cohere.embed.images import Image, image_of

_DEFAULT_DIMENSIONS = (
    ("light-v2", 1024),
    ("english-v2", 4096),
    ("multilingual-v2", 768),
    ("light", 384),
    ("v3", 1024),
    ("", 1536),
)
"""Of models, by what their names hold; the first that fits counts."""


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    inputs: tuple[str, ...]
    """What each vector is for."""
    texts: tuple[str, ...]
    images: tuple[Image, ...]
    types: tuple[str, ...]
    dimensions: int
    """Of vectors that follow from their text."""
    version: str = "2"
    """Of the API."""
    is_by_type: bool = True
    """Whether vectors stand under the name of their type."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request."""
    texts, urls = _told(request.native)
    given = request.native.get("embedding_types") or ("float",)
    dimensions = request.body.get("dimensions")
    return Shape(
        tuple(request.body["input"]),
        texts,
        tuple(map(image_of, urls)),
        tuple(dict.fromkeys(given)),
        dimensions or next(length for name, length in _DEFAULT_DIMENSIONS if name in request.model),
    )


def _told(sent: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts and the images of a request, apart."""
    if sent.get("texts") is not None:
        return tuple(sent["texts"]), ()
    if sent.get("images") is not None:
        return (), tuple(sent["images"])
    parts = [parts_of(part) for each in sent["inputs"] for part in each["content"]]
    return tuple(text for text, _ in parts if text), tuple(url for _, url in parts if url)
