"""Requests as proto3 JSON, the way Google's services read it: names in either case, a single message where a list is
meant, enums by name or number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from aimock_protocols.gemini.platform import refusal


def field(message: Mapping[str, Any], name: str) -> Any:
    """The member of a message, by its name in lowerCamelCase or else in snake_case; None if it is not set."""
    value = message.get(name)
    return message.get(snake_case(name)) if value is None else value


@lru_cache(maxsize=256)
def snake_case(name: str) -> str:
    """`parametersJsonSchema` → `parameters_json_schema`."""
    return re.sub("[A-Z]", lambda upper: "_" + upper[0].lower(), name)


def both_cases(*names: str) -> frozenset[str]:
    """Names in either case."""
    return frozenset(names) | frozenset(map(snake_case, names))


def one(message: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """The message that a member is; empty if it is not set. Raises WireError."""
    value = field(message, name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise refusal(f"Invalid value at '{where}': must be an object")
    return value


def many(message: Mapping[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    """The messages that a member is a list of; a single one will do. Raises WireError."""
    value = field(message, name)
    if type(value) is list:
        for index, item in enumerate(value):
            if type(item) is not dict:
                raise refusal(f"Invalid value at '{where}[{index}]': must be an object")
        return value
    if value is None:
        return []
    if type(value) is dict:
        return [value]
    raise refusal(f"Invalid value at '{where}': must be a list of objects")


def enum(value: Any, names: Sequence[str]) -> str | None:
    """The name of an enum's value, by name in any case or by number; None if it is none of them."""
    if type(value) is int:
        return names[value] if 0 <= value < len(names) else None
    name = value.upper() if type(value) is str else None
    return name if name in names else None
