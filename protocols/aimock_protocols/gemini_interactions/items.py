"""What is put in, in all its forms, as messages (wire-gemini §9.1): text, contents, turns, steps.

Forms may be mixed: each item says itself what it is. Steps of the model that follow each other are one message, since
they were one answer; what the provider's own tools asked and found is its own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import attrs

from aimock_protocols.gemini.platform import compact
from aimock_protocols.gemini_interactions.platform import refusal

Message = dict[str, Any]


def messages_of(value: Any) -> list[Message]:
    """The canonical messages of an input. Raises WireError."""
    if type(value) is str:
        return [{"role": "user", "content": value}]
    items = [value] if type(value) is dict else value
    if type(items) is not list:
        raise refusal("Invalid value at 'input': must be a string, an object or an array of objects")
    conversation = _Conversation()
    for index, item in enumerate(items):
        if type(item) is not dict:
            raise refusal(f"Invalid value at 'input[{index}]': must be an object")
        conversation.take(item)
    return conversation.messages


class _Content(NamedTuple):
    """What is in the content of a turn or a step."""

    text: str | None
    """All texts, joined; None if there is none."""
    calls: list[dict[str, Any]]
    results: list[Message]


@attrs.define(eq=False)
class _Conversation:
    """Messages in the making."""

    messages: list[Message] = attrs.field(factory=list)
    _open: str | None = None
    """The role of the last message, if what follows may still belong to it."""
    _calls: int = 0

    def take(self, item: dict[str, Any]) -> None:
        """Adds one item; of a kind that there is not, it says nothing."""
        kind, role = item.get("type"), item.get("role")
        handle = _HANDLERS.get(kind) if type(kind) is str else None
        if handle is not None:
            handle(self, item)
        elif type(role) is str:
            self._turn(item, role)
        elif kind in _CONTENTS:
            self._loose(item)

    def _turn(self, item: dict[str, Any], role: str) -> None:
        self._open = None
        content = self._content(item.get("content", item.get("parts")))
        if role in ("model", "assistant"):
            self._answer(content)
        else:
            self._user(content)
        self._open = None

    def _user_input(self, item: dict[str, Any]) -> None:
        self._user(self._content(item.get("content")))
        self._open = None

    def _model_output(self, item: dict[str, Any]) -> None:
        self._answer(self._content(item.get("content")))

    def _function_call(self, item: dict[str, Any]) -> None:
        self._answer(_Content(None, [self._call(item)], []))

    def _function_result(self, item: dict[str, Any]) -> None:
        self.messages.append(_result(item))
        self._open = None

    def _loose(self, item: dict[str, Any]) -> None:
        """A content that stands by itself: the user's. Those that follow each other are one message."""
        text = item.get("text") if type(item.get("text")) is str else None
        if self._open != "user":
            self.messages.append({"role": "user", "content": text})
        elif text is not None:
            self.messages[-1]["content"] = (self.messages[-1]["content"] or "") + text
        self._open = "user"

    def _user(self, content: _Content) -> None:
        """Results of tools come before what is said with them."""
        self.messages += content.results
        if content.text is not None or not content.results:
            self.messages.append({"role": "user", "content": content.text})

    def _answer(self, content: _Content) -> None:
        if self._open != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        message = self.messages[-1]
        if content.text is not None:
            message["content"] = (message["content"] or "") + content.text
        if content.calls:
            message["tool_calls"] = message.get("tool_calls", []) + content.calls
        self._open = "assistant"

    def _content(self, content: Any) -> _Content:
        if type(content) is str:
            return _Content(content, [], [])
        blocks = [content] if type(content) is dict else content
        found = [block for block in blocks if type(block) is dict] if type(blocks) is list else []
        texts = [block["text"] for block in found if type(block.get("text")) is str]
        calls = [self._call(block) for block in found if block.get("type") == "function_call"]
        results = [_result(block) for block in found if block.get("type") == "function_result"]
        return _Content("".join(texts) if texts else None, calls, results)

    def _call(self, item: dict[str, Any]) -> dict[str, Any]:
        name, given = item.get("name"), item.get("arguments")
        call_id = item.get("id") or item.get("call_id") or f"call_{self._calls}"
        self._calls += 1
        arguments = given if type(given) is str else "{}" if given is None else compact(given, "input")
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


_CONTENTS = ("text", "image", "audio", "video", "document", "file")
_HANDLERS: dict[str, Callable[[_Conversation, dict[str, Any]], None]] = {
    "user_input": _Conversation._user_input,
    "model_output": _Conversation._model_output,
    "function_call": _Conversation._function_call,
    "function_result": _Conversation._function_result,
}


def _result(item: dict[str, Any]) -> Message:
    """A tool's answer: text, contents of which the text counts, or any JSON."""
    given = item.get("result", item.get("output"))
    call_id = item.get("call_id") or item.get("id")
    return {"role": "tool", "tool_call_id": call_id, "content": _text(given)}


def _text(given: Any) -> str:
    if type(given) is str:
        return given
    if type(given) is list and given and all(type(part) is dict and part.get("type") in _CONTENTS for part in given):
        return "".join(part["text"] for part in given if type(part.get("text")) is str)
    return "" if given is None else compact(given, "input")
