"""A client of OpenAI's Responses by WebSocket, without a socket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args

import attrs
import orjson
from openai.types.responses import ResponsesServerEvent
from pydantic import BaseModel

from aimock.memories import Memories
from aimock_protocols import openai_responses
from aimock_protocols.canonical import ErrorReply, Frame, Reply, Stamp, Text, ToolCall
from aimock_protocols.sessions import Cancel, Connecting, Event, Move, Options, Said, Turn

EVENTS: dict[str, type[BaseModel]] = {
    get_args(event.model_fields["type"].annotation)[0]: event for event in get_args(get_args(ResponsesServerEvent)[0])
}
"""The SDK's types of what servers send, by the names of the events."""

ENDINGS = ("response.completed", "response.incomplete", "response.failed", "error")
HELLO = Reply((Text("Hello there, you!"),))
TWO = Reply((Text("Hello there, you!"), Text("And you, over there!")))
CALL = Reply((Text("Let me look."), ToolCall("get_weather", '{"city":"Paris"}', "call_1")))


@attrs.frozen
class Head:
    method: str = "GET"
    path: str = "/v1/responses"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Playing:
    """A turn whose frames are being sent."""

    turn: Turn
    frames: Iterator[Frame]
    sent: int = 0


class Client:
    """A client, and as much of a server as a session needs. Whatever it is sent is held against the SDK's types, but
    where fixtures say what these do not know."""

    def __init__(self, memory: Any = None, *, is_strict: bool = False, is_typed: bool = True) -> None:
        self._is_typed = is_typed
        self.memory = Memories().of("", "") if memory is None else memory
        connecting = Connecting(Head(), {}, stamp_at(0), self.memory, Options(), is_strict)
        self.session = openai_responses.connect(connecting)
        self.told: list[dict[str, Any]] = []
        self.turns: list[Turn] = []
        """Those that wait for an answer."""
        self.playing: dict[Turn, Playing] = {}
        self._moments = 0
        self.perform(self.session.opened(self._now()))

    def send(self, kind: str = "response.create", /, **members: Any) -> None:
        self.send_raw(orjson.dumps({"type": kind, **members}))

    def send_raw(self, message: str | bytes) -> None:
        self.perform(self.session.received(message, self._now()))

    def create(self, text: Any = "hello", /, **members: Any) -> None:
        self.send(model="gpt-5", input=text, **members)

    def begin(self, said: Said, chunk_size: int = 20) -> Playing:
        """The answer to the turn that has waited longest, of which nothing has been sent yet."""
        turn = self.turns.pop(0)
        playing = self.playing[turn] = Playing(turn, turn.frames(said, self._now(), chunk_size))
        return playing

    def play(self, playing: Playing, count: int | None = None) -> None:
        """Sends so many of its frames, or all there are; then it has ended."""
        while count is None or count > 0:
            frame = next(playing.frames, None)
            if frame is None:
                del self.playing[playing.turn]
                self.perform(playing.turn.ended(self._now()))
                return
            playing.sent += 1
            self._tell(frame.data)
            count = None if count is None else count - 1

    def answer(self, said: Said = HELLO, chunk_size: int = 20) -> str:
        """Answers the turn that has waited longest; the response's id."""
        first = len(self.told)
        self.play(self.begin(said, chunk_size))
        return str(self.told[first]["response"]["id"])

    def fail(self, error: ErrorReply) -> None:
        self.perform(self.turns.pop(0).failed(error, self._now()))

    def take(self) -> list[dict[str, Any]]:
        """What was told since it was asked last."""
        told, self.told = self.told, []
        return told

    def perform(self, moves: Iterable[Move]) -> None:
        for move in moves:
            if isinstance(move, Event):
                self._tell(move.data)
            elif isinstance(move, Cancel):
                playing = self.playing.pop(move.turn)
                self.perform(playing.turn.cut(playing.sent, self._now()))
            else:
                assert not isinstance(move, tuple), "a session of Responses never closes the connection"
                self.turns.append(move)

    def _tell(self, data: bytes) -> None:
        event = orjson.loads(data)
        self.told.append(event)
        if event["type"] == "response.steer.failed" and event["error"]["code"] == "invalid_input":
            event = {**event, "steer": {**event["steer"], "input": ""}}  # it is given back whatever it is
        if self._is_typed:
            EVENTS[event["type"]].model_validate_json(orjson.dumps(event), strict=True)

    def _now(self) -> Stamp:
        self._moments += 1
        return stamp_at(self._moments)


def stamp_at(moment: int) -> Stamp:
    """Another for each moment."""
    return Stamp(1795200000.25 + moment, moment.to_bytes(64, "big"))


def types(told: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told]


def numbers(told: Iterable[dict[str, Any]]) -> list[int]:
    return [event["sequence_number"] for event in told]


def messages(turn: Turn) -> list[tuple[Any, Any]]:
    return [(message["role"], message.get("content")) for message in turn.request.body["messages"]]


def refusal(event: dict[str, Any]) -> tuple[int, str | None, str | None]:
    assert event["type"] == "error"
    return event["status"], event["error"]["code"], event["error"]["param"]
