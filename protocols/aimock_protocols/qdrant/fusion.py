"""One ranking made of several. Source: Qdrant's documentation of hybrid queries; Cormack et al. (2009) for RRF."""

from __future__ import annotations

from collections.abc import Sequence

from aimock_protocols.qdrant.errors import bad_request
from aimock_protocols.qdrant.ids import PointId

RRF_K = 2
"""How far the best rank is from the next ones, where a query does not say."""

Ranking = Sequence[tuple[PointId, float]]
"""Points and their scores, the best first."""


def reciprocal_rank(sources: Sequence[Ranking], k: int = RRF_K, weights: Sequence[float] | None = None) -> Scores:
    """A point has 1 / (k + rank) of each source, the best rank being 0. A source of weight w has its ranks w times as
    close together, so that its points stay near the top for longer."""
    if weights is not None and len(weights) != len(sources):
        raise bad_request(f"RRF weights length ({len(weights)}) does not match number of prefetches ({len(sources)})")
    scores: Scores = {}
    for source, weight in zip(sources, weights or [1.0] * len(sources), strict=True):
        for rank, (point, _) in enumerate(source):
            share = 1 / ((rank + 1) / weight + k - 1) if weight > 0 else 0.0
            scores[point] = scores.get(point, 0.0) + share
    return scores


def distribution_based(sources: Sequence[Ranking]) -> Scores:
    """A point has of each source its score as a part of the way from three standard deviations below the mean to three
    above it; half of it where the scores do not differ."""
    scores: Scores = {}
    for source in sources:
        values = [score for _, score in source]
        mean = sum(values) / max(len(values), 1)
        deviation = (sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)) ** 0.5
        for point, score in source:
            share = (score - mean + 3 * deviation) / (6 * deviation) if deviation else 0.5
            scores[point] = scores.get(point, 0.0) + share
    return scores


Scores = dict[PointId, float]
