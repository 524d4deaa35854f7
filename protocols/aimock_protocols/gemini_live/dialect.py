"""Client messages as proto3 JSON: names in either case, at every level and mixed (wire-gemini-live §3)."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import Any

import orjson

from aimock_protocols.gemini.platform import refusal

_FREE = frozenset(
    (
        "args",
        "response",
        "parameters",
        "properties",
        "parametersJsonSchema",
        "responseJsonSchema",
        "responseSchema",
        "labels",
        "metadata",
        "partMetadata",
    )
)
"""Members whose own members are whatever the client likes to call them."""

_DEEPEST = 100
"""Levels that a message may have: protobuf's own limit."""

_STANDARD = str.maketrans("-_", "+/")


def read(message: str | bytes) -> dict[str, Any]:
    """A message, its names in lowerCamelCase. Raises WireError."""
    try:
        value = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise refusal(f"Invalid JSON payload received: {error}") from None
    if type(value) is not dict:
        raise refusal("Invalid JSON payload received: a message must be an object")
    return _renamed(value, _DEEPEST)


def _renamed(value: dict[str, Any], levels: int) -> dict[str, Any]:
    if not levels:
        raise refusal("Invalid JSON payload received: nested too deeply")
    renamed = {}
    for name, each in value.items():
        name = camel_case(name)
        renamed[name] = each if name in _FREE else _within(each, levels - 1)
    return renamed


def _within(value: Any, levels: int) -> Any:
    if type(value) is dict:
        return _renamed(value, levels)
    if type(value) is list:
        if not levels:
            raise refusal("Invalid JSON payload received: nested too deeply")
        return [_within(each, levels - 1) for each in value]
    return value


@lru_cache(maxsize=256)
def camel_case(name: str) -> str:
    """`parameters_json_schema` → `parametersJsonSchema`."""
    return re.sub("(?<=.)_+([a-z0-9])", lambda found: found[1].upper(), name)


def blob(value: Any, where: str) -> tuple[str, bytes]:
    """The type and the bytes of a blob, in base64 of either alphabet, padded or not. Raises WireError."""
    if type(value) is not dict:
        raise refusal(f"Invalid value at '{where}': must be an object")
    mime, data = value.get("mimeType", ""), value.get("data", "")
    if type(mime) is not str or type(data) is not str:
        raise refusal(f"Invalid value at '{where}': mime_type and data must be strings")
    plain = data.rstrip("=").translate(_STANDARD)
    try:
        return mime, base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise refusal(f"Invalid value at '{where}.data': Base64 decoding failed") from None
