"""Shapes of JSON values, as values: each tells what of a value is not as it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

Shape = Callable[[Any, str], Iterator[str]]
"""Takes a value and the path that leads to it; gives a line for each thing that is wrong with it."""

_LONGEST_SHOWN = 60


def shown(value: Any) -> str:
    """A value in a message, cut short."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = type(value).__name__
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def of_kind(expected: str, holds: Callable[[Any], bool]) -> Shape:
    """The shape of all values for which something holds."""

    def faults(value: Any, path: str) -> Iterator[str]:
        if not holds(value):
            yield f"{path}: expected {expected}, got {shown(value)}"

    return faults


def anything(value: Any, path: str) -> Iterator[str]:
    """The shape of every value."""
    return iter(())


def one_of(*words: str) -> Shape:
    return of_kind(" or ".join(f'"{word}"' for word in words), lambda value: value in words)


def list_of(shape: Shape, least: int = 0) -> Shape:
    def faults(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list) or len(value) < least:
            yield f"{path}: expected an array{f' of {least} or more' if least else ''}, got {shown(value)}"
            return
        for place, each in enumerate(value):
            yield from shape(each, f"{path}[{place}]")

    return faults


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape]) -> Shape:
    """An object. Keys beside those named are nobody's business here."""
    shapes = {**required, **optional}

    def faults(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: expected an object, got {shown(value)}"
            return
        prefix = f"{path}." if path else ""
        for key in required:
            if key not in value:
                yield f"{prefix}{key}: is missing"
        for key, each in value.items():
            if key in shapes:
                yield from shapes[key](each, prefix + key)

    return faults


def tagged(key: str, by_tag: Mapping[str, Shape]) -> Shape:
    """An object whose shape is told by one of its keys."""
    tag = one_of(*by_tag)

    def faults(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: expected an object, got {shown(value)}"
        elif isinstance(value.get(key), str) and value[key] in by_tag:
            yield from by_tag[value[key]](value, path)
        else:
            yield from tag(value.get(key), f"{path}.{key}")

    return faults


def either(one: Shape, other: Shape) -> Shape:
    """A string by the first shape, anything else by the second."""
    return lambda value, path: one(value, path) if isinstance(value, str) else other(value, path)


STRING = of_kind("a string", lambda value: isinstance(value, str))
BOOLEAN = of_kind("true or false", lambda value: isinstance(value, bool))
OBJECT = of_kind("an object", lambda value: isinstance(value, dict))
