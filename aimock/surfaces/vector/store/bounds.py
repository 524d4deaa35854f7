"""Between which bounds the scores of many rows lie, reckoned quickly in floats of 32 bits.

A bound is of *farness*: the smaller the nearer, whatever the measure; of similarities it is the negative. What cannot
be among the nearest by its bounds need not be scored exactly.

How far off sums of float products are: n products added up in any order are off by at most γ·Σ|aᵢ||bᵢ|, and so by
γ·|a||b|, where γ = nu / (1 - nu) and u = 2⁻²⁴ (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). A few
more roundings are in `_SLACK`. That holds where nothing overflows, and what underflows is too little to matter: rows of
other lengths than `_TAME` have no bounds, so they are always scored.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from aimock.surfaces.vector.store.columns import Block
from aimock.surfaces.vector.store.values import Doubles, Field, Floats, Measure, Record, Sparse, Vector

_UNIT = 2.0**-24
_SLACK = 8
_TAME = (1e-15, 1e15)
_TOGETHER = 64
"""Rows whose differences are taken at a time, so that they stay in the processor's cache."""


class Bounded(NamedTuple):
    """Records, and how far each is at least and at most."""

    records: list[Record]
    low: Doubles
    high: Doubles


def bounded(field: Field, name: str, query: Vector, blocks: Sequence[Block], at: int) -> Bounded:
    """Of all that were in a field of that name after that operation and can be compared."""
    if isinstance(query, Sparse):
        return _of_sparse(name, query, blocks, at)
    return _of_dense(field.measure, query, blocks, at)


def _of_dense(measure: Measure, query: Floats, blocks: Sequence[Block], at: int) -> Bounded:
    wide = query.astype(np.float64)
    length = float(np.sqrt(np.vecdot(wide, wide)))
    is_apart = measure is Measure.MANHATTAN
    against = query if is_apart else (wide / (length or 1.0)).astype(np.float32)
    records: list[Record] = []
    rough, squares = [np.empty(0, np.float32)], [np.empty(0)]
    with np.errstate(over="ignore", invalid="ignore"):
        for block in blocks:
            written = len(block.records)
            alive = block.alive(at, written)
            records += itertools.compress(block.records, alive.tolist())
            rows = block.rows[:written]
            rough.append((_apart(rows, against) if is_apart else np.vecdot(rows, against))[alive])
            squares.append(block.squares[:written][alive])
        low, high = _interval(measure, length, len(query), np.concatenate(rough), np.concatenate(squares))
    return Bounded(records, low, high)


def _of_sparse(name: str, query: Sparse, blocks: Sequence[Block], at: int) -> Bounded:
    """These are exact at once."""
    records: list[Record] = []
    far = [np.empty(0)]
    for block in blocks:
        products = block.postings(name).products(query)
        compared = block.alive(at, len(products)) & ~np.isnan(products)
        records += itertools.compress(block.records, compared.tolist())
        far.append(-products[compared])
    exact = np.concatenate(far)
    return Bounded(records, exact, exact)


def _interval(measure: Measure, length: float, n: int, rough: Floats, squares: Doubles) -> tuple[Doubles, Doubles]:
    """From products with the query made one long, or from distances."""
    reach = (n + _SLACK) * _UNIT
    gamma = reach / (1 - reach) if reach < 0.5 else np.inf
    lengths = np.sqrt(squares)
    wild = (lengths < _TAME[0]) | (lengths > _TAME[1])
    lengths[wild] = 1.0
    far = rough.astype(np.float64)
    off: Doubles
    if measure is Measure.MANHATTAN:
        wild |= length > _TAME[1]
        off = 2 * gamma * far + 1e-30
    elif measure is Measure.COSINE:
        far = -far / lengths
        off = np.full(len(far), gamma)
    elif measure is Measure.DOT:
        far = -far
        off = gamma * lengths
    else:
        both = squares + length * length
        off = 2 * gamma * length * lengths + n * 2.0**-50 * both
        far = both - 2 * length * far
    return np.where(wild, -np.inf, far - off), np.where(wild, np.inf, far + off)


def _apart(rows: Floats, query: Floats) -> Floats:
    """The sums of the differences."""
    sums = np.empty(len(rows), np.float32)
    ones = np.ones_like(query)
    space = np.empty((_TOGETHER, len(query)), np.float32)
    for start in range(0, len(rows), _TOGETHER):
        chunk = rows[start : start + _TOGETHER]
        apart = space[: len(chunk)]
        np.subtract(chunk, query, out=apart)
        np.abs(apart, out=apart)
        np.vecdot(apart, ones, out=sums[start : start + len(chunk)])
    return sums
