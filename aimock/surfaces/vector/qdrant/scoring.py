"""How near points are to what a query has: one vector, or examples for and against.

A similarity is the greater the nearer, whatever the measure: distances count negatively here, those of Euclid squared.
Sources: Qdrant's documentation of its recommendation, discovery and relevance feedback queries.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from aimock.surfaces.vector import store
from aimock.surfaces.vector.store import Field, Form, Measure, Record, Snapshot, Sparse, Vector
from aimock_protocols.qdrant import vectors as told
from aimock_protocols.qdrant.vectors import averaged

Scores = npt.NDArray[np.float32]

_EPSILON = np.finfo(np.float32).eps


@attrs.frozen(eq=False)
class Candidates:
    """Points, of which all have the field."""

    snapshot: Snapshot
    name: str
    field: Field
    records: Sequence[Record]

    def similarities(self, vector: Vector) -> Scores:
        """To each of them, in their order; of sparse vectors that share no index it is 0."""
        ids = [record.id for record in self.records]
        hits = self.snapshot.nearest(self.name, vector, None, ids=ids)
        sign = -1.0 if self.field.measure.is_distance else 1.0
        by_id = {hit.record.id: sign * hit.score for hit in hits}
        return np.array([by_id.get(id, 0.0) for id in ids], np.float32)


def told_score(measure: Measure, score: float) -> float:
    """The store's score as it is told: of Euclid the distance, not its square."""
    return float(np.sqrt(score)) if measure is Measure.SQUARED_EUCLIDEAN else score


def average(positive: Sequence[Vector], negative: Sequence[Vector], form: Form) -> Vector:
    """What lies amid the positive examples, and as far away from the negative ones on the other side."""
    if form is Form.SPARSE:
        mean = averaged([*map(_pure, positive)], [*map(_pure, negative)])
        return store.sparse(mean.indices, mean.values)
    if form is Form.MULTI:
        return np.concatenate([*positive, *(-np.asarray(example) for example in negative)])
    amid = _mean(positive)
    return store.dense(2 * amid - _mean(negative) if negative else amid)


def _mean(examples: Sequence[Vector]) -> npt.NDArray[np.float64]:
    return np.asarray(np.mean(np.asarray(examples, np.float64), axis=0))


def _pure(vector: Vector) -> told.Sparse:
    assert isinstance(vector, Sparse)
    return told.Sparse(tuple(vector.indices.tolist()), tuple(vector.values.tolist()))


# -- scores by examples ------------------------------------------------------------------------------------------------


def best(candidates: Candidates, positive: Sequence[Vector], negative: Sequence[Vector]) -> Scores:
    """By the nearest of all examples: if it is a negative one, the nearer the worse."""
    for_, against = (_greatest(candidates, examples) for examples in (positive, negative))
    return np.where(for_ > against, _sigmoid(for_), -_sigmoid(against))


def _greatest(candidates: Candidates, examples: Sequence[Vector]) -> Scores:
    none = np.full(len(candidates.records), -np.inf, np.float32)
    return np.asarray(np.max([none, *map(candidates.similarities, examples)], axis=0), np.float32)


def summed(candidates: Candidates, positive: Sequence[Vector], negative: Sequence[Vector]) -> Scores:
    for_, against = (_sum(candidates, map(candidates.similarities, each)) for each in (positive, negative))
    return for_ - against


def discovered(candidates: Candidates, target: Vector, pairs: Sequence[tuple[Vector, Vector]]) -> Scores:
    """By how many pairs a point is on the right side of, and among those by its nearness to the target."""
    sides = (np.sign(candidates.similarities(one) - candidates.similarities(two)) for one, two in pairs)
    return _sum(candidates, sides) + _sigmoid(candidates.similarities(target))


def in_context(candidates: Candidates, pairs: Sequence[tuple[Vector, Vector]]) -> Scores:
    """0 for a point that is on the right side of all pairs, less for the depth on the wrong side of each."""
    depths = (candidates.similarities(one) - candidates.similarities(two) - _EPSILON for one, two in pairs)
    return _sum(candidates, (_squashed(np.minimum(depth, 0.0)) for depth in depths))


def judged(
    candidates: Candidates, target: Vector, examples: Sequence[tuple[Vector, float]], a: float, b: float, c: float
) -> Scores:
    """Nearness to the target, and to the better of every two examples rather than to the worse."""
    scores = a * candidates.similarities(target)
    near = [(candidates.similarities(example), score) for example, score in examples]
    for (one, good), (two, bad) in itertools.permutations(near, 2):
        if good > bad:
            scores = scores + (good - bad) ** b * c * (one - two)
    return np.asarray(scores, np.float32)


def _sum(candidates: Candidates, parts: Any) -> Scores:
    return np.asarray(sum(parts, np.zeros(len(candidates.records), np.float32)), np.float32)


def _squashed(values: Scores) -> Scores:
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(values), values, values / (1 + np.abs(values)))


def _sigmoid(values: Scores) -> Scores:
    return np.asarray((_squashed(values) + 1) / 2, np.float32)


# -- unlike each other -------------------------------------------------------------------------------------------------


def diverse(relevance: Scores, alike: Callable[[int], Scores], diversity: float, limit: int) -> list[int]:
    """Which to choose, in order: each time what is most relevant, less for its likeness to what has been chosen.
    `alike`: the similarities of one to all. Source: Carbonell and Goldstein (1998), maximal marginal relevance."""
    chosen: list[int] = []
    closest = np.full(len(relevance), -np.inf)
    worth = np.array(relevance, np.float64)
    for _ in range(min(limit, len(relevance))):
        next_one = int(np.argmax(worth))
        chosen.append(next_one)
        closest = np.maximum(closest, alike(next_one))
        worth = (1 - diversity) * relevance - diversity * closest
        worth[chosen] = -np.inf
    return chosen
