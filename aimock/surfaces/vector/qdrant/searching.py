"""Queries, answered from snapshots: what is asked for is worked out as a whole, in a thread if it is much."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import attrs
import numpy as np

from aimock.surfaces.vector.qdrant import scoring
from aimock.surfaces.vector.qdrant.fields import fitting, vector_of
from aimock.surfaces.vector.qdrant.ordering import in_order
from aimock.surfaces.vector.qdrant.scoring import Candidates
from aimock.surfaces.vector.qdrant.target import Target
from aimock.surfaces.vector.store import Field, Record, Snapshot, Sparse, Vector, sparse
from aimock_protocols.qdrant import bm25
from aimock_protocols.qdrant.collections import modifier
from aimock_protocols.qdrant.errors import bad_request, no_point, no_vector_name, not_found
from aimock_protocols.qdrant.filters import EVERYTHING, Filter, none_of
from aimock_protocols.qdrant.formula import Formula
from aimock_protocols.qdrant.fusion import distribution_based, reciprocal_rank
from aimock_protocols.qdrant.ids import PointId, order
from aimock_protocols.qdrant.paths import items, parsed
from aimock_protocols.qdrant.queries import (
    Discover,
    Feedback,
    Fusion,
    Matrix,
    Nearest,
    OrderBy,
    Recommend,
    Sample,
    Search,
    TextQuery,
    VectorQuery,
)
from aimock_protocols.qdrant.tokens import of_index
from aimock_protocols.qdrant.vectors import UNNAMED, Input


class Found(NamedTuple):
    """A result."""

    record: Record
    score: float
    order_value: float | None = None


@attrs.frozen(eq=False)
class View:
    """A collection as it was when the request came."""

    target: Target
    snapshot: Snapshot
    fields: Mapping[str, Field]

    @classmethod
    def of(cls, target: Target) -> View:
        return cls(target, target.points.snapshot(), dict(target.collection.fields))

    @property
    def name(self) -> str:
        return self.target.collection.name


@attrs.frozen(eq=False)
class Searcher:
    """Answers queries of one collection. Methods raise WireError."""

    view: View
    others: Mapping[str, View]
    """Collections that queries look points up in, by the names that they use."""
    chance: random.Random

    def results(self, search: Search) -> list[Found]:
        mentioned = none_of(frozenset(search.mentioned(self.view.name)))
        found = self._ranked(search, mentioned.and_(search.filter), search.limit + search.offset)
        offset = 0 if isinstance(search.query, Sample) and not search.prefetch else search.offset
        return found[offset : offset + search.limit]

    def matrix(self, asked: Matrix) -> list[tuple[PointId, list[Found]]]:
        """Each of a sample of points, with those of the sample nearest to it."""
        using = asked.using or UNNAMED
        self._field(using)
        having = [record for record in self.view.snapshot.matching(asked.filter) if using in record.vectors]
        sample = sorted(self.chance.sample(having, min(asked.sample, len(having))), key=lambda each: order(each.id))
        ids = frozenset(record.id for record in sample)
        if len(ids) < 2:
            return []
        return [
            (each.id, self._nearest(using, each.vectors[using], EVERYTHING, ids - {each.id}, asked.limit))
            for each in sample
        ]

    # -- prefetches ------------------------------------------------------------------------------------------------

    def _ranked(self, search: Search, where: Filter, limit: int) -> list[Found]:
        """The best of a query; filters are handed down to its prefetches, and hold there."""
        if not search.prefetch:
            return self._queried(search, where, None, limit)
        sources = [self._ranked(each, where.and_(each.filter), each.limit) for each in search.prefetch]
        records = {found.record.id: found.record for source in sources for found in source}
        rankings = [[(found.record.id, found.score) for found in source] for source in sources]
        if isinstance(search.query, Fusion):
            fused = (
                distribution_based(rankings)
                if search.query.k is None
                else reciprocal_rank(rankings, search.query.k, search.query.weights)
            )
        elif isinstance(search.query, Formula):
            scores = [*map(dict, rankings)]
            fused = {id: search.query.score(record, scores) for id, record in records.items()}
        else:
            return self._queried(search, EVERYTHING, records.keys(), limit)
        threshold = search.score_threshold
        merged = [Found(records[id], score) for id, score in fused.items() if threshold is None or score >= threshold]
        return _best(merged, limit)

    def _queried(self, search: Search, where: Filter, ids: Set[PointId] | None, limit: int) -> list[Found]:
        """The best of a query without prefetches; `ids`: of these points only."""
        query = search.query
        if isinstance(query, VectorQuery):
            found = self._by_vectors(search, query, where, ids, limit)
        elif isinstance(query, TextQuery):
            found = [each for each in self._by_words(search, query, where, ids) if _passes(each.score, search)][:limit]
        else:
            records = self.view.snapshot.matching(where, ids)
            if isinstance(query, OrderBy):
                ordered = in_order(self.view.target, records, query)
                found = [Found(record, 1.0, value) for value, record in ordered]
            elif isinstance(query, Sample):
                found = [Found(record, 1.0) for record in self.chance.sample(records, min(limit, len(records)))]
            else:
                found = [Found(record, 1.0) for record in sorted(records, key=lambda each: order(each.id))]
        return found[:limit]

    # -- by words --------------------------------------------------------------------------------------------------

    def _by_words(self, search: Search, query: TextQuery, where: Filter, ids: Set[PointId] | None) -> list[Found]:
        name = search.using
        steps = parsed(name) if name else None
        if name is None or steps is None:
            raise bad_request("A text query needs `using` to name the payload field to search")
        params = (self.view.target.settings.get("payload_schema") or {}).get(name, {})
        if params.get("type") != "text" or not params.get("scoring"):
            raise bad_request(f"A text query needs a text index with `scoring` on `{name}`")
        tokenizer = of_index(params)
        documents = {
            record.id: words
            for record in self.view.snapshot.matching(search.idf_corpus)
            if (
                words := [
                    word
                    for value in items(record.metadata or {}, steps)
                    if isinstance(value, str)
                    for word in tokenizer.of_document(value)
                ]
            )
        }
        scores = bm25.scores(documents, tokenizer.of_query(query.words), query.k1, query.b)
        records = self.view.snapshot.matching(where, ids)
        return _best([Found(each, scores[each.id]) for each in records if each.id in scores], len(records))

    # -- by vectors ------------------------------------------------------------------------------------------------

    def _by_vectors(
        self, search: Search, query: VectorQuery, where: Filter, ids: Set[PointId] | None, limit: int
    ) -> list[Found]:
        using = search.using or UNNAMED
        field = self._field(using)

        def vector(of: Input) -> Vector:
            return self._weighted(search, using, self._vector(search, using, of))

        if isinstance(query, Nearest) and query.diversity is not None:
            return self._diverse(search, query, vector(query.to), where, ids, limit)
        if isinstance(query, Nearest):
            return self._nearest(using, vector(query.to), where, ids, limit, search)
        if isinstance(query, Recommend) and query.strategy == "average_vector":
            to = scoring.average([*map(vector, query.positive)], [*map(vector, query.negative)], field.form)
            return self._nearest(using, to, where, ids, limit, search)
        records = [each for each in self.view.snapshot.matching(where, ids) if using in each.vectors]
        among = Candidates(self.view.snapshot, using, field, records)
        if isinstance(query, Recommend):
            judge = scoring.best if query.strategy == "best_score" else scoring.summed
            scores = judge(among, [*map(vector, query.positive)], [*map(vector, query.negative)])
        elif isinstance(query, Feedback):
            examples_judged = [(vector(each), score) for each, score in query.judged]
            scores = scoring.judged(among, vector(query.target), examples_judged, query.a, query.b, query.c)
        else:
            assert isinstance(query, Discover)
            pairs = [(vector(one), vector(two)) for one, two in query.pairs]
            scores = (
                scoring.in_context(among, pairs)
                if query.target is None
                else scoring.discovered(among, vector(query.target), pairs)
            )
        found = [Found(*each) for each in zip(records, scores.tolist(), strict=True)]
        return _best([each for each in found if _passes(each.score, search)], limit)

    def _nearest(
        self,
        using: str,
        vector: Vector,
        where: Filter,
        ids: Set[PointId] | None,
        limit: int,
        search: Search | None = None,
    ) -> list[Found]:
        measure = self.view.fields[using].measure
        hits = self.view.snapshot.nearest(
            using,
            vector,
            limit,
            where=None if where == EVERYTHING else where,
            ids=ids,
            ties=lambda record: order(record.id),
        )
        found = [Found(record, scoring.told_score(measure, score)) for record, score in hits]
        return [each for each in found if search is None or _passes(each.score, search, measure.is_distance)]

    def _diverse(
        self, search: Search, query: Nearest, to: Vector, where: Filter, ids: Set[PointId] | None, limit: int
    ) -> list[Found]:
        using = search.using or UNNAMED
        found = self._nearest(using, to, where, ids, query.candidates or search.limit, search)
        records = [each.record for each in found]
        among = Candidates(self.view.snapshot, using, self.view.fields[using], records)
        chosen = scoring.diverse(
            among.similarities(to),
            lambda one: among.similarities(records[one].vectors[using]),
            query.diversity or 0.0,
            limit,
        )
        return [found[each] for each in chosen]

    def _field(self, using: str) -> Field:
        field = self.view.fields.get(using)
        if field is None:
            raise no_vector_name(using)
        return field

    def _vector(self, search: Search, using: str, of: Input) -> Vector:
        """The vector that is meant: itself, or a point's, perhaps in another collection."""
        if not isinstance(of, int | str):
            return vector_of(using, of, self.view.fields)
        view = self.view if search.lookup is None else self.others[search.lookup.collection]
        name = using if search.lookup is None or search.lookup.vector is None else search.lookup.vector
        record = view.snapshot.get(of)
        if record is None:
            raise no_point(of)
        if name not in record.vectors:
            raise not_found(f'Vector with name "{name}" for point {of}')
        return fitting(using, record.vectors[name], self.view.fields[using])

    def _weighted(self, search: Search, using: str, vector: Vector) -> Vector:
        """A sparse vector whose indices count the more the rarer they are, where its field wants that."""
        if not isinstance(vector, Sparse) or modifier(self.view.target.settings, using) != "idf":
            return vector
        corpus = [
            each.vectors[using] for each in self.view.snapshot.matching(search.idf_corpus) if using in each.vectors
        ]
        indices = np.concatenate([each.indices for each in corpus if isinstance(each, Sparse)] or [vector.indices[:0]])
        known, counts = np.unique(indices, return_counts=True)
        having = dict(zip(known.tolist(), counts.tolist(), strict=True))
        pairs = zip(vector.indices.tolist(), vector.values.tolist(), strict=True)
        weights = [value * bm25.idf(having.get(index, 0), len(corpus)) for index, value in pairs]
        return sparse(vector.indices.tolist(), weights)


def _best(found: Sequence[Found], limit: int) -> list[Found]:
    return sorted(found, key=lambda each: (-each.score, order(each.record.id)))[:limit]


def _passes(score: float, search: Search, is_distance: bool = False) -> bool:
    """Whether it is better than the threshold: one that is equal to it is not."""
    threshold = search.score_threshold
    if threshold is None:
        return True
    with np.errstate(over="ignore"):
        told, least = np.float32(score), np.float32(threshold)
    return bool(told < least if is_distance else told > least)
