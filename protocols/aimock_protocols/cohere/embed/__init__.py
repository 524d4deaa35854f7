"""Cohere's embeddings, second version: the module is the protocol (see `canonical.WireProtocol`)."""

from __future__ import annotations

from aimock_protocols.cohere.embed.decode import decode
from aimock_protocols.cohere.embed.encode import encode, parse, reply_headers
from aimock_protocols.cohere.embed.shape import shape
from aimock_protocols.cohere.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.cohere.platform import error, fresh_headers, rate_limited, rate_limits

name = "cohere.embed"
heeds: tuple[str, ...] = ()

__all__ = [
    "decode",
    "encode",
    "error",
    "fresh_headers",
    "heeds",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "reply_headers",
    "shape",
    "whole_headers",
]
