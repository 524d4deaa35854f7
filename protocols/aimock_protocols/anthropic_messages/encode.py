"""Whole messages (wire-anthropic-messages §6)."""

from __future__ import annotations

import orjson

from aimock_protocols.anthropic_messages import envelope
from aimock_protocols.anthropic_messages.blocks import blocks
from aimock_protocols.anthropic_messages.shape import Shape
from aimock_protocols.canonical import Reply, Stamp


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response."""
    content = [block.whole for block in blocks(reply, shape, stamp)]
    stop, usage = envelope.stop(reply, shape), envelope.usage(reply, shape)
    return orjson.dumps(envelope.message(reply, shape, stamp, content, stop, usage))
