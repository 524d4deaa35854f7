"""A connection whose responses OpenAI gives, read along (see `sessions.Follower`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ChatRequest, Reply, WireError
from aimock_protocols.collapsing import dicts, mapping, string
from aimock_protocols.openai_responses.collapse import collapse
from aimock_protocols.openai_responses.messages import as_items
from aimock_protocols.openai_responses.turn import ResponseTurn
from aimock_protocols.sessions import Message, Passage, Passed, Turn

_ENDS = {"response.completed": True, "response.incomplete": True, "response.failed": False}
"""The events that end a response, and whether it can be said again."""
_STEERED = "steered"

_OWN = frozenset({"id", "status"})
"""Members that items are retold without: ids would be looked up where nobody knows them."""
_MOST_LANES = 64
"""Lanes that are told apart; OpenAI takes fewer."""
_RETOLD = frozenset({"message", "function_call", "custom_tool_call"})
"""Items of a model that mean something without their ids. Those of a provider's own tools do not."""


def said_in(messages: Sequence[bytes]) -> Reply:
    """The response that a connection's events are of. Raises as `collapse` does."""
    return collapse(map(sse.encode, messages))


class Host(Protocol):
    """The session, as it was when the provider took over."""

    def earlier(self, sent: dict[str, Any]) -> list[Any]:
        """The items that a request takes up of what was answered here. Raises WireError if they are not known."""

    def request(self, sent: dict[str, Any], earlier: list[Any] | None = None) -> tuple[ChatRequest, list[Any]]:
        """What fixtures match of a request, and all items up to its answer; `earlier` are those that it takes up, if
        they are known. Raises WireError."""


@attrs.define(eq=False)
class _Wish:
    """A response that was asked for."""

    sent: dict[str, Any]
    passage: Passage | None
    """None, if it is not to be recorded: it only prepares for others, or nobody has asked for it in so many words."""


@attrs.define(eq=False)
class _Lane:
    """What is asked for on a lane, one after the other."""

    wishes: deque[_Wish] = attrs.field(factory=deque)
    current: _Wish | None = None
    """What is being answered."""
    items: list[Any] | None = None
    """All up to its answer, and after its end with it; None if nobody knows them."""
    latest: str | None = None
    """The id of the last response."""


class ResponsesFollower:
    """Reads along."""

    is_ready = True

    def __init__(self, host: Host, turns: Sequence[Turn]) -> None:
        self._host = host
        self._turns = cast(Sequence[ResponseTurn], turns)
        self._lanes: dict[str | None, _Lane] = {}

    def greeting(self) -> Iterable[Message]:
        return ()

    def retold(self) -> Iterator[Passed]:
        for turn in self._turns:
            named = {} if turn.lane is None else {"stream_id": turn.lane}
            sent = turn.request.native | named
            passage = self._wished(sent)
            yield Passed((_written(_detached(sent, orjson.loads(turn.before))),), passage)

    def asked(self, message: Message) -> Passed:
        sent = _read(message)
        if sent.get("type") != "response.create":
            return Passed((message,))
        retold = self._retold(sent)
        passage = self._wished(sent)
        return Passed((message if retold is None else _written(retold),), passage)

    def told(self, message: Message) -> Passed:
        event = _read(message)
        kind = string(event.get("type")) or ""
        lane = self._lane(event)
        if kind == "response.created":
            self._begin(lane)
        elif kind == "error" and lane.current is None and lane.wishes:  # in place of a response
            refused = lane.wishes.popleft().passage
            if refused is not None:
                refused.is_over = True
            return Passed((message,), refused)
        passage = lane.current.passage if lane.current is not None else None
        if kind in _ENDS:
            self._end(lane, kind, mapping(event.get("response")))
        return Passed((message,), None if kind.startswith("response.steer.") else passage)

    # -- lanes ---------------------------------------------------------------------------------------------------------

    def _lane(self, event: dict[str, Any]) -> _Lane:
        name = string(event.get("stream_id"))
        if name not in self._lanes and len(self._lanes) >= _MOST_LANES:
            return _Lane()
        return self._lanes.setdefault(name, _Lane())

    def _wished(self, sent: dict[str, Any]) -> Passage | None:
        passage = Passage() if sent.get("generate") is not False else None
        self._lane(sent).wishes.append(_Wish(sent, passage))
        return passage

    def _begin(self, lane: _Lane) -> None:
        lane.current = lane.wishes.popleft() if lane.wishes else None
        if lane.current is None:
            return
        sent, passage = lane.current.sent, lane.current.passage
        try:
            request, lane.items = self._host.request(sent, self._earlier(sent.get("previous_response_id")))
        except WireError:  # it takes up what only the provider knows, or is new here
            lane.items = None
            return
        if passage is not None:
            passage.request = request

    def _end(self, lane: _Lane, kind: str, response: dict[str, Any]) -> None:
        is_steered = mapping(response.get("incomplete_details")).get("reason") == _STEERED
        passage = lane.current.passage if lane.current is not None else None
        if passage is not None:
            passage.is_over, passage.is_whole = True, _ENDS[kind] and not is_steered
        if lane.items is not None:
            lane.items = [*lane.items, *dicts(response.get("output"))]
        lane.current, lane.latest = None, string(response.get("id"))
        if is_steered and lane.items is not None:  # OpenAI goes on by itself
            lane.wishes.appendleft(_Wish({"previous_response_id": lane.latest}, None))

    def _earlier(self, previous: Any) -> list[Any] | None:
        """The items up to a response that was given on this connection."""
        return next((lane.items for lane in self._lanes.values() if previous and lane.latest == previous), None)

    def _retold(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        """The request with what it takes up of what was answered here, which nobody else knows; None if it takes up
        none."""
        previous = sent.get("previous_response_id")
        if not previous or any(lane.latest == previous for lane in self._lanes.values()):
            return None
        try:
            return _detached(sent, [*self._host.earlier(sent), *as_items(sent.get("input"))])
        except WireError:
            return None


def _detached(sent: dict[str, Any], items: list[Any]) -> dict[str, Any]:
    """The same request, with all items rather than with the id of a response that has some of them."""
    return {name: value for name, value in sent.items() if name != "previous_response_id"} | {"input": items}


def _written(sent: dict[str, Any]) -> str:
    """A request whose items are retold."""
    return orjson.dumps({"type": "response.create", **sent, "input": list(_items(sent.get("input")))}).decode()


def _items(given: Any) -> Iterator[Any]:
    for item in as_items(given):
        if not isinstance(item, dict) or "id" not in item or item.get("role") not in (None, "assistant"):
            yield item
        elif item.get("type", "message") in _RETOLD or item.get("encrypted_content"):
            yield {name: value for name, value in item.items() if name not in _OWN}


def _read(message: Message) -> dict[str, Any]:
    """An event; empty if it cannot be read."""
    try:
        return mapping(orjson.loads(message))
    except orjson.JSONDecodeError:
        return {}
