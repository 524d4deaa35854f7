"""How parts of a request are read: a reader takes a value and its place in the body, and gives what it means.

As the server's own parser does, null stands for absent and fields that are not known are passed over, except where the
server refuses them. What is wrong is told with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from aimock_protocols.qdrant.errors import invalid, malformed, shown

T = TypeVar("T")
D = TypeVar("D")

Reader = Callable[[Any, str], T]
"""Raises WireError."""

_U64 = 1 << 64
_NUMBERS = {int, float}


def unexpected(value: Any, place: str, expected: str) -> Exception:
    return malformed(f"{place}: invalid type: {_kind(value)}, expected {expected}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "map"
    if isinstance(value, list):
        return "sequence"
    kinds = {bool: "boolean", int: "integer", float: "floating point", str: "string"}
    return f"{kinds[type(value)]} `{shown(value)}`"


def text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise unexpected(value, place, "a string")
    return value


def flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise unexpected(value, place, "a boolean")
    return value


def number(value: Any, place: str) -> float:
    if type(value) not in _NUMBERS:
        raise unexpected(value, place, "a number")
    return float(value)


def numbers(value: Any, place: str) -> list[float]:
    """A list of numbers, as it came: it may be long, and is looked through only once."""
    if not isinstance(value, list) or not _NUMBERS.issuperset(map(type, value)):
        raise unexpected(value, place, "a sequence of numbers")
    return value


def integer(value: Any, place: str) -> int:
    if type(value) is not int:
        raise unexpected(value, place, "an integer")
    return int(value)


def count(value: Any, place: str) -> int:
    """An unsigned integer."""
    if integer(value, place) < 0 or value >= _U64:
        raise malformed(f"{place}: invalid value: integer `{value}`, expected an unsigned integer")
    return int(value)


def counted(least: int, most: int | None = None) -> Reader[int]:
    """An unsigned integer within bounds."""

    def read(value: Any, place: str) -> int:
        if count(value, place) < least or (most is not None and value > most):
            bounds = f"{least} or larger" if most is None else f"from {least} to {most}"
            raise invalid(place, f"value {value} invalid, must be {bounds}")
        return int(value)

    return read


def measured(least: float, most: float) -> Reader[float]:
    """A number within bounds."""

    def read(value: Any, place: str) -> float:
        if not least <= number(value, place) <= most:
            raise invalid(place, f"value {value} invalid, must be from {least} to {most}")
        return float(value)

    return read


def struct(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unexpected(value, place, "a map")
    return value


def anything(value: Any, place: str) -> Any:
    return value


def one_of(*variants: str) -> Reader[str]:
    def read(value: Any, place: str) -> str:
        if text(value, place) not in variants:
            names = ", ".join(f"`{variant}`" for variant in variants)
            raise malformed(f"{place}: unknown variant `{value[:80]}`, expected one of {names}")
        return str(value)

    return read


def listed(read: Reader[T]) -> Reader[list[T]]:
    def items(value: Any, place: str) -> list[T]:
        if not isinstance(value, list):
            raise unexpected(value, place, "a sequence")
        return [read(item, f"{place}[{index}]") for index, item in enumerate(value)]

    return items


def one_or_many(read: Reader[T]) -> Reader[list[T]]:
    """A list, or what would be its only item."""
    many = listed(read)
    return lambda value, place: many(value, place) if isinstance(value, list) else [read(value, place)]


def mapped(read: Reader[T]) -> Reader[dict[str, T]]:
    def values(value: Any, place: str) -> dict[str, T]:
        return {key: read(item, f"{place}.{key}") for key, item in struct(value, place).items()}

    return values


def shaped(known: Mapping[str, Reader[Any]], *required: str) -> Reader[dict[str, Any]]:
    """An object of such fields; what is null or not known is left out."""

    def read(value: Any, place: str) -> dict[str, Any]:
        fields = Fields(value, place)
        for name in required:
            fields.need(name, anything)
        return {name: fields.need(name, reader) for name, reader in known.items() if name in fields}

    return read


class Fields:
    """An object, read field by field."""

    def __init__(self, value: Any, place: str = "") -> None:
        self.value = struct(value, place or "body")
        self._place = place

    def place(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    @overload
    def get(self, name: str, read: Reader[T]) -> T | None: ...

    @overload
    def get(self, name: str, read: Reader[T], default: D) -> T | D: ...

    def get(self, name: str, read: Reader[T], default: Any = None) -> Any:
        """The field, or the default where it is absent."""
        found = self.value.get(name)
        return default if found is None else read(found, self.place(name))

    def need(self, name: str, read: Reader[T]) -> T:
        """The field. Raises WireError where it is absent."""
        found = self.value.get(name)
        if found is None:
            raise malformed(f"{self.place(name)}: missing field `{name}`")
        return read(found, self.place(name))

    def within(self, name: str) -> Fields:
        """The object in a field. Raises WireError where there is none."""
        return Fields(self.need(name, struct), self.place(name))

    def only(self, names: Sequence[str]) -> None:
        """Raises WireError for fields of any other name."""
        for name in self.value:
            if name not in names:
                known = ", ".join(f"`{each}`" for each in names)
                raise malformed(f"{self.place(name)}: unknown field `{name[:80]}`, expected one of {known}")
