"""Interactions that are kept (wire-gemini §9.1, §9.2): taken up, fetched, streamed again, cancelled, deleted.

One in the background is under way when it is created, and complete when it is next asked for.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, ErrorReply, Memory, Reply, SideRequest, Stamp, WireResponse
from aimock_protocols.gemini.platform import STREAM_HEADERS, WHOLE_HEADERS
from aimock_protocols.gemini_interactions import envelope
from aimock_protocols.gemini_interactions.encode import interaction
from aimock_protocols.gemini_interactions.platform import code_of, not_found, refusal
from aimock_protocols.gemini_interactions.shape import Shape
from aimock_protocols.gemini_interactions.stream import events_until, frames
from aimock_protocols.json_bodies import dumped


@attrs.frozen
class Stored:
    """An interaction, with all that it takes to say it again."""

    input: bytes
    """JSON, as it was sent; null if it is nested deeper than can be written."""
    messages: tuple[Any, ...]
    """What was said, up to and with the answer; what the system said holds for one interaction only."""
    reply: Reply
    shape: Shape
    stamp: Stamp
    chunk_size: int
    failure: ErrorReply | None = None
    """What its stream ended in."""
    is_cancelled: bool = False

    @property
    def size(self) -> int:
        """Bytes that it has to itself, in its input and in the messages that follow from it; the reply is mostly its
        fixture's, and what was said before is that of others."""
        return 2 * len(self.input)


def recall(request: ChatRequest, memory: Memory) -> ChatRequest:
    """The request with what was said before it. Raises WireError, a 404, if that is not kept."""
    previous = request.recalls or ""
    stored = memory.get(previous)
    if stored is None:
        raise not_found(previous)
    own = request.body["messages"]
    first = 1 if own and own[0]["role"] == "system" else 0
    return attrs.evolve(request, body={**request.body, "messages": [*own[:first], *stored.messages, *own[first:]]})


def remember(request: ChatRequest, reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int, memory: Memory) -> None:
    """Keeps the interaction under its id."""
    broken = reply.mid_stream_error if request.stream else None
    said = [message for message in request.body["messages"] if message["role"] != "system"]
    stored = Stored(
        dumped(request.native.get("input")),
        (*said, _answer(reply, stamp)),
        reply,
        shape._replace(in_background=False),
        stamp,
        chunk_size,
        None if broken is None else broken.error,
    )
    memory.put(envelope.interaction_id(reply, stamp), stored, stored.size)


def _answer(reply: Reply, stamp: Stamp) -> dict[str, Any]:
    """The reply as a message."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text if reply.text is not None else reply.refusal}
    calls = [
        {
            "id": envelope.call_id(call, stamp, position),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for position, call in enumerate(reply.tool_calls)
    ]
    return message | ({"tool_calls": calls} if calls else {})


def retrieve(request: SideRequest) -> WireResponse:
    """An interaction, whole, with its input if that is wanted; or its stream, from the event on that the client last
    had. Raises WireError."""
    stored = _find(request)
    query = dict(parse_qsl(request.head.query))
    if query.get("stream", "").lower() == "true" and not stored.is_cancelled:
        return _stream(stored, query.get("last_event_id"))
    told = _told(stored)
    if query.get("include_input", "").lower() == "true":
        told["input"] = orjson.Fragment(stored.input)
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))


def _stream(stored: Stored, last_event_id: str | None) -> WireResponse:
    had = events_until(last_event_id) if last_event_id else 0
    events = list(frames(stored.reply, stored.shape, stored.stamp, stored.chunk_size))
    if had is None or had > len(events):
        raise refusal(f"Invalid value at 'last_event_id': there is no event {last_event_id!r}")
    return WireResponse(200, STREAM_HEADERS, b"".join(frame.data for frame in events[had:]))


def cancel(request: SideRequest) -> WireResponse:
    """Ends an interaction, whose answer is then not told any more. Raises WireError."""
    stored = attrs.evolve(_find(request), is_cancelled=True)
    request.memory.put(unquote(request.params["id"]), stored, stored.size)
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(_told(stored)))


def delete(request: SideRequest) -> WireResponse:
    """Forgets an interaction. Raises WireError."""
    wanted = unquote(request.params["id"])
    if not request.memory.remove(wanted):
        raise not_found(wanted)
    return WireResponse(200, WHOLE_HEADERS, b"{}")


def _find(request: SideRequest) -> Stored:
    wanted = unquote(request.params["id"])
    stored: Stored | None = request.memory.get(wanted)
    if stored is None:
        raise not_found(wanted)
    return stored


def _told(stored: Stored) -> dict[str, Any]:
    said = (stored.reply, stored.shape, stored.stamp)
    if stored.is_cancelled:
        return envelope.begun(*said, "cancelled")
    if stored.failure is not None:
        told = {"code": code_of(stored.failure), "message": stored.failure.message}
        return envelope.begun(*said, "failed") | {"errors": [told]}
    return interaction(*said)
