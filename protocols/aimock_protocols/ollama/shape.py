"""What the answer to a request takes from it: little, and the same for many."""

from __future__ import annotations

from typing import NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.ollama.platform import compact
from aimock_protocols.usage import estimate, prompt_length, utf16_length


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    hides_thinking: bool
    """Whether the model shall not think, though it could."""
    top_logprobs: int | None
    """Alternatives a token; None if no log probabilities are wanted."""
    prompt_tokens: int
    """Estimated, over messages and tools."""
    tells_context: bool = False
    """Whether the answer has a context, from which `generate` can go on."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request. Raises WireError, a 400, on tools too deep."""
    native = request.native
    length = prompt_length(request.body["messages"])
    if native.get("tools"):
        length += utf16_length(compact(native["tools"], "tools"))
    return Shape(
        request.model,
        native.get("think") is False,
        (native.get("top_logprobs") or 0) if native.get("logprobs") is True else None,
        estimate(length),
    )
