"""The JSON Schema of the config file's section, in broad strokes: what is exact is judged as it is read."""

from __future__ import annotations

from typing import Any

from aimock.surfaces.a2a.agents import KEYS

_PATTERN = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"$regex": {"type": "string"}}, "required": ["$regex"]},
    ]
}
_ENTRIES = {
    "type": "array",
    "items": {"type": "object", "properties": {"pattern": _PATTERN}, "required": ["pattern"]},
}
_AGENT = {
    "type": "object",
    "properties": {
        **{key: {} for key in KEYS},
        "name": {"type": "string", "minLength": 1},
        **dict.fromkeys(("messages", "tasks", "streamingTasks"), _ENTRIES),
        "protocolVersions": {"type": "array", "items": {"enum": ["1.0", "0.3"]}, "minItems": 1},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def config_schema() -> dict[str, Any]:
    """Of the section, without `path`."""
    return {
        "type": "object",
        "properties": {
            "agents": {"anyOf": [{"type": "string"}, {"type": "array", "items": _AGENT}]},
            "maxTasks": {"type": "integer", "minimum": 0},
            "push": {
                "type": "object",
                "properties": {"allow": {"type": "array", "items": {"type": "string", "minLength": 1}}},
                "additionalProperties": False,
            },
            "signing": {
                "anyOf": [
                    {"type": "boolean"},
                    {
                        "type": "object",
                        "properties": {"key": {"type": "string"}, "keyId": {"type": "string"}},
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "additionalProperties": False,
    }
