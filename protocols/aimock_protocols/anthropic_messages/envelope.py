"""What a whole message and the events of a stream say alike: ids, model, stop reason, tokens (wire §6, §9, §10)."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.anthropic_messages.shape import Shape
from aimock_protocols.canonical import Reply, Stamp, ToolCall
from aimock_protocols.usage import Spellings, estimated_counts, extras, given_counts

DEFAULT_MODEL = "claude-sonnet-5"
"""The model that answers a request that names none: clients need the field."""

STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}
"""OpenAI's finish reasons in the provider's terms; any other passes through."""

_SPELLINGS = Spellings(
    prompt=("input_tokens", "prompt_tokens", "promptTokenCount"),
    completion=("output_tokens", "completion_tokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokenCount"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details",),
)


class Stop(NamedTuple):
    """Why a message ended: reason, the stop sequence that was met, and details of a refusal."""

    reason: str | None = None
    sequence: str | None = None
    details: dict[str, Any] | None = None


NOT_YET = Stop()


def message(
    reply: Reply, shape: Shape, stamp: Stamp, content: list[Any], stop: Stop, usage: dict[str, Any]
) -> dict[str, Any]:
    """The message object, keys in the order in which the live service sends them."""
    told: dict[str, Any] = {
        "model": (reply.model if reply.model is not None else shape.model) or DEFAULT_MODEL,
        "id": f"msg_{shape.platform}01{stamp.alphanumeric(22)}" if reply.id is None else reply.id,
        "type": "message",
        "role": reply.role or "assistant",
        "content": content,
    }
    if shape.is_newer:
        told["container"] = None
    told |= {"stop_reason": stop.reason, "stop_sequence": stop.sequence, "stop_details": stop.details, "usage": usage}
    if shape.is_newer:
        told["diagnostics"] = None
    return told


def stop(reply: Reply, shape: Shape) -> Stop:
    """Why the reply ends: it refuses, or its own reason, or the one that follows from its parts."""
    reason = reply.finish_reason
    if reply.refusal is not None:
        reason = "refusal"
    elif reason is None:
        reason = "tool_use" if any(isinstance(part, ToolCall) for part in reply.parts) else "end_turn"
    else:
        reason = STOP_REASONS.get(reason, reason)
    details = {"type": "refusal", "category": None, "explanation": reply.refusal} if reason == "refusal" else None
    return Stop(reason, shape.stop_sequence if reason == "stop_sequence" else None, details)


def usage(reply: Reply, shape: Shape) -> dict[str, Any]:
    """The usage object: given counts or estimated ones, those of the cache, then what else the reply gives."""
    given = reply.usage or {}
    counts = given_counts(given, _SPELLINGS) or estimated_counts(reply, shape.input_tokens)
    written = given.get("cache_creation_input_tokens", 0)
    told: dict[str, Any] = {
        "input_tokens": counts.prompt,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": counts.completion,
        "service_tier": "standard",
    }
    if shape.is_newer:
        told["inference_geo"] = "global"
    if reply.web_searches:
        told["server_tool_use"] = {"web_search_requests": len(reply.web_searches), "web_fetch_requests": 0}
    return told | extras(given, _SPELLINGS) if given else told
