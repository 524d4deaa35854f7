"""OpenAI Chat Completions, and Azure's deployments of it: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.openai_chat.collapse import collapse, parse, read_stream
from aimock_protocols.openai_chat.decode import decode
from aimock_protocols.openai_chat.encode import encode
from aimock_protocols.openai_chat.shape import shape
from aimock_protocols.openai_chat.stream import frames
from aimock_protocols.openai_models import list_models, retrieve_model
from aimock_protocols.openai_platform import KEEPALIVE as keepalive
from aimock_protocols.openai_platform import STREAM_HEADERS as stream_headers
from aimock_protocols.openai_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.openai_platform import error, error_frame, fresh_headers, rate_limited, rate_limits

name = "openai_chat"
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
