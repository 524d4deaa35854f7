"""A session whose responses the provider gives, read along (see `sessions.Follower`).

The conversation goes on as the provider tells of it: it says of every item when it is there, and of every response when
it begins, whoever wanted it, a client or the provider's own ear.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, Stamp, WireError
from aimock_protocols.collapsing import dicts, mapping, string
from aimock_protocols.openai_realtime.conversation import Conversation, Item
from aimock_protocols.openai_realtime.events import ClientEvent, Dialect, ServerEvent
from aimock_protocols.openai_realtime.recordings import event_in, read
from aimock_protocols.sessions import Message, Passage, Passed, Turn

_RETOLD = frozenset({"message", "function_call", "function_call_output"})
"""Items that clients can create anywhere."""
_LEFT_OUT = frozenset({"status", "phase", "object"})
"""Members of items that are the provider's."""
_ITEM_EVENTS = frozenset({"conversation.item.added", "conversation.item.done"})
_WHOLE = frozenset({"completed", "incomplete"})
"""Statuses of responses that can be said again."""


class Host(Protocol):
    """The session, as it was when the provider took over."""

    dialect: Dialect
    conversation: Conversation

    @property
    def wishes(self) -> dict[str, Any]:
        """What the client has told it to be, in the client's words."""

    @property
    def unheard(self) -> bytes:
        """Audio that was not committed, in base64."""

    def wish(self, sent: dict[str, Any]) -> None:
        """The client tells it to be otherwise."""

    def request(self, event: ClientEvent, stamp: Stamp) -> ChatRequest:
        """What fixtures match of a `response.create`. Raises WireError."""


@attrs.define(eq=False)
class _Response:
    """One that the provider is giving."""

    passage: Passage
    items: set[Any] = attrs.field(factory=set)
    """Ids of its items."""


