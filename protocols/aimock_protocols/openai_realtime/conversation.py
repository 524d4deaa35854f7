"""The items of a conversation: what clients may make them of, their order, and the chat messages that they are
(wire-openai-realtime §3, §6)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from aimock_protocols.openai_platform import refusal
from aimock_protocols.openai_realtime.checks import (
    Check,
    an_object,
    audio,
    boolean,
    choice,
    invalid_value,
    listed,
    nullable,
    record,
    text,
    variant,
)

AUDIO_INPUT = "[audio input]"
"""What a message says that nobody has transcribed."""

_STATUS = nullable(choice("completed", "incomplete", "in_progress"))
_COMMON: dict[str, Check] = {"id": nullable(text), "type": text, "object": nullable(text), "status": _STATUS}


def _item(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return record(_COMMON | required | (optional or {}), tuple(required))


_TEXT = record({"type": text, "text": text}, ("text",))
_HEARD = record({"type": text, "audio": nullable(audio), "transcript": nullable(text)})
_SEEN = record({"type": text, "image_url": text, "detail": nullable(choice("auto", "low", "high"))}, ("image_url",))


def _picture(value: Any, param: str) -> Any:
    """A picture; some clients call its URL just that."""
    if isinstance(value, dict) and "url" in value and "image_url" not in value:
        value = {"image_url" if name == "url" else name: given for name, given in value.items()}
    return _SEEN(value, param)


_LISTED = record(
    {"name": text, "input_schema": an_object, "description": nullable(text), "annotations": nullable(an_object)},
    ("name", "input_schema"),
)
_SPOKEN = record({"type": text, "audio": nullable(audio), "transcript": nullable(text)})
_CONTENTS: Mapping[str, Mapping[str, Check]] = {
    "system": {"input_text": _TEXT, "text": _TEXT},
    "user": {"input_text": _TEXT, "text": _TEXT, "input_audio": _HEARD, "input_image": _picture},
    "assistant": {"output_text": _TEXT, "text": _TEXT, "output_audio": _SPOKEN, "audio": _SPOKEN},
}
_MODERN = {
    "system": {"text": "input_text"},
    "user": {"text": "input_text"},
    "assistant": {"text": "output_text", "audio": "output_audio"},
}
"""What parts are called now that the Beta called otherwise."""


def _message(value: Any, param: str) -> dict[str, Any]:
    role = choice(*_CONTENTS)(value.get("role"), f"{param}.role")
    parts = listed(variant(_CONTENTS[role]))
    item = _item({"role": text, "content": parts}, {"phase": nullable(choice("commentary", "final_answer"))})
    made: dict[str, Any] = item(value, param)
    for part in made["content"]:
        part["type"] = _MODERN[role].get(part["type"], part["type"])
    return made


_READ_ITEM = variant(
    {
        "message": _message,
        "function_call": _item({"name": text, "arguments": text}, {"call_id": text}),
        "function_call_output": _item({"call_id": text, "output": text}),
        "mcp_list_tools": _item({"server_label": text, "tools": listed(_LISTED)}),
        "mcp_call": _item(
            {"server_label": text, "name": text, "arguments": text},
            {"output": nullable(text), "approval_request_id": nullable(text)},
        ),
        "mcp_approval_request": _item({"server_label": text, "name": text, "arguments": text}),
        "mcp_approval_response": _item({"approval_request_id": text, "approve": boolean}, {"reason": nullable(text)}),
    }
)
_WITH_STATUS = frozenset({"message", "function_call"})


@attrs.define(eq=False)
class Item:
    """One item. What is told of it has no audio, unless somebody asks for it whole."""

    told: dict[str, Any]
    sounds: Mapping[int, bytes] = attrs.field(factory=dict)
    """The audio of its contents."""
    milliseconds: float = 0.0
    """How long it speaks, or was spoken."""
    is_under_way: bool = False
    """Whether a response is still at it."""
    is_truncated: bool = False
    """Whether the client told that it has not heard it all."""

    @property
    def id(self) -> str:
        return str(self.told["id"])

    @property
    def is_speech(self) -> bool:
        """Whether it is audio of the model."""
        return any(part["type"] == "output_audio" for part in self.told.get("content", ()))

    def settle(self, told: dict[str, Any], milliseconds: float) -> None:
        """What it has come to, when the response is no longer at it."""
        self.told, self.milliseconds, self.is_under_way = told, milliseconds, False
        if self.is_truncated:
            self.truncate()

    def truncate(self) -> None:
        """Takes away the transcript: there is no telling how far the client has heard it."""
        self.is_truncated = True
        content = [part | {"transcript": ""} for part in self.told.get("content", ())]
        if self.is_speech:
            self.told = self.told | {"content": content}

    def whole(self) -> dict[str, Any]:
        """All that is known of it, its audio too."""
        if not self.sounds:
            return self.told
        content = [
            part | {"audio": base64.b64encode(self.sounds[index]).decode()} if index in self.sounds else part
            for index, part in enumerate(self.told["content"])
        ]
        return self.told | {"content": content}


def read_item(value: Any, fresh_id: str, fresh_call_id: str) -> Item:
    """An item that a client made. Raises WireError."""
    checked: dict[str, Any] = _READ_ITEM(value, "item")
    checked.pop("object", None)
    checked.pop("status", None)
    kind = checked["type"]
    made: dict[str, Any] = {"id": checked.pop("id", None) or fresh_id, "type": checked.pop("type")}
    if kind in _WITH_STATUS:
        made["status"] = "completed"
    made |= checked
    if kind == "function_call":
        made.setdefault("call_id", fresh_call_id)
    sounds = {}
    for index, part in enumerate(made.get("content", ())):
        sound = part.pop("audio", None)
        if sound is not None:
            sounds[index] = sound
        if part["type"] in ("input_audio", "output_audio"):
            part.setdefault("transcript", None)
    return Item(made, sounds)


def heard_item(item_id: str, sound: bytes, milliseconds: float) -> Item:
    """What a client said."""
    content = [{"type": "input_audio", "transcript": None}]
    told = {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content}
    return Item(told, {0: sound}, milliseconds)


class Conversation:
    """The items in their order."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def find(self, item_id: Any) -> Item | None:
        return next((item for item in self._items if item.id == item_id), None)

    def before(self, item: Item) -> str | None:
        """The id of the item before it; None if there is none, or if it is not there itself any more."""
        place = self._items.index(item) if item in self._items else 0
        return self._items[place - 1].id if place else None

    def insert(self, item: Item, after: Any = None) -> None:
        """At the end, at the beginning (`root`), or after the item of an id. Raises WireError."""
        if self.find(item.id) is not None:
            message = f"Error adding item: an item with id '{item.id}' already exists."
            raise refusal(message, "item.id", "item_create_invalid_item_id")
        if after is None:
            place = len(self._items)
        elif after == "root":
            place = 0
        else:
            previous = self.find(after)
            if previous is None:
                raise invalid_value("previous_item_id", f"Item with id '{after}' was not found in the conversation.")
            place = self._items.index(previous) + 1
        self._items.insert(place, item)

    def remove(self, item: Item) -> None:
        if item in self._items:
            self._items.remove(item)

    def existing(self, item_id: Any, deed: str) -> Item:
        """The item that is to be retrieved, deleted or truncated. Raises WireError."""
        text(item_id, "item_id")
        found = self.find(item_id)
        if found is None:
            message = f"Error {deed.removesuffix('e')}ing item: the item with id '{item_id}' does not exist."
            raise refusal(message, "item_id", f"item_{deed}_invalid_item_id")
        return found


