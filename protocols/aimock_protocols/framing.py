"""What all framings have in common: the size that one event may have."""

from __future__ import annotations

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes that one event may hold before a decoder refuses it."""


class EventTooLarge(ValueError):
    """One event outgrew the decoder's limit. The decoder is of no further use."""
