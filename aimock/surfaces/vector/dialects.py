"""The APIs that there are, in the order in which they come where a path has several."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping

from aimock.surfaces.vector.dialect import Dialect

CLASSES: Mapping[str, str] = {"qdrant": "Qdrant", "pinecone": "Pinecone", "chroma": "Chroma"}
"""By the names of their packages here."""


def speaking(names: Collection[str]) -> list[Dialect]:
    """Those of these names."""
    modules = {name: importlib.import_module(f"aimock.surfaces.vector.{name}") for name in CLASSES if name in names}
    return [getattr(module, CLASSES[name])() for name, module in modules.items()]
