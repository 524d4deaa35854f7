"""OpenRouter's text completions: a prompt in, text out, routed as chat is."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aimock_protocols import openai_completions
from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, Head, Memory, Reply, Stamp
from aimock_protocols.openai_chat.errors import error_frame as chat_error_frame
from aimock_protocols.openai_chat.speaker import Speaker
from aimock_protocols.openai_completions import Shape, encode, frames
from aimock_protocols.openai_dialects.dialect import Fact
from aimock_protocols.openrouter import generations
from aimock_protocols.openrouter.decode import routed
from aimock_protocols.openrouter.dialect import OPENROUTER, fresh_headers

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
    "remember",
    "shape",
    "stream_headers",
    "whole_headers",
]

_FINISHES = {"finish_reason": Fact.FINISH_REASON, "native_finish_reason": Fact.NATIVE_FINISH_REASON}
_TEXT = {"object": "text_completion"}
TEXTS = attrs.evolve(
    OPENROUTER,
    whole=OPENROUTER.whole | _TEXT,
    choice={"index": Fact.INDEX, "logprobs": Fact.LOGPROBS} | _FINISHES | {"text": Fact.CONTENT, "reasoning": None},
    chunk=OPENROUTER.chunk | _TEXT,
    streamed_choice={"index": Fact.INDEX, "text": Fact.DELTA} | _FINISHES,
    last_chunk=OPENROUTER.last_chunk | _TEXT,
)

name = "openrouter.completions"
heeds: tuple[str, ...] = ()

_SPEAKER = Speaker(name, TEXTS)
collapse = _SPEAKER.collapse
error = _SPEAKER.error
keepalive = _SPEAKER.keepalive
parse = _SPEAKER.parse
rate_limited = _SPEAKER.rate_limited
rate_limits = _SPEAKER.rate_limits
stream_headers = _SPEAKER.stream_headers
whole_headers = _SPEAKER.whole_headers


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with its fallbacks. Raises WireError, always a 400."""
    return routed(openai_completions.decode(head, params, body))


def shape(request: ChatRequest) -> Shape:
    return openai_completions.shape(request, TEXTS)


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """As in a chat."""
    return chat_error_frame(error, shape.chat, stamp)


def remember(request: ChatRequest, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int, memory: Memory) -> None:
    """As of a chat."""
    generations.remember(request, reply, shape.chat, stamp, chunk_size, memory)
