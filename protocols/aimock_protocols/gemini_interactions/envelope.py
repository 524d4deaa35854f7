"""What a whole interaction and the events of a stream say alike: ids, model, status, tokens (wire-gemini §9.2)."""

from __future__ import annotations

from typing import Any

from aimock_protocols import rfc3339
from aimock_protocols.canonical import Reply, Stamp, ToolCall
from aimock_protocols.gemini_interactions.shape import Shape
from aimock_protocols.usage import Spellings, estimate, estimated_counts, extras, first, given_counts, utf16_length

STATUSES = {"stop": "completed", "tool_calls": "requires_action", "length": "incomplete", "content_filter": "failed"}
"""OpenAI's finish reasons in the provider's terms; any other passes through."""

_SPELLINGS = Spellings(
    prompt=("total_input_tokens", "prompt_tokens", "input_tokens", "promptTokenCount"),
    completion=("total_output_tokens", "completion_tokens", "output_tokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokenCount"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details", "output_tokens_details"),
)
_THOUGHTS = ("total_thought_tokens", "thoughtsTokenCount")
_CACHED = ("total_cached_tokens", "cachedContentTokenCount")
_OF_TOOLS = ("total_tool_use_tokens", "toolUsePromptTokenCount")
_SPELLED = frozenset(_THOUGHTS + _CACHED + _OF_TOOLS)


def interaction_id(reply: Reply, stamp: Stamp) -> str:
    return "v1_" + stamp.alphanumeric(32) if reply.id is None else reply.id


def call_id(call: ToolCall, stamp: Stamp, position: int) -> str:
    return stamp.hexadecimal(8, f"call {position}") if call.id is None else call.id


def model(reply: Reply, shape: Shape) -> dict[str, str]:
    """Who answers: a model or an agent."""
    return {"agent" if shape.is_agent else "model": shape.model if reply.model is None else reply.model}


def dates(reply: Reply, stamp: Stamp) -> dict[str, str]:
    """When it was created and last changed, which is the same moment here."""
    created = stamp.written(_written) if reply.created is None else rfc3339.in_seconds(reply.created)
    return {"created": created, "updated": created}


def _written(created: float) -> str:
    return rfc3339.in_seconds(int(created))


def status(reply: Reply) -> str:
    """How it ended: the reply's own reason, or the one that follows from its parts."""
    if reply.finish_reason is not None:
        return STATUSES.get(reply.finish_reason, reply.finish_reason)
    return STATUSES["tool_calls" if any(isinstance(part, ToolCall) for part in reply.parts) else "stop"]


def begun(reply: Reply, shape: Shape, stamp: Stamp, status: str) -> dict[str, Any]:
    """The interaction as far as it is known before there is an answer."""
    told = {
        "id": interaction_id(reply, stamp),
        "object": "interaction",
        "status": status,
        **model(reply, shape),
        "role": "model",
        **dates(reply, stamp),
        "service_tier": shape.service_tier,
    }
    if shape.previous is not None:
        told["previous_interaction_id"] = shape.previous
    return told


def usage(reply: Reply, shape: Shape) -> dict[str, Any]:
    """The usage object: given counts or estimated ones, thoughts counted apart, then what else the reply gives."""
    given = reply.usage or {}
    counts = given_counts(given, _SPELLINGS)
    details = first(given, _SPELLINGS.completion_details, dict) or {}
    cached = first(given, _SPELLINGS.prompt_details, dict) or {}
    thoughts = first(given, _THOUGHTS, int) or first(details, ("reasoning_tokens",), int) or 0
    of_tools = first(given, _OF_TOOLS, int) or 0
    if counts is None:
        counts = estimated_counts(reply, shape.input_tokens)
        thoughts = thoughts or (estimate(utf16_length(reply.reasoning)) if reply.reasoning else 0)
    has_total = first(given, _SPELLINGS.total, int) is not None
    told = {
        "total_input_tokens": counts.prompt,
        "total_output_tokens": counts.completion,
        "total_thought_tokens": thoughts,
        "total_cached_tokens": first(given, _CACHED, int) or first(cached, ("cached_tokens",), int) or 0,
        "total_tool_use_tokens": of_tools,
        "total_tokens": counts.total if has_total else counts.prompt + counts.completion + thoughts + of_tools,
    }
    return told | {key: value for key, value in extras(given, _SPELLINGS).items() if key not in _SPELLED}
