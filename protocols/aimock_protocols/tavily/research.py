"""Tavily's research: `POST /research` makes a task, which is asked after until it is done, or streamed.

A stream is of chunks like those of OpenAI's chat, in which the agent's tools come before its report, and the sources
after it. What a fixture says is the report (`content`, an object where one is asked for), the `sources`, whether it
`failed` (`status`), and how often one has to ask before the task is under way and before it has ended
(`pollsBeforeInProgress`, `pollsBeforeCompleted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols import rfc3339, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    FrameKind,
    Head,
    Headers,
    Keepalive,
    Memory,
    Results,
    SideRequest,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.collapsing import dicts, json_object, mapping
from aimock_protocols.slicing import slices
from aimock_protocols.tavily.account import feedback, usage
from aimock_protocols.tavily.checks import Check, check, one_of, required, switch
from aimock_protocols.tavily.pages import icon_of
from aimock_protocols.tavily.platform import (
    RESPONSE_TIME,
    WHOLE_HEADERS,
    error,
    framed_error,
    fresh_headers,
    parse_without,
    rate_limited,
    rate_limits,
    read_error,
    read_object,
    refusal,
)
from aimock_protocols.tavily.platform import WHOLE_HEADERS as whole_headers

__all__ = [
    "collapse",
    "decode",
    "encode",
    "error",
    "error_frame",
    "feedback",
    "framed_error",
    "frames",
    "fresh_headers",
    "heeds",
    "keepalive",
    "name",
    "parse",
    "rate_limited",
    "rate_limits",
    "remember",
    "retrieve",
    "shape",
    "stream_headers",
    "usage",
    "whole_headers",
]

name = "tavily.research"
heeds: tuple[str, ...] = ()
stream_headers: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)
keepalive: Keepalive | None = None

_CHECKS: Mapping[str, Check] = {
    "model": one_of("model", "mini", "pro", "auto"),
    "citation_format": one_of("citation format", "numbered", "mla", "apa", "chicago"),
    "output_schema": Check(lambda value: isinstance(value, dict), "Invalid output schema."),
    "stream": switch("stream"),
}
_DONE = b"event: done\n\n"
_IN_PROGRESS, _COMPLETED = "pollsBeforeInProgress", "pollsBeforeCompleted"


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request. Raises WireError."""
    sent = read_object(body)
    required(sent, "input", "Input is missing.")
    check(sent, _CHECKS)
    model = sent.get("model") or "auto"
    return ChatRequest(sent, sent, model, bool(sent.get("stream")), endpoint="research", remembers=True)


class Shape(NamedTuple):
    """What an answer takes from its request."""

    input: str
    model: str


def shape(request: ChatRequest) -> Shape:
    return Shape(request.native["input"], request.model)


# -- a task ------------------------------------------------------------------------------------------------------------


def encode(reply: Results, shape: Shape, stamp: Stamp) -> bytes:
    """The body that tells of a new task."""
    (said,) = reply.said
    return orjson.dumps(
        {
            "request_id": _id(said, stamp),
            "created_at": said.get("created_at") or stamp.written(rfc3339.in_microseconds),
            "status": "pending",
            "input": shape.input,
            "model": shape.model,
            "response_time": said.get("response_time", RESPONSE_TIME),
        }
    )


def parse(body: bytes) -> Results:
    """The task of a body, of which there is no more to know yet; or the report, if it has ended. Raises WireError on an
    error, ValueError on what is none of this service."""
    return parse_without(body, "input", "model", "status")


def _id(said: Mapping[str, Any], stamp: Stamp) -> str:
    given = said.get("request_id")
    return given if isinstance(given, str) and given else stamp.uuid()


@attrs.frozen
class Task:
    """A task, and how often one has asked after it."""

    said: Mapping[str, Any]
    created_at: str
    polls: int = 0

    @property
    def status(self) -> str:
        under_way, ended = (_count(self.said.get(key)) for key in (_IN_PROGRESS, _COMPLETED))
        if ended is None:
            ended = 0 if under_way is None else under_way + 1
        if self.polls >= max(ended, under_way or 0):
            return "failed" if self.said.get("status") == "failed" else "completed"
        return "in_progress" if self.polls >= (under_way or 0) else "pending"


def _count(value: Any) -> int | None:
    return max(0, int(value)) if type(value) in (int, float) and value == value else None


