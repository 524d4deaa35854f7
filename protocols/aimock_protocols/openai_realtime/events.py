"""Server events: their envelope, their ids, and errors (wire-openai-realtime §1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp
from aimock_protocols.sessions import Event

ServerEvent = dict[str, Any]
ClientEvent = dict[str, Any]
Dialect = Callable[[ServerEvent], ServerEvent | None]
"""An event as a client of some kind is told it; None if it is not told at all."""

_ID_LENGTH = 21


@attrs.define(eq=False)
class Mint:
    """Ids of one moment in a session. No two moments of a session have the same number, so that ids differ even where
    stamps do not."""

    stamp: Stamp
    moment: int
    _minted: int = 0

    def id(self, prefix: str, length: int = _ID_LENGTH) -> str:
        return f"{prefix}_{self.letters(length)}"

    def letters(self, length: int) -> str:
        self._minted += 1
        return self.stamp.alphanumeric(length, f"{self.moment} {self._minted}")

    def event(self, kind: str, /, **members: Any) -> ServerEvent:
        return {"type": kind, "event_id": self.id("event"), **members}

    def error(self, error: ErrorReply, event_id: str | None = None) -> ServerEvent:
        """An error that leaves the session open; `event_id` is that of the client's event that caused it."""
        told = {
            "type": error.type or "server_error",
            "code": None if error.code is None else str(error.code),
            "message": error.message,
            "param": error.param,
            "event_id": event_id,
        }
        return self.event("error", error=told)


def modern(event: ServerEvent) -> ServerEvent:
    """The GA API's own dialect."""
    return event


def azure(event: ServerEvent) -> ServerEvent:
    """Azure's, which says the part of a content twice."""
    return event | {"content": event["part"]} if "part" in event else event


def told(event: ServerEvent) -> Event:
    return Event(orjson.dumps(event))


def framed(event: ServerEvent) -> Frame:
    """An event of an answer: what it says piece by piece takes time, all else nothing (wire-websocket-framing §8)."""
    is_piece = event["type"].endswith(".delta")
    return Frame(orjson.dumps(event), FrameKind.TOKEN if is_piece else FrameKind.CLOSE)
