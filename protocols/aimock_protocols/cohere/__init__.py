"""Cohere's chat, second version: the module is the protocol (see `canonical.ChatProtocol`)."""

from __future__ import annotations

from aimock_protocols.canonical import Keepalive
from aimock_protocols.cohere.collapse import collapse, parse, read_stream
from aimock_protocols.cohere.decode import decode
from aimock_protocols.cohere.encode import encode
from aimock_protocols.cohere.envelope import reply_headers
from aimock_protocols.cohere.keys import check_api_key
from aimock_protocols.cohere.models import list_models, retrieve_model
from aimock_protocols.cohere.platform import EVENT_HEADERS as stream_headers
from aimock_protocols.cohere.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.cohere.platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.cohere.shape import shape
from aimock_protocols.cohere.stream import error_frame, frames
from aimock_protocols.cohere.tokens import detokenize, tokenize

name = "cohere"
heeds: tuple[str, ...] = ()
keepalive: Keepalive | None = None

__all__ = [
    "check_api_key",
    "collapse",
    "decode",
    "detokenize",
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
    "reply_headers",
    "retrieve_model",
    "shape",
    "stream_headers",
    "tokenize",
    "whole_headers",
]
