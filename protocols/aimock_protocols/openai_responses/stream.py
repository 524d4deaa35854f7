"""Streamed responses (wire-openai-responses §7 to §10): item after item, each opened, filled and closed.

Every event is numbered, and its members are in alphabetical order after its type, as the live service has them. Over
HTTP and over a WebSocket the events are the same; what stands around them is told by a `Framing`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Reply, Stamp
from aimock_protocols.openai_chat.logprobs import dealt
from aimock_protocols.openai_responses import envelope
from aimock_protocols.openai_responses.items import Item, Run, items
from aimock_protocols.openai_responses.shape import Shape
from aimock_protocols.slicing import slices

_BEGINNINGS = {
    False: (("created", "in_progress"), ("in_progress", "in_progress")),
    True: (("created", "queued"), ("queued", "queued"), ("in_progress", "in_progress")),
}
"""The events with which a response begins, in the foreground and in the background, and its status in each."""

_ENDINGS = {"incomplete": "response.incomplete", "failed": "response.failed"}
"""The events with which a response of each status ends; all others are complete."""


class Framing(NamedTuple):
    """How an event goes on the wire."""

    lead: Callable[[bytes], bytes]
    """What comes before it, by its name."""
    end: bytes
    """What comes after its last member."""


SSE = Framing(lambda name: b"event: %b\ndata: " % name, b"}\n\n")


def in_messages(lane: str | None) -> Framing:
    """Each event as a message of its own, with the lane that it belongs to, if that has a name."""
    return Framing(lambda name: b"", b"}" if lane is None else b',"stream_id":%b}' % orjson.dumps(lane))


def frames(
    reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int, framing: Framing = SSE, until: int | None = None
) -> Iterator[Frame]:
    """The events of a streamed reply, each made when it is asked for.

    A reply with a mid-stream error ends in that error instead, at the latest in place of the last event. One that is
    steered away once `until` events have been sent goes on to the end of the item that it is at and is incomplete; but
    if it has called the client's tools by then, it goes on to its own end. Raises ValueError if `chunk_size` is below
    1.
    """
    if chunk_size < 1:
        raise ValueError(f"slices of {chunk_size} characters")
    told = _Writer(reply, shape, stamp, framing).write(chunk_size, until)
    if reply.mid_stream_error is None or until is not None:
        return told
    broken, events = reply.mid_stream_error, list(told)
    before = events[: min(max(broken.after_chunks, 0), len(events) - 1)]
    return iter([*before, *breaking(broken.error, reply, shape, stamp, len(before), framing)])


def prepared(reply: Reply, shape: Shape, stamp: Stamp, framing: Framing) -> list[Frame]:
    """The events of a response that only prepares for others: it is empty, and complete at once."""
    writer = _Writer(reply, shape, stamp, framing)
    return [
        writer.stand("response.created", envelope.Standing("in_progress"), FrameKind.OPEN),
        writer.stand("response.completed", envelope.ended(reply, shape, []), FrameKind.TOKEN),
    ]


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """An error inside a stream, whose place in it is not known: it counts as the first event."""
    told = breaking(error, Reply(), shape, stamp, 0, SSE)
    return Frame(b"".join(frame.data for frame in told), FrameKind.CLOSE)


def breaking(
    error: ErrorReply, reply: Reply, shape: Shape, stamp: Stamp, number: int, framing: Framing
) -> tuple[Frame, Frame]:
    """An error that ends a stream: told as both of its forms have it, nested for clients that raise it and flat for
    those that are typed, and then the response that failed by it."""
    flat = {"code": error.code, "message": error.message, "param": error.param}
    nested = {"type": error.type or "server_error", **flat}
    told = {"type": "error", "error": nested, **flat, "sequence_number": number}
    failure = envelope.response(reply, shape, stamp, envelope.failed([], error))
    return (
        _framed(b"error", orjson.dumps(told), FrameKind.CLOSE, framing),
        _whole_event("response.failed", failure, number + 1, FrameKind.CLOSE, framing),
    )


def _whole_event(name: str, response: bytes, number: int, kind: FrameKind, framing: Framing) -> Frame:
    told = {"type": name, "response": orjson.Fragment(response), "sequence_number": number}
    return _framed(name.encode(), orjson.dumps(told), kind, framing)


def _framed(name: bytes, event: bytes, kind: FrameKind, framing: Framing) -> Frame:
    return Frame(b"".join((framing.lead(name), event[:-1], framing.end)), kind)


class _Writer:
    """Writes one stream."""

    def __init__(self, reply: Reply, shape: Shape, stamp: Stamp, framing: Framing) -> None:
        self._written = 0
        """Events."""
        self._reply = reply
        self._shape = shape
        self._stamp = stamp
        self._framing = framing

    def write(self, chunk_size: int, until: int | None) -> Iterator[Frame]:
        """All events, without the mid-stream error."""
        return itertools.chain.from_iterable(self._groups(chunk_size, until))

    def _groups(self, chunk_size: int, until: int | None) -> Iterator[Iterable[Frame]]:
        """The events, in groups, each of which is read to its end before the next is made."""
        for stage, status in _BEGINNINGS[self._shape.is_background]:
            yield (self.stand(f"response.{stage}", envelope.Standing(status), FrameKind.OPEN),)
        told: list[Item] = []
        for item in items(self._reply, self._shape, self._stamp):
            if self._is_steered(told, until):
                break
            yield from self._item(item, len(told), chunk_size)
            told.append(item)
        output = [item.whole for item in told]
        if self._is_steered(told, until):
            usage = envelope.usage(self._reply, self._shape)
            ended = envelope.Standing("incomplete", output, usage, envelope.REASONS["steered"])
        else:
            ended = envelope.ended(self._reply, self._shape, output)
        yield (self.stand(_ENDINGS.get(ended.status, "response.completed"), ended, FrameKind.TOKEN),)

    def _is_steered(self, told: Sequence[Item], until: int | None) -> bool:
        """Whether it ends after these items."""
        return until is not None and self._written >= until and not any(item.is_call for item in told)

    def _item(self, item: Item, index: int, chunk_size: int) -> Iterator[Iterable[Frame]]:
        place = {"item_id": item.start["id"], "output_index": index}
        yield (self._event("output_item.added", item=item.start, output_index=index),)
        for stage in item.stages:
            yield (self._event(stage, **place),)
        for run in item.runs:
            yield from self._run(run, place, chunk_size)
        yield (self._event("output_item.done", item=item.whole, output_index=index),)

    def stand(self, name: str, standing: envelope.Standing, kind: FrameKind) -> Frame:
        """An event that tells how the response stands."""
        response = envelope.response(self._reply, self._shape, self._stamp, standing)
        return _whole_event(name, response, self._number(), kind, self._framing)

    def _event(self, name: str, /, **members: Any) -> Frame:
        members["sequence_number"] = self._number()
        told = {"type": f"response.{name}", **dict(sorted(members.items()))}
        return _framed(told["type"].encode(), orjson.dumps(told), FrameKind.TOKEN, self._framing)

    def _number(self) -> int:
        """That of the event that is being written."""
        self._written += 1
        return self._written - 1

    def _run(self, run: Run, place: dict[str, Any], chunk_size: int) -> Iterator[Iterable[Frame]]:
        place = {**place, **run.place}
        if run.frame is not None:
            yield (self._event(f"{run.frame}.added", **place, part=run.begun()),)
        yield self._deltas(run, place, chunk_size)
        yield (self._event(f"{run.name}.done", **place, **{run.key: run.text}, **run.named),)
        if run.frame is not None:
            yield (self._event(f"{run.frame}.done", **place, part=run.part),)

    def _deltas(self, run: Run, place: dict[str, Any], chunk_size: int) -> Iterator[Frame]:
        """The frames of a run, put together from constant pieces around what each has of its own."""
        name = f"response.{run.name}.delta".encode()
        opening, placed, numbered, closing = (
            b"".join(b'"%b":%b,' % (key.encode(), orjson.dumps(place[key])) for key in keys if key in place)
            for keys in (("content_index",), ("item_id",), ("output_index",), ("summary_index",))
        )
        opening = b'%b{"type":"%b",%b"delta":' % (self._framing.lead(name), name, opening)
        numbered += b'"sequence_number":'
        closing = (b"," + closing[:-1] if closing else b"") + self._framing.end
        pieces = slices(run.text, chunk_size)
        placed = b"," + placed
        for piece, logprobs in zip(pieces, _logprobs(run, pieces), strict=True):
            number = self._number()
            filler = self._filler(number) if self._shape.obfuscates else b""
            said = (opening, orjson.dumps(piece), placed, logprobs, filler, numbered, b"%d" % number, closing)
            yield Frame(b"".join(said), FrameKind.TOKEN)

    def _filler(self, number: int) -> bytes:
        """Padding against who would guess text from the length of packets."""
        return b'"obfuscation":"%b",' % self._stamp.alphanumeric_bytes(16, f"obfuscation {number}")


def _logprobs(run: Run, pieces: list[str]) -> list[bytes]:
    """The member that goes with each piece of a run, if its events have one."""
    tokens = run.named.get("logprobs")
    if not tokens:
        return [b"" if tokens is None else b'"logprobs":[],'] * len(pieces)
    return [b'"logprobs":' + orjson.dumps(hand) + b"," for hand in dealt(tokens, pieces)]
