"""Interactions read back, whole and streamed (wire-gemini §9.2, §9.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from aimock_protocols import rfc3339, sse
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall, WireError
from aimock_protocols.collapsing import (
    Collapsed,
    collapsed_sse,
    ended,
    joined,
    json_object,
    json_text,
    mapping,
    only_reply,
    string,
)
from aimock_protocols.gemini_interactions.envelope import STATUSES
from aimock_protocols.gemini_interactions.platform import read_error

_FINISH_REASONS = {theirs: ours for ours, theirs in STATUSES.items()}
_UNFINISHED = frozenset({"queued", "in_progress"})


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed_sse(chunks, _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    told = read_error(value)
    if told is not None:
        raise WireError(told)
    if not isinstance(value.get("steps"), list) and string(value.get("status")) is None:
        raise ValueError("no interaction in the body")
    reader = _Reader()
    reader.tell(value)
    return reader.reply()


@attrs.define(eq=False)
class _Step:
    """A step in the making."""

    kind: str
    id: str | None = None
    name: str = ""
    texts: list[str] = attrs.field(factory=list)
    """Of its content, or of its summary."""
    signature: str | None = None
    arguments: dict[str, Any] = attrs.field(factory=dict)
    text: str = "{}"
    """Those arguments as JSON."""
    fragments: list[str] = attrs.field(factory=list)
    """The text of arguments that came in pieces, which then count instead."""

    def add(self, step: dict[str, Any]) -> None:
        """What a step says at once. Raises ValueError if its arguments are nested deeper than can be written."""
        self.id = string(step.get("id")) or self.id
        self.name = string(step.get("name")) or self.name
        self.signature = string(step.get("signature")) or self.signature
        if mapping(step.get("arguments")):
            self.arguments = step["arguments"]
            self.text = json_text(self.arguments)
        contents = step.get("summary" if self.kind == "thought" else "content")
        if isinstance(contents, list):
            self.texts += [text for each in contents if (text := _text(each)) is not None]

    def call(self) -> ToolCall:
        pieces = "".join(self.fragments)
        return ToolCall(self.name, pieces if pieces.strip() else self.text, self.id)

    def queries(self) -> list[str]:
        asked = self.arguments.get("queries")
        return [query for query in asked if isinstance(query, str) and query] if isinstance(asked, list) else []


def _text(content: Any) -> str | None:
    text = content.get("text") if isinstance(content, dict) else None
    return text if isinstance(text, str) else None


_OPENED_BY = {"text": "model_output", "thought_summary": "thought", "thought_signature": "thought"}
"""The step that a delta opens for which none is open; a call cannot be told from its arguments."""


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its events; a whole interaction is what the last of them tells."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    status: str | None = None
    usage: dict[str, Any] | None = None
    error: ErrorReply | None = None
    is_done: bool = False
    _events: int = 0
    """Those that count as chunks when the stream is interrupted."""
    _steps: dict[int, _Step] = attrs.field(factory=dict)

    def take(self, event: sse.Event) -> bool:
        """Takes in one event of a stream; whether it was the last that counts. Raises ValueError."""
        if event.data.strip() == "[DONE]":
            return True
        told = json_object(event.data)
        kind = told.get("event_type")
        name = kind if isinstance(kind, str) else event.name
        handle = _HANDLERS.get(name or "")
        if handle is not None:
            handle(self, told)
            self._events += not self.is_done
        elif name in ("error", None):
            self.error = read_error(told)
        return self.is_done or self.error is not None

    def begin(self, event: dict[str, Any]) -> None:
        self.tell(mapping(event.get("interaction")))

    def tell(self, interaction: dict[str, Any]) -> None:
        """What the interaction is by now. Steps count where no event told of them."""
        self.id = string(interaction.get("id")) or self.id
        self.model = string(interaction.get("model")) or string(interaction.get("agent")) or self.model
        self.status = string(interaction.get("status")) or self.status
        self.usage = mapping(interaction.get("usage")) or self.usage
        created = string(interaction.get("created"))
        if created is not None:
            try:
                self.created = rfc3339.seconds_of(created)
            except ValueError:
                self.created = None
        steps = interaction.get("steps")
        if isinstance(steps, list) and not self._steps:
            for index, step in enumerate(steps):
                self._open(index, mapping(step))

    def update(self, event: dict[str, Any]) -> None:
        self.status = string(event.get("status")) or self.status

    def open(self, event: dict[str, Any]) -> None:
        self._open(self._index(event, len(self._steps)), mapping(event.get("step")))

    def _open(self, index: int, step: dict[str, Any]) -> _Step:
        made = _Step(string(step.get("type")) or "")
        made.add(step)
        self._steps[index] = made
        return made

    def add(self, event: dict[str, Any]) -> None:
        delta = mapping(event.get("delta"))
        kind = string(delta.get("type")) or ""
        index = self._index(event, max(self._steps, default=0))
        step = self._steps.get(index)
        if step is None:
            if kind not in _OPENED_BY:
                raise ValueError("a delta of a step that was not begun")
            step = self._open(index, {"type": _OPENED_BY[kind]})
        if kind == "arguments_delta":
            step.fragments.append(string(delta.get("arguments")) or "")
        elif kind == "text":
            step.texts.append(_text(delta) or "")
        elif kind == "thought_summary":
            step.texts.append(_text(delta.get("content")) or "")
        else:
            step.add(delta)

    def _index(self, event: dict[str, Any], default: int) -> int:
        index = event.get("index")
        return index if type(index) is int else default

    def close(self, event: dict[str, Any]) -> None:
        """A step is as complete without being closed."""

    def finish(self, event: dict[str, Any]) -> None:
        self.begin(event)
        self.is_done = True

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        steps = [self._steps[index] for index in sorted(self._steps)]
        thoughts = [step for step in steps if step.kind == "thought"]
        signatures = [step.signature for step in thoughts if step.signature]
        finished = None if self.status in _UNFINISHED else self.status
        reply = Reply(
            parts=_parts(steps),
            reasoning="".join(text for step in thoughts for text in step.texts) or None,
            reasoning_signature=signatures[-1] if signatures else None,
            web_searches=tuple(
                query for step in steps if step.kind == "google_search_call" for query in step.queries()
            ),
            finish_reason=_FINISH_REASONS.get(finished or "", finished),
            usage=self.usage,
            id=self.id,
            created=self.created,
            model=self.model,
        )
        return ended(reply, self.error, self._events)


_HANDLERS: dict[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "interaction.created": _Reader.begin,
    "interaction.status_update": _Reader.update,
    "step.start": _Reader.open,
    "step.delta": _Reader.add,
    "step.stop": _Reader.close,
    "interaction.completed": _Reader.finish,
}


def _parts(steps: list[_Step]) -> tuple[Part, ...]:
    """Texts, and the calls that the client is to answer, in order."""
    parts: list[Part] = []
    for step in steps:
        if step.kind == "function_call":
            parts.append(step.call())
        elif step.kind == "model_output":
            parts.append(Text("".join(step.texts)))
    return joined(parts)
