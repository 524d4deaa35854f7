"""OpenAI's moderation: the module is the protocol (see `canonical.WireProtocol`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, Head, Results, Stamp
from aimock_protocols.moderation.verdicts import MAX_INPUTS, judged, parse, request, separated, verdicts
from aimock_protocols.openai_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.openai_platform import (
    error,
    fresh_headers,
    invalid_type,
    missing,
    rate_limited,
    rate_limits,
    read_model,
    read_object,
    refusal,
)

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
    "separated",
    "shape",
    "whole_headers",
]

name = "moderation.openai"
heeds: tuple[str, ...] = ()

_TEXT, _IMAGE = "text", "image"
_SEEN = ("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic")
"""Categories for which images are looked at too."""
_ILLICIT = ("illicit", "illicit/violent")
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    *_ILLICIT,
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_OLD_CATEGORIES = tuple(category for category in CATEGORIES if category not in _ILLICIT)

_OLD_MODELS = "text-moderation"
_DEFAULT_MODEL = "omni-moderation-latest"
_DATED = {
    _DEFAULT_MODEL: "omni-moderation-2024-09-26",
    "text-moderation-latest": "text-moderation-007",
    "text-moderation-stable": "text-moderation-007",
}
"""Models by the names under which they answer."""


class Shape(NamedTuple):
    """What the answer takes from the request."""

    model: str
    kinds: tuple[tuple[str, ...], ...]
    """Of each input: whether it has text, an image, or both."""


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its inputs as a list of texts. Raises WireError, always a 400."""
    native = read_object(body)
    model = read_model(native, params)
    if "input" not in native:
        raise missing("input")
    return request(native, model, [_text(parts) for parts in _inputs(native["input"])])


def _inputs(value: Any) -> list[list[dict[str, Any]]]:
    """The parts of each input: texts are one each, and parts are one together. Raises WireError."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise invalid_type("input", "a string, an array of strings, or an array of objects", value)
    if not 1 <= len(value) <= MAX_INPUTS:
        message = f"Invalid 'input': expected an array with 1 to {MAX_INPUTS} elements, but got {len(value)}."
        raise refusal(message, "input", "array_above_max_length" if value else "empty_array")
    if all(isinstance(each, str) for each in value):
        return [[{"type": _TEXT, "text": each}] for each in value]
    return [[_part(each, f"input[{place}]") for place, each in enumerate(value)]]


def _part(value: Any, where: str) -> dict[str, Any]:
    """A part of an input of several. Raises WireError."""
    if not isinstance(value, dict):
        raise invalid_type(where, "an object", value)
    kind = value.get("type")
    if kind == _TEXT:
        if not isinstance(value.get("text"), str):
            raise missing(f"{where}.text")
    elif kind == "image_url":
        image = value.get("image_url")
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            raise missing(f"{where}.image_url.url")
    else:
        message = f"Invalid value: {kind!r}. Supported values are: 'text' and 'image_url'."
        raise refusal(message, f"{where}.type", "invalid_value")
    return value


def _text(parts: list[dict[str, Any]]) -> str:
    """What fixtures see of an input: its texts, and where its images are. An image that is sent itself says nothing."""
    told = (part["text"] if part["type"] == _TEXT else _address(part["image_url"]["url"]) for part in parts)
    return " ".join(filter(None, told))


def _address(url: str) -> str:
    return "" if url.startswith("data:") else url


def shape(request: ChatRequest) -> Shape:
    inputs = _inputs(request.native["input"])
    return Shape(request.model, tuple(map(_kinds, inputs)))


def _kinds(parts: list[dict[str, Any]]) -> tuple[str, ...]:
    types = {part["type"] for part in parts}
    return tuple(kind for kind, wanted in ((_TEXT, _TEXT), (_IMAGE, "image_url")) if wanted in types)


def encode(reply: Results, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a response: a result for each input."""
    given = reply.said[0]
    asked = shape.model or _DEFAULT_MODEL
    is_old = asked.startswith(_OLD_MODELS)
    told = zip(verdicts(reply, len(shape.kinds)), shape.kinds, strict=True)
    body = {
        "id": given.get("id", f"modr-{stamp.hexadecimal(32)}"),
        "model": given.get("model", _DATED.get(asked, asked)),
        "results": [_result(verdict, kinds, is_old) for verdict, kinds in told],
    }
    return orjson.dumps(body)


def _result(verdict: Mapping[str, Any], kinds: tuple[str, ...], is_old: bool) -> dict[str, Any]:
    """One result. Older models know nothing illicit, and do not tell to which kinds of input categories apply."""
    told = judged(verdict, _OLD_CATEGORIES if is_old else CATEGORIES)
    result = {"flagged": verdict.get("flagged", any(told["categories"].values())), **told}
    applied = verdict.get("category_applied_input_types", None if is_old else {})
    if applied is not None:
        result["category_applied_input_types"] = _applied(told["categories"], kinds) | applied
    return result


def _applied(categories: Iterable[str], kinds: tuple[str, ...]) -> dict[str, list[str]]:
    """Of each category, to which kinds of input it can apply."""
    return {category: [kind for kind in kinds if kind == _TEXT or category in _SEEN] for category in categories}
