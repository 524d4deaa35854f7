"""Tavily's map of a site: `POST /map`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from aimock_protocols.canonical import ChatRequest, Head, Results, Stamp
from aimock_protocols.collapsing import listed
from aimock_protocols.tavily.pages import credits_for
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

name = "tavily.map"
heeds: tuple[str, ...] = ()


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request. Raises WireError."""
    return read_request(body, "map")


def encode(reply: Results, shape: Walk, stamp: Stamp) -> bytes:
    """The body of a response, whose results are URLs."""
    (said,) = reply.said
    urls = [each for each in listed(said.get("results")) if isinstance(each, str)][: shape.limit]
    told = {key: value for key, value in said.items() if key != "usage"}
    body = {"base_url": shape.url, **told, "results": urls, **closing(said, stamp)}
    if shape.usage:
        body["usage"] = said.get("usage") or {"credits": credits_for(len(urls), 10, shape.instructed)}
    return orjson.dumps(body)


def parse(body: bytes) -> Results:
    """The answer as a fixture has it. Raises WireError on an error, ValueError on what is none of this service."""
    return parse_without(body, "base_url")
