"""The JSON Schema of a config file's section, from the tables by which it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock.surfaces.mcp.reading import ENTRIES, Kind
from aimock.surfaces.mcp.settings import SECTION

_TYPES: dict[type, str] = {
    str: "string",
    dict: "object",
    list: "array",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def section_schema() -> dict[str, Any]:
    """Entries may lie in files of their own, and then the path of one stands for them."""
    entries = {
        name: {"anyOf": [{"type": "string"}, {"type": "array", "items": _closed(kinds, required)}]}
        for name, (kinds, required) in ENTRIES.items()
    }
    completions = {"type": "object", "additionalProperties": {"type": "object"}}
    told = _closed(SECTION)
    told["properties"] |= entries | {"completions": {"anyOf": [{"type": "string"}, completions]}}
    return told


def _closed(kinds: Mapping[str, Kind], required: tuple[str, ...] = ()) -> dict[str, Any]:
    properties = {key: _schema(kind) for key, kind in kinds.items()}
    told = {"type": "object", "properties": properties, "additionalProperties": False}
    return told | ({"required": list(required)} if required else {})


def _schema(kind: Kind) -> dict[str, Any]:
    types = [_TYPES[type] for type in kind[0] if type in _TYPES]
    return {"type": types if len(types) > 1 else types[0]} if types else {}
