"""Messages read back, whole and streamed (wire-anthropic-messages §18, wire-stream-collapse §1 to §6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from aimock_protocols import sse
from aimock_protocols.anthropic_messages.envelope import STOP_REASONS
from aimock_protocols.anthropic_messages.platform import read_error
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

_FINISH_REASONS = {theirs: ours for ours, theirs in STOP_REASONS.items()}


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed_sse(chunks, _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    content = value.get("content")
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    if not isinstance(content, list):
        raise ValueError("no content in the body")
    reader = _Reader()
    reader.begin({"message": value})
    for index, block in enumerate(content):
        reader.open({"index": index, "content_block": block})
    reader.end({"delta": value})
    return reader.reply()


@attrs.define(eq=False)
class _Block:
    """A content block in the making, with all the text that came under each key."""

    index: int
    kind: str
    id: str | None
    name: str
    texts: dict[str, list[str]]
    input: str
    """The JSON of a call's input that came at once."""

    def text(self, key: str) -> str:
        return "".join(self.texts.get(key, ()))

    def arguments(self) -> str:
        """The JSON text of a call's input. One that came at once counts where no pieces of it came."""
        pieces = self.text("partial_json")
        return pieces if pieces.strip() else self.input


_TEXTS = ("text", "thinking", "signature", "data")
_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": (None, "partial_json"),
}
"""The block that each kind of delta belongs to, and the key of its text. Text that comes for a block that nobody
opened opens it, but a call cannot be told from its arguments."""


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its events; a whole message is one that comes with its blocks complete."""

    id: str | None = None
    model: str | None = None
    role: str | None = None
    stop_reason: str | None = None
    refusal: str | None = None
    usage: dict[str, Any] = attrs.field(factory=dict)
    error: ErrorReply | None = None
    is_done: bool = False
    _events: int = 0
    """Those that count as chunks when the stream is interrupted."""
    _blocks: list[_Block] = attrs.field(factory=list)
    """In the order in which they were opened."""
    _current: dict[int, _Block] = attrs.field(factory=dict)
    """The block that each index is about."""

    def take(self, event: sse.Event) -> bool:
        """Takes in one event of a stream; whether it was the last that counts. Raises ValueError."""
        if event.data.strip() != "[DONE]":  # what bridges from other APIs end with
            self.read(json_object(event.data), event.name)
        return self.is_done or self.error is not None

    def read(self, event: dict[str, Any], name: str | None) -> None:
        """Takes in one event; those that are not known say nothing. Raises ValueError on one that has no place."""
        kind = event.get("type")
        handle = _HANDLERS.get(kind if isinstance(kind, str) else name or "")
        if handle is not None:
            self._events += 1
            handle(self, event)
        elif kind in ("error", None):
            self.error = read_error(event)

    def begin(self, event: dict[str, Any]) -> None:
        message = mapping(event.get("message"))
        self.id, self.model, self.role = (string(message.get(key)) for key in ("id", "model", "role"))
        self._count(message.get("usage"))

    def open(self, event: dict[str, Any]) -> None:
        """A block begins. Raises ValueError if its input is nested deeper than can be written."""
        block = mapping(event.get("content_block"))
        index = event.get("index")
        self._open(index if type(index) is int else len(self._blocks), block)

    def _open(self, index: int, block: dict[str, Any]) -> _Block:
        texts = {key: [text] for key in _TEXTS if (text := string(block.get(key)))}
        kind, name = string(block.get("type")) or "", string(block.get("name")) or ""
        given = json_text(mapping(block.get("input")))
        made = _Block(index, kind, string(block.get("id")), name, texts, given)
        self._blocks.append(made)
        self._current[index] = made
        return made

    def add(self, event: dict[str, Any]) -> None:
        delta = mapping(event.get("delta"))
        known = _DELTAS.get(string(delta.get("type")) or "")
        if known is None:
            return
        kind, key = known
        index = event.get("index")
        if type(index) is not int:
            index = self._blocks[-1].index if self._blocks else 0
        block = self._current.get(index)
        if block is None:
            if kind is None:
                raise ValueError("arguments of a call that was not begun")
            block = self._open(index, {"type": kind})
        block.texts.setdefault(key, []).append(string(delta.get(key)) or "")

    def close(self, event: dict[str, Any]) -> None:
        """A block is as complete without being closed."""

    def end(self, event: dict[str, Any]) -> None:
        delta = mapping(event.get("delta"))
        self.stop_reason = string(delta.get("stop_reason")) or self.stop_reason
        self.refusal = string(mapping(delta.get("stop_details")).get("explanation")) or self.refusal
        self._count(event.get("usage"))

    def finish(self, event: dict[str, Any]) -> None:
        self.is_done = True

    def _count(self, usage: Any) -> None:
        """Counts are totals: later ones stand instead of earlier ones."""
        self.usage |= {key: value for key, value in mapping(usage).items() if value is not None}

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        blocks = sorted(self._blocks, key=lambda block: block.index)
        thoughts = [block for block in blocks if block.kind == "thinking"]
        signatures = [signature for block in thoughts if (signature := block.text("signature"))]
        reply = Reply(
            parts=_parts(blocks),
            reasoning="".join(block.text("thinking") for block in thoughts) or None,
            reasoning_signature=signatures[-1] if signatures else None,
            redacted_thinking=tuple(
                data for block in blocks if block.kind == "redacted_thinking" and (data := block.text("data"))
            ),
            web_searches=tuple(query for block in blocks if (query := _query(block))),
            refusal=self.refusal,
            finish_reason=_FINISH_REASONS.get(self.stop_reason or "", self.stop_reason),
            usage=self.usage or None,
            id=self.id,
            model=self.model,
            role=self.role,
        )
        return ended(reply, self.error, self._events)


_HANDLERS: dict[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "message_start": _Reader.begin,
    "content_block_start": _Reader.open,
    "content_block_delta": _Reader.add,
    "content_block_stop": _Reader.close,
    "message_delta": _Reader.end,
    "message_stop": _Reader.finish,
}


def _parts(blocks: list[_Block]) -> tuple[Part, ...]:
    """Texts, and the calls that the client is to answer, in the order of their blocks."""
    parts: list[Part] = []
    for block in blocks:
        if block.kind == "tool_use":
            parts.append(ToolCall(block.name, block.arguments(), block.id))
        elif block.kind == "text":
            parts.append(Text(block.text("text")))
    return joined(parts)


def _query(block: _Block) -> str | None:
    """What a search of the provider's own looked for."""
    if block.kind != "server_tool_use" or block.name != "web_search":
        return None
    try:
        return string(json_object(block.arguments()).get("query"))
    except ValueError:
        return None
