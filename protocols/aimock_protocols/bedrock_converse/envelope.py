"""What a whole answer and the events of a stream say alike: why they end, tokens, time (wire-bedrock §4, §6.2)."""

from __future__ import annotations

from typing import Any

from aimock_protocols.bedrock_converse.shape import Shape
from aimock_protocols.canonical import Reply
from aimock_protocols.usage import Counts, Spellings, estimated_counts, extras, given_counts

STOP_REASONS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "content_filtered",
}
"""OpenAI's finish reasons in the provider's terms; any other passes through."""

USAGE = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "total_tokens": "totalTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheWriteInputTokens",
}
"""Members of a usage as fixtures call them, and as the wire does."""

LATENCY = "latencyMs"
"""Where a usage tells what the wire has under `metrics`: milliseconds that the model took."""

SPELLINGS = Spellings(
    prompt=("input_tokens", "prompt_tokens", "inputTokens", "promptTokenCount"),
    completion=("output_tokens", "completion_tokens", "outputTokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokens", "totalTokenCount"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details", "output_tokens_details"),
)

FIRST_TOKEN_MS, _TOKEN_MS = 400, 10
"""What an answer is said to have taken if its fixture does not say."""


def stop(reply: Reply, shape: Shape) -> dict[str, Any]:
    """Why the reply ends: it refuses, or its own reason, or the one that follows from its parts; and the stop sequence
    that was met, for those who ask."""
    reason = reply.finish_reason
    if reply.refusal is not None:
        reason = "content_filter"
    elif reason is None:
        reason = "tool_calls" if reply.tool_calls else "stop"
    reason = STOP_REASONS.get(reason, reason)
    told: dict[str, Any] = {"stopReason": reason}
    if shape.tells_stop_sequence:
        met = shape.stop_sequence if reason == "stop_sequence" else None
        told["additionalModelResponseFields"] = {"stop_sequence": met}
    return told


def metadata(reply: Reply, shape: Shape) -> dict[str, Any]:
    """Usage, time, and what the request asked for and is told again."""
    given = reply.usage or {}
    counts = given_counts(given, SPELLINGS) or estimated_counts(reply, shape.input_tokens)
    told: dict[str, Any] = {"metrics": {LATENCY: latency(given, counts.completion)}, "usage": _usage(given, counts)}
    if shape.latency is not None:
        told["performanceConfig"] = {"latency": shape.latency}
    if shape.tier is not None:
        told["serviceTier"] = {"type": shape.tier}
    return told


def _usage(given: Any, counts: Counts) -> dict[str, Any]:
    """Given counts or estimated ones, then what else the reply gives."""
    told = {"inputTokens": counts.prompt, "outputTokens": counts.completion, "totalTokens": counts.total}
    told |= {USAGE.get(name, name): value for name, value in extras(given, SPELLINGS).items()}
    told.pop(LATENCY, None)
    return told


def latency(given: Any, completion: int) -> int:
    """Milliseconds that an answer of so many tokens took."""
    told = given.get(LATENCY)
    return told if type(told) is int else FIRST_TOKEN_MS + _TOKEN_MS * completion
