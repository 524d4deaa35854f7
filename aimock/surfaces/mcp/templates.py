"""Placeholders in results: `{{args.city}}`, `{{input.user_name.content.name}}`.

In text a value stands as it is, or as compact JSON if it is no string; what is missing leaves nothing. A string of
`structuredContent` that is one placeholder and nothing else becomes the value itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[^{}\s.]+)*)\s*\}\}")


def filled(value: Any, variables: Mapping[str, Any], *, typed: bool = False) -> Any:
    """`value` with its placeholders filled. `typed`: those that stand alone keep the type of what they stand for."""
    if isinstance(value, str):
        if "{{" not in value:
            return value
        alone = _PLACEHOLDER.fullmatch(value)
        if typed and alone is not None:
            return _found(alone[1], variables)
        return _PLACEHOLDER.sub(lambda place: _text(_found(place[1], variables)), value)
    if isinstance(value, dict):
        return {
            key: filled(inner, variables, typed=typed or key == "structuredContent") for key, inner in value.items()
        }
    if isinstance(value, list):
        return [filled(inner, variables, typed=typed) for inner in value]
    return value


def _found(path: str, variables: Mapping[str, Any]) -> Any:
    value: Any = variables
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
