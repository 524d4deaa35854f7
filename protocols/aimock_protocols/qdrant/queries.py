"""What a query asks, understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from aimock_protocols.qdrant.filters import EVERYTHING, Filter
from aimock_protocols.qdrant.formula import Formula
from aimock_protocols.qdrant.ids import PointId
from aimock_protocols.qdrant.paths import Path, Selecting
from aimock_protocols.qdrant.vectors import Input

LIMIT = 10
"""Results, where a query does not say."""

WithVectors = bool | tuple[str, ...]


@attrs.frozen
class Nearest:
    to: Input
    diversity: float | None = None
    """None: plain. Else results are chosen for being unlike each other too (maximal marginal relevance)."""
    candidates: int | None = None
    """Among how many of the nearest; None: as many as are asked for."""

    @property
    def inputs(self) -> Iterator[Input]:
        yield self.to


@attrs.frozen
class Recommend:
    positive: Sequence[Input]
    negative: Sequence[Input]
    strategy: str = "average_vector"

    @property
    def inputs(self) -> Iterator[Input]:
        yield from self.positive
        yield from self.negative


@attrs.frozen
class Discover:
    target: Input | None
    """None: only the context counts."""
    pairs: Sequence[tuple[Input, Input]]
    """Positive, negative."""

    @property
    def inputs(self) -> Iterator[Input]:
        if self.target is not None:
            yield self.target
        for pair in self.pairs:
            yield from pair


@attrs.frozen
class Feedback:
    """Results of another query, judged."""

    target: Input
    judged: Sequence[tuple[Input, float]]
    a: float
    b: float
    c: float

    @property
    def inputs(self) -> Iterator[Input]:
        yield self.target
        for example, _ in self.judged:
            yield example


@attrs.frozen
class OrderBy:
    key: str
    steps: Path
    descending: bool = False
    start_from: float | None = None
    """A number, or Unix time in microseconds."""


@attrs.frozen
class Fusion:
    """Of prefetches, by rank; or by scores, where k is None."""

    k: int | None
    weights: Sequence[float] | None = None


@attrs.frozen
class Sample:
    """At random."""


@attrs.frozen
class TextQuery:
    """By words in a field, which `using` names."""

    words: str
    k1: float
    b: float


VectorQuery = Nearest | Recommend | Discover | Feedback
Query = VectorQuery | OrderBy | Fusion | Sample | Formula | TextQuery


@attrs.frozen
class Lookup:
    """Where the points are that a query names."""

    collection: str
    vector: str | None


@attrs.frozen
class Search:
    """A query, with what it searches in."""

    query: Query | None
    """None: points by their ids."""
    prefetch: Sequence[Search] = ()
    using: str | None = None
    filter: Filter = EVERYTHING
    limit: int = LIMIT
    offset: int = 0
    score_threshold: float | None = None
    lookup: Lookup | None = None
    idf_corpus: Filter | None = None
    """The points by which rare words are told from frequent ones; None: all."""

    def mentioned(self, collection: str) -> Iterator[PointId]:
        """The points of the collection that it names, and its prefetches do: they are no results."""
        if isinstance(self.query, VectorQuery) and (self.lookup is None or self.lookup.collection == collection):
            yield from (each for each in self.query.inputs if isinstance(each, int | str))
        for search in self.prefetch:
            yield from search.mentioned(collection)


@attrs.frozen
class Shown:
    """What is told of each result."""

    payload: Selecting
    vectors: WithVectors


@attrs.frozen
class Grouping:
    by: Path
    size: int
    lookup: str | None
    """A collection whose points are told with the groups that have their ids."""
    lookup_shown: Shown


@attrs.frozen
class Matrix:
    """Of some points to those nearest them among themselves."""

    filter: Filter
    sample: int
    limit: int
    using: str | None
