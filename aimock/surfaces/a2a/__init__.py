"""The A2A agent mock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aimock.reading import object_schema
from aimock.surfaces.a2a.service import SECTION, A2AService

__all__ = ["A2AService", "config_schema", "from_config"]


def from_config(value: Any, directory: Path) -> A2AService:
    """The service of a config file's section; paths in it are relative to the directory. Raises ValueError."""
    service = A2AService()
    service.add(value, directory)
    return service


def config_schema() -> dict[str, Any]:
    """The JSON Schema of that section."""
    return object_schema(SECTION)
