"""Bodies that a model cannot be given: the schema of each family is checked before the model is asked, and all
refusals are worded alike (wire-bedrock §7)."""

from __future__ import annotations

from typing import Any

from aimock_protocols.bedrock_platform import compact, refusal
from aimock_protocols.canonical import WireError

_TYPES = {
    dict: "JSONObject",
    list: "JSONArray",
    str: "String",
    bool: "Boolean",
    int: "Integer",
    float: "Number",
    type(None): "Null",
}


def malformed(fault: str) -> WireError:
    """A body that is refused for a fault, told with its place: `#/prompt: …`."""
    return refusal(f"Malformed input request: {fault}, please reformat your input and try again.")


def required(sent: dict[str, Any], key: str, kind: type, place: str = "#") -> Any:
    """A member that an object must have; `place` is the object's own. Raises WireError."""
    if key not in sent:
        raise malformed(f"{place}: required key [{key}] not found")
    return typed(sent[key], f"{place}/{key}", kind)


def optional(sent: dict[str, Any], key: str, kind: type, place: str = "#") -> Any:
    """A member that an object may have; None if it has none, or null. Raises WireError."""
    value = sent.get(key)
    return None if value is None else typed(value, f"{place}/{key}", kind)


def typed(value: Any, place: str, kind: type) -> Any:
    """A value that must be of a type. Raises WireError."""
    if type(value) is not kind:
        raise malformed(f"{place}: expected type: {_TYPES[kind]}, found: {_TYPES[type(value)]}")
    return value


def one_of(value: Any, place: str, allowed: tuple[Any, ...]) -> None:
    """A value that must be one of a few. Raises WireError."""
    if value not in allowed:
        raise malformed(f"{place}: {compact(value, place)} is not a valid enum value")


def objects(values: list[Any], place: str) -> list[dict[str, Any]]:
    """A list that must hold objects only. Raises WireError."""
    for index, value in enumerate(values):
        typed(value, f"{place}/{index}", dict)
    return values