class RealtimeFollower:
    """Reads along."""

    is_ready = True

    def __init__(self, host: Host, turns: Sequence[Turn], stamp: Stamp) -> None:
        self._host = host
        self._turns = turns
        self._stamp = stamp
        self._wishes: deque[tuple[ClientEvent, Passage]] = deque()
        """Responses that were asked for, and have not begun."""
        self._responses: dict[str, _Response] = {}
        """By id."""
        self._is_catching_up = True
        """Whether what the provider tells is of what the client knows already."""

    def greeting(self) -> Iterable[Message]:
        return ()

    def retold(self) -> Iterator[Passed]:
        host = self._host
        if host.wishes:
            yield Passed((_written({"type": "session.update", "session": host.wishes}),))
        for item in host.conversation:
            told = _retold(item)
            event = host.dialect({"type": "conversation.item.create", "item": told}) if told is not None else None
            if event is not None:
                yield Passed((_written(event),))
        if host.unheard:
            yield Passed((_written({"type": "input_audio_buffer.append", "audio": host.unheard.decode()}),))
        for turn in self._turns:
            yield self._asked_for(turn.request.native, _written(turn.request.native))

    def asked(self, message: Message) -> Passed:
        event = read(message)
        if event.get("type") == "session.update":
            self._host.wish(mapping(event.get("session")))
        elif event.get("type") == "response.create":
            return self._asked_for(event, message)
        return Passed((message,))

    def told(self, message: Message) -> Passed:
        event = event_in(message)
        kind = event["type"]
        if kind == "response.created":
            self._is_catching_up = False
            return Passed((message,), self._begin(event))
        if kind == "error":
            self._is_catching_up = False
            return Passed((message,), self._refused(mapping(event.get("error"))))
        if self._is_catching_up:
            return Passed()
        response = self._response_of(event)
        self._heed(kind, event, response)
        return Passed((message,), None if response is None else response.passage)

    # -- responses -----------------------------------------------------------------------------------------------------

    def _asked_for(self, event: ClientEvent, message: Message) -> Passed:
        passage = Passage()
        self._wishes.append((event, passage))
        return Passed((message,), passage)

    def _begin(self, event: ServerEvent) -> Passage:
        wish, passage = self._wishes.popleft() if self._wishes else ({}, Passage())
        try:
            passage.request = self._host.request(wish, self._stamp)
        except (WireError, LookupError, TypeError, AttributeError):  # in it is what is new here, or another provider's
            passage.request = None
        self._responses[string(mapping(event.get("response")).get("id")) or ""] = _Response(passage)
        return passage

    def _refused(self, error: Mapping[str, Any]) -> Passage | None:
        """A response that was asked for, and will not begin: that which the error names, or else the first."""
        named = [
            wish for wish in self._wishes if error.get("event_id") and wish[0].get("event_id") == error["event_id"]
        ]
        wish = next(iter(named or self._wishes), None)
        if wish is None:
            return None
        self._wishes.remove(wish)
        wish[1].is_over = True
        return wish[1]

    def _response_of(self, event: ServerEvent) -> _Response | None:
        """That of which an event tells. Limits are told of the only one there is."""
        named = string(event.get("response_id")) or string(mapping(event.get("response")).get("id"))
        if named is not None:
            return self._responses.get(named)
        item = string(event.get("item_id")) or string(mapping(event.get("item")).get("id"))
        if item is not None:
            return next((each for each in self._responses.values() if item in each.items), None)
        is_alone = event["type"] == "rate_limits.updated" and len(self._responses) == 1
        return next(iter(self._responses.values())) if is_alone else None

    # -- the conversation ----------------------------------------------------------------------------------------------

    def _heed(self, kind: str, event: ServerEvent, response: _Response | None) -> None:
        """Takes in what it says of items, and of a response's end."""
        conversation = self._host.conversation
        if kind in _ITEM_EVENTS:
            self._place(mapping(event.get("item")), event.get("previous_item_id"))
        elif kind == "conversation.item.deleted" and (item := conversation.find(event.get("item_id"))) is not None:
            conversation.remove(item)
        elif kind == "conversation.item.truncated" and (item := conversation.find(event.get("item_id"))) is not None:
            item.truncate()
        elif response is None:
            return
        elif kind == "response.output_item.added":
            response.items.add(mapping(event.get("item")).get("id"))
        elif kind == "response.output_item.done":
            self._settle(mapping(event.get("item")))
        elif kind == "response.done":
            told = mapping(event.get("response"))
            response.passage.is_over, response.passage.is_whole = True, told.get("status") in _WHOLE
            for each in dicts(told.get("output")):
                self._settle(each)
            self._responses.pop(string(told.get("id")) or "", None)

    def _place(self, told: dict[str, Any], after: Any) -> None:
        conversation = self._host.conversation
        if string(told.get("id")) is None or string(told.get("type")) is None:
            return
        if conversation.find(told["id"]) is not None:
            self._settle(told)
            return
        if told.get("type") == "message":
            told = told | {"role": told.get("role"), "content": dicts(told.get("content"))}
        item = Item(told, is_under_way=told.get("status") == "in_progress")
        conversation.insert(item, after if conversation.find(after) is not None else None)

    def _settle(self, told: dict[str, Any]) -> None:
        item = self._host.conversation.find(told.get("id"))
        if item is not None and told.get("status") != "in_progress":
            item.settle(item.told | told, 0)


def _retold(item: Item) -> dict[str, Any] | None:
    """An item as a client creates it; None if clients cannot. What the model has spoken is told as text."""
    told = {name: value for name, value in item.whole().items() if name not in _LEFT_OUT}
    if told["type"] not in _RETOLD:
        return None
    if told["type"] == "message":
        told["content"] = [_retold_part(part) for part in told["content"]]
    return told


def _retold_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "output_audio":
        return {"type": "output_text", "text": part.get("transcript") or ""}
    return {name: value for name, value in part.items() if value is not None}


def _written(event: Mapping[str, Any]) -> str:
    return orjson.dumps(event).decode()
