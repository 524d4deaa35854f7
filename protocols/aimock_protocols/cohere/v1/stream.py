"""Streamed replies of the first version (wire-cohere §5): text, then plan and calls, citations, and the whole again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from aimock_protocols import ndjson, sse
from aimock_protocols.arguments import on_one_line
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp, Text
from aimock_protocols.cohere.v1.encode import API_VERSION, generation_id, response
from aimock_protocols.cohere.v1.shape import Shape
from aimock_protocols.midstream import until_error
from aimock_protocols.slicing import slices


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply.

    A reply with a mid-stream error ends in that error instead, at the latest in place of `stream-end`. Raises
    ValueError if `chunk_size` is below 1.
    """
    events = _events(reply, shape, stamp, chunk_size)
    return until_error(events, reply, error_frame, shape, stamp, replaces_last=True)


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """An error inside a stream: its end, with the reason why, and a response that has nothing in it."""
    told = {
        "response_id": stamp.uuid(),
        "text": "",
        "generation_id": generation_id(stamp),
        "finish_reason": "ERROR",
        "meta": {"api_version": API_VERSION},
    }
    ended = {"finish_reason": "ERROR", "error": error.message, "response": told}
    return _event(shape, "stream-end", ended, FrameKind.CLOSE)


def _events(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    whole = response(reply, shape, stamp)
    events = [_event(shape, "stream-start", {"generation_id": whole["generation_id"]}, FrameKind.OPEN)]
    for text in (reply.refusal or "", *(part.text for part in reply.parts if isinstance(part, Text))):
        events += _cut(shape, "text-generation", b'"text":', text, b"", chunk_size)
    for piece in slices(reply.tool_plan or "", chunk_size):
        events.append(_event(shape, "tool-calls-chunk", {"text": piece, "tool_call_delta": {"text": piece}}))
    for index, call in enumerate(reply.tool_calls):
        opening = {"tool_call_delta": {"index": index, "name": call.name}}
        events.append(_event(shape, "tool-calls-chunk", opening))
        pieces = b'"tool_call_delta":{"index":%d,"parameters":' % index
        events += _cut(shape, "tool-calls-chunk", pieces, on_one_line(call.arguments), b"}", chunk_size)
    if "tool_calls" in whole:
        called = {"text": whole["text"], "tool_calls": whole["tool_calls"]}
        events.append(_event(shape, "tool-calls-generation", called))
    for citation in whole.get("citations", ()):
        events.append(_event(shape, "citation-generation", {"citations": [citation]}))
    events.append(_event(shape, "stream-end", {"finish_reason": whole["finish_reason"], "response": whole}))
    return events


def _event(shape: Shape, name: str, members: dict[str, Any], kind: FrameKind = FrameKind.TOKEN) -> Frame:
    data = orjson.dumps({"is_finished": name == "stream-end", "event_type": name, **members})
    return Frame(sse.encode(data, name.encode()) if shape.sends_events else ndjson.encode(data), kind)


def _cut(shape: Shape, name: str, opening: bytes, text: str, closing: bytes, chunk_size: int) -> Iterator[Frame]:
    """A text in slices, an event each; `opening` and `closing` are of the event's members."""
    before, after = _event(shape, name, {}).data.split(b"}")
    before += b"," + opening
    after = closing + b"}" + after
    for piece in slices(text, chunk_size):
        yield Frame(before + orjson.dumps(piece) + after, FrameKind.TOKEN)
