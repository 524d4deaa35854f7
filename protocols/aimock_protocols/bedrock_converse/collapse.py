"""Answers read back, whole and streamed (wire-stream-collapse §7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aimock_protocols import eventstream
from aimock_protocols.bedrock_converse.reading import EVENTS, Reader
from aimock_protocols.bedrock_platform import read_error, read_exception
from aimock_protocols.canonical import Reply, WireError
from aimock_protocols.collapsing import Collapsed, json_object, read_events


def collapse(chunks: Iterable[bytes]) -> Reply:
    """The reply of a stream, however its bytes were split; `read_stream` also tells whether it was whole.

    Raises WireError if all that the stream brought was an error.
    """
    return read_stream(chunks).reply


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    reader = Reader()

    def take(message: eventstream.Message) -> bool:
        reader.error = read_exception(message)
        if reader.error is None:
            reader.read(*_unwrapped(message.text(":event-type") or "", json_object(message.payload)))
        return reader.error is not None

    read = read_events(eventstream.messages(chunks), take, lambda message: message.payload.decode("utf-8", "replace"))
    truncated = read.oversized or read.broken or not reader.is_done
    return Collapsed(reader.reply(), truncated, read.dropped, read.first_dropped)


def _unwrapped(name: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """An event by its name. Some send it under its name, as the reference does."""
    (inner, *others) = [key for key in event if key != "p"] or [""]
    if inner in EVENTS and not others and isinstance(event[inner], dict):
        return inner, event[inner]
    return name, event


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    error = None if "output" in value else read_error(value)
    if error is not None:
        raise WireError(error)
    reader = Reader()
    reader.whole(value)
    return reader.reply()
