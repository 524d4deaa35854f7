"""What a whole reply and the chunks of a stream say alike: names, ids, tokens, choices (wire-openai-chat §5, §8)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from aimock_protocols.canonical import Reply, Stamp, ToolCall
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.usage import OPENAI_CHAT, estimated_counts, extras, first, given_counts

DEFAULT_MODEL = "gpt-4o"
"""The model that answers a request that names none: clients need the field."""

_PROMPT_DETAILS = {"cached_tokens": 0, "audio_tokens": 0}
_COMPLETION_DETAILS = {
    "reasoning_tokens": 0,
    "audio_tokens": 0,
    "accepted_prediction_tokens": 0,
    "rejected_prediction_tokens": 0,
}


def reply_id(reply: Reply, stamp: Stamp, prefix: str = "chatcmpl-") -> str:
    return prefix + stamp.alphanumeric(29) if reply.id is None else reply.id


def created(reply: Reply, stamp: Stamp) -> int:
    return int(stamp.created) if reply.created is None else reply.created


def model_name(reply: Reply, shape: Shape) -> str:
    """The reply's own model, else the one that was asked for, else the default."""
    return (reply.model if reply.model is not None else shape.model) or DEFAULT_MODEL


def fingerprint(reply: Reply, model: str) -> str:
    """The reply's own `system_fingerprint`, else one that is always the same for the same model."""
    return _fingerprint_of(model) if reply.system_fingerprint is None else reply.system_fingerprint


@lru_cache(maxsize=256)
def _fingerprint_of(model: str) -> str:
    return "fp_" + hashlib.blake2b(model.encode(), digest_size=5).hexdigest()


def usage(reply: Reply, shape: Shape) -> dict[str, Any]:
    """The usage object: given counts or estimated ones, both detail objects in full, then what else the reply gives."""
    given = reply.usage or {}
    counts = given_counts(given, OPENAI_CHAT) or estimated_counts(reply, shape.prompt_tokens)
    told = {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.total,
        "prompt_tokens_details": _PROMPT_DETAILS,
        "completion_tokens_details": _COMPLETION_DETAILS,
    }
    if given:
        prompt_details = first(given, OPENAI_CHAT.prompt_details, dict)
        completion_details = first(given, OPENAI_CHAT.completion_details, dict)
        told["prompt_tokens_details"] = _PROMPT_DETAILS | (prompt_details or {})
        told["completion_tokens_details"] = _COMPLETION_DETAILS | (completion_details or {})
        told |= extras(given, OPENAI_CHAT)
    return told


def call_id(call: ToolCall, stamp: Stamp, choice: int, position: int) -> str:
    return f"call_{stamp.alphanumeric(24, f'call {choice} {position}')}" if call.id is None else call.id


def call_arguments(call: ToolCall) -> str:
    return call.arguments or "{}"


def finish_reason(reply: Reply, shape: Shape) -> str:
    """The reply's own reason verbatim, else the one that follows from its parts."""
    if reply.finish_reason is not None:
        return reply.finish_reason
    for part in reply.parts:
        if isinstance(part, ToolCall):
            return "function_call" if shape.speaks_functions else "tool_calls"
    return "stop"
