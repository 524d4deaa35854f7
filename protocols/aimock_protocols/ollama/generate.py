"""`POST /api/generate` (wire-ollama §4): one prompt, one text; the module is the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, Frame, Head, Reply, Stamp
from aimock_protocols.ollama import lines
from aimock_protocols.ollama.collapse import collapse, parse, read_stream
from aimock_protocols.ollama.fields import ASKED, FLAG, IMAGES, STRING, Field, check_asked, model_of
from aimock_protocols.ollama.loading import loading
from aimock_protocols.ollama.names import other_names
from aimock_protocols.ollama.parameters import canonical, content, is_streamed
from aimock_protocols.ollama.platform import KEEPALIVE as keepalive
from aimock_protocols.ollama.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.ollama.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.ollama.platform import (
    error,
    error_frame,
    fresh_headers,
    rate_limited,
    rate_limits,
    read_object,
    refusal,
)
from aimock_protocols.ollama.shape import Shape
from aimock_protocols.ollama.shape import shape as answer_shape

name = "ollama.generate"
heeds: tuple[str, ...] = ()

__all__ = [
    "collapse",
    "decode",
    "encode",
    "error",
    "error_frame",
    "frames",
    "fresh_headers",
    "heeds",
    "keepalive",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "shape",
    "stream_headers",
    "whole_headers",
]

_FIELDS: Mapping[str, Field] = {
    **ASKED,
    "prompt": STRING,
    "suffix": STRING,
    "system": STRING,
    "template": STRING,
    "context": Field(list, "[]int"),
    "raw": FLAG,
    "images": IMAGES,
}
_ELSEWHERE = frozenset({"prompt", "system", "images", "format"})
"""Members that the canonical form has elsewhere."""


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The prompt as a user's message, after the system's if there is one. A request without a prompt is settled: it
    loads its model. Raises WireError, a 400."""
    sent = read_object(body)
    check_asked(sent, _FIELDS, "GenerateRequest")
    model = model_of(sent)
    if sent.get("raw") and (sent.get("template") or sent.get("system") or sent.get("context")):
        raise refusal("raw mode does not support template, system, or context")
    prompt, system = sent.get("prompt"), sent.get("system")
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": content(prompt or "", sent.get("images"))})
    asked = {name: value for name, value in sent.items() if name not in _ELSEWHERE}
    asked["messages"] = messages
    asked |= canonical(sent)
    if not prompt:
        return ChatRequest(asked, sent, model, settled=loading(sent, {"response": ""}))
    return ChatRequest(asked, sent, model, is_streamed(sent), aliases=other_names(model))


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request. A raw prompt has no context."""
    return answer_shape(request)._replace(tells_context=request.native.get("raw") is not True)


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole answer."""
    return lines.encode(lines.GENERATE, reply, shape, stamp)


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The lines of a streamed answer (see `lines.frames`)."""
    return lines.frames(lines.GENERATE, reply, shape, stamp, chunk_size)
