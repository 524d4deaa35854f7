"""Streamed responses (wire-openai-responses §7 to §10): item after item, each opened, filled and closed.

Every event is numbered, and its members are in alphabetical order after its type, as the live service has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp
from aimock_protocols.openai_chat.logprobs import dealt
from aimock_protocols.openai_responses import envelope
from aimock_protocols.openai_responses.items import Run, items
from aimock_protocols.openai_responses.shape import Shape
from aimock_protocols.slicing import slices

_ENDINGS = {"incomplete": "response.incomplete", "failed": "response.failed"}
"""The events with which a response of each status ends; all others are complete."""


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply.

    A reply with a mid-stream error ends in that error instead, at the latest in place of the last event. Raises
    ValueError if `chunk_size` is below 1.
    """
    writer = _Writer(reply, shape, stamp)
    writer.write(chunk_size)
    if reply.mid_stream_error is None:
        return iter(writer.events)
    broken = reply.mid_stream_error
    before = writer.events[: min(max(broken.after_chunks, 0), len(writer.events) - 1)]
    return iter([*before, _breaking(broken.error, reply, shape, stamp, len(before))])


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """An error inside a stream, whose place in it is not known: it counts as the first event."""
    return _breaking(error, Reply(), shape, stamp, 0)


def _breaking(error: ErrorReply, reply: Reply, shape: Shape, stamp: Stamp, number: int) -> Frame:
    """Two events at once: the error as both of its forms have it, nested for clients that raise it and flat for those
    that are typed, and the response that failed by it."""
    flat = {"code": error.code, "message": error.message, "param": error.param}
    nested = {"type": error.type or "server_error", **flat}
    told = {"type": "error", "error": nested, **flat, "sequence_number": number}
    standing = envelope.failed([], error)
    failure = envelope.response(reply, shape, stamp, standing)
    data = sse.encode(orjson.dumps(told), b"error") + _whole_event("response.failed", failure, number + 1)
    return Frame(data, FrameKind.CLOSE)


def _whole_event(name: str, response: bytes, number: int) -> bytes:
    told = {"type": name, "response": orjson.Fragment(response), "sequence_number": number}
    return sse.encode(orjson.dumps(told), name.encode())


class _Writer:
    """Writes one stream."""

    def __init__(self, reply: Reply, shape: Shape, stamp: Stamp) -> None:
        self.events: list[Frame] = []
        self._reply = reply
        self._shape = shape
        self._stamp = stamp

    def write(self, chunk_size: int) -> None:
        """All events, without the mid-stream error."""
        if self._shape.is_background:
            self._stand("response.created", envelope.Standing("queued"), FrameKind.OPEN)
            self._stand("response.queued", envelope.Standing("queued"), FrameKind.OPEN)
        else:
            self._stand("response.created", envelope.Standing("in_progress"), FrameKind.OPEN)
        self._stand("response.in_progress", envelope.Standing("in_progress"), FrameKind.OPEN)
        made = items(self._reply, self._shape, self._stamp)
        for index, item in enumerate(made):
            place = {"item_id": item.start["id"], "output_index": index}
            self._event("output_item.added", item=item.start, output_index=index)
            for stage in item.stages:
                self._event(stage, **place)
            for run in item.runs:
                self._run(run, place, chunk_size)
            self._event("output_item.done", item=item.whole, output_index=index)
        ended = envelope.ended(self._reply, self._shape, [item.whole for item in made])
        self._stand(_ENDINGS.get(ended.status, "response.completed"), ended, FrameKind.TOKEN)

    def _stand(self, name: str, standing: envelope.Standing, kind: FrameKind) -> None:
        response = envelope.response(self._reply, self._shape, self._stamp, standing)
        self.events.append(Frame(_whole_event(name, response, len(self.events)), kind))

    def _event(self, name: str, /, **members: Any) -> None:
        members["sequence_number"] = len(self.events)
        told = {"type": f"response.{name}", **dict(sorted(members.items()))}
        self.events.append(Frame(sse.encode(orjson.dumps(told), told["type"].encode()), FrameKind.TOKEN))

    def _run(self, run: Run, place: dict[str, Any], chunk_size: int) -> None:
        place = {**place, **run.place}
        if run.frame is not None:
            self._event(f"{run.frame}.added", **place, part=run.begun())
        self._deltas(run, place, chunk_size)
        self._event(f"{run.name}.done", **place, **{run.key: run.text}, **run.named)
        if run.frame is not None:
            self._event(f"{run.frame}.done", **place, part=run.part)

    def _deltas(self, run: Run, place: dict[str, Any], chunk_size: int) -> None:
        """The frames of a run, put together from constant pieces around what each has of its own."""
        name = f"response.{run.name}.delta".encode()
        opening, placed, numbered, closing = (
            b"".join(b'"%b":%b,' % (key.encode(), orjson.dumps(place[key])) for key in keys if key in place)
            for keys in (("content_index",), ("item_id",), ("output_index",), ("summary_index",))
        )
        opening = b'event: %b\ndata: {"type":"%b",%b"delta":' % (name, name, opening)
        numbered += b'"sequence_number":'
        closing = (b"," + closing[:-1] if closing else b"") + b"}\n\n"
        pieces = slices(run.text, chunk_size)
        number = len(self.events)
        for piece, logprobs in zip(pieces, _logprobs(run, pieces), strict=True):
            filler = self._filler(number) if self._shape.obfuscates else b""
            said = (opening, orjson.dumps(piece), b",", placed, logprobs, filler, numbered, b"%d" % number, closing)
            self.events.append(Frame(b"".join(said), FrameKind.TOKEN))
            number += 1

    def _filler(self, number: int) -> bytes:
        """Padding against who would guess text from the length of packets."""
        return b'"obfuscation":"%b",' % self._stamp.alphanumeric_bytes(16, f"obfuscation {number}")


def _logprobs(run: Run, pieces: list[str]) -> list[bytes]:
    """The member that goes with each piece of a run, if its events have one."""
    tokens = run.named.get("logprobs")
    if tokens is None:
        return [b""] * len(pieces)
    return [b'"logprobs":' + orjson.dumps(hand) + b"," for hand in dealt(tokens, pieces)]
