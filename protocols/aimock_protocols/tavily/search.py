"""Tavily's search: `POST /search`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest, Results, Stamp
from aimock_protocols.collapsing import dicts
from aimock_protocols.tavily.checks import DATE, Check, check, check_dates, one_of, required, switch, texts, whole
from aimock_protocols.tavily.endpoint import Endpoint
from aimock_protocols.tavily.pages import images_of, is_within, with_icon
from aimock_protocols.tavily.platform import closing, read_object, refusal

MAX_QUERY = 400
"""Characters."""
DEFAULT_RESULTS = 5

CHECKS: Mapping[str, Check] = {
    "search_depth": one_of("search depth", "basic", "advanced", "fast", "ultra-fast"),
    "topic": one_of("topic", "general", "news", "finance"),
    "time_range": one_of("time range", "day", "week", "month", "year", "d", "w", "m", "y"),
    "start_date": DATE,
    "end_date": DATE,
    "days": whole("days", 0),
    "max_age_hours": whole("max age hours", 0),
    "max_results": whole("max results", 0, 20),
    "chunks_per_source": whole("chunks per source", 1, 3, status=422),
    "include_domains": texts("include_domains", 300, "domains"),
    "exclude_domains": texts("exclude_domains", 150, "domains"),
    "include_domains_mode": one_of("include domains mode", "restrict", "prefer"),
    "include_answer": switch("include_answer", "basic", "advanced"),
    "include_raw_content": switch("include_raw_content", "markdown", "text"),
    **{
        option: switch(option)
        for option in (
            "include_images",
            "include_image_descriptions",
            "include_favicon",
            "include_usage",
            "auto_parameters",
            "exact_match",
        )
    },
}
_ON_REQUEST = frozenset({"auto_parameters", "usage"})


def read(body: bytes) -> ChatRequest:
    """The request. Raises WireError."""
    sent = read_object(body)
    query = required(sent, "query", "Query is missing.")
    if len(query) > MAX_QUERY:
        raise refusal(f"Query is too long. Max query length is {MAX_QUERY} characters.")
    check(sent, CHECKS)
    check_dates(sent)
    return ChatRequest(sent, sent, endpoint="search")


class Shape(NamedTuple):
    """What an answer takes from its request."""

    query: str
    topic: str
    depth: str
    max_results: int
    only: tuple[str, ...]
    """Domains that results must be of; none: of any."""
    never: tuple[str, ...]
    answered: bool
    raw: bool
    images: bool
    described: bool
    icons: bool
    usage: bool
    automatic: bool


def shape_of(request: ChatRequest) -> Shape:
    sent = request.native
    most = sent.get("max_results")
    is_restricted = sent.get("include_domains_mode") != "prefer"
    return Shape(
        sent["query"],
        sent.get("topic") or "general",
        sent.get("search_depth") or "basic",
        DEFAULT_RESULTS if most is None else most,
        tuple(sent.get("include_domains") or ()) if is_restricted else (),
        tuple(sent.get("exclude_domains") or ()),
        bool(sent.get("include_answer")),
        bool(sent.get("include_raw_content")),
        bool(sent.get("include_images")),
        bool(sent.get("include_image_descriptions")),
        bool(sent.get("include_favicon")),
        bool(sent.get("include_usage")),
        bool(sent.get("auto_parameters")),
    )


def encode(reply: Results, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a response. What is told only on request is left out of what the fixture says, unless it was."""
    (said,) = reply.said
    found = [each for each in dicts(said.get("results")) if _is_wanted(each, shape)][: shape.max_results]
    body = {
        "query": shape.query,
        "follow_up_questions": said.get("follow_up_questions"),
        "answer": said.get("answer") if shape.answered else None,
        "images": images_of(said.get("images"), shape.described) if shape.images else [],
        "results": [_result(place, each, shape) for place, each in enumerate(found)],
        **closing(said, stamp),
    }
    body |= {key: value for key, value in said.items() if key not in body and key not in _ON_REQUEST}
    if shape.automatic:
        body["auto_parameters"] = said.get("auto_parameters") or {"topic": shape.topic, "search_depth": shape.depth}
    if shape.usage:
        body["usage"] = said.get("usage") or {"credits": 2 if shape.depth == "advanced" else 1}
    return orjson.dumps(body)


def _is_wanted(result: Mapping[str, Any], shape: Shape) -> bool:
    url = result.get("url")
    return (not shape.only or is_within(url, shape.only)) and not is_within(url, shape.never)


def _result(place: int, said: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """A result, scored by its place if its fixture does not say how well it fits."""
    score = round(max(0.01, 0.99 - place / 100), 2)
    result = {"url": "", "title": "", "content": "", "score": score} | dict(said)
    raw = said.get("raw_content")
    result["raw_content"] = (result["content"] if raw is None else raw) if shape.raw else None
    return with_icon(result, shape.icons)


api = Endpoint(
    name="tavily.search:api",
    read=read,
    shape=shape_of,
    encode=encode,
    echoed=("query",),
)
