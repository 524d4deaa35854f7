"""Answers, whole and streamed (wire-ollama §3, §4): lines of one object each, of which a whole answer is the only one.

All of a line but its time is constant, so a frame is a few pieces of bytes put together. Each line has a time of its
own, later than that of the line before, in nanoseconds as the server tells them: to the millisecond it is the stamp's,
so that renderings can be kept, and the rest tells the lines apart.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import orjson

from aimock_protocols import ndjson, rfc3339
from aimock_protocols.arguments import on_one_line
from aimock_protocols.canonical import Frame, FrameKind, Reply, Stamp, Text, ToolCall
from aimock_protocols.midstream import until_error
from aimock_protocols.ollama.logprobs import Tokens, tokens_of
from aimock_protocols.ollama.metrics import metrics
from aimock_protocols.ollama.platform import error_frame
from aimock_protocols.ollama.shape import Shape
from aimock_protocols.slicing import slices, wrapped_slices

DONE_REASONS = {"tool_calls": "stop"}
"""OpenAI's finish reasons that the server calls otherwise."""

_MILLISECOND = 1_000_000
"""Nanoseconds."""

_CONTEXT = struct.Struct("<8H")


class Wording(NamedTuple):
    """How one endpoint words an answer: its text stands between `opening` and `closing`, before `done`."""

    opening: Callable[[Reply], bytes]
    closing: bytes
    calls_within: bool
    """Whether calls stand beside the text, else at the end of the line."""


def _message(reply: Reply) -> bytes:
    return b'"message":{"role":' + orjson.dumps(reply.role or "assistant") + b',"content":'


CHAT = Wording(_message, b"}", calls_within=True)
GENERATE = Wording(lambda reply: b'"response":', b"", calls_within=False)


def encode(wording: Wording, reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole answer."""
    said = orjson.dumps(_text(reply))
    thought = _thought(reply, shape)
    if thought:
        said += b',"thinking":' + orjson.dumps(thought)
    calls = [_call(call, position, stamp) for position, call in enumerate(reply.tool_calls)]
    ending = _ending(reply, shape)
    tokens = tokens_of(reply, shape)
    if tokens:
        ending += b',"logprobs":' + orjson.dumps(tokens)
    (nanoseconds,) = _nanoseconds(1)
    return _line_start(reply, shape, stamp) + nanoseconds + _line_end(wording, reply, said, calls, ending)


def frames(wording: Wording, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The lines of a streamed answer: the thought, the parts in order, and what ends them.

    A reply with a mid-stream error ends in that error instead, at the latest in place of the last line. Raises
    ValueError if `chunk_size` is below 1.
    """
    start = _line_start(reply, shape, stamp)
    ends = _line_ends(wording, reply, shape, stamp, chunk_size)
    lines = [
        Frame(start + nanoseconds + end, FrameKind.TOKEN)
        for nanoseconds, end in zip(_nanoseconds(len(ends)), ends, strict=True)
    ]
    return until_error(lines, reply, error_frame, shape, stamp, replaces_last=True)


def _line_start(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """What comes before the nanoseconds."""
    model = orjson.dumps(shape.model if reply.model is None else reply.model)
    time = stamp.written(rfc3339.to_milliseconds) if reply.created is None else rfc3339.to_milliseconds(reply.created)
    return b'{"model":' + model + b',"created_at":"' + time.encode()


@lru_cache(maxsize=256)
def _nanoseconds(count: int) -> tuple[bytes, ...]:
    """The nanoseconds within one millisecond of so many lines, evenly spread."""
    return tuple(b"%06d" % (_MILLISECOND * place // (count + 1)) for place in range(1, count + 1))


def _line_ends(wording: Wording, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[bytes]:
    """What comes after the nanoseconds, of all lines of a stream."""
    opening = b'Z",' + wording.opening(reply)
    closing = wording.closing + b',"done":false}\n'
    thought = _thought(reply, shape)
    ends = [*wrapped_slices(opening + b'"","thinking":', thought, closing, chunk_size)]
    tokens = Tokens(tokens_of(reply, shape))
    position = 0
    for part in _parts(reply):
        if isinstance(part, ToolCall):
            ends.append(ndjson.encode(_line_end(wording, reply, b'""', [_call(part, position, stamp)], b"false")))
            position += 1
        elif tokens:
            ends += [
                opening + orjson.dumps(piece) + closing.replace(b"}\n", tokens.of(piece) + b"}\n")
                for piece in slices(part.text, chunk_size)
            ]
        else:
            ends += wrapped_slices(opening, part.text, closing, chunk_size)
    ends.append(ndjson.encode(_line_end(wording, reply, b'""', [], _ending(reply, shape) + tokens.rest())))
    return ends


def _line_end(wording: Wording, reply: Reply, said: bytes, calls: list[bytes], done: bytes) -> bytes:
    """A line from its zone on; `done` is the value of that member, and all that follows it."""
    told = b',"tool_calls":[' + b",".join(calls) + b"]" if calls else b""
    within, after = (told, b"") if wording.calls_within else (b"", told)
    return b'Z",' + wording.opening(reply) + said + within + wording.closing + b',"done":' + done + after + b"}"


def _ending(reply: Reply, shape: Shape) -> bytes:
    """That an answer is done, why, and what it cost."""
    reason = reply.finish_reason or "stop"
    told = b'true,"done_reason":' + orjson.dumps(DONE_REASONS.get(reason, reason))
    if shape.tells_context:
        told += b',"context":' + orjson.dumps(_context(reply, shape))
    costs = orjson.dumps(metrics(reply, shape))[1:-1]
    return told + b"," + costs if costs else told


def _context(reply: Reply, shape: Shape) -> tuple[int, ...]:
    """Numbers that stand for the conversation: clients can only send them back."""
    said = f"{shape.prompt_tokens} {_text(reply)}".encode("utf-8", "replace")
    return _CONTEXT.unpack(hashlib.blake2b(said, digest_size=_CONTEXT.size).digest())


def _thought(reply: Reply, shape: Shape) -> str:
    return "" if shape.hides_thinking else reply.reasoning or ""


def _parts(reply: Reply) -> tuple[Text | ToolCall, ...]:
    """What is said: a model that refuses does so in words."""
    return reply.parts if reply.refusal is None else (*reply.parts, Text(reply.refusal))


def _text(reply: Reply) -> str:
    return "".join(part.text for part in _parts(reply) if isinstance(part, Text))


def _call(call: ToolCall, position: int, stamp: Stamp) -> bytes:
    call_id = f"call_{stamp.hexadecimal(8, f'call {position}')}" if call.id is None else call.id
    function = {"index": position, "name": call.name, "arguments": orjson.Fragment(on_one_line(call.arguments))}
    return orjson.dumps({"id": call_id, "function": function})
