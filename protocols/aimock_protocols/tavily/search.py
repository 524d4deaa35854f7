"""Tavily's search: `POST /search`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, Head, Results, Stamp
from aimock_protocols.tavily.platform import (
    RESPONSE_TIME,
    error,
    fresh_headers,
    parse_without,
    rate_limited,
    rate_limits,
    read_object,
    refusal,
)
from aimock_protocols.tavily.platform import WHOLE_HEADERS as whole_headers

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

name = "tavily.search"
heeds: tuple[str, ...] = ()

MAX_QUERY = 400
"""Characters."""
DEFAULT_RESULTS = 5


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request. Raises WireError, always a 400."""
    sent = read_object(body)
    query = sent.get("query")
    if not isinstance(query, str) or not query:
        raise refusal("Query is missing.")
    if len(query) > MAX_QUERY:
        raise refusal(f"Query is too long. Max query length is {MAX_QUERY} characters.")
    return ChatRequest(sent, sent, endpoint="search")


class Shape(NamedTuple):
    """What an answer takes from its request."""

    query: str
    max_results: int


def shape(request: ChatRequest) -> Shape:
    return Shape(request.native["query"], request.native.get("max_results", DEFAULT_RESULTS))


def encode(reply: Results, shape: Shape, stamp: Stamp) -> bytes:
    (said,) = reply.said
    results = [_result(place, result) for place, result in enumerate(said.get("results") or ())]
    body: dict[str, Any] = {
        "query": shape.query,
        "follow_up_questions": None,
        "answer": None,
        "images": [],
        **said,
        "results": results[: shape.max_results],
        "response_time": said.get("response_time", RESPONSE_TIME),
        "request_id": said.get("request_id") or stamp.uuid(),
    }
    return orjson.dumps(body)


def _result(place: int, said: Mapping[str, Any]) -> dict[str, Any]:
    score = round(max(0.01, 0.99 - place / 100), 2)
    return {"url": "", "title": "", "content": "", "score": score, "raw_content": None} | dict(said)


def parse(body: bytes) -> Results:
    """The answer as a fixture has it. Raises WireError on an error, ValueError on what is none of this service."""
    return parse_without(body, "query")
