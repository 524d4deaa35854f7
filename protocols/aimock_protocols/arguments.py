"""The arguments of a tool call where the wire has them as a JSON object, and streams their text in pieces."""

from __future__ import annotations

from typing import NamedTuple

import orjson


class Arguments(NamedTuple):
    """The arguments of a call as JSON text."""

    whole: str
    """A JSON object."""
    streamed: str
    """The same; or one that breaks off, as real ones do at their length limit."""


def object_arguments(text: str) -> Arguments:
    """Arguments as they are written. Whatever is no JSON object is an empty one; but one that breaks off can be
    streamed as far as it goes."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        breaks_off = text.startswith("{") and error.pos == len(text)
        return Arguments("{}", text if breaks_off else "{}")
    return Arguments(text, text) if type(value) is dict else Arguments("{}", "{}")
