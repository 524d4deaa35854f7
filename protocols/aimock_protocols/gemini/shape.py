"""What the answer to a generateContent request takes from it: little, and the same for many."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.gemini.fields import field
from aimock_protocols.gemini.platform import compact
from aimock_protocols.usage import estimate, prompt_length, utf16_length

_TIERS = ("flex", "priority")


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    is_array: bool
    """Whether its stream is one JSON array."""
    candidates: int
    service_tier: str
    """`standard`, or that which the request names."""
    prompt_tokens: int
    """Estimated."""
    is_vertex: bool = False


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it: what is malformed asks for nothing."""
    config = field(request.native, "generationConfig")
    count = field(config, "candidateCount") if type(config) is dict else None
    tier = field(request.native, "serviceTier")
    return Shape(
        request.model,
        request.stream_headers is not None,
        count if type(count) is int else 1,
        tier.lower() if type(tier) is str and tier.lower() in _TIERS else "standard",
        prompt_tokens(request.body),
    )


def prompt_tokens(body: dict[str, Any]) -> int:
    """The estimate for all that is sent: system prompt, messages and tools. Raises WireError on tools too deep."""
    length = prompt_length(body["messages"])
    tools = body.get("tools")
    if tools:
        length += utf16_length(compact(tools, "tools"))
    return estimate(length)
