"""A JSON array that grows: the framing of Gemini's streams where server-sent events are not asked for.

Encoding is plain concatenation: what opens the array, each element with what follows it, and a last element with what
closes the array. So an element never needs to know whether one came before it, and whatever ends a stream, an error
too, can be its last element. Decoding is incremental and knows no provider: bytes go in, split wherever the network
split them, and whole elements come out, each as its JSON text.
"""

from __future__ import annotations

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
        self._depth = 0
        self._outermost = 0
        """The depth at which elements stand: 1 once the array is open."""
        self._is_begun = False
        self._is_ended = False
        self._in_string = False
        self._after_backslash = False

    def feed(self, data: bytes) -> list[str]:
        """The elements that `data` completes. Raises EventTooLarge."""
        elements: list[str] = []
        start = at = 0
        while at < len(data) and not self._is_ended:
            if self._after_backslash:
                self._after_backslash = False
                at += 1
                continue
            found = (_IN_STRING if self._in_string else _STRUCTURE).search(data, at)
            if found is None:
                break
            at = found.end()
            end = self._meet(found[0])
            if end is not None:
                elements += self._take(data[start : at + end])
                start = at
        if not self._is_ended:
            self._add(data[start:])
        return elements

    def close(self) -> list[str]:
        """The element that was under way when the stream ended, if any."""
        return self._take(b"")

    def _meet(self, mark: bytes) -> int | None:
        """Takes note of a character of structure. If an element ends there: at which place from behind it."""
        if mark == b'"':
            self._in_string = not self._in_string
        elif mark == b"\\":
            self._after_backslash = True
        elif mark in b"[{":
            self._depth += 1
            if mark == b"[" and not self._is_begun:
                self._is_begun, self._outermost = True, 1
                return -1
            self._is_begun = True
        elif mark in b"]}":
            self._depth -= 1
            self._is_ended = self._depth <= 0
            if self._is_ended:
                return -self._outermost
        elif self._depth == self._outermost:
            return -1
        return None

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
