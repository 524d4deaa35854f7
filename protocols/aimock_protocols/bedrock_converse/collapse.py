"""Answers read back, whole and streamed (wire-stream-collapse §7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from aimock_protocols import eventstream
from aimock_protocols.bedrock_converse.reading import EVENTS, Reader
from aimock_protocols.bedrock_platform import payload_of, read_error, read_exception
from aimock_protocols.canonical import Reply, WireError
from aimock_protocols.collapsing import Collapsed, collapsed, json_object, only_reply


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed(eventstream.messages(chunks), _StreamReader(), payload_of)


collapse = only_reply(read_stream)


@attrs.define(eq=False)
class _StreamReader(Reader):
    """Takes the events out of their messages."""

    def take(self, message: eventstream.Message) -> bool:
        """Takes in one message of a stream; whether it was the last that counts. Raises ValueError."""
        self.error = read_exception(message)
        if self.error is None:
            self.read(*_unwrapped(message.text(":event-type") or "", json_object(message.payload)))
        return self.error is not None


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
