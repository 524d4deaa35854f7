"""Chunk events are a shorthand: the first of a message or tool call opens it, and whatever else comes closes it.

Each agent, the parent and every subagent, can have one such stream under way (its *lane*), for a chunk that does not
name its stream continues the one that is open. Source: the specification of 1.0, as @ag-ui/client 1.0 expands chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aimock_protocols.agui.shapes import shown
from aimock_protocols.agui.vocabulary import Event


class OrderError(ValueError):
    """An event that must not come here. The text says why."""


class _Kind(NamedTuple):
    """One kind of stream that chunks make."""

    name: str
    key: str
    """The field that names the stream."""
    start: str
    content: str
    end: str
    established: Mapping[str, Any]
    """What the first chunk says once and for all, and what it means if it does not."""


_KINDS = {
    "TEXT_MESSAGE_CHUNK": _Kind(
        "text message",
        "messageId",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        {"role": "assistant", "name": None},
    ),
    "TOOL_CALL_CHUNK": _Kind(
        "tool call",
        "toolCallId",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        {"toolCallName": None, "parentMessageId": None},
    ),
    "REASONING_MESSAGE_CHUNK": _Kind(
        "reasoning message",
        "messageId",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        {},
    ),
}

_CLOSES_ALL = frozenset({"RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "MESSAGES_SNAPSHOT"})
_CLOSES_NONE = frozenset(
    {"RAW", "ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA", "REASONING_ENCRYPTED_VALUE", "SUBAGENT_STARTED"}
)


class _Open(NamedTuple):
    kind: _Kind
    id: str
    established: Mapping[str, Any]


class Expander:
    """Turns chunks into the events that they stand for, one stream at a time."""

    def __init__(self) -> None:
        self._lanes: dict[str | None, _Open] = {}

    def feed(self, event: Event) -> Iterator[Event]:
        """What the event means, in order. Raises OrderError."""
        kind = _KINDS.get(event["type"])
        if kind is not None:
            yield from self._chunk(event, kind)
            return
        if event["type"] in _CLOSES_ALL:
            for lane in [*self._lanes]:
                yield from self._close(lane)
        elif event["type"] not in _CLOSES_NONE:
            yield from self._close(event.get("subagentRunId"))
        yield event

    def _close(self, lane: str | None) -> Iterator[Event]:
        stream = self._lanes.pop(lane, None)
        if stream is not None:
            yield _event(stream.kind.end, stream, lane)

    def _chunk(self, event: Event, kind: _Kind) -> Iterator[Event]:
        named = event.get(kind.key)
        lane = self._lane(event, kind, named)
        stream = self._lanes.get(lane)
        if stream is not None and stream.kind is kind and named in (None, stream.id):
            for field, said in stream.established.items():
                if event.get(field, said) != said:
                    raise OrderError(f"{field} {shown(event[field])} is not the open {kind.name}'s, {shown(said)}")
        else:
            yield from self._close(lane)
            if named is None:
                raise OrderError(f"the first {event['type']} of a {kind.name} must have a {kind.key}")
            if kind.key == "toolCallId" and "toolCallName" not in event:
                raise OrderError("the first TOOL_CALL_CHUNK of a tool call must have a toolCallName")
            established = {field: event.get(field, default) for field, default in kind.established.items()}
            stream = self._lanes[lane] = _Open(kind, named, established)
            told = {field: value for field, value in established.items() if value is not None}
            yield _event(kind.start, stream, lane) | told
        if "delta" in event or "rawEvent" in event:
            yield _event(kind.content, stream, lane) | {"delta": event.get("delta", "")}

    def _lane(self, event: Event, kind: _Kind, named: str | None) -> str | None:
        """Whose stream a chunk continues, or opens."""
        tag: str | None = event.get("subagentRunId")
        alike = {lane: stream for lane, stream in self._lanes.items() if stream.kind is kind}
        if named is not None:
            for lane, stream in alike.items():
                if stream.id != named:
                    continue
                if tag not in (None, lane):
                    raise OrderError(f"{kind.name} {shown(named)} is {_owner(lane)}, and not {_owner(tag)}")
                return lane
            return tag
        if tag is not None or None in alike or not alike:
            return tag
        if len(alike) > 1:
            raise OrderError(f"it does not say which {kind.name} it continues, and {len(alike)} are open")
        return next(iter(alike))


def _event(kind: str, stream: _Open, lane: str | None) -> Event:
    attribution = {} if lane is None else {"subagentRunId": lane}
    return {"type": kind, stream.kind.key: stream.id} | attribution


def _owner(subagent: str | None) -> str:
    return "the parent agent's" if subagent is None else f"subagent {shown(subagent)}'s"
