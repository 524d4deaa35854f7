"""The JSON Schemas that `aimock schema` prints: of fixture files and of config files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimock import config, mounts
from aimock.fixtures.schema import DIALECT, fixtures_schema
from aimock.fixtures.services import RERANK_SCHEMA, SECTION_SCHEMA
from aimock.fixtures.values import PROFILE
from aimock.record.config import record_schema


def config_schema() -> dict[str, Any]:
    """The schema of a config file. Unlike in fixtures an unknown key is an error."""
    top: dict[str, Any] = {"$schema": {"type": "string"}}
    for key, (_, check) in config._KEYS.items():
        *sections, name = key.split(".")
        keys = top
        for section in sections:
            keys = keys.setdefault(section, _closed({}))["properties"]
        keys[name] = dict(check.schema) if isinstance(check, config.Check) else {}
    top |= {name: mounts.config_schema(name) for name in mounts.SERVICES}
    entry = fixtures_schema()["$defs"]["fixture"]["properties"]
    shared = {
        "streamingProfile": {
            **(PROFILE.schema or {}),
            "properties": entry["streamingProfile"]["properties"],
            "patternProperties": {"^_": {}},  # comments, as in fixtures
            "additionalProperties": False,
        },
        "chaos": _closed(entry["chaos"]["properties"]),
        "record": record_schema(),
        "serviceFixtures": SECTION_SCHEMA,
        "rerankFixtures": RERANK_SCHEMA,
    }
    return {"$schema": DIALECT, "title": "A config file of aimock", **_closed(top), "$defs": shared}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {"fixtures": fixtures_schema, "config": config_schema}


def schema_text(name: str) -> str:
    """A schema as it is printed."""
    import json

    return json.dumps(SCHEMAS[name](), indent=2)
