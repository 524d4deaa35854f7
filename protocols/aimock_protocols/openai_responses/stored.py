"""What was answered and can be asked for again: stored responses (wire-openai-responses §13)."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import attrs
import orjson

from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Memory,
    Reply,
    SideRequest,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.json_bodies import dumped
from aimock_protocols.openai_platform import STREAM_HEADERS, WHOLE_HEADERS, refusal
from aimock_protocols.openai_responses import conversations, envelope, paging
from aimock_protocols.openai_responses.decode import conversation_id, instructions_of, read_input
from aimock_protocols.openai_responses.encode import finished, under_way
from aimock_protocols.openai_responses.input_items import input_items
from aimock_protocols.openai_responses.items import items as output_items
from aimock_protocols.openai_responses.messages import as_items, messages_of
from aimock_protocols.openai_responses.shape import Shape
from aimock_protocols.openai_responses.stream import frames


class Stored(NamedTuple):
    """All that a response follows from, and what it answered."""

    reply: Reply
    shape: Shape
    stamp: Stamp
    chunk_size: int
    input: bytes
    """JSON: text or items."""
    previous: str | None
    """The response that it took up."""
    status: str | None
    """How far a response in the background is, or that it was cancelled; None: it is at its end."""

    @property
    def size(self) -> int:
        """Bytes that it has to itself: the reply is mostly its fixture's."""
        return len(self.input) + sum(map(len, self.shape.echo))

    def output(self) -> list[dict[str, Any]]:
        """The items of the answer."""
        return [item.whole for item in output_items(self.reply, self.shape, self.stamp)]


# -- remembering and recalling -----------------------------------------------------------------------------------------


def remember(request: ChatRequest, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int, memory: Memory) -> None:
    """Stores the response, unless the request says otherwise, and adds it to its conversation."""
    native = request.native
    given = dumped(native.get("input"))
    if native.get("store") is not False or shape.is_background:
        status = "queued" if shape.is_background and not request.stream else None
        previous = native.get("previous_response_id")
        stored = Stored(reply, shape, stamp, chunk_size, given, previous, status)
        memory.put(envelope.response_id(reply, stamp), stored, stored.size)
    conversation = conversation_id(native)
    if conversation is not None:
        output = (item.whole for item in output_items(reply, shape, stamp))
        said = input_items(orjson.loads(given), stamp) | {item["id"]: orjson.dumps(item) for item in output}
        conversations.extend(memory, conversation, said, stamp)


def recall(request: ChatRequest, memory: Memory) -> ChatRequest:
    """The request with what its response or conversation has before it. One that is not known is objected to."""
    native = request.native
    previous, conversation = native.get("previous_response_id"), conversation_id(native)
    if previous and not knows(memory, previous):
        return attrs.evolve(request, objection=previous_not_found(previous))
    if conversation and conversations.find(memory, conversation) is None:
        return attrs.evolve(request, objection=conversations.not_found(conversation))

    def resumed() -> list[Any]:
        earlier = chain(memory, previous) if previous else conversations.items_of(memory, str(conversation))
        return messages_of(instructions_of(native), [*earlier, *as_items(read_input(native))]).messages

    return attrs.evolve(request, resumed=resumed)


def knows(memory: Memory, response: str) -> bool:
    """Whether a response is stored under the id."""
    return isinstance(memory.get(response), Stored)


def previous_not_found(previous: str) -> ErrorReply:
    message = f"Previous response with id '{previous}' not found."
    code = "previous_response_not_found"
    return ErrorReply(message, "invalid_request_error", "previous_response_id", code, 400)


def chain(memory: Memory, last: str) -> list[Any]:
    """The items of a response and of all that it took up, as far back as they are known, oldest first."""
    turns: dict[str, Stored] = {}
    current: str | None = last
    while current is not None and current not in turns:
        stored = memory.get(current)
        if not isinstance(stored, Stored):
            break
        turns[current] = stored
        current = stored.previous
    items: list[Any] = []
    for stored in reversed(turns.values()):
        items += as_items(orjson.loads(stored.input))
        items += stored.output()
    return items


# -- side routes -------------------------------------------------------------------------------------------------------


def retrieve(request: SideRequest) -> WireResponse:
    """`GET /v1/responses/{id}`: the response as it stands; with `stream=true` its events, after `starting_after`.

    One in the background gets further each time that it is asked for. Raises WireError.
    """
    stored = _find(request)
    query = parse_qs(request.head.query)
    if query.get("stream") == ["true"]:
        after = paging.whole_number(query, "starting_after", -1)
        _advance(request, stored, None)
        told = list(frames(stored.reply, stored.shape, stored.stamp, stored.chunk_size))
        return WireResponse(200, STREAM_HEADERS, b"".join(frame.data for frame in told[after + 1 :]))
    if stored.status is not None and stored.status != "cancelled":
        stored = _advance(request, stored, "in_progress" if stored.status == "queued" else None)
    return WireResponse(200, WHOLE_HEADERS, _body(stored))


def delete(request: SideRequest) -> WireResponse:
    """`DELETE /v1/responses/{id}`. Raises WireError."""
    _find(request)
    wanted = _wanted(request)
    request.memory.remove(wanted)
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps({"id": wanted, "object": "response", "deleted": True}))


def cancel(request: SideRequest) -> WireResponse:
    """`POST /v1/responses/{id}/cancel`: one that has come to its end stays as it is. Raises WireError."""
    stored = _find(request)
    if not stored.shape.is_background:
        raise refusal("Cannot cancel a synchronous response.")
    if stored.status is not None:
        stored = _advance(request, stored, "cancelled")
    return WireResponse(200, WHOLE_HEADERS, _body(stored))


def list_input_items(request: SideRequest) -> WireResponse:
    """`GET /v1/responses/{id}/input_items`: one page, newest first unless `order` is `asc`. Raises WireError."""
    stored = _find(request)
    given = input_items(orjson.loads(stored.input), stored.stamp)
    return WireResponse(200, WHOLE_HEADERS, paging.page(given, request.head.query))


def _find(request: SideRequest) -> Stored:
    stored = request.memory.get(_wanted(request))
    if not isinstance(stored, Stored):
        message = f"Response with id '{_wanted(request)}' not found."
        raise WireError(ErrorReply(message, "invalid_request_error", status=404))
    return stored


def _wanted(request: SideRequest) -> str:
    return unquote(request.params["response"])


def _advance(request: SideRequest, stored: Stored, status: str | None) -> Stored:
    stored = stored._replace(status=status)
    request.memory.put(_wanted(request), stored, stored.size)
    return stored


def _body(stored: Stored) -> bytes:
    reply, shape, stamp = stored.reply, stored.shape, stored.stamp
    if stored.status is None:
        return finished(reply, shape, stamp)
    return under_way(reply, shape, stamp, stored.status)
