"""What a whole reply and the events of a stream say alike: ids, why it ended, tokens (wire-cohere §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aimock_protocols.canonical import Headers, Reply, Stamp, ToolCall
from aimock_protocols.cohere.shape import Shape
from aimock_protocols.usage import Spellings, estimated_counts, extras, first, given_counts

FINISH_REASONS = {"stop": "COMPLETE", "tool_calls": "TOOL_CALL", "length": "MAX_TOKENS", "content_filter": "ERROR"}
"""OpenAI's finish reasons in the provider's terms; any other passes through."""

PREAMBLE_TOKENS = 66
"""Of the instructions that the provider puts before each prompt, which are read but not billed (recorded traffic)."""

_COUNTED = ("billed_units", "tokens", "cached_tokens")
_CHARACTERS_PER_TOKEN = 4
_SPELLINGS = Spellings(
    prompt=("input_tokens", "prompt_tokens", "promptTokenCount"),
    completion=("output_tokens", "completion_tokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokenCount"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details", "output_tokens_details"),
)


class Usage(NamedTuple):
    """The tokens of a reply."""

    billed_units: Mapping[str, Any]
    tokens: Mapping[str, int]
    cached_tokens: int
    more: Mapping[str, Any]
    """What else the fixture says of usage."""

    def told(self) -> dict[str, Any]:
        """The usage object of a reply."""
        counted = {"billed_units": self.billed_units, "tokens": self.tokens, "cached_tokens": self.cached_tokens}
        return {**counted, **self.more}


def usage(reply: Reply, shape: Shape) -> Usage:
    """Given counts, or estimated ones, of which the prompt's billed part leaves out the provider's own preamble."""
    given = reply.usage or {}
    counts = given_counts(given, _SPELLINGS)
    if counts is None:
        counts = estimated_counts(reply, shape.input_tokens)
        tokens = {"input_tokens": counts.prompt + PREAMBLE_TOKENS, "output_tokens": counts.completion}
    else:
        tokens = {"input_tokens": counts.prompt, "output_tokens": counts.completion}
    billed: dict[str, Any] = {"input_tokens": counts.prompt, "output_tokens": counts.completion}
    if not given:
        return Usage(billed, tokens, 0, {})
    billed |= first(given, ("billed_units",), dict) or {}
    details = first(given, _SPELLINGS.prompt_details, dict) or {}
    cached = first({**details, **given}, ("cached_tokens",), int) or 0
    more = {name: value for name, value in extras(given, _SPELLINGS).items() if name not in _COUNTED}
    return Usage(billed, tokens, cached, more)


def read_usage(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The inverse of `Usage.told`, with counts where other protocols look for them too; None if it says nothing."""
    read = {name: value for name, value in told.items() if name != "tokens"}
    tokens = told.get("tokens")
    return ({**tokens, **read} if isinstance(tokens, dict) else read) or None


def reply_headers(reply: Reply, shape: Shape) -> Headers:
    """Tokens billed, and about how many characters the model read and wrote."""
    told = usage(reply, shape)
    billed = sum(told.billed_units.get(name, 0) for name in ("input_tokens", "output_tokens"))
    characters = _CHARACTERS_PER_TOKEN * sum(told.tokens.values())
    return (("num_chars", str(characters)), ("num_tokens", str(billed)))


def reply_id(reply: Reply, stamp: Stamp) -> str:
    return stamp.uuid() if reply.id is None else reply.id


def finish_reason(reply: Reply) -> str:
    """The reply's own reason, else the one that follows from its parts."""
    reason = reply.finish_reason
    if reason is None:
        return "TOOL_CALL" if any(isinstance(part, ToolCall) for part in reply.parts) else "COMPLETE"
    return FINISH_REASONS.get(reason, reason)


def call_id(call: ToolCall, stamp: Stamp, position: int) -> str:
    return f"{call.name}_{stamp.hexadecimal(12, f'call {position}')}" if call.id is None else call.id
