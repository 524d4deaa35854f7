"""Tavily's extraction of pages: `POST /extract`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, Results, Stamp
from aimock_protocols.collapsing import dicts
from aimock_protocols.tavily.checks import Check, check, one_of, switch, whole
from aimock_protocols.tavily.endpoint import Endpoint
from aimock_protocols.tavily.pages import credits_for, images_of, with_icon
from aimock_protocols.tavily.platform import closing, read_object, refusal

MAX_URLS = 20

_CHECKS: Mapping[str, Check] = {
    "extract_depth": one_of("extract depth", "basic", "advanced"),
    "format": one_of("format", "markdown", "text"),
    "query": Check(lambda value: isinstance(value, str), "Invalid query."),
    "chunks_per_source": whole("chunks per source", 1, 5, status=422),
    **{option: switch(option) for option in ("include_images", "include_favicon", "include_usage")},
}


def read(body: bytes) -> ChatRequest:
    """The request. Raises WireError."""
    sent = read_object(body)
    urls = _urls(sent)
    if not urls or not all(isinstance(url, str) and url.strip() for url in urls):
        raise refusal("URLs are missing.")
    if len(urls) > MAX_URLS:
        raise refusal(f"Max {MAX_URLS} URLs are allowed.")
    check(sent, _CHECKS)
    return ChatRequest(sent, sent, endpoint="extract")


def _urls(sent: Mapping[str, Any]) -> list[Any]:
    given = sent.get("urls")
    return given if isinstance(given, list) else [given]


class Shape(NamedTuple):
    """What an answer takes from its request."""

    urls: tuple[str, ...]
    advanced: bool
    images: bool
    icons: bool
    usage: bool


def shape_of(request: ChatRequest) -> Shape:
    sent = request.native
    return Shape(
        tuple(_urls(sent)),
        sent.get("extract_depth") == "advanced",
        bool(sent.get("include_images")),
        bool(sent.get("include_favicon")),
        bool(sent.get("include_usage")),
    )


def encode(reply: Results, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a response. Pages without a URL are those that were asked for, in turn."""
    (said,) = reply.said
    pages = dicts(said.get("results"))
    body = {
        **{key: value for key, value in said.items() if key != "usage"},
        "results": [_page(place, page, shape) for place, page in enumerate(pages)],
        "failed_results": dicts(said.get("failed_results")),
        **closing(said, stamp),
    }
    if shape.usage:
        body["usage"] = said.get("usage") or {"credits": credits_for(len(pages), 5, shape.advanced)}
    return orjson.dumps(body)


def _page(place: int, said: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    page = {"url": shape.urls[min(place, len(shape.urls) - 1)], "title": None, "raw_content": ""} | dict(said)
    page["images"] = images_of(said.get("images"), described=False) if shape.images else []
    return with_icon(page, shape.icons)


api = Endpoint(
    name="tavily.extract:api",
    read=read,
    shape=shape_of,
    encode=encode,
)
