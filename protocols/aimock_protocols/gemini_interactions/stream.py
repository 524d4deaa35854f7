"""Streamed interactions (wire-gemini §9.3): step after step, each opened, filled and closed.

Every event of an interaction that is kept has an id, from which on the stream can be taken up again.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import Frame, FrameKind, Reply, Stamp
from aimock_protocols.gemini_interactions import envelope
from aimock_protocols.gemini_interactions.platform import error_frame
from aimock_protocols.gemini_interactions.shape import Shape
from aimock_protocols.gemini_interactions.steps import Step, steps
from aimock_protocols.midstream import until_error
from aimock_protocols.slicing import slices

_DONE = Frame(sse.encode(b"[DONE]", b"done"), FrameKind.CLOSE)
_EVENT_ID = re.compile(r"evt_(\d{1,9})", re.ASCII)


def frames(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> Iterator[Frame]:
    """The events of a streamed reply.

    A reply with a mid-stream error ends in that error instead, at the latest in place of `interaction.completed`.
    Raises ValueError if `chunk_size` is below 1.
    """
    events = _events(reply, shape, stamp, chunk_size)
    return until_error(events, reply, error_frame, shape, stamp)


def events_until(event_id: str) -> int | None:
    """How many events there are up to the one of this id, itself included; None if there is no such id."""
    found = _EVENT_ID.fullmatch(event_id)
    return None if found is None else int(found[1])


@attrs.define(eq=False)
class _Ends:
    """What each event ends with: its id, if it has one."""

    are_numbered: bool
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    def next(self) -> bytes:
        return b',"event_id":"evt_%d"}\n\n' % next(self._numbers) if self.are_numbered else b"}\n\n"


def _events(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Frame]:
    ends = _Ends(shape.is_kept)

    def event(name: str, members: dict[str, Any], kind: FrameKind = FrameKind.TOKEN) -> Frame:
        data = orjson.dumps({**members, "event_type": name})
        return Frame(b"event: %b\ndata: %b%b" % (name.encode(), data[:-1], ends.next()), kind)

    opening = {"id": envelope.interaction_id(reply, stamp), "status": "in_progress", "object": "interaction"}
    opening |= envelope.model(reply, shape)
    update = {"interaction_id": opening["id"], "status": "in_progress"}
    events = [
        event("interaction.created", {"interaction": opening}, FrameKind.OPEN),
        event("interaction.status_update", update, FrameKind.OPEN),
    ]
    for index, step in enumerate(steps(reply, shape, stamp)):
        events.append(event("step.start", {"index": index, "step": step.start}))
        events += _deltas(step, index, chunk_size, ends)
        events.append(event("step.stop", {"index": index}))
    closing = {
        **opening,
        "status": envelope.status(reply),
        **envelope.dates(reply, stamp),
        "service_tier": shape.service_tier,
        "usage": envelope.usage(reply, shape),
    }
    events.append(event("interaction.completed", {"interaction": closing}, FrameKind.CLOSE))
    events.append(_DONE)
    return events


def _deltas(step: Step, index: int, chunk_size: int, ends: _Ends) -> Iterator[Frame]:
    for delta in step.deltas:
        opening = b'event: step.delta\ndata: {"index":%d,"delta":%b' % (index, delta.opening)
        closing = delta.closing + b',"event_type":"step.delta"'
        for piece in slices(delta.text, chunk_size) if delta.is_sliced else (delta.text,):
            yield Frame(opening + orjson.dumps(piece) + closing + ends.next(), FrameKind.TOKEN)
