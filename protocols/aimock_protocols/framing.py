"""What all framings have in common: the size that one event may have, and bytes of which no event can be made."""

from __future__ import annotations

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes that one event may hold before a decoder refuses it."""


class FramingError(ValueError):
    """Nobody can tell any more where events begin and end. The decoder is of no further use."""


class EventTooLarge(FramingError):
    """One event outgrew the decoder's limit."""
