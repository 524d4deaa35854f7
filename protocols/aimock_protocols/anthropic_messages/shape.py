"""What the answer to a Messages request takes from it: little, and the same for many."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.anthropic_messages.decode import VERSION
from aimock_protocols.anthropic_messages.platform import compact
from aimock_protocols.canonical import ChatRequest
from aimock_protocols.usage import estimate, prompt_length, utf16_length

_NEWER = ("2026-10-21", "3")
"""The versions whose messages have more members begin with the first, and end before the second."""


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    model: str
    """As asked for; empty if the request names none."""
    is_newer: bool
    """Whether the client speaks a version from 2026-10-21 on."""
    hides_thinking: bool
    """Whether thoughts are wanted without their text, as a signature alone."""
    stop_sequence: str | None
    """The first of those asked for."""
    input_tokens: int
    """Estimated."""
    platform: str = ""
    """What ids say of the platform, if that is not Anthropic's own."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it: what is malformed asks for nothing."""
    native = request.native
    version = native.get(VERSION)
    thinking = native.get("thinking")
    return Shape(
        request.model,
        type(version) is str and _NEWER[0] <= version < _NEWER[1],
        type(thinking) is dict and thinking.get("display") == "omitted",
        _first_text(native["stop_sequences"]) if "stop_sequences" in native else None,
        input_tokens(request),
    )


def input_tokens(request: ChatRequest) -> int:
    """The estimate for all that is sent: system prompt, messages and tools. Raises WireError on tools too deep."""
    length = prompt_length(request.body["messages"])
    tools = request.native.get("tools")
    if tools:
        length += utf16_length(compact(tools, "tools"))
    return estimate(length)


def _first_text(values: Any) -> str | None:
    return next((value for value in values if type(value) is str), None) if type(values) is list else None
