"""What an exchange took: tokens by what they are paid as, read from a usage in any provider's words.

Providers count alike and add up differently. To OpenAI, Google and most others what came from a cache is part of the
input; to Anthropic and to AWS it comes beside it. To Google what the model thought comes beside what it said; to the
others it is part of it, but for some who speak OpenAI's chat (xAI, Google again), where only the total shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Consumption(NamedTuple):
    """Tokens. No token is in two of the first five, and those together are all."""

    input: int = 0
    """Paid in full."""
    cached: int = 0
    """Input that came from a cache."""
    cache_writes: int = 0
    """Input that went into a cache, where it stays for minutes."""
    long_cache_writes: int = 0
    """The same for an hour."""
    output: int = 0
    """Reasoning included."""
    reasoning: int = 0
    """That part of `output`."""
    charged: float | None = None
    """What the provider says that it cost, in USD."""

    @property
    def prompt(self) -> int:
        """All that went in."""
        return self.input + self.cached + self.cache_writes + self.long_cache_writes


_OPENAI_INPUT = ("prompt_tokens",)
_INPUT = (*_OPENAI_INPUT, "input_tokens", "promptTokenCount", "total_input_tokens")
_MORE_INPUT = ("toolUsePromptTokenCount", "total_tool_use_tokens")
_OUTPUT = ("completion_tokens", "output_tokens", "candidatesTokenCount", "total_output_tokens")
_TOTAL = ("total_tokens", "totalTokenCount")
_CACHED_WITHIN = (
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "cachedContentTokenCount",
    "total_cached_tokens",
    "prompt_cache_hit_tokens",
    "num_cached_tokens",
    "cached_tokens",
)
_CACHED_BESIDE = ("cache_read_input_tokens",)
_WRITTEN_WITHIN = ("prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens")
_WRITTEN_BESIDE = ("cache_creation_input_tokens",)
_WRITTEN_LONG = ("cache_creation.ephemeral_1h_input_tokens",)
_REASONING_WITHIN = (
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_tokens_details.thinking_tokens",
)
_REASONING_BESIDE = ("thoughtsTokenCount", "total_thought_tokens")


def consumed(usage: Mapping[str, Any] | None) -> Consumption | None:
    """The tokens of a usage, as a reply has it; None if it counts none."""
    counted = _Usage(usage or {})
    given, output, total = (counted.first(keys) for keys in (_INPUT, _OUTPUT, _TOTAL))
    if given is None and output is None:
        if total is None:
            return None
        given = total  # embeddings of some have nothing else
    given, output = given or 0, output or 0
    cached, written = counted.first(_CACHED_WITHIN), counted.first(_WRITTEN_WITHIN)
    # Gateways that speak OpenAI's chat give Anthropic's words too; their input has it all.
    is_openai = counted.first(_OPENAI_INPUT) is not None
    is_within = cached is not None or is_openai
    cached = counted.first(_CACHED_BESIDE) or 0 if cached is None else cached
    written = counted.first(_WRITTEN_BESIDE) or 0 if written is None else written
    if is_within:
        cached = min(cached, given)
        written = min(written, given - cached)
        given -= cached + written
    long = min(counted.first(_WRITTEN_LONG) or 0, written)
    apart = counted.first(_REASONING_BESIDE)
    if apart is None and is_openai and total is not None:
        apart = max(0, total - given - cached - written - output) or None
    reasoning = max(counted.first(_REASONING_WITHIN) or 0, apart or 0)
    output += apart or 0
    given += counted.first(_MORE_INPUT) or 0
    return Consumption(given, cached, written - long, long, output, reasoning, counted.charged())


class _Usage:
    def __init__(self, usage: Mapping[str, Any]) -> None:
        self._usage = usage

    def first(self, paths: tuple[str, ...]) -> int | None:
        """The first count that there is."""
        for path in paths:
            count = self._at(path)
            if type(count) is int and count >= 0:
                return count
        return None

    def charged(self) -> float | None:
        """OpenRouter's `cost`; with a key of one's own that is its fee, and the provider's charge comes beside it."""
        parts = ["cost", "cost_details.upstream_inference_cost"] if self._at("is_byok") is True else ["cost"]
        costs = [cost for cost in map(self._at, parts) if type(cost) in (int, float) and cost >= 0]
        return float(sum(costs)) if costs else None

    def _at(self, path: str) -> Any:
        section, _, name = path.rpartition(".")
        within = self._usage.get(section) if section else self._usage
        return within.get(name) if isinstance(within, Mapping) else None
