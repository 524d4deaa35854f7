"""The JSON Schemas that `aimock schema` prints: of fixture files and of config files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimock import config_keys, mounts
from aimock.config import SECRET
from aimock.documents import with_paths
from aimock.fixtures.schema import DIALECT, fixtures_schema
from aimock.fixtures.services import RERANK_SCHEMA, SECTION_SCHEMA
from aimock.fixtures.values import PROFILE
from aimock.providers import offered_schema
from aimock.quotas import quota_schema
from aimock.reading import COMMENTS, schema_of
from aimock.record.config import record_schema
from aimock.tls import tls_schema


def config_schema() -> dict[str, Any]:
    """The schema of a config file. Unlike in fixtures an unknown key is an error."""
    top: dict[str, Any] = {"$schema": {"type": "string"}}
    for key, (_, read) in config_keys.KEYS.items():
        *sections, name = key.split(".")
        keys = top
        for section in sections:
            keys = keys.setdefault(section, _closed({}))["properties"]
        keys[name] = schema_of(read)
    top |= {name: mounts.config_schema(name) for name in mounts.SERVICES}
    top = {name: told if name == SECRET else with_paths(told) for name, told in top.items()}
    entry = fixtures_schema()["$defs"]["fixture"]["properties"]
    shared = {
        "streamingProfile": {
            **(PROFILE.schema or {}),
            "properties": entry["streamingProfile"]["properties"],
            "patternProperties": COMMENTS,
            "additionalProperties": False,
        },
        "chaos": _closed(entry["chaos"]["properties"]),
        "providers": offered_schema(),
        "quota": quota_schema(),
        "record": record_schema(),
        "serviceFixtures": with_paths(SECTION_SCHEMA),
        "rerankFixtures": with_paths(RERANK_SCHEMA),
        "tls": tls_schema(),
    }
    return {"$schema": DIALECT, "title": "A config file of aimock", **_closed(top), "$defs": shared}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": COMMENTS,
        "additionalProperties": False,
    }


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {"fixtures": fixtures_schema, "config": config_schema}


def schema_text(name: str) -> str:
    """A schema as it is printed."""
    import json

    return json.dumps(SCHEMAS[name](), indent=2)
