"""Reading JSON values that came in a request. What is wrong with one is refused with 400 by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from aimock_protocols.json_bodies import is_writable
from aimock_protocols.pinecone.errors import refusal

T = TypeVar("T")
D = TypeVar("D")

Read = Callable[[Any, str], T]
"""Makes something of a value, whose name is given for errors."""

_SHOWN = 60
_NUMBERS = {int, float}


def fields_of(value: Any, what: str = "Request body") -> dict[str, Any]:
    """A JSON object."""
    if type(value) is not dict:
        raise refusal(f"{what} must be an object, got {shown(value)}")
    return value


def kept_fields(value: Any) -> dict[str, Any]:
    """A request body of which parts are kept as they came, and so must be such that they can be told again."""
    fields = fields_of(value)
    if not is_writable(fields):
        raise refusal("Request body is nested too deeply")
    return fields


def member(fields: Mapping[str, Any], key: str, read: Read[T], default: D) -> T | D:
    """What a reader makes of a member; the default if it is absent or null."""
    value = fields.get(key)
    return default if value is None else read(value, key)


def required(fields: Mapping[str, Any], key: str, read: Read[T], where: str = "") -> T:
    """The same of a member that must be there."""
    if fields.get(key) is None:
        raise refusal(f"{where}{key} is required")
    return read(fields[key], f"{where}{key}")


def text(value: Any, what: str) -> str:
    if type(value) is not str:
        raise refusal(f"{what} must be a string, got {shown(value)}")
    return value


def filled(value: Any, what: str) -> str:
    if not text(value, what).strip():
        raise refusal(f"{what} must be a non-empty string")
    return str(value)


def flag(value: Any, what: str) -> bool:
    if type(value) is not bool:
        raise refusal(f"{what} must be a boolean, got {shown(value)}")
    return value


def within(low: int, high: int) -> Read[int]:
    """A reader of integers of a range."""

    def read(value: Any, what: str) -> int:
        number = int(value) if type(value) is str and value.isdecimal() and len(value) < 19 else value
        if type(number) is not int or not low <= number <= high:
            raise refusal(f"{what} must be an integer between {low} and {high}, got {shown(value)}")
        return number

    return read


def one_of(*choices: str) -> Read[str]:
    """A reader of one of several texts."""

    def read(value: Any, what: str) -> str:
        if value not in choices or type(value) is not str:
            raise refusal(f"{what} must be one of {', '.join(choices)}, got {shown(value)}")
        return value

    return read


def listed(value: Any, what: str) -> list[Any]:
    if type(value) is not list:
        raise refusal(f"{what} must be an array, got {shown(value)}")
    return value


def texts(value: Any, what: str) -> list[str]:
    """An array of strings."""
    if any(type(each) is not str for each in listed(value, what)):
        raise refusal(f"{what} must be an array of strings")
    return list(value)


def floats(value: Any, what: str) -> list[float]:
    """An array of numbers that single floats can hold."""
    numbers: list[float] = listed(value, what)
    if not _NUMBERS.issuperset(map(type, numbers)):
        raise refusal(f"{what} must be an array of numbers")
    if numbers and not -3.4028235e38 <= min(numbers) <= max(numbers) <= 3.4028235e38:
        raise refusal(f"{what} must be an array of numbers in the range of a 32-bit float")
    return numbers


def shown(value: Any) -> str:
    """A value as an error names it."""
    written = repr(value) if type(value) is str else _written(value)
    return written if len(written) <= _SHOWN else written[:_SHOWN] + "..."


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "an array" if isinstance(value, Sequence) else orjson.dumps(value).decode()
