"""The items of a request's input as chat messages (wire-openai-responses §3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
"""The parts of a content that are text, and where each has it."""


def messages_of(instructions: str, given: str | list[Any]) -> Transcript:
    """Instructions, then all items. An item that is none of a conversation's (a thought, a hosted tool's call) leaves
    no trace."""
    transcript = Transcript()
    if instructions:
        transcript.messages.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        transcript.messages.append({"role": "user", "content": given})
        return transcript
    for item in given:
        _HANDLERS.get(kind_of(item), Transcript.note)(transcript, item)
    return transcript


def as_items(given: Any) -> list[Any]:
    """An input as items: text is a user's message, and none is no item."""
    return [{"role": "user", "content": given}] if isinstance(given, str) else given or []


def kind_of(item: dict[str, Any]) -> str:
    """The type of an item; messages and references may leave it out."""
    kind = item.get("type")
    if kind is None:
        return "message" if "role" in item else "item_reference" if "id" in item else ""
    return kind if isinstance(kind, str) else ""


def text_of(content: Any) -> str | None:
    """A content's text: its own, or that of its parts, joined without a separator; None if there is none."""
    if type(content) is str:
        return content
    if type(content) is not list:
        return None
    texts = []
    for part in content:
        kind = part.get("type") if type(part) is dict else None
        text = part.get(_TEXTS[kind]) if type(kind) is str and kind in _TEXTS else None
        if type(text) is str:
            texts.append(text)
    return "".join(texts) if texts else None


@attrs.define(eq=False)
class Transcript:
    """Messages in the making. Each call is a message of its own, since fixtures count the assistant's turns so."""

    messages: list[dict[str, Any]] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    """Calls of which there is only the result."""
    _calls: dict[str, bool] = attrs.field(factory=dict)
    """Whether there is a result, by id."""
    _noted: set[str] = attrs.field(factory=set)
    """Calls of tools that the provider runs, to which clients may add."""
    _placeholders: list[dict[str, Any]] = attrs.field(factory=list)
    """Turns of the assistant of which only the id is known."""

    @property
    def unanswered(self) -> list[str]:
        """Calls without a result."""
        return [call_id for call_id, is_answered in self._calls.items() if not is_answered]

    def say(self, item: dict[str, Any]) -> None:
        role, content = item.get("role"), item.get("content")
        if type(content) is str and type(role) is str and role != "developer" and len(item) == 2:  # canonical already
            self.messages.append(item)
        else:
            self.messages.append({"role": "system" if role == "developer" else role, "content": text_of(content)})

    def call(self, item: dict[str, Any]) -> None:
        arguments = item.get("input" if item.get("type") == "custom_tool_call" else "arguments")
        call = _tool_call(_call_id(item), item.get("name"), arguments if isinstance(arguments, str) else "{}")
        self.messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        self._calls.setdefault(_call_id(item), False)

    def result(self, item: dict[str, Any]) -> None:
        call_id = _call_id(item)
        if call_id not in self._calls:
            self._supply(call_id)
        self._calls[call_id] = True
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text_of(item.get("output")) or ""})

    def note(self, item: dict[str, Any]) -> None:
        self._noted.add(_call_id(item))

    def refer(self, item: dict[str, Any]) -> None:
        placeholder = {"role": "assistant", "content": None}
        self.messages.append(placeholder)
        self._placeholders.append(placeholder)

    def _supply(self, call_id: str) -> None:
        """The call that a result must have had: as what a reference stood for, beside the calls of the same turn, or
        in a message of its own."""
        call = _tool_call(call_id, "", "{}")
        if self._placeholders:
            self._placeholders.pop()["tool_calls"] = [call]
            return
        if call_id not in self._noted:
            self.unknown.append(call_id)
        for message in reversed(self.messages):
            if message["role"] == "user":
                break
            if "tool_calls" in message:
                message["tool_calls"].append(call)
                return
        self.messages.append({"role": "assistant", "content": None, "tool_calls": [call]})


def _call_id(item: dict[str, Any]) -> str:
    """The id by which a call and its result know each other; empty if there is none."""
    call_id = item.get("call_id")
    return call_id if isinstance(call_id, str) else ""


def _tool_call(call_id: str, name: Any, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


_HANDLERS: dict[str, Callable[[Transcript, dict[str, Any]], None]] = {
    "message": Transcript.say,
    "function_call": Transcript.call,
    "custom_tool_call": Transcript.call,
    "function_call_output": Transcript.result,
    "custom_tool_call_output": Transcript.result,
    "item_reference": Transcript.refer,
}
