"""A session whose answers the service gives, read along (see `sessions.Follower`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from aimock_protocols.canonical import Part, Text, ToolCall, WireError
from aimock_protocols.collapsing import dicts, joined, mapping, string
from aimock_protocols.gemini.fields import many
from aimock_protocols.gemini_live import dialect
from aimock_protocols.gemini_live.listening import AUDIO_INPUT
from aimock_protocols.gemini_live.recordings import message_in, parts_in
from aimock_protocols.gemini_live.setup import Setup
from aimock_protocols.sessions import Message, Passage, Passed

Content = dict[str, Any]

_AUDIO: Content = {"role": "user", "parts": [{"text": AUDIO_INPUT}]}
_OUTSIDE = frozenset({"inputTranscription"})
"""Contents that belong to no answer, alone in a message."""


class LiveFollower:
    """Reads along."""

    def __init__(
        self,
        setup: Setup,
        is_vertex: bool,
        history: list[Content],
        asked: list[Content],
        spoken: Sequence[Message],
    ) -> None:
        """`history` is what was said and answered, `asked` what was not, and `spoken` are the messages by which came
        what of that is audio."""
        self.is_ready = False
        self._setup = setup
        self._is_vertex = is_vertex
        self._history = history
        self._pending = asked
        """What the user has said since the last answer began."""
        self._spoken = spoken if any(_is_audio(content) for content in asked) else ()
        self._has_spoken = False
        """Whether there was audio since the last answer began."""
        self._awaited: Passage | None = Passage()
        """The answer that was asked for and has not begun."""
        self._passage: Passage | None = None
        """That which is being given."""
        self._asked: list[Content] = []
        self._said: list[Part] = []
        """What it answers, and what it has said so far."""
        self._is_interrupted = False
        self._calls: set[str] = set()
        """Those of its calls whose results are not there."""
        self._is_complete = True
        """Whether the service has said that its last turn is; on Vertex AI it says so once the results are there."""

    def greeting(self) -> Iterable[Message]:
        settings = dict(self._setup.settings)
        if self._setup.handle is not None:  # it is of this server, and what it stands for is in the history
            resumption = mapping(settings["sessionResumption"])
            settings["sessionResumption"] = {name: value for name, value in resumption.items() if name != "handle"}
        yield _written({"setup": {"model": self._setup.model, **settings}})

    def retold(self) -> Iterator[Passed]:
        """The conversation as text, and audio as it came."""
        written = [each for each in (*self._history, *self._pending) if not (self._spoken and _is_audio(each))]
        turns = [content for content in map(_retold, written) if content["parts"]]
        told = {"clientContent": {"turns": turns, "turnComplete": not self._spoken}}
        messages = (*([_written(told)] if turns else []), *self._spoken)
        self._spoken = ()
        yield Passed(messages, self._awaited)

    def asked(self, message: Message) -> Passed:
        try:
            return Passed((message,), self._heed(dialect.read(message)))
        except WireError:  # which the service will say itself
            return Passed((message,))

    def told(self, message: Message) -> Passed:
        told = message_in(message)
        if "setupComplete" in told and not self.is_ready:
            self.is_ready = True
            return Passed()
        content = mapping(told.get("serverContent"))
        says = "modelTurn" in content or bool(mapping(content.get("outputTranscription")).get("text"))
        if self._passage is None and (says or "toolCall" in told):
            self._begin()
        passage = self._passage
        is_outside = "serverContent" in told and bool(content) and content.keys() <= _OUTSIDE
        if passage is None or is_outside or not told.keys() & {"serverContent", "toolCall", "usageMetadata"}:
            return Passed((message,), self._missed(content) if passage is None else None)
        self._said += parts_in(told)
        self._is_interrupted = self._is_interrupted or content.get("interrupted") is True
        if "toolCall" in told or content.get("turnComplete") is True:
            self._end(told)
        return Passed((message,), passage)

    # -- the user ------------------------------------------------------------------------------------------------------

    def _heed(self, message: Mapping[str, Any]) -> Passage | None:
        """The answer that it asks for. Audio asks for none: it is the service that hears its end. Raises WireError."""
        asks = False
        if "clientContent" in message:
            sent = mapping(message["clientContent"])
            self._pending += many(sent, "turns", "client_content.turns")
            asks = sent.get("turnComplete") is True
        elif "toolResponse" in message:
            results = many(mapping(message["toolResponse"]), "functionResponses", "tool_response.function_responses")
            self._pending.append({"role": "user", "parts": [{"functionResponse": result} for result in results]})
            self._calls -= {str(result.get("id")) for result in results if result.get("willContinue") is not True}
            asks = not self._calls and any(result.get("scheduling") != "SILENT" for result in results)
        elif "realtimeInput" in message:
            sent = mapping(message["realtimeInput"])
            self._has_spoken = self._has_spoken or "audio" in sent or bool(sent.get("mediaChunks"))
            text = string(sent.get("text"))
            if text is not None:
                self._pending.append({"role": "user", "parts": [{"text": text}]})
            asks = text is not None
        elif "contextUpdate" in message:
            self._setup = self._setup.updated(mapping(message["contextUpdate"]))
        if not asks:
            return None
        self._awaited = self._awaited or Passage()
        return self._awaited

    # -- the model -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._passage, self._awaited = self._awaited or Passage(), None
        self._asked = self._pending or ([_AUDIO] if self._has_spoken else [])
        self._pending, self._has_spoken, self._said, self._is_interrupted = [], False, [], False
        try:
            self._passage.request = self._setup.request([*self._history, *self._asked])
        except WireError:
            self._passage.request = None

    def _end(self, told: Mapping[str, Any]) -> None:
        assert self._passage is not None
        self._passage.is_over, self._passage.is_whole = True, not self._is_interrupted
        self._passage = None
        self._is_complete = "toolCall" not in told or not self._is_vertex
        self._calls = {str(call.get("id")) for call in dicts(mapping(told.get("toolCall")).get("functionCalls"))}
        self._history += [*self._asked, *_answer(self._said)]

    def _missed(self, content: Mapping[str, Any]) -> Passage | None:
        """The answer that was asked for, if it is complete without having begun."""
        if content.get("turnComplete") is not True:
            return None
        was_complete, self._is_complete = self._is_complete, True
        if not was_complete or self._awaited is None:
            return None
        missed, self._awaited = self._awaited, None
        missed.is_over = True
        return missed


def _is_audio(content: Content) -> bool:
    return {"text": AUDIO_INPUT} in dicts(content.get("parts"))


def _answer(said: Iterable[Part]) -> Iterator[Content]:
    parts: list[dict[str, Any]] = []
    for part in joined(said):
        if isinstance(part, ToolCall):
            arguments = orjson.loads(part.arguments)
            parts.append({"functionCall": {"id": part.id, "name": part.name, "args": arguments}})
        elif isinstance(part, Text) and part.text:
            parts.append({"text": part.text})
    if parts:
        yield {"role": "model", "parts": parts}


def _retold(content: Content) -> Content:
    """A turn without what there are no bytes of."""
    parts = [part for part in dicts(content.get("parts")) if "data" in mapping(part.get("inlineData", {"data": ""}))]
    return content | {"parts": parts}


def _written(message: Mapping[str, Any]) -> str:
    return orjson.dumps(message).decode()
