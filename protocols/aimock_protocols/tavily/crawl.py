"""Tavily's crawl of a site: `POST /crawl`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from aimock_protocols.canonical import ChatRequest, Head, Results, Stamp
from aimock_protocols.collapsing import dicts
from aimock_protocols.tavily.pages import credits_for, images_of, with_icon
from aimock_protocols.tavily.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.tavily.platform import (
    closing,
    error,
    framed_error,
    fresh_headers,
    parse_without,
    rate_limited,
    rate_limits,
)
from aimock_protocols.tavily.site import Walk, read_request
from aimock_protocols.tavily.site import walk_of as shape

__all__ = [
    "decode",
    "encode",
    "error",
    "framed_error",
    "fresh_headers",
    "heeds",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "shape",
    "whole_headers",
]

name = "tavily.crawl"
heeds: tuple[str, ...] = ()


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request. Raises WireError."""
    return read_request(body, "crawl")


def encode(reply: Results, shape: Walk, stamp: Stamp) -> bytes:
    """The body of a response."""
    (said,) = reply.said
    pages = []
    for found in dicts(said.get("results"))[: shape.limit]:
        page = {"url": "", "raw_content": ""} | found
        page["images"] = images_of(found.get("images"), described=False) if shape.images else []
        pages.append(with_icon(page, shape.icons))
    told = {key: value for key, value in said.items() if key != "usage"}
    body = {"base_url": shape.url, **told, "results": pages, **closing(said, stamp)}
    if shape.usage:
        mapped = credits_for(len(pages), 10, shape.instructed)
        body["usage"] = said.get("usage") or {"credits": mapped + credits_for(len(pages), 5, shape.advanced)}
    return orjson.dumps(body)


def parse(body: bytes) -> Results:
    """The answer as a fixture has it. Raises WireError on an error, ValueError on what is none of this service."""
    return parse_without(body, "base_url")
