"""How near vectors are, in numbers of 64 bits that depend on the two vectors alone.

Equal vectors get equal scores wherever they lie: each sum goes over one row by itself, in the same order. So ties are
ties. Products of two floats of 32 bits are exact in 64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aimock.surfaces.vector.store.values import Doubles, Floats, Measure, Sparse

_TOGETHER = 128
"""Rows widened to 64 bits at a time, so that they stay in the processor's cache."""


def dense_scores(measure: Measure, query: Floats, rows: Sequence[Floats]) -> Doubles:
    """Of each row, by the measure as it is."""
    wide = query.astype(np.float64)
    scores = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), _TOGETHER):
        chunk = np.array(rows[start : start + _TOGETHER], np.float64)
        scores[start : start + len(chunk)] = _of_rows(measure, wide, chunk)
    return scores


def sparse_scores(query: Sparse, vectors: Sequence[Sparse]) -> Doubles:
    """Dot products; not a number where no index is in both."""
    return np.array([_shared(query, vector) for vector in vectors], np.float64)


def multi_scores(measure: Measure, query: Floats, vectors: Sequence[Floats]) -> Doubles:
    """For each vector of the query the nearest of the other's, summed (Qdrant's max_sim)."""
    return np.array([_max_sim(measure, query, vector) for vector in vectors], np.float64)


def _of_rows(measure: Measure, query: Doubles, rows: Doubles) -> Doubles:
    if measure is Measure.MANHATTAN:
        return np.asarray(np.abs(rows - query).sum(axis=1))
    if measure is Measure.SQUARED_EUCLIDEAN:
        apart = rows - query
        return np.asarray(np.vecdot(apart, apart))
    products = np.vecdot(rows, query)
    if measure is Measure.DOT:
        return np.asarray(products)
    # The root of the product, for that of a square is exact: a vector is as near to itself as can be.
    lengths = np.sqrt(np.vecdot(rows, rows) * np.vecdot(query, query))
    cosines: Doubles = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return np.clip(cosines, -1.0, 1.0, out=cosines)


def _shared(query: Sparse, vector: Sparse) -> float:
    _, ours, theirs = np.intersect1d(query.indices, vector.indices, assume_unique=True, return_indices=True)
    if not len(ours):
        return float("nan")
    return float(np.vecdot(query.values[ours].astype(np.float64), vector.values[theirs].astype(np.float64)))


def _max_sim(measure: Measure, query: Floats, vector: Floats) -> float:
    rows = vector.astype(np.float64)
    scores: npt.NDArray[np.float64] = np.array([_of_rows(measure, each, rows) for each in query.astype(np.float64)])
    return float((scores.min(axis=1) if measure.is_distance else scores.max(axis=1)).sum())
