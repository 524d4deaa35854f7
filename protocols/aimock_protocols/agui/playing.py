"""From the events of a fixture to those of one run: ids filled in, long texts cut, each with its time, as SSE.

A text that is a template and nothing else is filled in, wherever it stands: `{{threadId}}` and `{{runId}}` are the
request's, `{{messageId}}`, `{{toolCallId}}` and `{{subagentRunId}}` new ones, and `{{messageId:a}}` another for each
word after the colon. RUN_STARTED and RUN_FINISHED that do not say their ids have the request's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.agui.run_input import RunInput
from aimock_protocols.agui.vocabulary import PROTOCOL_VERSION, Event
from aimock_protocols.canonical import Frame, FrameKind, Headers, Stamp
from aimock_protocols.slicing import slices

STREAM_HEADERS: Headers = (
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache"),
)
MEDIA_TYPE = "text/event-stream"

_TEMPLATE = re.compile(r"\{\{(threadId|runId|messageId|toolCallId|subagentRunId)(?::([A-Za-z0-9_.-]{1,64}))?\}\}")
_PREFIXES = {"threadId": "thread", "runId": "run", "messageId": "msg", "toolCallId": "call", "subagentRunId": "sub"}
_NEW_ID = 20

_SLICED = frozenset({"TEXT_MESSAGE_CONTENT", "TOOL_CALL_ARGS", "REASONING_MESSAGE_CONTENT"})


@attrs.frozen
class RunIds:
    """The ids of one run: those that its client gave, and new ones."""

    input: RunInput
    stamp: Stamp

    def of(self, kind: str, name: str = "") -> str:
        """The same for the same name within the run."""
        given = {"threadId": self.input.thread_id, "runId": self.input.run_id}.get(kind)
        if given is not None:
            return given
        return f"{_PREFIXES[kind]}_{self.stamp.alphanumeric(_NEW_ID, f'agui.{kind}.{name}')}"


def played(events: Iterable[Event], ids: RunIds, chunk_size: int | None = None) -> list[Event]:
    """The events of one run; `chunk_size` is that of texts, in characters, if they are to be cut."""
    filled = (_complete(_filled(event, ids), ids) for event in events)
    return [*(filled if chunk_size is None else _sliced(filled, chunk_size))]


def _filled(value: Any, ids: RunIds) -> Any:
    if isinstance(value, str):
        found = _TEMPLATE.fullmatch(value)
        return value if found is None else ids.of(found[1], found[2] or "")
    if isinstance(value, dict):
        return {key: _filled(each, ids) for key, each in value.items()}
    return [_filled(each, ids) for each in value] if isinstance(value, list) else value


def _complete(event: Event, ids: RunIds) -> Event:
    """What an event of the run itself leaves to the request."""
    kind = event.get("type")
    if kind not in ("RUN_STARTED", "RUN_FINISHED"):
        return event
    told = {key: event.get(key, ids.of(key)) for key in ("threadId", "runId")}
    if kind == "RUN_STARTED" and not {"threadId", "runId"} & event.keys():
        asked = ids.input.body
        if isinstance(asked.get("parentRunId"), str):
            told["parentRunId"] = asked["parentRunId"]
        if "protocolVersion" in asked:  # who does not say one may not know the field
            told["protocolVersion"] = PROTOCOL_VERSION
    return {"type": kind, **told, **event}


def _sliced(events: Iterable[Event], size: int) -> Iterator[Event]:
    for event in events:
        if event.get("type") in _SLICED and isinstance(event.get("delta"), str):
            for piece in slices(event["delta"], size):
                yield {**event, "delta": piece}
        else:
            yield event


def frame(event: Event, at: float) -> Frame:
    """An event on the wire. `at`: its time, Unix seconds, unless it has one of its own."""
    timed = event if "timestamp" in event else {**event, "timestamp": round(at * 1000)}
    kind = FrameKind.OPEN if event.get("type") == "RUN_STARTED" else FrameKind.TOKEN
    return Frame(sse.encode(orjson.dumps(timed)), kind)


def frames(events: Sequence[Event], offsets: Iterable[float], stamp: Stamp) -> Iterator[tuple[float, Frame]]:
    """Each event on the wire with its offset, in seconds after the request."""
    return ((offset, frame(event, stamp.created + offset)) for event, offset in zip(events, offsets, strict=True))


def error_frame(message: str, code: str | None, stamp: Stamp) -> Frame:
    """An error in the midst of a run."""
    told: dict[str, Any] = {"type": "RUN_ERROR", "message": message}
    return frame(told if code is None else {**told, "code": code}, stamp.created)


def collapsed(chunks: Iterable[bytes]) -> list[Event]:
    """The events of a stream, for recording. Raises ValueError if one of them is none."""
    found: list[Event] = []
    for event in sse.events(chunks):
        read = orjson.loads(event.data)
        if not isinstance(read, dict) or not isinstance(read.get("type"), str):
            raise ValueError("an event without a type")
        found.append(read)
    return found
