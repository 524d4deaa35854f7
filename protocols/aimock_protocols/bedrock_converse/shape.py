"""What the answer to a Converse request takes from it."""

from __future__ import annotations

from typing import Any, NamedTuple

from aimock_protocols.bedrock_platform import compact
from aimock_protocols.canonical import ChatRequest
from aimock_protocols.usage import estimate, prompt_length, utf16_length

_STOP_SEQUENCE = "/stop_sequence"
"""The only path of `additionalModelResponseFieldPaths` at which answers have something."""


class Shape(NamedTuple):
    """Requests of one shape are answered alike."""

    input_tokens: int
    """Estimated."""
    signs_thoughts: bool
    """Whether the model's thoughts have signatures: Claude's do, those of open models do not."""
    latency: str | None
    """Of `performanceConfig`, which answers echo."""
    tier: str | None
    """Of `serviceTier`, which answers echo."""
    tells_stop_sequence: bool
    stop_sequence: str | None
    """The first of those asked for."""


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request, whatever stands in it: what is malformed asks for nothing."""
    native = request.native
    paths = native.get("additionalModelResponseFieldPaths")
    return Shape(
        input_tokens(request),
        "claude" in request.model,
        _text_in(native.get("performanceConfig"), "latency"),
        _text_in(native.get("serviceTier"), "type"),
        type(paths) is list and _STOP_SEQUENCE in paths,
        _first_text(request.body.get("stop")),
    )


def input_tokens(request: ChatRequest) -> int:
    """The estimate for all that is sent: system prompt, messages and tools. Raises WireError on tools too deep."""
    length = prompt_length(request.body["messages"])
    tools = request.body.get("tools")
    if tools:
        length += utf16_length(compact(tools, "toolConfig.tools"))
    return estimate(length)


def _text_in(config: Any, name: str) -> str | None:
    value = config.get(name) if type(config) is dict else None
    return value if type(value) is str else None


def _first_text(values: Any) -> str | None:
    return next((value for value in values if type(value) is str), None) if type(values) is list else None
