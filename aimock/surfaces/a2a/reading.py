"""Reading what a user wrote: which key is wrong, what was expected there, and which key comes nearest."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

Read = Callable[[Any, str], Any]
"""Reads a value at a place. Raises ValueError that begins with the place."""


def unlike(place: str, expected: str, got: Any) -> ValueError:
    """What is said of a value that is not what was expected."""
    try:
        shown = json.dumps(got, ensure_ascii=False)
    except (TypeError, ValueError):
        shown = type(got).__name__
    return ValueError(f"{place}: expected {expected}, got {shown[:80]}")


def mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise unlike(place or "the section", "an object", value)
    return dict(value)


def keyed(value: Any, place: str, keys: Mapping[str, Read], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object whose keys are known. Null stands for absent."""
    given = mapping(value, place)
    prefix = f"{place}." if place else ""
    for key in given:
        if key not in keys:
            nearest = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"; the nearest is {nearest[0]}" if nearest else f"; known are {', '.join(sorted(keys))}"
            raise ValueError(f"{prefix}{key}: there is no such key{hint}")
    for key in required:
        if given.get(key) is None:
            raise ValueError(f"{prefix}{key}: is missing")
    return {key: keys[key](each, f"{prefix}{key}") for key, each in given.items() if each is not None}


def text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise unlike(place, "a string", value)
    return value


def filled(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise unlike(place, "a string that is not empty", value)
    return value


def flag(value: Any, place: str) -> bool:
    if type(value) is not bool:
        raise unlike(place, "true or false", value)
    return value


def count(value: Any, place: str) -> int:
    if type(value) is not int or value < 0:
        raise unlike(place, "a whole number of 0 or more", value)
    return value


def milliseconds(value: Any, place: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise unlike(place, "milliseconds, 0 or more", value)
    return float(value)


def many(read: Read) -> Read:
    """A list of what `read` reads."""

    def items(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise unlike(place, "an array", value)
        return [read(item, f"{place}[{index}]") for index, item in enumerate(value)]

    return items
