"""Conversations: items that outlast their responses, under an id of their own (wire-openai-responses §1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import attrs
import orjson

from aimock_protocols.canonical import ErrorReply, Memory, SideRequest, Stamp, WireError, WireResponse
from aimock_protocols.openai_platform import WHOLE_HEADERS, invalid_type, read_object, read_optional, refusal
from aimock_protocols.openai_responses import paging
from aimock_protocols.openai_responses.input_items import input_items

KEPT_ITEMS = 1000
"""Of one conversation; beyond that, the oldest are forgotten."""


@attrs.define(eq=False)
class Conversation:
    """What is kept of one."""

    created: int
    metadata: bytes
    """JSON."""
    items: dict[str, bytes]
    """JSON, by id, oldest first."""

    @property
    def size(self) -> int:
        return len(self.metadata) + sum(map(len, self.items.values()))

    def add(self, items: Mapping[str, bytes]) -> None:
        self.items |= items
        for forgotten in list(self.items)[: max(0, len(self.items) - KEPT_ITEMS)]:
            del self.items[forgotten]


def find(memory: Memory, conversation: str) -> Conversation | None:
    """None if there is none of this id."""
    found = memory.get(conversation)
    return found if isinstance(found, Conversation) else None


def items_of(memory: Memory, conversation: str) -> list[Any]:
    """All items of a conversation that there is, oldest first."""
    found = find(memory, conversation)
    return [orjson.loads(item) for item in found.items.values()] if found is not None else []


def extend(memory: Memory, conversation: str, items: Mapping[str, bytes], stamp: Stamp) -> None:
    """Adds to a conversation; one that is not known is begun."""
    found = find(memory, conversation) or Conversation(int(stamp.created), b"{}", {})
    found.add(items)
    memory.put(conversation, found, found.size)


def not_found(conversation: str) -> ErrorReply:
    return ErrorReply(f"Conversation with id '{conversation}' not found.", "invalid_request_error", status=404)


# -- side routes -------------------------------------------------------------------------------------------------------


def create_conversation(request: SideRequest) -> WireResponse:
    """`POST /v1/conversations`. Raises WireError."""
    sent = read_object(request.body)
    conversation = f"conv_{request.stamp.hexadecimal(48)}"
    made = Conversation(int(request.stamp.created), _read_metadata(sent), {})
    made.add(_read_items(sent, request.stamp))
    request.memory.put(conversation, made, made.size)
    return _told(conversation, made)


def retrieve_conversation(request: SideRequest) -> WireResponse:
    """`GET /v1/conversations/{id}`. Raises WireError."""
    return _told(*_find(request))


def update_conversation(request: SideRequest) -> WireResponse:
    """`POST /v1/conversations/{id}`: other metadata. Raises WireError."""
    sent = read_object(request.body)
    conversation, found = _find(request)
    found.metadata = _read_metadata(sent)
    return _told(conversation, found)


def delete_conversation(request: SideRequest) -> WireResponse:
    """`DELETE /v1/conversations/{id}`. Raises WireError."""
    conversation, _ = _find(request)
    request.memory.remove(conversation)
    return _answer({"id": conversation, "object": "conversation.deleted", "deleted": True})


def create_conversation_items(request: SideRequest) -> WireResponse:
    """`POST /v1/conversations/{id}/items`. Raises WireError."""
    sent = read_object(request.body)
    conversation, found = _find(request)
    items = _read_items(sent, request.stamp)
    found.add(items)
    request.memory.put(conversation, found, found.size)
    return WireResponse(200, WHOLE_HEADERS, paging.listed(items))


def list_conversation_items(request: SideRequest) -> WireResponse:
    """`GET /v1/conversations/{id}/items`: one page, newest first unless `order` is `asc`. Raises WireError."""
    _, found = _find(request)
    return WireResponse(200, WHOLE_HEADERS, paging.page(found.items, request.head.query))


def retrieve_conversation_item(request: SideRequest) -> WireResponse:
    """`GET /v1/conversations/{id}/items/{item}`. Raises WireError."""
    _, found = _find(request)
    return WireResponse(200, WHOLE_HEADERS, found.items[_item_of(found, request)])


def delete_conversation_item(request: SideRequest) -> WireResponse:
    """`DELETE /v1/conversations/{id}/items/{item}`: answered with the conversation. Raises WireError."""
    conversation, found = _find(request)
    del found.items[_item_of(found, request)]
    return _told(conversation, found)


def _find(request: SideRequest) -> tuple[str, Conversation]:
    conversation = unquote(request.params["conversation"])
    found = find(request.memory, conversation)
    if found is None:
        raise WireError(not_found(conversation))
    return conversation, found


def _item_of(found: Conversation, request: SideRequest) -> str:
    item = unquote(request.params["item"])
    if item not in found.items:
        raise WireError(ErrorReply(f"Item with id '{item}' not found.", "invalid_request_error", status=404))
    return item


def _read_items(sent: dict[str, Any], stamp: Stamp) -> dict[str, bytes]:
    items = read_optional(sent, "items", list, "an array of objects") or []
    for index, item in enumerate(items):
        if type(item) is not dict:
            raise invalid_type(f"items[{index}]", "an object", item)
    return input_items(items, stamp)


def _read_metadata(sent: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(read_optional(sent, "metadata", dict, "an object") or {})
    except orjson.JSONEncodeError:
        raise refusal("Metadata is nested too deeply", "metadata") from None


def _told(conversation: str, found: Conversation) -> WireResponse:
    return _answer(
        {
            "id": conversation,
            "object": "conversation",
            "created_at": found.created,
            "metadata": orjson.Fragment(found.metadata),
        }
    )


def _answer(told: dict[str, Any]) -> WireResponse:
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))
