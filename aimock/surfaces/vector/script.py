"""Results that are told beforehand, which win over what the store would find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Id = str | int


class Asked(NamedTuple):
    """What a query is told by."""

    vector: Sequence[float] | None
    """None: the query has none, or not a plain one."""
    top_k: int
    filter: Any = None
    """As the client sent it."""


class Scripted(NamedTuple):
    """A result, as it was told."""

    id: Id
    score: float
    """Sent as it is, whatever the collection's measure."""
    metadata: Mapping[str, Any] | None = None


Script = Callable[[Asked], Sequence[Scripted]]
"""Gives the results of a query, the nearest first."""
