"""What an answer cost: tokens, and the nanoseconds that they took (wire-ollama §3.1, §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import Reply
from aimock_protocols.ollama.shape import Shape
from aimock_protocols.usage import OPENAI_CHAT, estimated_counts, first

PROMPT_COUNTS = ("prompt_eval_count", *OPENAI_CHAT.prompt)
COUNTS = ("eval_count", *OPENAI_CHAT.completion)
"""The keys under which a usage gives tokens in, and tokens out."""

DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
"""In nanoseconds. A usage may give them too."""

PROMPT_TOKEN = 500_000
TOKEN = 10_000_000
"""Nanoseconds for each token: 2,000 tokens in and 100 tokens out a second."""
LOAD = 1_250_000
"""Nanoseconds that a model takes which is in memory already."""


def metrics(reply: Reply, shape: Shape) -> dict[str, int]:
    """The metrics of a reply."""
    given = reply.usage or {}
    prompt, count = first(given, PROMPT_COUNTS, int), first(given, COUNTS, int)
    if prompt is None:
        prompt = shape.prompt_tokens
    if count is None:
        count = estimated_counts(reply, prompt).completion
    return told(given, prompt, count)


def told(given: Mapping[str, Any], prompt: int, count: int) -> dict[str, int]:
    """Metrics as the server tells them, in order; those that are zero it leaves out. Durations that are not given
    follow from the tokens in and out."""
    prompt_took, took = prompt * PROMPT_TOKEN, count * TOKEN
    every = {
        "total_duration": LOAD + prompt_took + took,
        "load_duration": LOAD,
        "prompt_eval_count": prompt,
        "prompt_eval_duration": prompt_took,
        "eval_count": count,
        "eval_duration": took,
    }
    for name in DURATIONS:
        if type(given.get(name)) is int:
            every[name] = given[name]
    return {name: value for name, value in every.items() if value}
