"""The APIs that there are, in the order in which they come where a path has several."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection, Mapping

from aimock.surfaces.vector.dialect import Dialect

_CLASSES: Mapping[str, str] = {"qdrant": "Qdrant", "pinecone": "Pinecone", "chroma": "Chroma"}
"""By the names of their packages here."""


def speaking(names: Collection[str]) -> list[Dialect]:
    """Those of these names."""
    packages = {name: f"aimock.surfaces.vector.{name}" for name in _CLASSES if name in names}
    there = {name: package for name, package in packages.items() if importlib.util.find_spec(package) is not None}
    return [getattr(importlib.import_module(package), _CLASSES[name])() for name, package in there.items()]
