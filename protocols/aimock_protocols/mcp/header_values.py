"""Values that requests repeat in headers, so that proxies can route by them (2026-07-28).

A value that no header may hold as it is stands there as `=?base64?…?=`. Arguments whose property in the schema has
`x-mcp-header: "X"` are repeated in `Mcp-Param-X`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aimock_protocols.mcp.errors import header_mismatch

_ENCODED = re.compile(r"=\?base64\?(.*)\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DECIMAL = re.compile(r"(-?[0-9]+)(?:\.0+)?")
_TYPES = ("string", "integer", "boolean")


def decode(value: str) -> str | None:
    """What a header's value stands for, None if that cannot be told."""
    value = value.strip(" \t")
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        decoded = base64.b64decode(encoded[1], validate=True)
        # Not every base64 text is the one that an encoder would have written, and only that one is meant.
        return decoded.decode() if base64.b64encode(decoded).decode() == encoded[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


class Mirrored(NamedTuple):
    """An argument that a header repeats."""

    place: tuple[str, ...]
    """Names of properties, from the arguments down."""
    name: str
    """Of the header, without its prefix."""
    type: str


def mirrored(schema: Mapping[str, Any]) -> list[Mirrored]:
    """The arguments that headers repeat, by a tool's input schema. Raises ValueError where it says so wrongly."""
    found = list(_walk(schema, ()))
    names = [entry.name.lower() for entry in found]
    for entry in found:
        if names.count(entry.name.lower()) > 1:
            raise ValueError(f"{'.'.join(entry.place)}: x-mcp-header {entry.name!r} is used twice")
    return found


def _walk(schema: Any, place: tuple[str, ...]) -> Iterator[Mirrored]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(inner, dict):
            continue
        here = (*place, name)
        if "x-mcp-header" in inner:
            token, type = inner["x-mcp-header"], inner.get("type")
            if not isinstance(token, str) or not _TOKEN.fullmatch(token):
                raise ValueError(f"{'.'.join(here)}: x-mcp-header must be the name of a header, got {token!r}")
            if type not in _TYPES:
                raise ValueError(f"{'.'.join(here)}: x-mcp-header needs a type of {', '.join(_TYPES)}, got {type!r}")
            yield Mirrored(here, token, type)
        yield from _walk(inner, here)


def check_arguments(expected: Sequence[Mirrored], arguments: Any, lines: Sequence[tuple[str, str]]) -> None:
    """Holds the headers to the arguments that they repeat. `lines`: names in lower case. Raises RpcError (-32020)."""
    for place, token, type in expected:
        header = f"Mcp-Param-{token}"
        values = [value for name, value in lines if name == header.lower()]
        argument: Any = arguments
        for name in place:
            argument = argument.get(name) if isinstance(argument, dict) else None
        if len(values) > 1:
            raise header_mismatch(f"{header} is there more than once")
        if argument is None or isinstance(argument, dict | list):
            if values:
                raise header_mismatch(f"{header} is there, but no argument {'.'.join(place)} that it could repeat")
        elif not values:
            raise header_mismatch(f"{header} is missing")
        elif not _agree(decode(values[0]), argument, type):
            raise header_mismatch(f"{header} is not the argument {'.'.join(place)}")


def _agree(value: str | None, argument: Any, type: str) -> bool:
    if value is None:
        return False
    if isinstance(argument, bool):
        return value == ("true" if argument else "false")
    if isinstance(argument, str):
        return value == argument
    number = _DECIMAL.fullmatch(value)
    if type == "integer" and number and float(argument).is_integer():
        return int(number[1]) == int(argument)
    return value == str(argument)
