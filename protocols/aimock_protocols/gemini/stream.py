"""Streamed answers: every chunk a whole response with a little more text (wire-gemini §4).

As server-sent events the last chunk that has content says how the answer ends. As one JSON array a chunk of its own
does, which closes the array: so the stream can break off in an error at any place and still be valid JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from aimock_protocols import json_array
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp
from aimock_protocols.gemini import chunks, envelope
from aimock_protocols.gemini.parts import parts
from aimock_protocols.gemini.platform import envelope_within
from aimock_protocols.gemini.shape import Shape
from aimock_protocols.midstream import until_error
from aimock_protocols.slicing import slices

_EMPTY_TEXT = b'{"text":""}'


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The chunks of a streamed reply. One with a mid-stream error ends in that error instead. Raises ValueError if
    `chunk_size` is below 1."""
    sent = (_array if shape.is_array else _events)(reply, shape, stamp, chunk_size)
    return until_error(sent, reply, error_frame, shape, stamp)


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """An error inside a stream, which it ends."""
    told = orjson.dumps(envelope_within(error))
    return Frame(
        json_array.encode_last(told) if shape.is_array else b"data: " + told + b"\r\n\r\n",
        FrameKind.CLOSE,
    )


def _events(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    identity = chunks.identity(reply, shape, stamp)
    usage = envelope.usage(reply, shape)
    write = chunks.EVENT.write
    if envelope.is_blocked(reply):
        return [Frame(write(chunks.feedback(reply), usage.at_the_end(), identity), FrameKind.TOKEN)]
    candidates = chunks.Candidates(shape)
    *before, last = _contents(reply, shape, stamp, chunk_size) or [_Content(b"", False)]
    told = _usages(usage, [*before, last])
    sent = [
        Frame(write(candidates.write(content.parts), tokens, identity), FrameKind.TOKEN)
        for content, tokens in zip(before, told, strict=False)
    ]
    final = write(candidates.write(last.parts, chunks.ending(reply)), usage.at_the_end(), identity)
    return [*sent, Frame(final, FrameKind.TOKEN)]


def _array(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    identity = chunks.identity(reply, shape, stamp)
    usage = envelope.usage(reply, shape)
    write = chunks.ELEMENT.write
    contents = _contents(reply, shape, stamp, chunk_size)
    candidates = chunks.Candidates(shape)
    sent = [Frame(json_array.OPENING, FrameKind.PING)]
    for content, tokens in zip(contents, _usages(usage, contents), strict=True):
        element = write(candidates.write(content.parts), tokens, identity)
        sent.append(Frame(json_array.encode(element), FrameKind.TOKEN))
    if envelope.is_blocked(reply):
        said = chunks.feedback(reply)
    else:
        is_answered = any(not content.is_thought for content in contents)
        said = candidates.write(_EMPTY_TEXT if is_answered else b"", chunks.ending(reply))
    sent.append(Frame(json_array.encode_last(write(said, usage.at_the_end(), identity)), FrameKind.CLOSE))
    return sent


class _Content(NamedTuple):
    """What one chunk brings."""

    parts: bytes
    """JSON objects with commas between them."""
    is_thought: bool


def _contents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[_Content]:
    """What each chunk brings: slices of text, and calls that follow each other all at once."""
    contents = []
    for is_call, group in groupby(parts(reply, shape, stamp), lambda part: "functionCall" in part):
        if is_call:
            contents.append(_Content(orjson.dumps(list(group))[1:-1], False))
            continue
        for part in group:
            contents += _sliced(part, chunk_size)
    return contents


def _sliced(part: dict[str, Any], chunk_size: int) -> Iterator[_Content]:
    """A text in slices, of which the last has its signature; empty text is sent at once."""
    is_thought = "thought" in part
    closing = b',"thought":true}' if is_thought else b"}"
    *before, last = slices(part["text"], chunk_size) or [""]
    for piece in before:
        yield _Content(b'{"text":' + orjson.dumps(piece) + closing, is_thought)
    yield _Content(orjson.dumps({**part, "text": last}), is_thought)


def _usages(usage: envelope.Usage, contents: list[_Content]) -> Iterator[bytes]:
    """The tokens that are out after each chunk: as large a part of all as the chunk's place among those of its kind."""
    thoughts = sum(content.is_thought for content in contents)
    answers = len(contents) - thoughts
    thought = answered = 0
    for content in contents:
        thought += content.is_thought
        answered += not content.is_thought
        yield usage.told(
            usage.candidates * answered // answers if answers else 0,
            usage.thoughts * thought // thoughts if thoughts else usage.thoughts,
        )
