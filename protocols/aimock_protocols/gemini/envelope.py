"""What a whole answer and the events of a stream say alike: ids, model, finish reason, tokens (wire-gemini §3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from aimock_protocols import rfc3339
from aimock_protocols.canonical import Reply, Stamp
from aimock_protocols.collapsing import mapping
from aimock_protocols.gemini.shape import Shape
from aimock_protocols.usage import Spellings, estimate, estimated_counts, extras, first, given_counts, utf16_length

FINISH_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
"""OpenAI's finish reasons in the provider's terms."""

_NAMED = frozenset(
    (
        "STOP",
        "MAX_TOKENS",
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "NO_IMAGE",
        "ESCALATION",
        "CONTINUATION",
        "MODEL_ARMOR",
        "PUP_LIMITED_DISABLED",
    )
)
"""The provider's own reasons, which a fixture may give as they are."""
_BLOCKED = frozenset(("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK"))
"""What a prompt may be blocked for."""

_NEVER_SENT = "FUNCTION_CALL"
"""The reason that the reference gives for turns that end in calls, and Google never."""

_SPELLINGS = Spellings(
    prompt=("promptTokenCount", "prompt_tokens", "input_tokens"),
    completion=("candidatesTokenCount", "responseTokenCount", "completion_tokens", "output_tokens"),
    total=("totalTokenCount", "total_tokens"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details", "output_tokens_details"),
)


def finish_reason(reply: Reply) -> str:
    """Why the reply ends. Calls are no reason of their own."""
    reason = reply.finish_reason
    if reason is None:
        return "STOP" if reply.refusal is None else "SAFETY"
    if reason in FINISH_REASONS:
        return FINISH_REASONS[reason]
    if reason == _NEVER_SENT:
        return "STOP"
    return reason if reason in _NAMED else "OTHER"


def is_blocked(reply: Reply) -> bool:
    """Whether the prompt was blocked: then there is a refusal, and no candidate."""
    return reply.refusal is not None and not reply.parts and not reply.reasoning


def feedback(reply: Reply) -> dict[str, Any]:
    """Why the prompt was blocked."""
    reason = FINISH_REASONS.get(reply.finish_reason or "", reply.finish_reason)
    told = {"blockReason": reason if reason in _BLOCKED else "SAFETY"}
    return told | ({"blockReasonMessage": reply.refusal} if reply.refusal else {})


def identity(reply: Reply, shape: Shape, stamp: Stamp) -> dict[str, Any]:
    """The members that every chunk repeats, in the order in which the live service sends them."""
    told = {"modelVersion": shape.model if reply.model is None else reply.model}
    if shape.is_vertex:
        write = rfc3339.in_microseconds
        told["createTime"] = stamp.written(write) if reply.created is None else write(reply.created)
    told["responseId"] = stamp.alphanumeric(22) if reply.id is None else reply.id
    return told


class Usage(NamedTuple):
    """The tokens of a whole answer."""

    prompt: int
    candidates: int
    thoughts: int
    total: int
    rest: bytes
    """The other members, as JSON; empty if there are none."""

    def told(self, candidates: int, thoughts: int) -> bytes:
        """The usage when so many tokens are out, as JSON. Members that are zero are left out, as in all proto3 JSON."""
        total = max(0, self.total - (self.candidates - candidates) - (self.thoughts - thoughts))
        counts = (
            (b"promptTokenCount", self.prompt),
            (b"candidatesTokenCount", candidates),
            (b"totalTokenCount", total),
            (b"thoughtsTokenCount", thoughts),
        )
        members = [b'"%b":%d' % count for count in counts if count[1]]
        return b"{" + b",".join([*members, self.rest] if self.rest else members) + b"}"

    def at_the_end(self) -> bytes:
        return self.told(self.candidates, self.thoughts)


class Counted(NamedTuple):
    """The tokens of a reply, and what else it says of them."""

    prompt: int
    candidates: int
    thoughts: int
    total: int | None
    """As given; None: the sum."""
    rest: dict[str, Any]
    """In the provider's terms."""


def counted(reply: Reply, prompt_tokens: int, candidates: int = 1) -> Counted:
    """Given counts, or estimated ones: of a prompt of so many tokens, and as many candidates.

    Candidates are counted without thoughts, which are a count of their own; OpenAI's completion tokens include them.
    """
    given = reply.usage or {}
    rest = extras(given, _SPELLINGS)
    counts = given_counts(given, _SPELLINGS)
    thoughts = rest.pop("thoughtsTokenCount", None)
    thoughts = thoughts if type(thoughts) is int else 0
    if counts is None:
        counts = estimated_counts(reply, prompt_tokens)
        thoughts = thoughts or (estimate(utf16_length(reply.reasoning)) if reply.reasoning else 0)
        completion, total = counts.completion * candidates, None
    else:
        included = mapping(first(given, _SPELLINGS.completion_details, dict)).get("reasoning_tokens")
        included = included if type(included) is int and not thoughts else 0
        thoughts = thoughts or included
        completion, total = max(0, counts.completion - included), first(given, _SPELLINGS.total, int)
    cached = mapping(first(given, _SPELLINGS.prompt_details, dict)).get("cached_tokens")
    if type(cached) is int and cached:
        rest.setdefault("cachedContentTokenCount", cached)
    return Counted(counts.prompt, completion, thoughts, total, rest)


def usage(reply: Reply, shape: Shape) -> Usage:
    """Given counts or estimated ones, then what else the reply gives."""
    prompt, candidates, thoughts, total, rest = counted(reply, shape.prompt_tokens, shape.candidates)
    if total is None:
        tools = rest.get("toolUsePromptTokenCount")
        total = prompt + candidates + thoughts + (tools if type(tools) is int else 0)
    for name, value in _platform_members(prompt, candidates, shape).items():
        rest.setdefault(name, value)
    return Usage(prompt, candidates, thoughts, total, orjson.dumps(rest)[1:-1])


def _platform_members(prompt: int, candidates: int, shape: Shape) -> dict[str, Any]:
    told: dict[str, Any] = {"trafficType": "ON_DEMAND"} if shape.is_vertex else {}
    if prompt:
        told["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": prompt}]
    if not shape.is_vertex:
        told["serviceTier"] = shape.service_tier
    elif candidates:
        told["candidatesTokensDetails"] = [{"modality": "TEXT", "tokenCount": candidates}]
    return told
