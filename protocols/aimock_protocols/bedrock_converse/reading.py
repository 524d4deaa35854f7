"""Answers put together again from their events (wire-bedrock §4, wire-stream-collapse §7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from aimock_protocols.bedrock_converse.content import SERVER_TOOL
from aimock_protocols.bedrock_converse.envelope import LATENCY, STOP_REASONS, USAGE
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall
from aimock_protocols.collapsing import arguments_in, ended, joined, json_text, mapping, string

_FINISH_REASONS = {theirs: ours for ours, theirs in STOP_REASONS.items()}
_USAGE = {theirs: ours for ours, theirs in USAGE.items()}


@attrs.define(eq=False)
class _Block:
    """A content block in the making."""

    text: list[str] | None = None
    """None: it has no text, which is not the same as empty."""
    thought: list[str] = attrs.field(factory=list)
    signature: str | None = None
    hidden: list[str] = attrs.field(factory=list)
    call: dict[str, Any] | None = None
    """How a call began."""
    input: list[str] = attrs.field(factory=list)

    def add_text(self, value: Any) -> None:
        if isinstance(value, str):
            self.text = self.text or []
            self.text.append(value)

    def part(self) -> Part | None:
        """What the block is to the client; None if it is a thought, or the provider's own tool."""
        if self.call is not None:
            if self.call.get("type") == SERVER_TOOL:
                return None
            arguments = "".join(self.input)
            name = string(self.call.get("name")) or ""
            return ToolCall(name, arguments_in(arguments), string(self.call.get("toolUseId")))
        return None if self.text is None else Text("".join(self.text))


@attrs.define(eq=False)
class Reader:
    """Takes in the events of a stream by their names; a whole answer is one whose blocks come complete."""

    role: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] = attrs.field(factory=dict)
    error: ErrorReply | None = None
    is_done: bool = False
    _events: int = 0
    """Those that count as chunks when the stream is interrupted."""
    _blocks: dict[int, _Block] = attrs.field(factory=dict)
    """In the order in which they began."""

    def read(self, name: str, event: dict[str, Any]) -> None:
        """One event; those that are not known say nothing. Raises ValueError on one that has no place."""
        handle = _HANDLERS.get(name)
        if handle is not None:
            self._events += 1
            handle(self, event)

    def whole(self, answer: dict[str, Any]) -> None:
        """A whole answer. Raises ValueError if it is none."""
        message = mapping(mapping(answer.get("output")).get("message"))
        content = message.get("content")
        if not isinstance(content, list):
            raise ValueError("no content in the body")
        self.begin(message)
        for index, block in enumerate(content):
            self._complete(index, mapping(block))
        self.stop(answer)
        self.finish(answer)

    def _complete(self, index: int, block: dict[str, Any]) -> None:
        call = block.get("toolUse")
        reasoning = dict(mapping(block.get("reasoningContent")))
        reasoning |= mapping(reasoning.pop("reasoningText", None))
        cited = mapping(block.get("citationsContent")).get("content")
        if isinstance(call, dict):
            self.open({"contentBlockIndex": index, "start": block})
            arguments = call.get("input")
            text = arguments if isinstance(arguments, str) else json_text(mapping(arguments))
            self._at(index).input.append(text)
        for piece in cited if isinstance(cited, list) else (block,):
            delta = {"text": mapping(piece).get("text"), "reasoningContent": reasoning}
            self.add({"contentBlockIndex": index, "delta": delta})
            reasoning = {}

    def begin(self, event: dict[str, Any]) -> None:
        self.role = string(event.get("role"))

    def open(self, event: dict[str, Any]) -> None:
        call = mapping(event.get("start")).get("toolUse")
        if isinstance(call, dict):
            self._at(self._index(event, len(self._blocks))).call = call

    def add(self, event: dict[str, Any]) -> None:
        delta = mapping(event.get("delta"))
        block = self._at(self._index(event, max(len(self._blocks) - 1, 0)))
        block.add_text(delta.get("text"))
        reasoning = mapping(delta.get("reasoningContent"))
        block.thought.append(string(reasoning.get("text")) or "")
        block.signature = string(reasoning.get("signature")) or block.signature
        block.hidden.append(string(reasoning.get("redactedContent")) or "")
        text = string(mapping(delta.get("toolUse")).get("input"))
        if text is not None:
            if block.call is None:
                raise ValueError("arguments of a call that was not begun")
            block.input.append(text)

    def close(self, event: dict[str, Any]) -> None:
        """A block is as complete without being closed."""

    def stop(self, event: dict[str, Any]) -> None:
        self.stop_reason = string(event.get("stopReason")) or self.stop_reason

    def finish(self, event: dict[str, Any]) -> None:
        usage = mapping(event.get("usage"))
        self.usage = {_USAGE.get(name, name): value for name, value in usage.items() if value is not None}
        latency = mapping(event.get("metrics")).get(LATENCY)
        if isinstance(latency, int):
            self.usage[LATENCY] = latency
        self.is_done = True

    def _index(self, event: dict[str, Any], default: int) -> int:
        index = event.get("contentBlockIndex")
        return index if type(index) is int else default

    def _at(self, index: int) -> _Block:
        return self._blocks.setdefault(index, _Block())

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        blocks = [block for _, block in sorted(self._blocks.items())]
        signatures = [block.signature for block in blocks if block.signature]
        hidden = ["".join(block.hidden) for block in blocks]
        reply = Reply(
            parts=joined(part for block in blocks if (part := block.part()) is not None),
            reasoning="".join(text for block in blocks for text in block.thought) or None,
            reasoning_signature=signatures[-1] if signatures else None,
            redacted_thinking=tuple(data for data in hidden if data),
            finish_reason=_FINISH_REASONS.get(self.stop_reason or "", self.stop_reason),
            usage=self.usage or None,
            role=self.role,
        )
        return ended(reply, self.error, self._events)


_HANDLERS: dict[str, Callable[[Reader, dict[str, Any]], None]] = {
    "messageStart": Reader.begin,
    "contentBlockStart": Reader.open,
    "contentBlockDelta": Reader.add,
    "contentBlockStop": Reader.close,
    "messageStop": Reader.stop,
    "metadata": Reader.finish,
}
EVENTS = frozenset(_HANDLERS)
"""The names of all events."""
