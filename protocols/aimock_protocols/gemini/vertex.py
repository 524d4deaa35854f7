"""generateContent on Vertex AI: answers tell when they were made and how they are billed, all else is the same
(wire-gemini §7.1)."""

from __future__ import annotations

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.gemini.collapse import collapse, parse, read_stream
from aimock_protocols.gemini.decode import decode, framed_error
from aimock_protocols.gemini.encode import encode
from aimock_protocols.gemini.models import list_publisher_models, retrieve_publisher_model
from aimock_protocols.gemini.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.gemini.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.gemini.platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.gemini.shape import Shape
from aimock_protocols.gemini.shape import shape as plain_shape
from aimock_protocols.gemini.stream import error_frame, frames
from aimock_protocols.gemini.tokens import compute_tokens, count_billable

name = "gemini.vertex"
heeds: tuple[str, ...] = ()
keepalive = None

__all__ = [
    "collapse",
    "compute_tokens",
    "count_billable",
    "decode",
    "encode",
    "error",
    "error_frame",
    "framed_error",
    "frames",
    "fresh_headers",
    "heeds",
    "keepalive",
    "list_publisher_models",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "retrieve_publisher_model",
    "shape",
    "stream_headers",
    "whole_headers",
]


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request; answers are Vertex AI's."""
    return plain_shape(request)._replace(is_vertex=True)
