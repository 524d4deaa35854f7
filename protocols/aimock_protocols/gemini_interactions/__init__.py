"""Google's Interactions API, of Gemini and of Vertex AI: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.canonical import Keepalive
from aimock_protocols.gemini.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.gemini.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.gemini.platform import fresh_headers, rate_limited, rate_limits
from aimock_protocols.gemini_interactions.collapse import collapse, parse, read_stream
from aimock_protocols.gemini_interactions.decode import decode
from aimock_protocols.gemini_interactions.encode import encode
from aimock_protocols.gemini_interactions.platform import error, error_frame
from aimock_protocols.gemini_interactions.shape import shape
from aimock_protocols.gemini_interactions.stored import cancel, delete, recall, remember, retrieve
from aimock_protocols.gemini_interactions.stream import frames

name = "gemini_interactions"
heeds: tuple[str, ...] = ()
keepalive: Keepalive | None = None

__all__ = [
    "cancel",
    "collapse",
    "decode",
    "delete",
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
    "recall",
    "remember",
    "retrieve",
    "shape",
    "stream_headers",
    "whole_headers",
]
