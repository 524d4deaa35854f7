"""Amazon Bedrock's Converse and ConverseStream: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.bedrock_converse.collapse import collapse, parse, read_stream
from aimock_protocols.bedrock_converse.decode import decode
from aimock_protocols.bedrock_converse.encode import encode
from aimock_protocols.bedrock_converse.shape import shape
from aimock_protocols.bedrock_converse.sides import (
    apply_guardrail,
    count_tokens,
    refuse_bidirectional,
    unknown_operation,
)
from aimock_protocols.bedrock_converse.stream import error_frame, frames
from aimock_protocols.bedrock_platform import STREAM_HEADERS as stream_headers
from aimock_protocols.bedrock_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.bedrock_platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.eventstream import opened

name = "bedrock_converse"
heeds: tuple[str, ...] = ()
keepalive = None

__all__ = [
    "apply_guardrail",
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
    "opened",
    "parse",
    "rate_limited",
    "rate_limits",
    "read_stream",
    "refuse_bidirectional",
    "shape",
    "stream_headers",
    "unknown_operation",
    "whole_headers",
]
