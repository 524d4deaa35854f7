"""Whole answers (wire-bedrock §5)."""

from __future__ import annotations

from aimock_protocols.bedrock_invoke.families import FAMILIES
from aimock_protocols.bedrock_invoke.family import Shape
from aimock_protocols.canonical import Reply, Results, Stamp, Vectors


def encode(reply: Reply | Vectors | Results, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response, as the family of its model has it."""
    return FAMILIES[shape.family].encode(reply, shape, stamp)
