"""Bedrock's InvokeModel and InvokeModelWithResponseStream, whose bodies each family of models has in words of its own,
chat, embeddings and rerankers alike: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.bedrock_invoke.collapse import collapse, parse, read_stream
from aimock_protocols.bedrock_invoke.encode import encode
from aimock_protocols.bedrock_invoke.exchange import ECHOED, decode, reply_headers, shape
from aimock_protocols.bedrock_invoke.exchange import STREAM_HEADERS as stream_headers
from aimock_protocols.bedrock_invoke.reranking import left_out
from aimock_protocols.bedrock_invoke.stream import error_frame, frames, opened
from aimock_protocols.bedrock_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.bedrock_platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.canonical import Keepalive

name = "bedrock_invoke"
heeds = tuple(ECHOED)
keepalive: Keepalive | None = None

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
    "left_out",
    "name",
    "opened",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "reply_headers",
    "shape",
    "stream_headers",
    "whole_headers",
]
