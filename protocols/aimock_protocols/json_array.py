"""A JSON array that grows: the framing of Gemini's streams where server-sent events are not asked for.

Encoding is plain concatenation: what opens the array, each element with what follows it, and a last element with what
closes the array. So an element never needs to know whether one came before it, and whatever ends a stream, an error
too, can be its last element. Decoding is incremental and knows no provider: bytes go in, split wherever the network
split them, and whole elements come out, each as its JSON text.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator

from aimock_protocols.framing import EVENT_LIMIT, EventTooLarge

OPENING = b"["

_STRUCTURE = re.compile(rb'["\[\]{},]')
_IN_STRING = re.compile(rb'["\\]')


def encode(data: bytes) -> bytes:
    """One element that others follow."""
    return data + b"\n,\r\n"


def encode_last(data: bytes) -> bytes:
    """The last element, and the end of the array."""
    return data + b"\n]\n"


class _Mark(enum.Enum):
    """What can be behind a place in an array."""

    OPENED = enum.auto()
    CLOSED = enum.auto()
    """The end of an element that has brackets."""
    PARTED = enum.auto()
    ENDED = enum.auto()


class _Scanner:
    """Finds the marks of an array that grows. A value that is no array counts as the only element of one."""

    def __init__(self) -> None:
        self._depth = 0
        self.outermost = 0
        """The depth at which elements stand: 1 once the array is open."""
        self._is_begun = False
        self.is_ended = False
        self._in_string = False
        self._after_backslash = False

    def marks(self, data: bytes) -> Iterator[tuple[_Mark, int]]:
        """What `data` brings up to the end of the array, each with the place behind it."""
        at = 0
        while at < len(data) and not self.is_ended:
            if self._after_backslash:
                self._after_backslash = False
                at += 1
                continue
            found = (_IN_STRING if self._in_string else _STRUCTURE).search(data, at)
            if found is None:
                break
            at = found.end()
            mark = self._meet(found[0])
            if mark is not None:
                yield mark, at

    def _meet(self, met: bytes) -> _Mark | None:
        """Takes note of a character of structure."""
        if met == b'"':
            self._in_string = not self._in_string
        elif met == b"\\":
            self._after_backslash = True
        elif met in b"[{":
            self._depth += 1
            if met == b"[" and not self._is_begun:
                self._is_begun, self.outermost = True, 1
                return _Mark.OPENED
            self._is_begun = True
        elif met in b"]}":
            self._depth -= 1
            self.is_ended = self._depth <= 0
            if self.is_ended:
                return _Mark.ENDED
            if self._depth == self.outermost:
                return _Mark.CLOSED
        elif self._depth == self.outermost:
            return _Mark.PARTED
        return None


class Cutter:
    """Bytes to elements as they are on the wire. An object ends a frame as soon as it is whole, so what parts it from
    the one before stands in front of it; what closes the array is a frame of its own."""

    def __init__(self) -> None:
        self._scanner = _Scanner()
        self._partial: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes."""
        frames = []
        start = 0
        for mark, at in self._scanner.marks(data):
            if mark in (_Mark.CLOSED, _Mark.ENDED):
                self._partial.append(data[start:at])
                frames.append(self.rest())
                start = at
        self._partial.append(data[start:])
        return frames

    def rest(self) -> bytes:
        """Takes what belongs to no frame: an element that is not whole, and what follows the end."""
        rest = b"".join(self._partial)
        self._partial.clear()
        return rest


class Decoder:
    """Bytes to elements, incrementally. A value that is no array counts as the only element of one; what follows the
    end is not read.

    Characters are decoded an element at a time, so one that was split between two reads stays whole; bytes that are not
    UTF-8 become U+FFFD.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._partial: list[bytes] = []
        self._partial_size = 0
        self._scanner = _Scanner()

    def feed(self, data: bytes) -> list[str]:
        """The elements that `data` completes. Raises EventTooLarge."""
        elements: list[str] = []
        start = 0
        for mark, at in self._scanner.marks(data):
            if mark is not _Mark.CLOSED:
                belongs = mark is _Mark.ENDED and not self._scanner.outermost
                elements += self._take(data[start : at if belongs else at - 1])
                start = at
        if not self._scanner.is_ended:
            self._add(data[start:])
        return elements

    def close(self) -> list[str]:
        """The element that was under way when the stream ended, if any."""
        return self._take(b"")

    def _take(self, data: bytes) -> list[str]:
        """The element that ends with `data`; nothing if there is only blank space."""
        self._add(data)
        element = b"".join(self._partial).strip()
        self._partial.clear()
        self._partial_size = 0
        return [element.decode("utf-8", "replace")] if element else []

    def _add(self, data: bytes) -> None:
        if data:
            self._partial.append(data)
            self._partial_size += len(data)
            if self._partial_size > self._limit:
                raise EventTooLarge(f"an element of more than {self._limit} bytes")


def elements(chunks: Iterable[bytes], limit: int = EVENT_LIMIT) -> Iterator[str]:
    """All elements of a stream, the last one even if the stream ends inside it. Raises EventTooLarge."""
    decoder = Decoder(limit)
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.close()
