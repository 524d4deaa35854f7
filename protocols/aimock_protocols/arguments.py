"""The arguments of a tool call where the wire has them as a JSON object."""

from __future__ import annotations

from typing import NamedTuple

import orjson


class Arguments(NamedTuple):
    """The arguments of a call as JSON text."""

    whole: str
    """A JSON object."""
    streamed: str
    """The same; or one that breaks off, as real ones do at their length limit."""
    is_empty: bool
    """There are none, nor the beginning of any."""


_NONE = Arguments("{}", "{}", is_empty=True)
_LINE_ENDS = str.maketrans("\r\n", "  ")
"""JSON has line ends only between its values, where they are as good as spaces."""


def object_arguments(text: str) -> Arguments:
    """Arguments as they are written. Whatever is no JSON object is an empty one; but one that breaks off can be
    streamed as far as it goes."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        breaks_off = text.startswith("{") and error.pos == len(text)
        return Arguments("{}", text, is_empty=False) if breaks_off else _NONE
    return Arguments(text, text, is_empty=not value) if type(value) is dict else _NONE


def on_one_line(text: str) -> str:
    """The JSON object of arguments where the framing, or those who read it, go by lines: the same without line ends."""
    return object_arguments(text).whole.translate(_LINE_ENDS)
