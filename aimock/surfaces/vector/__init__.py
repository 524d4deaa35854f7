"""The vector database service: an exact store behind the APIs of Pinecone, Qdrant and Chroma."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aimock.surfaces.vector.dialects import speaking
from aimock.surfaces.vector.section import config_schema, read_section, take
from aimock.surfaces.vector.service import VectorService
from aimock.surfaces.vector.store import Store, StoreError

__all__ = ["VectorService", "config_schema", "from_config"]


def from_config(value: Any, directory: Path) -> VectorService:
    """The service of a config file's section; paths in it are relative to the directory. Raises ValueError."""
    section = read_section(value, directory)
    try:
        store = Store(**section.store)
    except StoreError as error:
        raise ValueError(f"file: {error}") from None
    try:
        take(store, section.collections, [*store], piecemeal=True)
    except ValueError:
        store.close()
        raise
    return VectorService(store, speaking(section.dialects), allow_reset=section.allow_reset)
