"""Members that only some protocols have (`canonical.py` describes them, below ChatProtocol)."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def member(protocol: object, name: str) -> Any:
    """A member of a protocol; None if it lacks it. A submodule of a protocol's package, which is an attribute of it as
    soon as anybody has imported it, is none."""
    found = getattr(protocol, name, None)
    return None if isinstance(found, ModuleType) else found
