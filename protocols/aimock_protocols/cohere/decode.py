"""Chat requests of the second version to the canonical form (wire-cohere §2).

Only what cannot be understood is refused. What is canonical already is taken as it is: a message whose content is a
string, and a whole body that has nothing but such messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, Head
from aimock_protocols.cohere.parameters import renamed, tool
from aimock_protocols.cohere.platform import compact, read_object, read_optional, read_required, refusal, wrong_type


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body as sent. Raises WireError, a 400."""
    sent = read_object(body)
    model = read_required(sent, "model")
    changes = renamed(sent)
    messages = _messages(sent)
    if messages is not None:
        changes["messages"] = messages
    tools = sent.get("tools")
    if type(tools) is list:
        changes["tools"] = [tool(each) for each in tools if type(each) is dict]
    stream = read_optional(sent, "stream", bool)
    return ChatRequest({**sent, **changes} if changes else sent, sent, model, stream or False)


def _messages(sent: dict[str, Any]) -> list[Any] | None:
    """The messages in canonical form; None if they have it already. Raises WireError."""
    messages = sent.get("messages")
    if messages is None:
        raise refusal("messages is required")
    if type(messages) is not list:
        raise wrong_type("messages", messages, list)
    canonical = []
    changed = False
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise wrong_type(f"messages[{index}]", message, dict)
        changes = _changes(message, index)
        changed = changed or bool(changes)
        canonical.append({**message, **changes} if changes else message)
    return canonical if changed else None


def _changes(message: dict[str, Any], index: int) -> dict[str, Any]:
    """What a message has otherwise in canonical form. Raises WireError on documents too deep."""
    changes: dict[str, Any] = {}
    if message.get("role") == "developer":
        changes["role"] = "system"
    content = message.get("content")
    if type(content) is list:
        changes["content"] = _text(content, index)
    calls = message.get("tool_calls")
    if type(calls) is list and any(type(call) is dict and not call.get("id") for call in calls):
        changes["tool_calls"] = [_identified(call, index, position) for position, call in enumerate(calls)]
    return changes


def _text(parts: list[Any], index: int) -> str | None:
    """The text of all parts, joined without a separator; None if there is none. Thoughts and images have none."""
    texts = [text for part in parts if type(part) is dict and (text := _text_of(part, index)) is not None]
    return "".join(texts) if texts else None


def _text_of(part: dict[str, Any], index: int) -> str | None:
    kind = part.get("type")
    if kind == "text":
        text = part.get("text")
        return text if type(text) is str else None
    if kind != "document":
        return None
    document = part.get("document")
    data = document.get("data", document) if type(document) is dict else document
    return data if type(data) is str else compact(data, f"messages[{index}].content")


def _identified(call: Any, index: int, position: int) -> Any:
    """A call with an id, made up if it came without one."""
    return {**call, "id": call.get("id") or f"call_{index}_{position}"} if type(call) is dict else call
