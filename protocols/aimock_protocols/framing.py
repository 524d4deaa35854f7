"""What all framings have in common: the size that one event may have, and bytes of which no event can be made."""

from __future__ import annotations

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
