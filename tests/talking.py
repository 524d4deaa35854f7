"""A client and a server in one, for sessions without I/O: what a session wants done is done at once, in its order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import orjson

from aimock.memories import Memories
from aimock_protocols.canonical import ENTROPY_BYTES, ChatRequest, ErrorReply, Frame, Memory, Reply, Stamp, WireError
from aimock_protocols.sessions import (
    Cancel,
    Close,
    Connecting,
    Event,
    Move,
    Options,
    Said,
    Session,
    SocketProtocol,
    Turn,
)

NO_FIXTURE = ErrorReply("No fixture matched", code="no_fixture_match", status=404)

Answering = Callable[[ChatRequest], Said | ErrorReply]


@attrs.frozen
class Head:
    method: str = "GET"
    path: str = "/v1/realtime"
    query: str = "model=gpt-realtime"
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Talk:
    """A session that has been opened, and all that it said.

    A turn is answered at once by `answer`; or held, where there is none, until the test does something with it.
    """

    session: Session
    answer: Answering | None = None
    chunk_size: int = 20
    now: float = 1795200000.25
    events: list[dict[str, Any]] = attrs.field(factory=list)
    frames: list[Frame] = attrs.field(factory=list)
    """Those of all answers."""
    held: list[Turn] = attrs.field(factory=list)
    requests: list[ChatRequest] = attrs.field(factory=list)
    closed: Close | None = None
    _sent: dict[int, int] = attrs.field(factory=dict)
    _begun: dict[int, list[Frame]] = attrs.field(factory=dict)
    _moments: int = 0

    def stamp(self) -> Stamp:
        """Never the same twice."""
        self._moments += 1
        return Stamp(self.now, self._moments.to_bytes(ENTROPY_BYTES, "big"))

    def send(self, event: Any) -> list[dict[str, Any]]:
        """Sends an event, or text as it is, and gives what was told then."""
        before = len(self.events)
        message = event if isinstance(event, str | bytes) else json.dumps(event)
        self.perform(self.session.received(message, self.stamp()))
        return self.events[before:]

    def perform(self, moves: Iterable[Move]) -> None:
        for move in moves:
            if isinstance(move, Event):
                self.events.append(orjson.loads(move.data))
            elif isinstance(move, Close):
                self.closed = move
            elif isinstance(move, Cancel):
                if move.turn in self.held:  # else it is over already
                    self.cut(move.turn)
            else:
                self.requests.append(move.request)
                self.held.append(move)
                if self.answer is not None:
                    self.say(move, self.answer(move.request))

    def say(self, turn: Turn, said: Said | ErrorReply, count: int | None = None) -> None:
        """Answers a turn, or begins to: so many frames of it."""
        if isinstance(said, ErrorReply):
            self._over(turn, turn.failed(said, self.stamp()))
            return
        try:
            frames = list(turn.frames(said, self.stamp(), self.chunk_size))
        except WireError as refused:
            self._over(turn, turn.failed(refused.reply, self.stamp()))
            return
        self._begun[id(turn)] = frames
        self._tell(turn, frames[:count])
        if count is None:
            self.finish(turn)

    def is_begun(self, turn: Turn) -> bool:
        """Whether part of its answer has been told, and the rest is to come."""
        return id(turn) in self._begun

    def finish(self, turn: Turn) -> None:
        """All the rest of an answer, and its end."""
        self._tell(turn, self._begun.pop(id(turn))[self._sent.get(id(turn), 0) :])
        self._over(turn, turn.ended(self.stamp()))

    def cut(self, turn: Turn) -> None:
        self._over(turn, turn.cut(self._sent.get(id(turn), 0), self.stamp()))

    def _tell(self, turn: Turn, frames: list[Frame]) -> None:
        self._sent[id(turn)] = self._sent.get(id(turn), 0) + len(frames)
        self.frames += frames
        self.events += [orjson.loads(frame.data) for frame in frames]

    def _over(self, turn: Turn, moves: Iterable[Move]) -> None:
        self.held.remove(turn)
        self._begun.pop(id(turn), None)
        self._sent.pop(id(turn), None)
        self.perform(moves)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def last(self, kind: str) -> dict[str, Any]:
        """The last event of a type."""
        return next(event for event in reversed(self.events) if event["type"] == kind)


def talk(
    protocol: SocketProtocol,
    head: Head | None = None,
    answer: Answering | Said | ErrorReply | None = None,
    *,
    memory: Memory | None = None,
    is_strict: bool = False,
    is_recorded: bool = False,
    chunk_size: int = 20,
    **options: Any,
) -> Talk:
    """A session with a client of this head, whose turns are answered by a function, or all alike."""
    head = head or Head()
    memory = memory or Memories().of("test", protocol.name)
    stamp = Stamp(1795200000.25, b"sixteen bytes ok" * 4)
    session = protocol.connect(Connecting(head, {}, stamp, memory, Options(**options), is_strict, is_recorded))
    answering = answer if answer is None or callable(answer) else lambda request: answer
    talking = Talk(session, answering, chunk_size)
    talking.perform(session.opened(stamp))
    return talking


def text_reply(*texts: str, **more: Any) -> Reply:
    from aimock_protocols.canonical import Text

    return Reply(tuple(map(Text, texts)), **more)
