"""The items of an input as the provider lists them: each with an id, and with what is left out filled in (wire §13)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import Stamp
from aimock_protocols.openai_platform import refusal
from aimock_protocols.openai_responses.messages import as_items, kind_of

_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
"""How the ids of items of each type begin; of others with `item`."""

_WITH_STATUS = frozenset(
    {"message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"}
)


def input_items(given: Any, stamp: Stamp) -> dict[str, bytes]:
    """The items of an input as JSON, by id. Raises WireError on items that are nested too deep."""
    made = [_item(item, f"input {index}", stamp) for index, item in enumerate(as_items(given))]
    try:
        return {item["id"]: orjson.dumps(item) for item in made}
    except orjson.JSONEncodeError:
        raise refusal("Items are nested too deeply") from None


def _item(item: dict[str, Any], label: str, stamp: Stamp) -> dict[str, Any]:
    kind = kind_of(item)
    filled = {**item, "type": kind}
    if not isinstance(item.get("id"), str):
        filled["id"] = f"{_PREFIXES.get(kind, 'item')}_{stamp.hexadecimal(50, label)}"
    if kind in _WITH_STATUS:
        filled.setdefault("status", "completed")
    if kind == "message":
        filled["content"] = _content(item)
    return filled


def _content(message: dict[str, Any]) -> list[Any]:
    content = message.get("content")
    if isinstance(content, list):
        return [_detailed(part) for part in content]
    if message.get("role") == "assistant":
        return [{"type": "output_text", "annotations": [], "logprobs": [], "text": content}]
    return [{"type": "input_text", "text": content}]


def _detailed(part: Any) -> Any:
    is_image = isinstance(part, dict) and part.get("type") == "input_image"
    return {"detail": "auto", **part} if is_image else part