def remember(request: ChatRequest, reply: Results, shape: Shape, stamp: Stamp, chunk_size: int, memory: Memory) -> None:
    """Puts the task where `retrieve` finds it."""
    (said,) = reply.said
    created_at = said.get("created_at") or stamp.written(rfc3339.in_microseconds)
    memory.put(_id(said, stamp), Task(said, created_at))


def retrieve(request: SideRequest) -> WireResponse:
    """`GET /research/{id}`: 202 until the task has ended. Raises WireError if there is none."""
    key = request.params["id"]
    task: Task | None = request.memory.get(key)
    if task is None:
        raise refusal("Research task not found", 404)
    request.memory.put(key, attrs.evolve(task, polls=task.polls + 1))
    told = {"request_id": key, "status": task.status, "response_time": task.said.get("response_time", RESPONSE_TIME)}
    if task.status == "completed":
        told |= {"created_at": task.created_at, "content": _report(task.said), "sources": _sources(task.said)}
        if "usage" in task.said and "include_usage=true" in request.head.query.split("&"):
            told["usage"] = task.said["usage"]
    status = 202 if task.status in ("pending", "in_progress") else 200
    return WireResponse(status, WHOLE_HEADERS, orjson.dumps(told))


def _report(said: Mapping[str, Any]) -> Any:
    """Text, or the object that was asked for."""
    return said.get("content", "")


def _sources(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"title": "", "url": "", "favicon": icon_of(each.get("url"))} | each for each in dicts(said.get("sources"))]


# -- streams -----------------------------------------------------------------------------------------------------------


def frames(reply: Results, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """A stream: the plan, the search, the report, and its sources."""
    (said,) = reply.said
    report, sources = _report(said), _sources(said)

    def chunk(delta: dict[str, Any], kind: FrameKind) -> Frame:
        told = {
            "id": _id(said, stamp),
            "object": "chat.completion.chunk",
            "model": shape.model,
            "created": int(stamp.created),
            "choices": [{"delta": {"role": "assistant", **delta}}],
        }
        return Frame(sse.encode(orjson.dumps(told)), kind)

    for tool, arguments, asked, found in (
        ("Planning", "Initializing research plan", {}, {}),
        ("WebSearch", "Executing 1 search queries", {"queries": [shape.input]}, {"sources": sources}),
        ("Generating", "Generating final report", {}, {}),
    ):
        call = {"name": tool, "id": stamp.uuid(tool), "arguments": arguments}
        yield chunk({"tool_calls": {"type": "tool_call", "tool_call": [call | asked]}}, FrameKind.OPEN)
        yield chunk({"tool_calls": {"type": "tool_response", "tool_response": [call | found]}}, FrameKind.OPEN)
    for piece in slices(report, chunk_size) if isinstance(report, str) else [report]:
        yield chunk({"content": piece}, FrameKind.TOKEN)
    yield chunk({"sources": sources}, FrameKind.CLOSE)
    yield Frame(_DONE, FrameKind.CLOSE)


def collapse(chunks: Iterable[bytes]) -> Results:
    """The report that a stream carried. Raises WireError if all that it brought was an error."""
    said: dict[str, Any] = {}
    pieces: list[str] = []
    told: ErrorReply | None = None
    for event in sse.events(chunks):
        try:
            value = json_object(event.data.encode())
        except ValueError:
            continue  # what is no JSON object says nothing of the report
        if value.get("object") == "error":
            told = ErrorReply(str(value.get("error") or ""))
        told = told or read_error(value)
        if isinstance(value.get("id"), str):
            said["request_id"] = value["id"]
        for choice in dicts(value.get("choices")):
            delta = mapping(choice.get("delta"))
            if isinstance(delta.get("content"), str):
                pieces.append(delta["content"])
                said["content"] = "".join(pieces)
            elif isinstance(delta.get("content"), dict):
                said["content"] = delta["content"]
            if isinstance(delta.get("sources"), list):
                said["sources"] = delta["sources"]
    if told is not None and "content" not in said:
        raise WireError(told)
    return Results((said,))


def error_frame(error: ErrorReply, shape: Shape, stamp: Stamp) -> Frame:
    """An error inside a stream."""
    told = {"id": stamp.uuid(), "object": "error", "error": error.message}
    return Frame(sse.encode(orjson.dumps(told), b"error"), FrameKind.CLOSE)
