"""Responses over a WebSocket: many turns on one connection, one after the other in each lane, lanes side by side.

Source: wire-openai-realtime §11, and the types and comments of OpenAI's SDK. A connection knows the last response of
each of its lanes even where it is not stored, and what is stored it shares with HTTP. Unlike there, fixtures see what a
request takes up: over a socket, clients send only what is new. Connections do not end after an hour, as OpenAI's do,
for a session has no clock.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, ErrorReply, Reply, Stamp, WireError
from aimock_protocols.json_bodies import dumped
from aimock_protocols.openai_platform import missing, read_object, read_optional, refusal
from aimock_protocols.openai_responses import conversations, events, stored
from aimock_protocols.openai_responses.decode import (
    chat_request,
    complete_request,
    conversation_id,
    instructions_of,
    objection_to,
    read_input,
)
from aimock_protocols.openai_responses.following import ResponsesFollower
from aimock_protocols.openai_responses.items import CALLS
from aimock_protocols.openai_responses.messages import as_items, messages_of
from aimock_protocols.openai_responses.shape import shape
from aimock_protocols.openai_responses.steering import Steer, fault_of, read_steer
from aimock_protocols.openai_responses.stream import in_messages, prepared
from aimock_protocols.openai_responses.turn import Answer, ResponseTurn
from aimock_protocols.sessions import Cancel, Connecting, Event, Move, Turn

MOST_IN_FLIGHT = 16
"""Responses at a time; more wait."""
MOST_LANES = 32
"""Names of lanes, as long as a connection lasts."""
MOST_WAITING = 256
"""Requests that wait; OpenAI does not tell its number."""

_LANE = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_ENVELOPE = ("type", "stream_id", "generate", "background")
"""Members that a request has here alone, and one that has no meaning here."""


@attrs.define(eq=False)
class _Asked:
    """A request that waits for its turn."""

    sent: dict[str, Any]
    lane: str | None


@attrs.define(eq=False)
class _Latest:
    """The last response of a lane."""

    id: str
    before: bytes
    """All items before its output: JSON."""
    output: list[dict[str, Any]]
    steers: list[Steer]
    """Those that wait to be part of the next request."""

    def items(self) -> list[Any]:
        return [*orjson.loads(self.before), *self.output]


class ResponsesSession:
    """One client's connection."""

    subprotocol = None
    is_binary = False

    def __init__(self, connecting: Connecting) -> None:
        self._memory = connecting.memory
        self._is_strict = connecting.is_strict
        self._lanes: set[str] = set()
        self._latest: dict[str | None, _Latest] = {}
        self._waiting: deque[_Asked] = deque()
        self._active: dict[str | None, ResponseTurn] = {}
        self._minted = 0

    def opened(self, stamp: Stamp) -> Iterable[Move]:
        return ()

    def follow(self, turns: Sequence[Turn], stamp: Stamp) -> ResponsesFollower:
        return ResponsesFollower(self, turns)

    def received(self, message: str | bytes, stamp: Stamp) -> Iterable[Move]:
        lane = None
        try:
            sent = read_object(message)
            kind = sent.pop("type", None)
            if kind == "response.steer":
                return self._steer(sent, stamp)
            if kind != "response.create":
                expected = 'Expected message type "response.create" or "response.steer"'
                raise refusal(expected, "type", "invalid_message_type")
            lane = _read_lane(sent)
            self._admit(lane)
            self._waiting.append(_Asked(sent, lane))
        except WireError as refused:
            return events.refused(refused.reply, lane)
        return self._advance(stamp)

    def _admit(self, lane: str | None) -> None:
        """Makes room for a request. Raises WireError."""
        if lane is not None and lane not in self._lanes:
            if len(self._lanes) >= MOST_LANES:
                message = (
                    f"This connection has had its {MOST_LANES} distinct stream IDs. Use one of them again, or open"
                    " another connection."
                )
                raise refusal(message, "stream_id", "websocket_stream_limit_reached")
            self._lanes.add(lane)
        if len(self._waiting) >= MOST_WAITING:
            message = f"{MOST_WAITING} requests are waiting on this connection already."
            raise WireError(ErrorReply(message, "requests", code="rate_limit_exceeded", status=429))

    # -- turns ---------------------------------------------------------------------------------------------------------

    def _advance(self, stamp: Stamp) -> list[Move]:
        """Begins what can be begun: in the order in which it was asked for, but nobody waits for another lane."""
        moves: list[Move] = []
        while len(self._active) < MOST_IN_FLIGHT:
            asked = next((each for each in self._waiting if each.lane not in self._active), None)
            if asked is None:
                break
            self._waiting.remove(asked)
            moves += self._begin(asked, stamp)
        return moves

    def _begin(self, asked: _Asked, stamp: Stamp) -> Iterable[Move]:
        carried = self._carried(asked)
        try:
            generates = _generates(asked.sent)
            turn = self._turn(asked, carried, generates)
        except WireError as refused:
            self._evict(asked.lane, asked.sent)
            return events.refused(refused.reply, asked.lane, carried)
        if not generates:
            return self._prepare(turn, stamp)
        self._active[asked.lane] = turn
        return [turn]

    def _carried(self, asked: _Asked) -> tuple[Steer, ...]:
        """Steering that waited for this request."""
        latest = self._latest.get(asked.lane)
        if latest is None or latest.id != asked.sent.get("previous_response_id"):
            return ()
        carried, latest.steers = tuple(latest.steers), []
        return carried

    def _turn(self, asked: _Asked, carried: tuple[Steer, ...], generates: bool) -> ResponseTurn:
        """Raises WireError."""
        sent = asked.sent
        if carried:
            steering = [item for steer in carried for item in as_items(steer.input)]
            sent = {**sent, "input": [*steering, *as_items(read_input(sent))]}
        request, items = self.request(sent, generates=generates)
        if self._is_strict and request.objection is not None:
            raise WireError(request.objection)
        remembers, request.remembers, request.recalls = request.remembers, False, None
        return ResponseTurn(request, shape(request), asked.lane, dumped(items, b"[]"), remembers, carried, self._settle)

    def request(
        self, sent: dict[str, Any], earlier: list[Any] | None = None, generates: bool = True
    ) -> tuple[ChatRequest, list[Any]]:
        """What fixtures match of a request, and all items up to its answer; `earlier` are those that it takes up, if
        that is not to be found out here. Raises WireError."""
        sent = {name: value for name, value in sent.items() if name not in _ENVELOPE} | {"stream": True}
        request = complete_request(sent) if generates else chat_request(sent)
        if self._is_strict and not request.model and sent.get("prompt") is None:
            raise missing("model")
        items = [*(self.earlier(sent) if earlier is None else earlier), *as_items(read_input(sent))]
        said = messages_of(instructions_of(sent), items)
        request.body["messages"] = said.messages
        request.objection = self._objection(sent) or objection_to(said)
        return request, items

    def earlier(self, sent: dict[str, Any]) -> list[Any]:
        """The items that a request takes up. Raises WireError if they are not known."""
        previous, conversation = sent.get("previous_response_id"), conversation_id(sent)
        if not previous:
            return conversations.items_of(self._memory, conversation) if conversation else []
        for latest in self._latest.values():
            if latest.id == previous:
                return latest.items()
        if not stored.knows(self._memory, previous):
            raise WireError(stored.previous_not_found(previous))
        return stored.chain(self._memory, previous)

    def _objection(self, sent: dict[str, Any]) -> ErrorReply | None:
        conversation = conversation_id(sent)
        if conversation and conversations.find(self._memory, conversation) is None:
            return conversations.not_found(conversation)
        return None

    def _prepare(self, turn: ResponseTurn, stamp: Stamp) -> list[Move]:
        """A response without output, for others to take up: no fixture knows anything of it."""
        self._minted += 1
        reply = Reply(id=f"resp_{stamp.hexadecimal(50, f'prepared {self._minted}')}")
        told = [Event(frame.data) for frame in prepared(reply, turn.shape, stamp, in_messages(turn.lane))]
        return [*told, *self._keep(turn, Answer(reply, stamp, 1))]

    def _settle(self, turn: ResponseTurn, answer: Answer | None, stamp: Stamp) -> Iterable[Move]:
        """What follows when a turn has ended."""
        del self._active[turn.lane]
        moves: list[Move] = []
        if answer is None:
            self._evict(turn.lane, turn.request.native)
            moves += _given_back(turn.steers, turn.lane)
        else:
            moves += self._keep(turn, answer)
            moves += self._steered(turn, answer)
        return moves + self._advance(stamp)

    def _keep(self, turn: ResponseTurn, answer: Answer) -> list[Move]:
        """Keeps a response as the last of its lane, and stores it as over HTTP."""
        if turn.remembers:
            stored.remember(turn.request, answer.reply, turn.shape, answer.stamp, answer.chunk_size, self._memory)
        before = self._latest.get(turn.lane)
        self._latest[turn.lane] = _Latest(answer.id, turn.before, answer.output(turn.shape), turn.steers)
        return [] if before is None else _given_back(before.steers, turn.lane)

    def _evict(self, lane: str | None, sent: dict[str, Any]) -> None:
        """Forgets the last response of a lane that could not be continued."""
        latest = self._latest.get(lane)
        if latest is not None and latest.id == sent.get("previous_response_id"):
            del self._latest[lane]

    # -- steering ------------------------------------------------------------------------------------------------------

    def _steer(self, sent: dict[str, Any], stamp: Stamp) -> list[Move]:
        """Takes in what is to steer a response, which is then cut short. Raises WireError."""
        steer = read_steer(sent)
        turn = next((each for each in self._active.values() if each.answer and each.answer.id == steer.previous), None)
        fault = fault_of(sent)
        if fault is not None:
            return [events.steer_failed(steer, None if turn is None else turn.lane, "invalid_input", fault)]
        if turn is None:
            return [self._too_late(steer)]
        if any(turn.request.native.get(name) for name in ("conversation", "context_management")):
            message = "Responses that belong to a conversation or are compacted cannot be steered."
            return [events.steer_failed(steer, turn.lane, "steering_not_supported", message)]
        self._minted += 1
        turn.steers.append(attrs.evolve(steer, id=f"steer_{stamp.hexadecimal(32, f'steer {self._minted}')}"))
        return [Cancel(turn)] if len(turn.steers) == 1 else []

    def _too_late(self, steer: Steer) -> Event:
        for lane, latest in self._latest.items():
            if latest.id == steer.previous:
                message = f"Response with id '{steer.previous}' has ended."
                return events.steer_failed(steer, lane, "response_already_completed", message)
        message = f"Response with id '{steer.previous}' is not known on this connection."
        return events.steer_failed(steer, None, "response_not_found", message)

    def _steered(self, turn: ResponseTurn, answer: Answer) -> Iterator[Move]:
        """What becomes of the steering of a response that has ended: it waits for the results of the client's tools,
        or begins the next response by itself."""
        if not turn.steers:
            return
        output = answer.output(turn.shape)
        if any(item["type"] in CALLS for item in output):
            for place, steer in enumerate(turn.steers):
                yield events.pending(steer, turn.lane, turn.numbered(place), output)
            return
        successor = {**turn.request.native, "input": [], "previous_response_id": answer.id}
        self._waiting.appendleft(_Asked(successor, turn.lane))


def _given_back(steers: Iterable[Steer], lane: str | None) -> list[Move]:
    message = "The response cannot be continued any more."
    return [events.steer_failed(steer, lane, "response_not_active", message) for steer in steers]


def _read_lane(sent: dict[str, Any]) -> str | None:
    """The lane that a request is for, taken out of it; None is the one without a name. Raises WireError."""
    lane = sent.pop("stream_id", None)
    if lane is None:
        return None
    if not isinstance(lane, str) or _LANE.fullmatch(lane) is None:
        message = "Invalid 'stream_id': expected 1 to 256 letters, digits, underscores, hyphens and periods."
        raise refusal(message, "stream_id", "invalid_stream_id")
    return lane


def _generates(sent: dict[str, Any]) -> bool:
    """Whether a request wants an answer, rather than to prepare for others. Raises WireError."""
    caching = sent.get("prompt_cache_options")
    if isinstance(caching, dict) and caching.get("prewarm") is True:
        return False
    return read_optional(sent, "generate", bool, "a boolean") is not False
