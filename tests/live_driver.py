"""Plays the server's part of Gemini Live sessions: what fixtures say is told beforehand, and nothing takes time."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs
import orjson

from aimock.memories import Memories
from aimock_protocols import gemini_live
from aimock_protocols.canonical import ChatRequest, ErrorReply, Frame, Memory, Stamp, WireError
from aimock_protocols.sessions import Cancel, Close, Connecting, Event, Options, Said, Session, Turn

DEVELOPER = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"

MISS = ErrorReply("no fixture", "invalid_request_error", code="no_fixture_match", status=404)


@attrs.frozen
class Head:
    path: str = DEVELOPER
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    method: str = "GET"


class Held(NamedTuple):
    """An answer of which so many frames are sent, and then no more until the session cancels it."""

    said: Said
    frames: int


Answer = Said | ErrorReply | Held


@attrs.define(eq=False)
class Driver:
    """One session. Turns that nothing is told for are thought about for ever."""

    options: Options = attrs.field(factory=Options)
    head: Head = attrs.field(factory=Head)
    memory: Memory = attrs.field(factory=lambda: Memories().of("", "gemini_live"))
    chunk_size: int = 20
    created: float = 1795200000.25
    seed: int = 0
    """Sessions of different seeds have different ids."""
    requests: list[ChatRequest] = attrs.field(factory=list)
    """Of all turns, in order."""
    frames: list[Frame] = attrs.field(factory=list)
    """All that were sent."""
    session: Session = attrs.field(init=False)
    _answers: deque[Answer] = attrs.field(factory=deque)
    _sent: dict[Turn, int] = attrs.field(factory=dict)
    """Of each turn under way, how many frames were sent."""
    _stamps: Iterator[int] = attrs.field(factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        self.session = gemini_live.connect(Connecting(self.head, {}, self.stamp(), self.memory, self.options))
        assert [*self.session.opened(self.stamp())] == []

    def stamp(self) -> Stamp:
        return Stamp(self.created, self.seed.to_bytes(32, "big") + next(self._stamps).to_bytes(32, "big"))

    def prepare(self, *answers: Answer) -> None:
        """Answers to turns to come, in their order."""
        self._answers.extend(answers)

    @property
    def under_way(self) -> list[Turn]:
        return [*self._sent]

    def is_quiet(self) -> bool:
        """Whether no answer is left, and no turn waits for one."""
        return not self._answers and not self._sent

    def say(self, message: Any, *answers: Answer) -> list[Any]:
        """What is told when the client says something: messages, and the close that ends it all. The answers are those
        to the turns that are then asked for."""
        self.prepare(*answers)
        sent = message if isinstance(message, str | bytes) else orjson.dumps(message)
        return self._perform(self.session.received(sent, self.stamp()))

    def set_up(self, model: str = "models/m", modality: str | None = "TEXT", **more: Any) -> list[Any]:
        config = {} if modality is None else {"generationConfig": {"responseModalities": [modality]}}
        return self.say({"setup": {"model": model, **config, **more}})

    def ask(self, text: str, *answers: Answer) -> list[Any]:
        """A whole turn of the user."""
        turn = {"role": "user", "parts": [{"text": text}]}
        return self.say({"clientContent": {"turns": [turn], "turnComplete": True}}, *answers)

    def go_on(self, said: Answer) -> list[Any]:
        """Answers a turn that was thought about."""
        (turn,) = self.under_way
        self._answers.append(said)
        return self._perform(self._answer(turn))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What fixtures saw last."""
        messages: list[dict[str, Any]] = self.requests[-1].body["messages"]
        return messages

    def _perform(self, moves: Iterable[Any]) -> list[Any]:
        """What is told by moves, and by messages of an answer among them."""
        told: list[Any] = []
        waiting = deque(moves)
        while waiting:
            move = waiting.popleft()
            if isinstance(move, Event):
                told.append(orjson.loads(move.data))
            elif isinstance(move, Close | dict):
                told.append(move)
            elif isinstance(move, Cancel):
                if move.turn in self._sent:  # else it ended before it could be cancelled
                    waiting.extend(move.turn.cut(self._sent.pop(move.turn), self.stamp()))
            else:
                self.requests.append(move.request)
                self._sent[move] = 0
                answered = [*self._answer(move)]
                told += [each for each in answered if isinstance(each, dict)]
                waiting.extend(each for each in answered if not isinstance(each, dict))
        return told

    def _answer(self, turn: Turn) -> Iterator[Any]:
        """Messages of a turn, and the moves that it ends in."""
        if not self._answers:
            return
        answer = self._answers.popleft()
        if isinstance(answer, ErrorReply):
            del self._sent[turn]
            yield from turn.failed(answer, self.stamp())
            return
        said = answer.said if isinstance(answer, Held) else answer
        try:
            frames = turn.frames(said, self.stamp(), self.chunk_size)
        except WireError as refused:
            del self._sent[turn]
            yield from turn.failed(refused.reply, self.stamp())
            return
        for frame in itertools.islice(frames, answer.frames) if isinstance(answer, Held) else frames:
            self.frames.append(frame)
            self._sent[turn] += 1
            yield orjson.loads(frame.data)
        if not isinstance(answer, Held):
            del self._sent[turn]
            yield from turn.ended(self.stamp())
