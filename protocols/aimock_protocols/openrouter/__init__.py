"""OpenRouter: OpenAI's chat in a dialect of its own, and failover from model to model. The module is the protocol."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from aimock_protocols.canonical import ChatRequest, Frame, Reply, Stamp
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_chat.shape import shape as chat_shape
from aimock_protocols.openai_chat.speaker import Speaker
from aimock_protocols.openai_chat.stream import frames as chat_frames
from aimock_protocols.openrouter.decode import decode, dialect_of
from aimock_protocols.openrouter.dialect import OPENROUTER, fresh_headers
from aimock_protocols.openrouter.discovery import (
    count_models,
    list_endpoints,
    list_models,
    list_providers,
    read_credits,
    read_key,
    retrieve_model,
)
from aimock_protocols.openrouter.generations import generation, remember

__all__ = [
    "collapse",
    "count_models",
    "decode",
    "default_models",
    "encode",
    "error",
    "error_frame",
    "frames",
    "fresh_headers",
    "generation",
    "heeds",
    "keepalive",
    "list_endpoints",
    "list_models",
    "list_providers",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_credits",
    "read_key",
    "read_stream",
    "remember",
    "retrieve_model",
    "shape",
    "stream_headers",
    "whole_headers",
]

name = "openrouter"
heeds: tuple[str, ...] = ()
default_models = ("openai/gpt-4o", "anthropic/claude-3.5-sonnet", "google/gemini-2.0-flash-001")

_SPEAKER = Speaker(name, OPENROUTER)
collapse = _SPEAKER.collapse
encode = _SPEAKER.encode
error = _SPEAKER.error
error_frame = _SPEAKER.error_frame
keepalive = _SPEAKER.keepalive
parse = _SPEAKER.parse
rate_limited = _SPEAKER.rate_limited
rate_limits = _SPEAKER.rate_limits
read_stream = _SPEAKER.read_stream
stream_headers = _SPEAKER.stream_headers
whole_headers = _SPEAKER.whole_headers


def shape(request: ChatRequest) -> Shape:
    return chat_shape(request, dialect_of(request))


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """OpenAI's frames in OpenRouter's dialect, after a comment if the reply is announced."""
    said = chat_frames(reply, shape, stamp, chunk_size)
    if reply.announced and keepalive is not None:
        return itertools.chain((keepalive.frame,), said)
    return said
