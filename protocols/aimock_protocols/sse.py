"""Server-sent events: the framing of most chat streams.

Encoding is plain concatenation, for it is the hot path. Decoding is incremental and knows no provider: bytes go in,
split wherever the network split them, and whole events come out. Lines end in LF, CR or CRLF, mixed at will.

Source: WHATWG HTML, "Server-sent events", with two deviations that real streams ask for: an event that the end of the
stream cuts off counts (`close`), and `id:` and `retry:` are ignored, since nobody here reconnects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aimock_protocols.framing import EVENT_LIMIT, Cutter, EventTooLarge

DONE = b"data: [DONE]\n\n"
"""The event with which OpenAI's streams end, and those of all who speak its dialect."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")
"""Where an event ends. A CR in last place waits for what follows, for its LF belongs to it."""


class Event(NamedTuple):
    """One event: its data lines joined with newlines, and its name if it had one."""

    data: str
    name: str | None = None


def encode(data: bytes, name: bytes | None = None) -> bytes:
    """One event. `data` must hold no line end, which compact JSON never does."""
    if name is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


def cutter() -> Cutter:
    """Cuts events as they are on the wire; comments, blank lines and what nobody knows are kept."""
    return Cutter(_BLANK_LINE, overlap=3)


class Decoder:
    """Bytes to events, incrementally.

    Characters are decoded an event at a time, so one that was split between two reads stays whole; bytes that are not
    UTF-8 become U+FFFD, as the standard says.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._partial: list[bytes] = []
        self._partial_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._name: str | None = None
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises EventTooLarge."""
        if self._at_start:
            data = self._strip_bom(data)
        if self._after_cr and data:
            # The CR ended its line when it came, so that no event waits for the next read; its LF ends nothing.
            self._after_cr = False
            data = data.removeprefix(b"\n")
        *lines, rest = _LINE_END.split(data)
        events = []
        for line in lines:
            event = self._line(self._take_partial() + line)
            if event is not None:
                events.append(event)
        if rest:
            self._partial.append(rest)
            self._partial_size += len(rest)
            self._check_size()
        if data:
            self._after_cr = data.endswith(b"\r")
        return events

    def close(self) -> list[Event]:
        """The event that was under way when the stream ended, if any."""
        last_line = self._take_partial()
        if self._at_start:
            # A stream so short that it might still have been a byte order mark.
            self._at_start = False
            return self.feed(last_line) + self.close()
        events = [self._line(last_line) if last_line else None, self._line(b"")]
        return [event for event in events if event is not None]

    def _strip_bom(self, data: bytes) -> bytes:
        head = self._take_partial() + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._partial.append(head)
            return b""
        self._at_start = False
        return head.removeprefix(_BOM)

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_size += len(value) + 1
            self._check_size()
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        self._data, self._name, self._data_size = [], None, 0
        if not data:
            return None
        return Event(b"\n".join(data).decode("utf-8", "replace"), name)

    def _take_partial(self) -> bytes:
        partial = b"".join(self._partial)
        self._partial.clear()
        self._partial_size = 0
        return partial

    def _check_size(self) -> None:
        if self._data_size + self._partial_size > self._limit:
            raise EventTooLarge(f"an event of more than {self._limit} bytes")


def events(chunks: Iterable[bytes], limit: int = EVENT_LIMIT) -> Iterator[Event]:
    """All events of a stream, the last one even if the stream ends inside it. Raises EventTooLarge."""
    decoder = Decoder(limit)
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.close()
