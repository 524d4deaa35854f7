"""Cohere's chat, first version: the module is the protocol (see `canonical.ChatProtocol`). Its streams are lines of
JSON, unless a client asks for server-sent events."""

from __future__ import annotations

from aimock_protocols.canonical import Headers, Keepalive
from aimock_protocols.cohere.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.cohere.platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.cohere.v1.collapse import collapse, parse, read_stream
from aimock_protocols.cohere.v1.decode import ACCEPTS, decode
from aimock_protocols.cohere.v1.encode import encode, reply_headers
from aimock_protocols.cohere.v1.shape import shape
from aimock_protocols.cohere.v1.stream import error_frame, frames

name = "cohere.v1"
heeds = (ACCEPTS,)
keepalive: Keepalive | None = None
stream_headers: Headers = (
    ("content-type", "application/stream+json"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)

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
    "reply_headers",
    "shape",
    "stream_headers",
    "whole_headers",
]
