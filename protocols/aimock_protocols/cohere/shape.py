"""What the answer to a chat request takes from it: little, and the same for many."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.cohere.platform import compact
from aimock_protocols.usage import estimate, prompt_length, utf16_length

_BESIDES = ("tools", "documents")
"""What a model reads besides the messages."""


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    input_tokens: int
    """Estimated."""
    wants_logprobs: bool = False


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it. Raises WireError on tools or documents too deep."""
    return Shape(input_tokens(request), request.native.get("logprobs") is True)


def input_tokens(request: ChatRequest) -> int:
    """The estimate for all that is sent: messages, tools and documents."""
    native: dict[str, Any] = request.native
    length = prompt_length(request.body["messages"])
    for name in _BESIDES:
        if native.get(name):
            length += utf16_length(compact(native[name], name))
    return estimate(length)
