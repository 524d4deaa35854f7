"""JSON values to what is wanted of them; what does not fit is refused as Chroma's server does, with its path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from aimock_protocols.chroma.errors import too_deep, unreadable

T = TypeVar("T")

Read = Callable[[Any, str], T]
"""Reads the value at a path (`metadatas[0].a`; empty for the whole body). Raises WireError."""

_SCALAR = (str, int, float, bool, type(None))
_INT64 = range(-(2**63), 2**63)


MAX_DEPTH = 126
"""Objects and lists inside one another, beside the body itself, that the server's parser reads."""


def check_depth(value: Any) -> None:
    """Raises WireError for what is nested too deep."""
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = (each.values() if isinstance(each, dict) else each for each in layer)
        layer = [inner for each in containers if not isinstance(each, _SCALAR) for inner in each]
        if not layer:
            return
    raise too_deep()


def at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def wrong(value: Any, path: str, wanted: str) -> Exception:
    """The refusal of a value of the wrong type."""
    prefix = f"{path}: " if path else ""
    return unreadable(f"{prefix}invalid type: {_described(value)}, expected {wanted}")


def string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong(value, path, "a string")
    return value


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(value, path, "a boolean")
    return value


def count(value: Any, path: str, wanted: str = "u32", most: int = 2**32) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(value, path, wanted)
    if not 0 <= value < most:
        raise unreadable(f"{path}: invalid value: integer `{value}`, expected {wanted}")
    return value


def size(value: Any, path: str) -> int:
    return count(value, path, "usize", 2**64)


def number(value: Any, path: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong(value, path, "f64")
    return float(value)


def one_of(*names: str) -> Read[str]:
    def read(value: Any, path: str) -> str:
        if string(value, path) not in names:
            raise unreadable(f"{path}: unknown variant `{value}`, expected one of {_quoted(names)}")
        return str(value)

    return read


def optional(read: Read[T]) -> Read[T | None]:
    return lambda value, path: None if value is None else read(value, path)


def each(read: Read[T]) -> Read[list[T]]:
    def read_all(value: Any, path: str) -> list[T]:
        if not isinstance(value, list):
            raise wrong(value, path, "a sequence")
        return [read(item, f"{path}[{place}]") for place, item in enumerate(value)]

    return read_all


def mapping(value: Any, path: str, wanted: str = "a map") -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(value, path, wanted)
    return value


def required(body: Mapping[str, Any], key: str, read: Read[T], path: str = "") -> T:
    if key not in body:
        prefix = f"{path}: " if path else ""
        raise unreadable(f"{prefix}missing field `{key}`")
    return read(body[key], at(path, key))


def known(body: Mapping[str, Any], path: str, keys: Mapping[str, Read[Any]]) -> dict[str, Any]:
    """The members that have a value. Any that is not known is refused."""
    for key in body:
        if key not in keys:
            raise unreadable(f"{at(path, key)}: unknown field `{key}`, expected one of {_quoted(keys)}")
    return {key: read(body[key], at(path, key)) for key, read in keys.items() if body.get(key) is not None}


def scalar(value: Any) -> str | int | float | bool:
    """A number as the server keeps it: integers of 64 bits, others as floats."""
    if isinstance(value, int) and value not in _INT64:
        return float(value)
    return value  # type: ignore[no-any-return]


def _quoted(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _described(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f"string {orjson.dumps(value).decode()}"
        case list():
            return "sequence"
        case _:
            return "map"
