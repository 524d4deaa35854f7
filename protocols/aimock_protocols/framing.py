"""What framings have in common: the size that one event may have, bytes of which no event can be made, and frames that
are told apart by what stands between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes that one event may hold before a decoder refuses it."""


def begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """How a stream begins, whitespace aside, by which framings are told apart; and all of it."""
    source = iter(chunks)
    start = b""
    for chunk in source:
        start += chunk
        if start.strip():
            break
    return start.lstrip(), chain([start], source)


class FramingError(ValueError):
    """Nobody can tell any more where events begin and end. The decoder is of no further use."""


class EventTooLarge(FramingError):
    """One event outgrew the decoder's limit."""


class Cutter:
    """Bytes to frames, each with the delimiter that ends it: they are the very bytes that came, in other pieces.

    A delimiter is found however it was split. `overlap` is how many bytes of one may have come without its being found.
    """

    def __init__(self, delimiter: re.Pattern[bytes], overlap: int = 0) -> None:
        self._delimiter = delimiter
        self._overlap = overlap
        self._buffer = bytearray()
        self._searched = 0

    @property
    def held(self) -> int:
        """Bytes of the frame that is under way."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes."""
        buffer = self._buffer
        buffer += data
        frames = []
        start, at = 0, self._searched
        while found := self._delimiter.search(buffer, at):
            at = found.end()
            frames.append(bytes(buffer[start:at]))
            start = at
        del buffer[:start]
        self._searched = max(0, len(buffer) - self._overlap)
        return frames

    def rest(self) -> bytes:
        """Takes what no delimiter has ended."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest
