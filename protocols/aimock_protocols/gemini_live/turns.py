"""What a session asks of fixtures: an answer, or what it was that the client said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aimock_protocols.arguments import on_one_line
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    Part,
    Reply,
    Stamp,
    ToolCall,
    WireError,
)
from aimock_protocols.collapsing import joined
from aimock_protocols.gemini_live import closing
from aimock_protocols.gemini_live.listening import AUDIO_INPUT
from aimock_protocols.gemini_live.recordings import is_spoken, message_in, parts_in
from aimock_protocols.gemini_live.speaking import Manner, Message, answer, server_content
from aimock_protocols.midstream import until_error
from aimock_protocols.sessions import Move, Said, Speech, Transcript
from aimock_protocols.slicing import slices

if TYPE_CHECKING:
    from aimock_protocols.gemini_live.session import LiveSession

Content = dict[str, Any]
"""A turn of either side, as Google has it: role and parts."""

_SILENT = orjson.dumps(server_content())


@attrs.define(eq=False)
class AnswerTurn:
    """An answer to what was said so far."""

    request: ChatRequest
    asked: tuple[Content, ...]
    """What of the request is not part of the history yet."""
    manner: Manner
    _session: LiveSession
    is_cancelled: bool = False
    spoken: Sequence[str | bytes] = ()
    """The messages by which came what of the request is audio, if they are kept."""
    is_optional: bool = attrs.field(default=False, init=False)
    said: Reply | Speech | None = attrs.field(default=None, init=False)
    _messages: list[Message] = attrs.field(factory=list, init=False)
    _broken: ErrorReply | None = attrs.field(default=None, init=False)

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        if isinstance(said, Transcript):
            raise WireError(ErrorReply("Fixture response is not for this turn: a transcription is no answer"))
        self.said = said
        self._messages = answer(said, self.manner, stamp, chunk_size)
        frames = (message.frame() for message in self._messages)
        if isinstance(said, Speech):
            return frames
        return until_error(frames, said, lambda error, _, stamp: self.broken(error, stamp), None, stamp)

    def recited(self, messages: Sequence[bytes], said: Reply, stamp: Stamp) -> Iterator[Frame] | None:
        """None, if the answer was in audio and is to be text, or the other way round."""
        told = [message_in(message) for message in messages]
        if is_spoken(told) not in (None, self.manner.speaks):
            return None
        self.said = said
        self._messages = [Message(each, FrameKind.TOKEN, tuple(parts_in(each))) for each in told]
        return (Frame(message, FrameKind.TOKEN) for message in messages)

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        """The service closes then, which no message tells."""
        self._broken = error
        return Frame(closing.message(error) if self._session.is_compatible else _SILENT, FrameKind.CLOSE)

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        if self._broken is not None:
            return self._session.broke(self._broken)
        return self._session.answered(self, stamp)

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        if self._messages and sent >= len(self._messages):
            return self._session.answered(self, stamp)
        del self._messages[sent:]
        if isinstance(self.said, Reply):
            self.said = Reply(self._spoken(), usage=self.said.usage)
        return self._session.interrupted(self, stamp)

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        return self._session.failed(error)

    @property
    def calls(self) -> list[ToolCall]:
        """The calls that were sent."""
        return [part for part in self._spoken() if isinstance(part, ToolCall)]

    def _spoken(self) -> tuple[Part, ...]:
        """What was sent of the answer."""
        return joined(part for message in self._messages for part in message.said)

    def contents(self) -> tuple[Content, ...]:
        """What is part of the history from now on: what was asked, and as much of the answer as was sent."""
        parts: list[dict[str, Any]] = []
        for part in self._spoken():
            if isinstance(part, ToolCall):
                arguments = orjson.Fragment(on_one_line(part.arguments))
                parts.append({"functionCall": {"id": part.id, "name": part.name, "args": arguments}})
            else:
                parts.append({"text": part.text})
        if not parts and isinstance(self.said, Speech):
            parts.append({"inlineData": {"mimeType": self.said.media_type}})
        return (*self.asked, {"role": "model", "parts": parts}) if parts else self.asked


@attrs.define(eq=False)
class TranscriptionTurn:
    """What it was that the client said. If no fixture knows, the answer follows all the same."""

    content: Content
    """The turn of the client whose audio it is."""
    _model: str
    _is_vertex: bool
    _session: LiveSession
    is_cancelled: bool = False
    is_optional: bool = attrs.field(default=True, init=False)
    _text: str = attrs.field(default="", init=False)

    @property
    def request(self) -> ChatRequest:
        body = {"model": self._model, "messages": [{"role": "user", "content": AUDIO_INPUT}], "stream": True}
        return ChatRequest(body, body, self._model, True, "transcription", aliases=(self._model.rpartition("/")[2],))

    def frames(self, said: Said, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
        if not isinstance(said, Transcript):
            raise WireError(ErrorReply("Fixture response is not a transcription type"))
        self._text = said.text
        told = [server_content(inputTranscription={"text": piece}) for piece in slices(said.text, chunk_size)]
        frames = [Frame(orjson.dumps(each), FrameKind.TOKEN) for each in told]
        if self._is_vertex:
            finished = server_content(inputTranscription={"finished": True})
            frames.append(Frame(orjson.dumps(finished), FrameKind.CLOSE))
        return iter(frames)

    def broken(self, error: ErrorReply, stamp: Stamp) -> Frame:
        return Frame(_SILENT, FrameKind.CLOSE)

    def ended(self, stamp: Stamp) -> Iterable[Move]:
        return self._session.transcribed(self.content, self._text or None)

    def cut(self, sent: int, stamp: Stamp) -> Iterable[Move]:
        return self._session.transcribed(self.content, None)

    def failed(self, error: ErrorReply, stamp: Stamp) -> Iterable[Move]:
        return self._session.transcribed(self.content, None)
