"""How near vectors are, in numbers of 64 bits that depend on the two vectors alone.

Equal vectors get equal scores wherever they lie: each sum goes over one row by itself, in the same order. So ties are
ties. Products of two floats of 32 bits are exact in 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aimock.surfaces.vector.store.postings import Postings
from aimock.surfaces.vector.store.values import Doubles, Field, Floats, Form, Measure, Vector

_TOGETHER = 128
"""Rows made of 64 bits at a time, so that they stay in the processor's cache."""
_AT_ONCE = 1_000_000
"""Numbers that comparing multivectors may take at a time."""


def scores(field: Field, query: Vector, vectors: Sequence[Any]) -> Doubles:
    """Of each vector, by the measure as it is. Of sparse ones not a number where no index is in both."""
    if not isinstance(query, np.ndarray):
        return Postings.of(vectors).products(query)
    wide = query.astype(np.float64)
    if field.form is Form.MULTI:
        return np.array([_max_sim(field.measure, wide, vector) for vector in vectors], np.float64)
    found = np.empty(len(vectors), np.float64)
    for start in range(0, len(vectors), _TOGETHER):
        rows = np.array(vectors[start : start + _TOGETHER], np.float64)
        found[start : start + len(rows)] = _of_rows(field.measure, wide, rows)
    return found


def _of_rows(measure: Measure, query: Doubles, rows: Doubles) -> Doubles:
    if measure is Measure.MANHATTAN:
        return np.asarray(np.abs(rows - query).sum(axis=-1))
    if measure is Measure.SQUARED_EUCLIDEAN:
        apart = rows - query
        return np.asarray(np.vecdot(apart, apart))
    products = np.asarray(np.vecdot(rows, query))
    if measure is Measure.DOT:
        return products
    # The root of the product, for that of a square is exact: a vector is as near to itself as can be.
    lengths = np.sqrt(np.vecdot(rows, rows) * np.vecdot(query, query))
    cosines: Doubles = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return np.clip(cosines, -1.0, 1.0, out=cosines)


def _max_sim(measure: Measure, query: Doubles, vector: Floats) -> float:
    """For each row of the query the nearest of the vector's rows, summed up: Qdrant's comparator of that name."""
    rows = vector.astype(np.float64)
    nearest = np.min if measure.is_distance else np.max
    step = max(1, _AT_ONCE // rows.size)
    parts = (query[start : start + step, np.newaxis] for start in range(0, len(query), step))
    return sum(float(nearest(_of_rows(measure, part, rows), axis=-1).sum()) for part in parts)
