"""Tokens of an invocation: told in the metrics of a stream, in headers, and in the bodies of some families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aimock_protocols.canonical import Reply
from aimock_protocols.usage import Spellings, estimated_counts, first, given_counts

_SPELLINGS = Spellings(
    prompt=("input_tokens", "prompt_tokens", "inputTokens", "promptTokenCount"),
    completion=("output_tokens", "completion_tokens", "outputTokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokens", "totalTokenCount"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details", "output_tokens_details"),
)
_CACHE_READ = ("cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount")
_CACHE_WRITE = ("cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount")


METRICS = "amazon-bedrock-invocationMetrics"
"""The member of a stream's last document that has them."""

INVOCATION_LATENCY, FIRST_BYTE_LATENCY = 100, 50
"""Milliseconds that every invocation tells to have taken."""


class Counted(NamedTuple):
    """Tokens in and out, and those that the prompt cache gave and took; None: of these nothing is told."""

    prompt: int
    completion: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


def counted(reply: Reply, prompt_tokens: int) -> Counted:
    """The counts that a reply gives, or else estimates."""
    given = reply.usage or {}
    counts = given_counts(given, _SPELLINGS) or estimated_counts(reply, prompt_tokens)
    cached = first(given, _CACHE_READ, int), first(given, _CACHE_WRITE, int)
    return Counted(counts.prompt, counts.completion, *cached)


def metrics(reply: Reply, prompt_tokens: int) -> dict[str, int]:
    """The metrics of an invocation."""
    counts = counted(reply, prompt_tokens)
    told = {ours: count for ours, count in zip(_TOLD, counts, strict=True) if count is not None}
    return told | {"invocationLatency": INVOCATION_LATENCY, "firstByteLatency": FIRST_BYTE_LATENCY}


_TOLD = ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
_IN_FIXTURES = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def usage_of(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """What metrics tell of tokens, in the words of fixtures; None if they tell nothing."""
    told = zip(_IN_FIXTURES, map(metrics.get, _TOLD), strict=True)
    return {ours: count for ours, count in told if type(count) is int} or None
