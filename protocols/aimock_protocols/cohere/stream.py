"""Streamed replies of the second version (wire-cohere §4): block after block, each opened, filled and closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp, ToolCall
from aimock_protocols.cohere import envelope
from aimock_protocols.cohere.contents import Block, Content, Placed, Plan, cited, contents
from aimock_protocols.cohere.logprobs import Spread, items_of
from aimock_protocols.cohere.shape import Shape
from aimock_protocols.midstream import until_error
from aimock_protocols.slicing import slices

_EMPTY_MESSAGE = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
_PLAN = b'event: tool-plan-delta\ndata: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":'
_CONTENT = b'event: content-delta\ndata: {"type":"content-delta","index":%d,"delta":{"message":{"content":{"%b":'
_ARGUMENTS = (
    b'event: tool-call-delta\ndata: {"type":"tool-call-delta","index":%d,'
    b'"delta":{"message":{"tool_calls":{"function":{"arguments":'
)


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply.

    A reply with a mid-stream error ends in that error instead, at the latest in place of `message-end`. Raises
    ValueError if `chunk_size` is below 1.
    """
    events = _events(reply, shape, stamp, chunk_size)
    return until_error(events, reply, error_frame, shape, stamp, replaces_last=True)


def error_frame(error: ErrorReply, shape: object, stamp: Stamp) -> Frame:
    """An error inside a stream: the end of the message, with the reason why."""
    return _event("message-end", None, {"error": error.message, "finish_reason": "ERROR"}, FrameKind.CLOSE)


def _events(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    opening = {"id": envelope.reply_id(reply, stamp), "delta": {"message": _EMPTY_MESSAGE}}
    events = [_frame("message-start", opening, FrameKind.OPEN)]
    blocks = contents(reply)
    citations = cited(reply.citations, blocks) if reply.citations else {}
    items = items_of(reply, blocks, shape.wants_logprobs)
    spread = Spread(items, _length(blocks)) if items else None
    index = position = 0
    for block in blocks:
        if isinstance(block, Plan):
            events += _cut(_PLAN, block.text, b"}}", chunk_size)
        elif isinstance(block, ToolCall):
            events += _call(block, position, envelope.call_id(block, stamp, position), chunk_size)
            position += 1
        else:
            events += _content(block, index, citations.get(index, ()), spread, chunk_size)
            index += 1
    events += _citations(citations.get(None, ()))
    ended = {"finish_reason": envelope.finish_reason(reply), "usage": envelope.usage(reply, shape).told()}
    events.append(_event("message-end", None, ended))
    return events


def _length(blocks: Iterable[Block]) -> int:
    """Characters of all text."""
    return sum(len(block.text) for block in blocks if isinstance(block, Content) and block.kind == "text")


def _content(
    block: Content, index: int, citations: Iterable[Placed], spread: Spread | None, chunk_size: int
) -> Iterator[Frame]:
    yield _event("content-start", index, _message("content", {"type": block.kind, block.kind: ""}))
    opening = _CONTENT % (index, block.kind.encode())
    if spread is None or block.kind != "text":
        yield from _cut(opening, block.text, b"}}}", chunk_size)
    else:
        yield from _likely(opening, block.text, spread, chunk_size)
    yield from _citations(citations)
    yield _event("content-end", index)


def _likely(opening: bytes, text: str, spread: Spread, chunk_size: int) -> Iterator[Frame]:
    """A text in slices, each with the log probabilities of the tokens that begin in it."""
    for piece in slices(text, chunk_size):
        item = spread.take(piece)
        beside = b"" if item is None else b',"logprobs":' + orjson.dumps(item._asdict())
        yield Frame(opening + orjson.dumps(piece) + b"}}}" + beside + b"}\n\n", FrameKind.TOKEN)


def _call(call: ToolCall, position: int, call_id: str, chunk_size: int) -> Iterator[Frame]:
    begun = {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    yield _event("tool-call-start", position, _message("tool_calls", begun))
    yield from _cut(_ARGUMENTS % position, call.arguments or "{}", b"}}}}", chunk_size)
    yield _event("tool-call-end", position)


def _citations(citations: Iterable[Placed]) -> Iterator[Frame]:
    for place, citation in citations:
        yield _event("citation-start", place, _message("citations", citation))
        yield _event("citation-end", place)


def _message(name: str, value: Any) -> dict[str, Any]:
    return {"message": {name: value}}


def _event(
    name: str, index: int | None, delta: dict[str, Any] | None = None, kind: FrameKind = FrameKind.TOKEN
) -> Frame:
    members: dict[str, Any] = {} if index is None else {"index": index}
    return _frame(name, members if delta is None else members | {"delta": delta}, kind)


def _frame(name: str, members: dict[str, Any], kind: FrameKind) -> Frame:
    return Frame(sse.encode(orjson.dumps({"type": name, **members}), name.encode()), kind)


def _cut(opening: bytes, text: str, closing: bytes, chunk_size: int) -> Iterator[Frame]:
    """A text in slices, an event each. What closes the event itself is added to what closes its members."""
    end = closing + b"}\n\n"
    for piece in slices(text, chunk_size):
        yield Frame(opening + orjson.dumps(piece) + end, FrameKind.TOKEN)
