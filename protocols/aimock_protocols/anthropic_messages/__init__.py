"""Anthropic Messages, also as Azure Foundry has it: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.anthropic_messages.collapse import collapse, parse, read_stream
from aimock_protocols.anthropic_messages.decode import decode
from aimock_protocols.anthropic_messages.encode import encode
from aimock_protocols.anthropic_messages.models import list_models, retrieve_model
from aimock_protocols.anthropic_messages.platform import KEEPALIVE as keepalive
from aimock_protocols.anthropic_messages.platform import STREAM_HEADERS as stream_headers
from aimock_protocols.anthropic_messages.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.anthropic_messages.platform import error, error_frame, fresh_headers, rate_limited, rate_limits
from aimock_protocols.anthropic_messages.shape import shape
from aimock_protocols.anthropic_messages.stream import frames
from aimock_protocols.anthropic_messages.tokens import count_tokens

name = "anthropic_messages"
heeds = ("anthropic-version",)

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
