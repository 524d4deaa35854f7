"""What the user says and shows in real time, until it makes a turn (wire-gemini-live §4, realtimeInput)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from aimock_protocols.gemini.fields import many
from aimock_protocols.gemini.platform import refusal
from aimock_protocols.gemini_live.dialect import blob
from aimock_protocols.gemini_live.setup import Detection
from aimock_protocols.hearing import Hearing

AUDIO_INPUT = "[audio input]"
"""What fixtures see of audio that nobody transcribes."""

_RATE = re.compile(r"audio/(?:pcm|l16)(?:;\s*(?:rate=(\d{4,6})|[^;]*))*", re.ASCII | re.IGNORECASE)
_USUAL_RATE = 16_000
_SAMPLE_BYTES = 2


_MOST_SPOKEN = 16 * 1024 * 1024
"""Bytes; what is older is forgotten, for a client may stream for hours without ever being answered."""


@attrs.define(eq=False)
class Spoken:
    """Messages by which audio came, in case that somebody else must hear it."""

    _messages: deque[str | bytes] = attrs.field(factory=deque)
    _size: int = 0

    def add(self, message: str | bytes, content: Any) -> None:
        """A `realtimeInput`; what is written in it needs no ears."""
        if type(content) is dict and content.get("text") is None:
            self._messages.append(message)
            self._size += len(message)
            while self._size > _MOST_SPOKEN:
                self._size -= len(self._messages.popleft())

    def taken(self) -> list[str | bytes]:
        """All of them, which are then forgotten."""
        taken = [*self._messages]
        self._messages.clear()
        self._size = 0
        return taken

    def give_back(self, messages: Iterable[str | bytes]) -> None:
        for message in reversed([*messages]):
            self._messages.appendleft(message)
            self._size += len(message)


class Activity(NamedTuple):
    """The user begins, or has ended."""

    starts: bool
    at_ms: int | None = None
    """Where in the audio that was heard; None if the client said so."""


class _Taken(NamedTuple):
    """A message, understood."""

    audio: list[tuple[str, bytes]]
    shown: dict[str, Any] | None
    """The part of the last picture."""
    text: str | None


@attrs.define(eq=False)
class Listening:
    """Listens, by the rules of a session."""

    detection: Detection = attrs.field(factory=Detection)
    hearing: Hearing | None = None
    """What tells speech from silence, if anything does."""
    is_active: bool = False
    """Whether the client has said that the user began, and not yet that the end was there."""
    has_audio: bool = False
    """Whether any audio belongs to the next turn."""
    audio_ms: float = 0.0
    """How much audio was part of turns, as far as its length can be told."""
    _shown: dict[str, Any] | None = None
    _texts: list[str] = attrs.field(factory=list)

    def take(self, message: Mapping[str, Any]) -> Iterator[Activity]:
        """Takes in a message, whose members follow each other in the order in which one would do these things. Raises
        WireError at once."""
        taken = self._understood(message)
        return self._activities(message, taken)

    def _understood(self, message: Mapping[str, Any]) -> _Taken:
        """Raises WireError."""
        manual = [name for name in ("activityStart", "activityEnd") if message.get(name) is not None]
        if manual and self.detection.is_automatic:
            raise refusal("Explicit activity control is not supported when automatic activity detection is enabled.")
        text = message.get("text")
        if text is not None and type(text) is not str:
            raise refusal("Invalid value at 'realtime_input.text': must be a string")
        listed = many(message, "mediaChunks", "realtime_input.media_chunks")
        given = [message[name] for name in ("audio", "video") if message.get(name) is not None]
        blobs = [(each, *blob(each, "realtime_input")) for each in (*listed, *given)]
        shown = [{"inlineData": sent} for sent, mime, _ in blobs if not mime.startswith("audio/")]
        audio = [(mime, data) for _, mime, data in blobs if mime.startswith("audio/")]
        return _Taken(audio, shown[-1] if shown else None, text)

    def _activities(self, message: Mapping[str, Any], taken: _Taken) -> Iterator[Activity]:
        if message.get("activityStart") is not None:
            self.is_active = True
            yield Activity(True)
        self._shown = taken.shown or self._shown
        for mime, data in taken.audio:
            yield from self._hear(mime, data)
        if taken.text:
            self._texts.append(taken.text)
            if not self.is_active:
                yield Activity(True)
                yield Activity(False)
        if message.get("audioStreamEnd") is True and self.detection.is_automatic and self.has_audio:
            self._forget_sound()
            yield Activity(False)
        if message.get("activityEnd") is not None:
            self.is_active = False
            if self.has_audio or self._texts:
                yield Activity(False)

    def _hear(self, mime: str, data: bytes) -> Iterator[Activity]:
        """Audio counts from where speech begins, if that can be told; else from its beginning."""
        if not (self.detection.is_automatic or self.is_active):
            return
        found = _RATE.fullmatch(mime)
        rate = int(found[1] or _USUAL_RATE) if found is not None else 0
        if rate:
            self.audio_ms += len(data) / _SAMPLE_BYTES / rate * 1000
        if self.hearing is None or not self.detection.is_automatic or not rate:
            self.has_audio = self.has_audio or bool(data)
            return
        for heard in self.hearing.hear(data, rate):
            self.has_audio = True
            yield Activity(*heard)

    def _forget_sound(self) -> None:
        """The stream of audio has ended; what comes next is another."""
        if self.hearing is not None:
            self.hearing = self.detection.hearing()

    def content(self) -> dict[str, Any]:
        """The turn that it makes; what comes next belongs to another."""
        texts = [AUDIO_INPUT] * self.has_audio + self._texts
        parts: list[dict[str, Any]] = [{"text": text} for text in texts]
        if self._shown is not None:
            parts.append(self._shown)
        self.has_audio, self._shown, self._texts = False, None, []
        return {"role": "user", "parts": parts}
