"""Messages as server-sent events, with the ids by which a stream is taken up again."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

HEADERS = (
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
)

PING = b": ping\n\n"
"""A comment, which keeps a quiet stream alive through proxies."""


def event(message: dict[str, Any], id: str = "") -> bytes:
    """A message; `id` is left out if it is empty."""
    return _id(id) + b"event: message\ndata: " + orjson.dumps(message) + b"\n\n"


def priming(id: str) -> bytes:
    """The first event of a stream since 2025-11-25: no message, but an id from which the stream can be taken up."""
    return _id(id) + b"data: \n\n"


def retry(milliseconds: int) -> bytes:
    """How long a client that loses the stream is to wait until it comes again."""
    return b"retry: %d\n\n" % milliseconds


def endpoint(target: str) -> bytes:
    """The first event of the HTTP+SSE transport (2024-11-05): where to post messages."""
    return b"event: endpoint\ndata: " + target.encode() + b"\n\n"


def _id(id: str) -> bytes:
    return b"id: " + id.encode() + b"\n" if id else b""


class Place(NamedTuple):
    """An event of a session: that after `number` others of its stream."""

    stream: int
    number: int

    def __str__(self) -> str:
        return f"{self.stream}_{self.number}"


def place(id: str) -> Place | None:
    """The place that an event's id stands for; None if it is none of ours."""
    stream, _, number = id.strip().partition("_")
    if not (stream.isascii() and stream.isdigit() and number.isascii() and number.isdigit() and len(id) < 40):
        return None
    return Place(int(stream), int(number))
