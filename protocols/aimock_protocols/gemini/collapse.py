"""Answers read back, whole and streamed, in either form (wire-gemini §12, wire-stream-collapse §8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import orjson

from aimock_protocols import json_array, rfc3339, sse
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall, WireError
from aimock_protocols.collapsing import (
    Collapsed,
    collapsed,
    ended,
    joined,
    json_object,
    json_text,
    mapping,
    only_reply,
    string,
)
from aimock_protocols.framing import begun
from aimock_protocols.gemini.envelope import FINISH_REASONS
from aimock_protocols.gemini.platform import read_error

_FINISH_REASONS = {theirs: ours for ours, theirs in FINISH_REASONS.items() if ours != "tool_calls"}


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed(_texts(chunks), _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body, which may be the array of a stream. Raises ValueError if it is none, and WireError if
    it is an error."""
    value = orjson.loads(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    reader = _Reader()
    for chunk in value if isinstance(value, list) else [value]:
        if not (isinstance(chunk, dict) and ("candidates" in chunk or "promptFeedback" in chunk)):
            raise ValueError("no candidates in the body")
        reader.read(chunk)
    return reader.reply()


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    """The JSON text of each response. Which form the stream has is told by its first character."""
    start, whole = begun(chunks)
    if start.startswith((b"[", b"{")):
        return json_array.elements(whole)
    return (event.data for event in sse.events(whole))


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its chunks; a whole answer is one that comes in a single chunk."""

    is_done: bool = False
    error: ErrorReply | None = None
    _chunks: int = 0
    _parts: list[Part] = attrs.field(factory=list)
    _thoughts: list[str] = attrs.field(factory=list)
    _signature: str | None = None
    _searches: tuple[str, ...] = ()
    _finish: str | None = None
    _refusal: str | None = None
    _usage: dict[str, Any] = attrs.field(factory=dict)
    _id: str | None = None
    _model: str | None = None
    _created: int | None = None

    def take(self, text: str) -> bool:
        """Takes in one chunk of a stream; whether it was an error, after which nothing counts. Raises ValueError."""
        if text.strip() != "[DONE]":  # what bridges from other APIs end with
            self.read(json_object(text))
        return self.error is not None

    def read(self, chunk: dict[str, Any]) -> None:
        """Takes in one response."""
        self.error = read_error(chunk)
        if self.error is not None:
            return
        self._chunks += 1
        self._id = string(chunk.get("responseId")) or self._id
        self._model = string(chunk.get("modelVersion")) or self._model
        self._usage = mapping(chunk.get("usageMetadata")) or self._usage
        created = string(chunk.get("createTime"))
        if created is not None:
            self._created = rfc3339.seconds_of(created)
        feedback = mapping(chunk.get("promptFeedback"))
        blocked = string(feedback.get("blockReason"))
        if blocked is not None:
            self._refusal = string(feedback.get("blockReasonMessage")) or ""
            self._finish, self.is_done = blocked, True
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict) and candidate.get("index") in (None, 0):
                self._candidate(candidate)
                break

    def _candidate(self, candidate: dict[str, Any]) -> None:
        parts = mapping(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._part(part)
        queries = mapping(candidate.get("groundingMetadata")).get("webSearchQueries")
        if isinstance(queries, list):
            self._searches = tuple(filter(None, map(string, queries)))
        reason = string(candidate.get("finishReason"))
        if reason is not None:
            self._finish, self.is_done = reason, True
            if reason == FINISH_REASONS["content_filter"]:
                self._refusal = string(candidate.get("finishMessage"))

    def _part(self, part: dict[str, Any]) -> None:
        """A text, a thought or a call, and its signature. The tools that the provider runs itself say nothing here."""
        signature = string(part.get("thoughtSignature"))
        self._signature = signature or self._signature
        text, call = part.get("text"), part.get("functionCall")
        if isinstance(call, dict):
            self._parts.append(ToolCall(string(call.get("name")) or "", _arguments(call), string(call.get("id"))))
        elif not isinstance(text, str) or (signature and not text):
            return
        elif part.get("thought"):
            self._thoughts.append(text)
        else:
            self._parts.append(Text(text))

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        parts = joined(self._parts)
        finish = _FINISH_REASONS.get(self._finish or "", self._finish)
        if finish == "stop" and any(isinstance(part, ToolCall) for part in parts):
            finish = "tool_calls"
        reply = Reply(
            parts=parts,
            reasoning="".join(self._thoughts) or None,
            reasoning_signature=self._signature,
            web_searches=self._searches,
            refusal=self._refusal,
            finish_reason=finish,
            usage=self._usage or None,
            id=self._id,
            created=self._created,
            model=self._model,
        )
        return ended(reply, self.error, self._chunks)


def _arguments(call: dict[str, Any]) -> str:
    """The JSON text of a call's arguments. Raises ValueError if they are nested deeper than can be written."""
    given = call.get("args")
    if isinstance(given, str):
        return given
    return json_text(given) if isinstance(given, dict) else "{}"
