"""Replies of the second version read back, whole and streamed (wire-cohere §3, §4, wire-stream-collapse §6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall, WireError
from aimock_protocols.cohere import logprobs
from aimock_protocols.cohere.envelope import FINISH_REASONS, read_usage
from aimock_protocols.cohere.platform import read_error
from aimock_protocols.collapsing import (
    Collapsed,
    arguments_in,
    collapsed_sse,
    ended,
    joined,
    json_object,
    listed,
    mapping,
    only_reply,
    string,
)

_FINISH_REASONS = {theirs: ours for ours, theirs in FINISH_REASONS.items()}


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed_sse(chunks, _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    message = value.get("message")
    if not isinstance(message, dict):
        raise ValueError("no message in the body")
    reader = _Reader()
    reader.begin(value)
    for index, content in enumerate(listed(message.get("content"))):
        reader.open_content({"index": index, "delta": {"message": {"content": content}}})
    reader.add_plan({"delta": {"message": message}})
    for index, call in enumerate(listed(message.get("tool_calls"))):
        reader.open_call({"index": index, "delta": {"message": {"tool_calls": call}}})
    for citation in listed(message.get("citations")):
        reader.cite({"delta": {"message": {"citations": citation}}})
    reader.items = listed(value.get("logprobs"))
    reader.end({"delta": value})
    return reader.reply()


@attrs.define(eq=False)
class _Block:
    """A content block or a call in the making."""

    kind: str
    """`text`, `thinking` or `call`."""
    index: int
    texts: list[str] = attrs.field(factory=list)
    name: str = ""
    id: str | None = None

    def part(self) -> Part:
        text = "".join(self.texts)
        return ToolCall(self.name, arguments_in(text), self.id) if self.kind == "call" else Text(text)


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its events; a whole one is read as events that each bring all at once."""

    id: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: ErrorReply | None = None
    is_done: bool = False
    items: list[Any] = attrs.field(factory=list)
    """Log probabilities, as they came."""
    _events: int = 0
    """Those that count as chunks when the stream is interrupted."""
    _blocks: list[_Block] = attrs.field(factory=list)
    """In the order in which they were opened."""
    _contents: dict[int, _Block] = attrs.field(factory=dict)
    _calls: dict[int, _Block] = attrs.field(factory=dict)
    """The block that each index is about; contents and calls are counted apart."""
    _plan: list[str] = attrs.field(factory=list)
    _citations: list[dict[str, Any]] = attrs.field(factory=list)

    def take(self, event: sse.Event) -> bool:
        """Takes in one event of a stream; whether it was the last that counts. Raises ValueError."""
        if event.data.strip() != "[DONE]":
            self.read(json_object(event.data), event.name)
        return self.is_done or self.error is not None

    def read(self, event: dict[str, Any], name: str | None) -> None:
        """Takes in one event; those that are not known say nothing. Raises ValueError on one that has no place."""
        handle = _HANDLERS.get(string(event.get("type")) or name or "")
        if handle is not None:
            handle(self, event)
            self._events += self.error is None
        elif "type" not in event:
            self.error = read_error(event)

    def begin(self, event: dict[str, Any]) -> None:
        self.id = string(event.get("id"))

    def open_content(self, event: dict[str, Any]) -> None:
        content = _delta(event, "content")
        kind = "thinking" if content.get("type") == "thinking" else "text"
        index = event.get("index")
        self._open_content(index if type(index) is int else len(self._contents), kind, content)

    def _open_content(self, index: int, kind: str, content: dict[str, Any]) -> _Block:
        block = self._contents[index] = _Block(kind, index, [string(content.get(kind)) or ""])
        self._blocks.append(block)
        return block

    def add_content(self, event: dict[str, Any]) -> None:
        """A piece of text or thought. It says itself which; a piece for a block that nobody opened opens it."""
        self.items.append(event.get("logprobs"))
        content = _delta(event, "content")
        kind = "thinking" if isinstance(content.get("thinking"), str) else "text"
        index = event.get("index")
        if type(index) is not int:
            index = max(self._contents, default=0)
        block = self._contents.get(index)
        if block is None or block.kind != kind:
            self._open_content(index, kind, content)
        else:
            block.texts.append(string(content.get(kind)) or "")

    def add_plan(self, event: dict[str, Any]) -> None:
        self._plan.append(string(mapping(mapping(event.get("delta")).get("message")).get("tool_plan")) or "")

    def open_call(self, event: dict[str, Any]) -> None:
        call = _delta(event, "tool_calls")
        function = mapping(call.get("function"))
        index = event.get("index")
        block = _Block("call", index if type(index) is int else max(self._calls, default=-1) + 1)
        block.texts.append(string(function.get("arguments")) or "")
        block.name, block.id = string(function.get("name")) or "", string(call.get("id"))
        self._calls[block.index] = block
        self._blocks.append(block)

    def add_arguments(self, event: dict[str, Any]) -> None:
        index = event.get("index")
        if type(index) is not int and self._calls:
            index = next(reversed(self._calls))
        if index not in self._calls:
            raise ValueError("arguments of a call that was not begun")
        function = mapping(_delta(event, "tool_calls").get("function"))
        self._calls[index].texts.append(string(function.get("arguments")) or "")

    def cite(self, event: dict[str, Any]) -> None:
        citation = _delta(event, "citations")
        if citation:
            self._citations.append(citation)

    def close(self, event: dict[str, Any]) -> None:
        """What was opened is as complete without being closed."""

    def end(self, event: dict[str, Any]) -> None:
        delta = mapping(event.get("delta"))
        self.usage = read_usage(mapping(delta.get("usage")))
        message = string(delta.get("error"))
        if message is not None:
            self.error = ErrorReply(message)
            return
        self.finish_reason = string(delta.get("finish_reason"))
        self.is_done = True

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        reason = self.finish_reason
        plan = "".join(self._plan)
        thoughts = [text for block in self._blocks if block.kind == "thinking" for text in block.texts]
        reply = Reply(
            parts=_parts(self._blocks),
            reasoning="".join(thoughts) or None,
            tool_plan=plan if plan or self._calls else None,
            citations=tuple(self._citations),
            finish_reason=_FINISH_REASONS.get(reason or "", reason),
            usage=self.usage,
            logprobs=logprobs.read(self.items),
            id=self.id,
        )
        return ended(reply, self.error, self._events)


_HANDLERS: dict[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "message-start": _Reader.begin,
    "content-start": _Reader.open_content,
    "content-delta": _Reader.add_content,
    "content-end": _Reader.close,
    "tool-plan-delta": _Reader.add_plan,
    "tool-call-start": _Reader.open_call,
    "tool-call-delta": _Reader.add_arguments,
    "tool-call-end": _Reader.close,
    "citation-start": _Reader.cite,
    "citation-end": _Reader.close,
    "message-end": _Reader.end,
}


def _delta(event: dict[str, Any], name: str) -> dict[str, Any]:
    """The member of the message that an event is about."""
    return mapping(mapping(mapping(event.get("delta")).get("message")).get(name))


def _parts(blocks: list[_Block]) -> tuple[Part, ...]:
    """Texts and calls as they were opened, but calls by their index if no text came after one."""
    said = [block for block in blocks if block.kind != "thinking"]
    first_call = next((place for place, block in enumerate(said) if block.kind == "call"), len(said))
    if all(block.kind == "call" for block in said[first_call:]):
        said[first_call:] = sorted(said[first_call:], key=lambda block: block.index)
    return joined(block.part() for block in said)
