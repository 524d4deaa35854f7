"""Streamed answers (wire-bedrock §4): block after block, of which only calls are begun, and all are closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from aimock_protocols import eventstream
from aimock_protocols.bedrock_converse import envelope
from aimock_protocols.bedrock_converse.blocks import blocks
from aimock_protocols.bedrock_converse.shape import Shape
from aimock_protocols.bedrock_platform import padding, stream_exception
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp
from aimock_protocols.midstream import until_error
from aimock_protocols.slicing import slices


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply.

    A reply with a mid-stream error ends in that exception instead, at the latest in place of `metadata`. Raises
    ValueError if `chunk_size` is below 1.
    """
    events = _events(reply, shape, stamp, chunk_size)
    return until_error(events, reply, error_frame, shape, stamp)


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: an exception that the operation's streams have."""
    return stream_exception(error)


def _events(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    events = [_event("messageStart", {"role": reply.role or "assistant"}, 0, FrameKind.OPEN)]
    for index, block in enumerate(blocks(reply, shape, stamp)):
        if block.start is not None:
            events.append(_event("contentBlockStart", {"contentBlockIndex": index, "start": block.start}, len(events)))
        opening = b'{"contentBlockIndex":%d,"delta":' % index
        for delta in block.deltas:
            before, after = opening + delta.before, delta.after + b',"p":'
            for piece in slices(delta.text, chunk_size) if delta.is_sliced else (delta.text,):
                payload = before + orjson.dumps(piece) + after + padding(len(events)) + b"}"
                events.append(Frame(eventstream.event("contentBlockDelta", payload), FrameKind.TOKEN))
        events.append(_event("contentBlockStop", {"contentBlockIndex": index}, len(events)))
    events.append(_event("messageStop", envelope.stop(reply, shape), len(events)))
    events.append(_event("metadata", envelope.metadata(reply, shape), len(events), FrameKind.CLOSE))
    return events


def _event(name: str, members: dict[str, Any], place: int, kind: FrameKind = FrameKind.TOKEN) -> Frame:
    """An event at its place in the stream, its members in alphabetical order."""
    told = {**members, "p": orjson.Fragment(padding(place))}
    return Frame(eventstream.event(name, orjson.dumps(told, option=orjson.OPT_SORT_KEYS)), kind)
