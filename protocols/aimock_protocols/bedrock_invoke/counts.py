"""Tokens and time of an invocation: told in the metrics of a stream, in headers, and in the bodies of some families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aimock_protocols.bedrock_converse.envelope import FIRST_TOKEN_MS, SPELLINGS, latency
from aimock_protocols.canonical import Reply
from aimock_protocols.usage import estimated_counts, first, given_counts

METRICS = "amazon-bedrock-invocationMetrics"
"""The member of a stream's last document that has them."""

_CACHE_READ = ("cache_read_input_tokens", "cacheReadInputTokens")
_CACHE_WRITE = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_TOLD = ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
_IN_FIXTURES = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Counted(NamedTuple):
    """Tokens in and out, and those that the prompt cache gave and took; None if a fixture tells nothing of it."""

    prompt: int
    completion: int
    cache_read: int | None
    cache_write: int | None


def counted(reply: Reply, prompt_tokens: int) -> Counted:
    """The counts that a reply gives, or else estimates."""
    given = reply.usage or {}
    counts = given_counts(given, SPELLINGS) or estimated_counts(reply, prompt_tokens)
    return Counted(counts.prompt, counts.completion, first(given, _CACHE_READ, int), first(given, _CACHE_WRITE, int))


def milliseconds(reply: Reply, counts: Counted) -> int:
    """How long the whole answer took."""
    return latency(reply.usage or {}, counts.completion)


def metrics(reply: Reply, prompt_tokens: int) -> dict[str, int]:
    """The metrics of an invocation."""
    counts = counted(reply, prompt_tokens)
    told = {name: count for name, count in zip(_TOLD, counts, strict=True) if count is not None}
    took = milliseconds(reply, counts)
    return told | {"invocationLatency": took, "firstByteLatency": min(took, FIRST_TOKEN_MS)}


def usage_of(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """What metrics tell of tokens, in the words of fixtures; None if they tell nothing."""
    told = zip(_IN_FIXTURES, map(metrics.get, _TOLD), strict=True)
    return {ours: count for ours, count in told if type(count) is int} or None
