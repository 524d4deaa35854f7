"""The nearest by plain numpy in 64 bits, every score by its definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from aimock.surfaces.vector.store import Field, Form, Measure, Record, Sparse, Vector


def score(field: Field, query: Vector, vector: Vector) -> float | None:
    """None: they cannot be compared."""
    if isinstance(query, Sparse) and isinstance(vector, Sparse):
        ours = dict(zip(query.indices.tolist(), query.values.tolist(), strict=True))
        theirs = dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))
        shared = ours.keys() & theirs.keys()
        return math.fsum(ours[index] * theirs[index] for index in shared) if shared else None
    assert isinstance(query, np.ndarray)
    assert isinstance(vector, np.ndarray)
    if field.form is Form.MULTI:
        nearest: Callable[[Iterable[float]], float] = min if field.measure.is_distance else max
        return math.fsum(nearest(_plain(field.measure, ours, theirs) for theirs in vector) for ours in query)
    return _plain(field.measure, query, vector)


def _plain(measure: Measure, query: Any, vector: Any) -> float:
    a, b = query.astype(np.float64), vector.astype(np.float64)
    match measure:
        case Measure.DOT:
            return math.fsum(a * b)
        case Measure.MANHATTAN:
            return math.fsum(np.abs(a - b))
        case Measure.SQUARED_EUCLIDEAN:
            return math.fsum((a - b) ** 2)
        case Measure.COSINE:
            lengths = math.sqrt(math.fsum(a * a) * math.fsum(b * b))
            return max(-1.0, min(1.0, math.fsum(a * b) / lengths)) if lengths else 0.0


def nearest(
    field: Field, name: str, query: Vector, records: Iterable[Record], ties: Callable[[Record], Any] | None = None
) -> list[tuple[Any, float]]:
    """Ids and scores of all, the nearest first; records are in the order of insertion."""
    scored = [
        (record, found)
        for record in records
        if name in record.vectors and (found := score(field, query, record.vectors[name])) is not None
    ]
    if ties is not None:
        scored.sort(key=lambda pair: ties(pair[0]))
    scored.sort(key=lambda pair: pair[1] if field.measure.is_distance else -pair[1])
    return [(record.id, found) for record, found in scored]
