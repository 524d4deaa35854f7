"""Streamed messages (wire-anthropic-messages §8, §22): block after block, each opened, filled and closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from aimock_protocols import sse
from aimock_protocols.anthropic_messages import envelope
from aimock_protocols.anthropic_messages.blocks import Block, blocks
from aimock_protocols.anthropic_messages.platform import PING, error_frame
from aimock_protocols.anthropic_messages.shape import Shape
from aimock_protocols.canonical import Frame, FrameKind, Reply, Stamp
from aimock_protocols.midstream import until_error
from aimock_protocols.slicing import slices

_AT_THE_END = ("server_tool_use", "output_tokens_details")
"""Parts of the usage that are known only when the message is done."""
_CUMULATIVE = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply.

    A reply with a mid-stream error ends in that error instead, at the latest in place of `message_stop`. Raises
    ValueError if `chunk_size` is below 1.
    """
    events = _events(reply, shape, stamp, chunk_size)
    return until_error(events, reply, error_frame, shape, stamp, replaces_last=True)


def _events(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    usage = envelope.usage(reply, shape)
    begun = {name: value for name, value in usage.items() if name not in _AT_THE_END}
    begun["output_tokens"] = min(1, usage["output_tokens"])
    opening = envelope.message(reply, shape, stamp, [], envelope.NOT_YET, begun)
    events = [_event("message_start", {"message": opening}, FrameKind.OPEN)]
    for index, block in enumerate(blocks(reply, shape, stamp)):
        events.append(_event("content_block_start", {"index": index, "content_block": block.start}))
        if index == 0:
            events.append(PING)
        events += _deltas(block, index, chunk_size)
        events.append(_event("content_block_stop", {"index": index}))
    stop = envelope.stop(reply, shape)
    delta = {"stop_reason": stop.reason, "stop_sequence": stop.sequence, "stop_details": stop.details}
    if shape.is_newer:
        delta["container"] = None
    ended = {name: usage[name] for name in _CUMULATIVE + _AT_THE_END if name in usage}
    events.append(_event("message_delta", {"delta": delta, "usage": ended}))
    events.append(_event("message_stop", {}))
    return events


def _event(name: str, members: dict[str, Any], kind: FrameKind = FrameKind.TOKEN) -> Frame:
    return Frame(sse.encode(orjson.dumps({"type": name, **members}), name.encode()), kind)


def _deltas(block: Block, index: int, chunk_size: int) -> Iterator[Frame]:
    for delta in block.deltas:
        opening = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
            % (index, delta.type.encode(), delta.key.encode())
        )
        for piece in slices(delta.text, chunk_size) if delta.is_sliced else (delta.text,):
            yield Frame(opening + orjson.dumps(piece) + b"}}\n\n", FrameKind.TOKEN)
