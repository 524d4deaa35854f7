"""Claude on Vertex AI (wire-anthropic-messages §17): the model and the verb are in the path, all else is the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from aimock_protocols.anthropic_messages.collapse import collapse, parse
from aimock_protocols.anthropic_messages.decode import chat_request
from aimock_protocols.anthropic_messages.encode import encode
from aimock_protocols.anthropic_messages.platform import KEEPALIVE as keepalive
from aimock_protocols.anthropic_messages.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.anthropic_messages.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.anthropic_messages.platform import (
    error,
    error_frame,
    fresh_headers,
    rate_limited,
    rate_limits,
    read_object,
)
from aimock_protocols.anthropic_messages.shape import Shape
from aimock_protocols.anthropic_messages.shape import shape as message_shape
from aimock_protocols.anthropic_messages.stream import frames
from aimock_protocols.anthropic_messages.tokens import count_tokens
from aimock_protocols.canonical import ChatRequest, Head

name = "anthropic_messages.vertex"
heeds: tuple[str, ...] = ()

__all__ = [
    "collapse",
    "count_tokens",
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
    "shape",
    "stream_headers",
    "whole_headers",
]

_DATE = re.compile(r"@(\d{8})\Z", re.ASCII)


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request with the path's model, by the name that Anthropic itself has for it. Raises WireError, a 400."""
    sent = read_object(body)
    sent["model"] = _DATE.sub(r"-\1", unquote(params["model"]))
    if head.path.rstrip("/").endswith(":streamRawPredict"):
        sent["stream"] = True
    return chat_request(sent, sent)


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request; ids tell that they are from Vertex."""
    return message_shape(request)._replace(platform="vrtx_")
