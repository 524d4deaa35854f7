"""Token counts: the spellings in which fixtures give them, and the estimate when none does (core-fixtures §5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from aimock_protocols.canonical import Reply, Text

_T = TypeVar("_T")


class Spellings(NamedTuple):
    """The keys under which one protocol accepts each part of a usage; of several that are given the first wins."""

    prompt: tuple[str, ...]
    completion: tuple[str, ...]
    total: tuple[str, ...]
    prompt_details: tuple[str, ...]
    completion_details: tuple[str, ...]


OPENAI_CHAT = Spellings(
    prompt=("prompt_tokens", "input_tokens", "promptTokenCount"),
    completion=("completion_tokens", "output_tokens", "candidatesTokenCount"),
    total=("total_tokens", "totalTokenCount"),
    prompt_details=("prompt_tokens_details", "input_tokens_details"),
    completion_details=("completion_tokens_details", "output_tokens_details"),
)


class Counts(NamedTuple):
    """Tokens in, out and in all."""

    prompt: int
    completion: int
    total: int


def given_counts(usage: Mapping[str, Any], spellings: Spellings) -> Counts | None:
    """The counts that `usage` sets, the others 0 and the total their sum; None if it sets none at all."""
    if not usage:
        return None
    prompt = first(usage, spellings.prompt, int)
    completion = first(usage, spellings.completion, int)
    total = first(usage, spellings.total, int)
    if prompt is None and completion is None and total is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return Counts(prompt, completion, prompt + completion if total is None else total)


def first(usage: Mapping[str, Any], keys: tuple[str, ...], kind: type[_T]) -> _T | None:
    """The first value under one of `keys` that is of `kind`."""
    for key in keys:
        value = usage.get(key)
        if isinstance(value, kind):
            return value
    return None


def extras(usage: Mapping[str, Any], spellings: Spellings) -> dict[str, Any]:
    """What `usage` holds besides counts and their details: costs, times, cache figures."""
    spelled = {key for keys in spellings for key in keys}
    return {key: value for key, value in usage.items() if key not in spelled}


def estimated_counts(reply: Reply, prompt: int) -> Counts:
    """The estimate for a reply to a prompt of so many tokens."""
    completion = estimate(_completion_length(reply))
    return Counts(prompt, completion, prompt + completion)


def estimate(length: int) -> int:
    """Tokens in text of `length` UTF-16 units: one for every four, and at least one."""
    return max(1, -(-length // 4))


def utf16_length(text: str) -> int:
    """The length that JavaScript sees: two for what lies beyond the Basic Multilingual Plane."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def prompt_length(messages: Any) -> int:
    """UTF-16 units of all text in a list of messages."""
    length = 0
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            length += utf16_length(content)
        elif isinstance(content, list):
            for part in content:
                text = part.get("text") if isinstance(part, dict) else None
                if isinstance(text, str):
                    length += utf16_length(text)
    return length


def _completion_length(reply: Reply) -> int:
    length = 0
    for part in reply.parts:
        if isinstance(part, Text):
            length += utf16_length(part.text)
        else:
            length += utf16_length(part.name) + utf16_length(part.arguments)
    return length
