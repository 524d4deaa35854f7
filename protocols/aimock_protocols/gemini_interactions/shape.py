"""What the answer to a request for an interaction takes from it."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.gemini.platform import compact
from aimock_protocols.usage import estimate, prompt_length, utf16_length


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    """Or the agent."""
    is_agent: bool
    previous: str | None
    """The interaction that it takes up."""
    is_kept: bool
    """Whether it can be fetched later, and its stream be taken up again."""
    in_background: bool
    """Whether the answer is that it is under way."""
    hides_thoughts: bool
    """Whether thoughts are wanted without their text, as a signature alone."""
    service_tier: str
    input_tokens: int
    """Estimated."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it: what is malformed asks for nothing."""
    native = request.native
    config = native.get("generation_config") or {}
    tier = native.get("service_tier")
    return Shape(
        request.model,
        not native.get("model") and bool(native.get("agent")),
        request.recalls,
        request.remembers,
        native.get("background") is True and not request.stream,
        config.get("thinking_summaries") == "none",
        tier if type(tier) is str else "standard",
        _input_tokens(request.body, native.get("tools")),
    )


def _input_tokens(body: dict[str, Any], tools: Any) -> int:
    length = prompt_length(body["messages"])
    if tools:
        length += utf16_length(compact(tools, "tools"))
    return estimate(length)
