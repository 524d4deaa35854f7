"""What crawling a site and mapping it have in common: the parameters that say where to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.tavily.checks import URL, Check, check, one_of, required, switch, texts, whole
from aimock_protocols.tavily.platform import read_object

DEFAULT_LIMIT = 50
"""Pages."""

_CHECKS: Mapping[str, Check] = {
    "url": URL,
    "max_depth": whole("max depth", 1, 5),
    "max_breadth": whole("max breadth", 1, 500),
    "limit": whole("limit", 1),
    "instructions": Check(lambda value: isinstance(value, str), "Invalid instructions."),
    **{
        option: texts(option, 500, what)
        for option, what in (
            ("select_paths", "paths"),
            ("exclude_paths", "paths"),
            ("select_domains", "domains"),
            ("exclude_domains", "domains"),
        )
    },
    "extract_depth": one_of("extract depth", "basic", "advanced"),
    "format": one_of("format", "markdown", "text"),
    "chunks_per_source": whole("chunks per source", 1, 5, status=422),
    **{option: switch(option) for option in ("allow_external", "include_images", "include_favicon", "include_usage")},
}


def read_request(body: bytes, endpoint: str) -> ChatRequest:
    """The request. Raises WireError."""
    sent = read_object(body)
    required(sent, "url", "[400] No starting url provided")
    check(sent, _CHECKS)
    return ChatRequest(sent, sent, endpoint=endpoint)


class Walk(NamedTuple):
    """What an answer takes from its request."""

    url: str
    limit: int
    instructed: bool
    advanced: bool
    images: bool
    icons: bool
    usage: bool


def walk_of(request: ChatRequest) -> Walk:
    sent: Mapping[str, Any] = request.native
    return Walk(
        sent["url"],
        sent.get("limit") or DEFAULT_LIMIT,
        bool(sent.get("instructions")),
        sent.get("extract_depth") == "advanced",
        bool(sent.get("include_images")),
        bool(sent.get("include_favicon")),
        bool(sent.get("include_usage")),
    )
