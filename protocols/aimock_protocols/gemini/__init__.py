"""Gemini's generateContent as the Developer API has it: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.gemini.collapse import collapse, parse, read_stream
from aimock_protocols.gemini.decode import decode, framed_error
from aimock_protocols.gemini.encode import encode
from aimock_protocols.gemini.models import list_models, retrieve_model
from aimock_protocols.gemini.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.gemini.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.gemini.platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.gemini.shape import shape
from aimock_protocols.gemini.stream import error_frame, frames
from aimock_protocols.gemini.tokens import count_tokens

name = "gemini"
heeds: tuple[str, ...] = ()
keepalive = None

__all__ = [
    "collapse",
    "count_tokens",
    "decode",
    "encode",
    "error",
    "error_frame",
    "framed_error",
    "frames",
    "fresh_headers",
    "heeds",
    "keepalive",
    "list_models",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "retrieve_model",
    "shape",
    "stream_headers",
    "whole_headers",
]