def chat_body(model: str, config: Mapping[str, Any], items: Iterable[Item]) -> dict[str, Any]:
    """What a session of this config asks its model, as a chat."""
    body: dict[str, Any] = {"model": model, "messages": messages_of(config["instructions"], items)}
    tools = chat_tools(config["tools"])
    if tools:
        body |= {"tools": tools, "tool_choice": _chat_choice(config["tool_choice"])}
    return body


def _chat_choice(choice: Any) -> Any:
    """A choice of tools as the chat has it."""
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice if isinstance(choice, str) else "auto"


def messages_of(instructions: str, items: Iterable[Item]) -> list[dict[str, Any]]:
    """Chat messages: the instructions, and all that has been said. What is still being said is not yet there."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    for item in items:
        message = None if item.is_under_way else _message_of(item.told)
        if message is not None:
            messages.append(message)
    return messages


def _message_of(told: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = told["type"]
    if kind == "message":
        return {"role": told["role"], "content": _content(told["content"])}
    if kind == "function_call":
        function = {"name": told["name"], "arguments": told["arguments"]}
        call = {"id": told["call_id"], "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": told["call_id"], "content": told["output"]}
    return None


def _content(parts: Iterable[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """Text, or parts if there are pictures among them."""
    made = [_part(part) for part in parts]
    if any(part["type"] != "text" for part in made):
        return made
    return "".join(part["text"] for part in made)


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    match part["type"]:
        case "input_image":
            return {"type": "image_url", "image_url": {"url": part["image_url"]}}
        case "input_audio":
            return {"type": "text", "text": part.get("transcript") or AUDIO_INPUT}
        case "output_audio":
            return {"type": "text", "text": part.get("transcript") or ""}
        case _:
            return {"type": "text", "text": part["text"]}


def chat_tools(tools: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The functions among a session's tools, as the chat has them."""
    return [
        {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
        for tool in tools
        if tool.get("type", "function") == "function"
    ]
