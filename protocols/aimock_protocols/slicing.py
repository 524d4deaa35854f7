"""Cutting text into the slices that a stream delivers one at a time."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import orjson

_KEPT_LENGTH = 16 * 1024
"""Characters of the longest text that is kept in slices."""

_JOINER = "\u200d"
_REGIONAL = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)


def slices(text: str, size: int) -> list[str]:
    """`text` in slices of `size` code points; empty text has none.

    What is drawn as one character (an accent on its letter, a family, a flag) stays whole, and makes its slice longer;
    ASCII is cut at every `size`th character exactly. Raises ValueError if `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"slices of {size} characters")
    if text.isascii():
        return [text[start : start + size] for start in range(0, len(text), size)]
    cut = []
    start = 0
    while start < len(text):
        end = start + size
        while end < len(text) and _is_within_character(text, start, end):
            end += 1
        cut.append(text[start:end])
        start = end
    return cut


def wrapped_slices(opening: bytes, text: str, closing: bytes, size: int) -> tuple[bytes, ...]:
    """The slices of `text` as JSON strings, each between `opening` and `closing`. Raises ValueError if `size` is below
    1."""
    return formed_slices((opening, closing), text, size)


def formed_slices(form: tuple[bytes, ...], text: str, size: int) -> tuple[bytes, ...]:
    """The slices of `text` as JSON strings, each wherever two pieces of the form meet. Fixtures' texts come again and
    again, so those of usual length are kept. Raises ValueError if `size` is below 1."""
    fill = _kept_slices if len(text) <= _KEPT_LENGTH else _kept_slices.__wrapped__
    return fill(form, text, size)


@lru_cache(maxsize=256)
def _kept_slices(form: tuple[bytes, ...], text: str, size: int) -> tuple[bytes, ...]:
    return tuple(orjson.dumps(piece).join(form) for piece in slices(text, size))


def _is_within_character(text: str, start: int, at: int) -> bool:
    """Whether a cut at `at` would part a grapheme cluster; `start` begins one (UAX #29: GB9, 9a, 11, 12)."""
    before, after = text[at - 1], text[at]
    point = ord(after)
    if point < 0x300:
        return False
    if point in _REGIONAL:
        run = at
        while run > start and ord(text[run - 1]) in _REGIONAL:
            run -= 1
        return (at - run) % 2 == 1
    return (
        before == _JOINER
        or after == _JOINER
        or point in _SKIN_TONES
        or point in _TAGS
        or unicodedata.category(after).startswith("M")
    )
