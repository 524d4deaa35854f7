"""Where strings stand in JSON text, so that one can be replaced and every other byte stays what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[bytes | None, ...]
"""The keys that lead to a value, as they are written; None stands for the elements of an array."""

_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"|[\[\]{},]', re.DOTALL)


class Place(NamedTuple):
    """A string that is a value, without its quotes."""

    path: Path
    start: int
    end: int


def strings(text: bytes) -> Iterator[Place]:
    """All strings but keys, in order. Text that is no JSON, or several values, is read as far as it goes; raises
    nothing."""
    path: list[bytes | None] = []
    awaits_key = False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark[:1] == b'"':
            if awaits_key:
                path[-1], awaits_key = token[1], False
            else:
                yield Place(tuple(path), token.start(1), token.end(1))
        elif mark == b",":
            awaits_key = bool(path) and path[-1] is not None
        elif mark in b"{[":
            awaits_key = mark == b"{"
            path.append(b"" if awaits_key else None)
        else:
            awaits_key = False
            if path:
                path.pop()


def dotted(path: str) -> Path:
    """A path as it is written in tables: `choices.[].delta.tool_calls.[].id`."""
    return tuple(None if part == "[]" else part.encode() for part in path.split("."))
