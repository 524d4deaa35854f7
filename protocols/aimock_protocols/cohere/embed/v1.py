"""Cohere's embeddings, first version: the module is the protocol (see `canonical.WireProtocol`). Unless types are asked
for, the vectors are floats in a plain list."""

from __future__ import annotations

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.cohere.embed.decode import decode_v1 as decode
from aimock_protocols.cohere.embed.encode import encode, parse, reply_headers
from aimock_protocols.cohere.embed.shape import Shape
from aimock_protocols.cohere.embed.shape import shape as typed_shape
from aimock_protocols.cohere.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.cohere.platform import error, fresh_headers, rate_limited, rate_limits

name = "cohere.embed.v1"
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


def shape(request: ChatRequest) -> Shape:
    """The shape of a decoded request."""
    asked = typed_shape(request)
    return asked._replace(version="1", is_by_type=bool(request.native.get("embedding_types")))
