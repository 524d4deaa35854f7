"""Embedding requests to the canonical form (wire-cohere §6): what is to be embedded as a list of texts.

An image stands there as its URL, so that each has a vector of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, ErrorReply, Head
from aimock_protocols.cohere.embed.forms import FORMS
from aimock_protocols.cohere.platform import read_object, read_optional, read_required, refusal, wrong_type

MOST_INPUTS = 96
DIMENSIONS = (256, 512, 1024, 1536)
"""Those that can be asked for."""

_INPUT_TYPES = ("search_document", "search_query", "classification", "clustering", "image")


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body as sent. Raises WireError, a 400."""
    sent = read_object(body)
    request = _request(sent, read_required(sent, "model"))
    if sent.get("input_type") not in _INPUT_TYPES:
        message = f"valid input_type must be provided with the provided model: one of {', '.join(_INPUT_TYPES)}"
        request.objection = ErrorReply(message, status=400)
    return request


def decode_v1(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The same of the first version, in which neither model nor input type need be said."""
    sent = read_object(body)
    return _request(sent, read_optional(sent, "model", str) or "")


def _request(sent: dict[str, Any], model: str) -> ChatRequest:
    canonical: dict[str, Any] = {"model": model, "input": _inputs(sent)}
    for kind in read_optional(sent, "embedding_types", list) or ():
        if type(kind) is not str or kind not in FORMS:
            raise refusal(f"invalid embedding type: must be one of {', '.join(FORMS)}")
    dimensions = read_optional(sent, "output_dimension", int)
    if dimensions is not None:
        if dimensions not in DIMENSIONS:
            raise refusal(f"invalid output_dimension: must be one of {', '.join(map(str, DIMENSIONS))}")
        canonical["dimensions"] = dimensions
    return ChatRequest(canonical, sent, model, endpoint="embedding")


def _inputs(sent: dict[str, Any]) -> list[str]:
    """All texts and images, under whichever name they came. Raises WireError."""
    for name, read in _INPUTS.items():
        values = read_optional(sent, name, list)
        if values is None:
            continue
        if not values:
            raise refusal(f"invalid request: list of {name} must not be empty")
        if len(values) > MOST_INPUTS:
            raise refusal(
                f"invalid request: total number of {name} must be at most {MOST_INPUTS} - received {len(values)}"
            )
        return [read(value, f"{name}[{index}]") for index, value in enumerate(values)]
    raise refusal(f"invalid request: one of {', '.join(_INPUTS)} is required")


def _string(value: Any, where: str) -> str:
    if type(value) is not str:
        raise wrong_type(where, value, str)
    return value


def _content(value: Any, where: str) -> str:
    """The texts and image URLs of one input, joined without a separator."""
    if type(value) is not dict:
        raise wrong_type(where, value, dict)
    content = value.get("content")
    if type(content) is not list:
        raise wrong_type(f"{where}.content", content, list)
    return "".join(text or url for text, url in map(parts_of, content))


def parts_of(part: Any) -> tuple[str, str]:
    """The text and the image URL of one part of an input, of which one is empty."""
    if type(part) is not dict:
        return "", ""
    text, image = part.get("text"), part.get("image_url")
    url = image.get("url") if type(image) is dict else image
    if type(text) is str:
        return text, ""
    return "", url if type(url) is str else ""


_INPUTS: dict[str, Callable[[Any, str], str]] = {"texts": _string, "images": _string, "inputs": _content}
"""The members that hold what is to be embedded, of which the first counts, and what reads one of each."""
