"""Replies of the first version read back, whole and streamed, as lines of JSON or as server-sent events (wire-cohere
§5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from aimock_protocols import ndjson, sse
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall, WireError
from aimock_protocols.cohere.envelope import read_usage
from aimock_protocols.cohere.platform import read_error
from aimock_protocols.cohere.v1.encode import FINISH_REASONS
from aimock_protocols.cohere.v1.grounding import modern
from aimock_protocols.collapsing import (
    Collapsed,
    arguments_in,
    collapsed,
    dicts,
    ended,
    json_object,
    json_text,
    mapping,
    only_reply,
    string,
)
from aimock_protocols.framing import begun

_FINISH_REASONS = {theirs: ours for ours, theirs in FINISH_REASONS.items() if ours != "tool_calls"}


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed(_events(chunks), _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    if not isinstance(value.get("text"), str):
        raise ValueError("no text in the body")
    return _whole(value)


def _events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The JSON text of each event, in whichever framing: lines of JSON begin with a brace, events with their names."""
    start, stream = begun(chunks)
    if start.startswith(b"{"):
        return ndjson.lines(stream)
    return (event.data for event in sse.events(stream))


def _whole(value: dict[str, Any]) -> Reply:
    """The reply of a whole response. Calls alone say nothing: their text is empty."""
    calls = [_call(call) for call in dicts(value.get("tool_calls"))]
    text = value["text"]
    meta = mapping(value.get("meta"))
    cited = dicts(value.get("citations"))
    known = value.get("documents")
    return Reply(
        parts=_parts(text, calls),
        citations=tuple(modern(citation, known if isinstance(known, list) else ()) for citation in cited),
        finish_reason=_finish_reason(string(value.get("finish_reason")), calls),
        usage=read_usage({name: told for name, told in meta.items() if name != "api_version"}),
        id=string(value.get("response_id")),
    )


def _parts(text: str, calls: list[ToolCall]) -> tuple[Part, ...]:
    return (*((Text(text),) if text or not calls else ()), *calls)


def _finish_reason(told: str | None, calls: list[ToolCall]) -> str | None:
    if told == "COMPLETE" and calls:
        return "tool_calls"
    return _FINISH_REASONS.get(told or "", told)


def _call(call: dict[str, Any]) -> ToolCall:
    """A call. Raises ValueError if its parameters are nested deeper than can be written."""
    return ToolCall(string(call.get("name")) or "", json_text(mapping(call.get("parameters"))))


@attrs.define(eq=False)
class _Pieces:
    """A call in the making."""

    name: str = ""
    parameters: list[str] = attrs.field(factory=list)

    def call(self) -> ToolCall:
        return ToolCall(self.name, arguments_in("".join(self.parameters)))


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its events. What a stream ends with is the whole reply, and counts alone."""

    whole: Reply | None = None
    error: ErrorReply | None = None
    is_done: bool = False
    _events: int = 0
    """Those that count as chunks when the stream is interrupted."""
    _texts: list[str] = attrs.field(factory=list)
    _plan: list[str] = attrs.field(factory=list)
    _calls: dict[int, _Pieces] = attrs.field(factory=dict)
    _citations: list[dict[str, Any]] = attrs.field(factory=list)
    _finish_reason: str | None = None

    def take(self, data: str) -> bool:
        """Takes in one event of a stream; whether it was the last that counts. Raises ValueError."""
        if data.strip() != "[DONE]":
            event = json_object(data)
            handle = _HANDLERS.get(string(event.get("event_type")) or "")
            if handle is not None:
                handle(self, event)
                self._events += self.error is None
            elif "event_type" not in event:
                self.error = read_error(event)
        return self.is_done or self.error is not None

    def begin(self, event: dict[str, Any]) -> None:
        """A stream begins with an id that nothing refers to."""

    def add_text(self, event: dict[str, Any]) -> None:
        self._texts.append(string(event.get("text")) or "")

    def add_call(self, event: dict[str, Any]) -> None:
        """A piece of the plan, or of a call."""
        delta = mapping(event.get("tool_call_delta"))
        self._plan.append(string(event.get("text")) or string(delta.get("text")) or "")
        index = delta.get("index")
        if isinstance(index, int | float):
            pieces = self._calls.setdefault(int(index), _Pieces())
            pieces.name = pieces.name or string(delta.get("name")) or ""
            pieces.parameters.append(string(delta.get("parameters")) or "")

    def set_calls(self, event: dict[str, Any]) -> None:
        """All calls together: those that came in pieces are the same."""
        calls = [_call(call) for call in dicts(event.get("tool_calls"))]
        self._calls = {index: _Pieces(call.name, [call.arguments]) for index, call in enumerate(calls)}

    def cite(self, event: dict[str, Any]) -> None:
        self._citations += [modern(citation, ()) for citation in dicts(event.get("citations"))]

    def end(self, event: dict[str, Any]) -> None:
        message = string(event.get("error"))
        if message is not None:
            self.error = ErrorReply(message)
            return
        response = mapping(event.get("response"))
        if isinstance(response.get("text"), str):
            self.whole = _whole({"finish_reason": event.get("finish_reason"), **response})
        self._finish_reason = string(event.get("finish_reason"))
        self.is_done = True

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        if self.whole is not None:
            return self.whole
        calls = [self._calls[index].call() for index in sorted(self._calls)]
        text = "".join([*self._texts, *self._plan])
        reply = Reply(
            parts=_parts(text, calls) if text or calls else (),
            citations=tuple(self._citations),
            finish_reason=_finish_reason(self._finish_reason, calls),
        )
        return ended(reply, self.error, self._events)


_HANDLERS: dict[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "stream-start": _Reader.begin,
    "text-generation": _Reader.add_text,
    "tool-calls-chunk": _Reader.add_call,
    "tool-calls-generation": _Reader.set_calls,
    "citation-generation": _Reader.cite,
    "stream-end": _Reader.end,
}
