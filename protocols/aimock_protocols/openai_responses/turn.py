"""One response of a session: from its request to its end (see `sessions.Turn`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, FrameKind, Reply, Stamp, WireError
from aimock_protocols.openai_responses import envelope, events
from aimock_protocols.openai_responses.collapse import collapse
from aimock_protocols.openai_responses.items import items
from aimock_protocols.openai_responses.shape import Shape
from aimock_protocols.openai_responses.steering import Steer
from aimock_protocols.openai_responses.stream import breaking, frames, in_messages
from aimock_protocols.sessions import Event, Move, Said, Speech


class Answer(NamedTuple):
    """What a response follows from besides its request."""

    reply: Reply
    stamp: Stamp
    chunk_size: int

    @property
    def id(self) -> str:
        return envelope.response_id(self.reply, self.stamp)

    def output(self, shape: Shape) -> list[dict[str, Any]]:
        """Its items."""
        return [item.whole for item in items(self.reply, shape, self.stamp)]


@attrs.define(eq=False)
class ResponseTurn:
    """A turn of a session."""

    request: ChatRequest
    shape: Shape
    lane: str | None
    before: bytes
    """All items that come before the answer, those of earlier turns too: JSON."""
    remembers: bool
    carried: tuple[Steer, ...]
    """Steering of an earlier response that is part of this one's input."""
    _settle: Callable[[ResponseTurn, Answer | None, Stamp], Iterable[Move]]
    """Told how it ended: with an answer, or without one that could be taken up."""
    answer: Answer | None = None
    """Once it is being given."""
    steers: list[Steer] = attrs.field(factory=list)
    """Those that are to end it."""
    _begun: int = 0
    """How many events were asked for, if not sent."""
    _number: int = 0
    """How many there were, once it has ended."""
    _error: Frame | None = None
    """The last event, if an error broke it off."""
    _recited: tuple[Frame, ...] = ()
    """All its events, if they were recorded."""
    _failure: Event | None = None
    """What that leaves to be said."""
    is_optional: bool = attrs.field(default=False, init=False)

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        if not isinstance(said, Reply):
            kind = "audio" if isinstance(said, Speech) else "a transcription"
            message = f"Fixture response is {kind}, which chat does not serve"
            raise WireError(ErrorReply(message, "invalid_request_error", status=422))
        self.answer = Answer(said, stamp, chunk_size)
        return self._counted(self._events(self.answer))

    def recited(self, messages: Sequence[bytes], said: Reply, stamp: Stamp) -> Iterator[Frame]:
        """In this turn's lane, whatever lane they were recorded in."""
        self.answer = Answer(said, stamp, 1)
        self._recited = tuple(Frame(self._in_lane(message), FrameKind.TOKEN) for message in messages)
        return self._counted(iter(self._recited))

    def _in_lane(self, message: bytes) -> bytes:
        told = orjson.loads(message)
        if told.pop("stream_id", None) == self.lane:
            return message
        return orjson.dumps(told if self.lane is None else told | {"stream_id": self.lane})

    def _events(self, answer: Answer, until: int | None = None) -> Iterator[Frame]:
        return frames(answer.reply, self.shape, answer.stamp, answer.chunk_size, in_messages(self.lane), until=until)

    def _counted(self, told: Iterator[Frame]) -> Iterator[Frame]:
        for frame in told:
            self._begun += 1
            yield frame

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        reply, stamp = (Reply(), stamp) if self.answer is None else (self.answer.reply, self.answer.stamp)
        self._error, failure = breaking(error, reply, self.shape, stamp, self._begun, in_messages(self.lane))
        self._failure = Event(failure.data)
        return self._error

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        assert self.answer is not None
        if self._failure is not None:
            return [self._failure, *self._settle(self, None, stamp)]
        if self.answer.reply.mid_stream_error is not None:
            return self._settle(self, None, stamp)
        self._number = self._begun
        return [*self._accepted(self._number), *self._settle(self, self.answer, stamp)]

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        """It was steered: what is left to be said of it follows at once. It may have come to its end all the same."""
        assert self.answer is not None
        if self._recited:  # there is no steering away from that
            self._begun = len(self._recited)
            return [*(Event(frame.data) for frame in self._recited[sent:]), *self.ended(stamp)]
        left = list(self._events(self.answer))
        if self._error is not None:
            left[self._begun :] = [self._error]
        del left[:sent]
        if all(frame.kind is FrameKind.CLOSE for frame in left):  # nothing, or an error
            return [*(Event(frame.data) for frame in left), *self.ended(stamp)]
        told = list(self._events(self.answer, until=sent))
        self._number = len(told)
        said = collapse(sse.encode(frame.data) for frame in told)
        rest = [_renumbered(frame, len(self.steers)) for frame in told[sent:]]
        answer = self.answer._replace(reply=said) if said.finish_reason == "steered" else self.answer
        return [*self._accepted(sent), *rest, *self._settle(self, answer, stamp)]

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        return [*events.refused(error, self.lane, self.carried), *self._settle(self, None, stamp)]

    def numbered(self, place: int) -> int:
        """The number of an event that comes so many places after those of its stream, and after the acknowledgements
        of steering, which are numbered with them."""
        return self._number + len(self.steers) + place

    def _accepted(self, number: int) -> list[Event]:
        return [events.accepted(steer, self.lane, number + at) for at, steer in enumerate(self.steers)]


def _renumbered(frame: Frame, by: int) -> Event:
    told = orjson.loads(frame.data)
    told["sequence_number"] += by
    return Event(orjson.dumps(told))
