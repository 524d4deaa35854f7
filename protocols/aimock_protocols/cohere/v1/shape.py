"""What the answer to a chat request of the first version takes from it: the conversation, which it repeats."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.cohere.platform import compact
from aimock_protocols.cohere.shape import Shape as ChatShape
from aimock_protocols.cohere.shape import input_tokens


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    chat: ChatShape
    history: str
    """The conversation up to the answer: the JSON text of a list, without its end."""
    sends_events: bool
    """Whether streams are server-sent events, and not lines of JSON."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request. Raises WireError on a history too deep."""
    sent = request.native
    turns: list[Any] = list(sent.get("chat_history") or ())
    if sent.get("message"):
        turns.append({"role": "USER", "message": sent["message"]})
    if sent.get("tool_results"):
        turns.append({"role": "TOOL", "tool_results": sent["tool_results"]})
    history = compact(turns, "chat_history").removesuffix("]")
    return Shape(ChatShape(input_tokens(request)), history, request.stream_headers is not None)
