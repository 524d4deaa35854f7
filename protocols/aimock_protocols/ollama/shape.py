"""What the answer to a request takes from it: little, and the same for many."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.usage import estimate, prompt_length, utf16_length


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    hides_thinking: bool
    """Whether the model shall not think, though it could."""
    top_logprobs: int | None
    """Alternatives a token; None if no log probabilities are wanted."""
    tells_context: bool
    """Whether the answer is to be gone on from by its context, as `generate` does; raw prompts have none."""
    prompt_tokens: int
    """Estimated, over messages and tools."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request."""
    native = request.native
    length = prompt_length(request.body["messages"])
    if native.get("tools"):
        length += utf16_length(orjson.dumps(native["tools"]).decode())
    return Shape(
        request.model,
        native.get("think") is False,
        (native.get("top_logprobs") or 0) if native.get("logprobs") is True else None,
        "prompt" in native and native.get("raw") is not True,
        estimate(length),
    )
