"""Whole answers (wire-bedrock §6.2)."""

from __future__ import annotations

import orjson

from aimock_protocols.bedrock_converse import envelope
from aimock_protocols.bedrock_converse.blocks import blocks
from aimock_protocols.bedrock_converse.shape import Shape
from aimock_protocols.canonical import Reply, Stamp


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response, its members in alphabetical order as the live service sends them."""
    content = [block.whole for block in blocks(reply, shape, stamp)]
    message = {"content": content, "role": reply.role or "assistant"}
    told = {"output": {"message": message}, **envelope.stop(reply, shape), **envelope.metadata(reply, shape)}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
