"""Clients of Gemini Live for tests without a server: what fixtures say is told beforehand."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import attrs

from aimock.memories import Memories
from aimock_protocols import gemini_live
from aimock_protocols.canonical import (
    ENTROPY_BYTES,
    ChatRequest,
    ErrorReply,
    Frame,
    Memory,
    Part,
    Reply,
    Stamp,
    Text,
    ToolCall,
)
from aimock_protocols.sessions import Close, Connecting, Options, Said, Session
from talking import Head as AnyHead
from talking import Talk

DEVELOPER = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"


def Head(path: str = DEVELOPER, query: str = "", **more: Any) -> AnyHead:
    return AnyHead(path=path, query=query, **more)


class Held(NamedTuple):
    """An answer of which so many frames are sent, and then no more until the session cancels it."""

    said: Said
    frames: int


Answer = Said | ErrorReply | Held


@attrs.define(eq=False)
class Driver:
    """One session. Turns that nothing is told for are thought about for ever."""

    options: Options = attrs.field(factory=Options)
    head: AnyHead = attrs.field(factory=Head)
    memory: Memory = attrs.field(factory=lambda: Memories().of("", "gemini_live"))
    created: float = 1795200000.25
    seed: int = 0
    """Sessions of different seeds have different ids."""
    talk: Talk = attrs.field(init=False)
    _answers: deque[Answer] = attrs.field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self.talk = Talk(self._session(), now=self.created, moments=self.seed << 32)
        self.talk.perform(self.talk.session.opened(self.talk.stamp()))
        assert self.talk.events == []

    def _session(self) -> Session:
        stamp = Stamp(self.created, bytes(ENTROPY_BYTES))
        return gemini_live.connect(Connecting(self.head, {}, stamp, self.memory, self.options))

    def prepare(self, *answers: Answer) -> None:
        """Answers to turns to come, in their order."""
        self._answers.extend(answers)

    def say(self, message: Any, *answers: Answer) -> list[Any]:
        """What is told when the client says something: messages, and the close that ends it all. The answers are those
        to the turns that are then asked for."""
        self.prepare(*answers)
        before, was_closed = len(self.talk.events), self.talk.closed
        self.talk.send(message)
        self._answer()
        closed = self.talk.closed if was_closed is None else None
        return [*self.talk.events[before:], *([closed] if closed is not None else [])]

    def go_on(self, *answers: Answer) -> list[Any]:
        """Answers turns that were thought about."""
        before = len(self.talk.events)
        self.prepare(*answers)
        self._answer()
        return self.talk.events[before:]

    def _answer(self) -> None:
        """Turns that wait, as long as the session lives and there is something to say."""
        while self._answers and self.talk.closed is None:
            turn = next((turn for turn in self.talk.held if not self.talk.is_begun(turn)), None)
            if turn is None:
                return
            answer = self._answers.popleft()
            said, count = answer if isinstance(answer, Held) else (answer, None)
            self.talk.say(turn, said, count)

    def set_up(self, model: str = "models/m", modality: str | None = "TEXT", **more: Any) -> list[Any]:
        config = {} if modality is None else {"generationConfig": {"responseModalities": [modality]}}
        return self.say({"setup": {"model": model, **config, **more}})

    def ask(self, text: str, *answers: Answer) -> list[Any]:
        """A whole turn of the user."""
        turn = {"role": "user", "parts": [{"text": text}]}
        return self.say({"clientContent": {"turns": [turn], "turnComplete": True}}, *answers)

    def is_quiet(self) -> bool:
        """Whether no answer is left, and no turn waits for one."""
        return not self._answers and not self.talk.held

    @property
    def requests(self) -> list[ChatRequest]:
        """Of all turns, in order."""
        return self.talk.requests

    @property
    def frames(self) -> list[Frame]:
        """Those of all answers."""
        return self.talk.frames

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What fixtures saw last."""
        messages: list[dict[str, Any]] = self.requests[-1].body["messages"]
        return messages


# -- what tests say and expect -----------------------------------------------------------------------------------------

HELLO = Reply((Text("Hello!"),))
CALL = ToolCall("get_weather", '{"city":"Paris"}', "call_1")
CALLED = Reply((CALL,))


def reply(*parts: Part, **more: Any) -> Reply:
    return Reply(parts, **more)


def content(**members: Any) -> dict[str, Any]:
    return {"serverContent": members}


def text(said: str, **more: Any) -> dict[str, Any]:
    return content(modelTurn={"parts": [{"text": said, **more}]})


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": said} for said in texts]}


def results(*ids: str, **more: Any) -> dict[str, Any]:
    made = [{"id": each, "name": "get_weather", "response": {"c": 20}, **more} for each in ids]
    return {"toolResponse": {"functionResponses": made}}


def kinds(told: list[Any]) -> list[str]:
    """What each message is, in a word."""
    return [
        f"close {each.code}" if isinstance(each, Close) else "+".join(each.get("serverContent", each)) for each in told
    ]


GENERATED = content(generationComplete=True)
DONE = ["generationComplete", "turnComplete"]
ANSWERED = ["modelTurn", *DONE]
BROKEN_OFF = ["interrupted", "turnComplete"]
