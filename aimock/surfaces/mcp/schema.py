"""The JSON Schema of a config file's section, from the tables by which it is read."""

from __future__ import annotations

from typing import Any

from aimock.reading import object_schema
from aimock.surfaces.mcp.reading import ENTRIES
from aimock.surfaces.mcp.settings import SECTION


def section_schema() -> dict[str, Any]:
    """Entries may lie in files of their own, and then the path of one stands for them."""
    entries = {
        name: {"anyOf": [{"type": "string"}, {"type": "array", "items": object_schema(keys, required)}]}
        for name, (keys, required) in ENTRIES.items()
    }
    completions = {"type": "object", "additionalProperties": {"type": "object"}}
    told = object_schema(SECTION)
    told["properties"] |= entries | {"completions": {"anyOf": [{"type": "string"}, completions]}}
    return told
