"""What a namespace held at one moment, and what of it is nearest to a vector."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aimock.surfaces.vector.store.columns import Block
from aimock.surfaces.vector.store.errors import DimensionError, VectorError
from aimock.surfaces.vector.store.scoring import dense_scores, multi_scores, sparse_scores
from aimock.surfaces.vector.store.values import Doubles, Field, Form, Hit, Id, Record, Sparse, Vector

Where = Callable[[Record], bool]

_PLACE = operator.attrgetter("place")


class Snapshot:
    """Never changes, and may be read in any thread."""

    def __init__(
        self, records: Mapping[Id, Record], fields: Mapping[str, Field], blocks: Mapping[str, Sequence[Block]], at: int
    ) -> None:
        """`records`: in the order of insertion. `blocks`: of each field, `at` that operation."""
        self._records = records
        self._fields = fields
        self._blocks = blocks
        self._at = at

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """In the order of insertion."""
        return iter(self._records.values())

    def __contains__(self, id: object) -> bool:
        return id in self._records

    def get(self, id: Id) -> Record | None:
        return self._records.get(id)

    def matching(self, where: Where | None = None, ids: Collection[Id] | None = None) -> list[Record]:
        """In the order of insertion. `ids`: none but these."""
        records = self._of(ids)
        return records if where is None else [record for record in records if where(record)]

    def nearest(
        self,
        field: str,
        vector: Vector,
        k: int | None,
        *,
        where: Where | None = None,
        ids: Collection[Id] | None = None,
        ties: Callable[[Record], Any] | None = None,
    ) -> list[Hit]:
        """The k nearest of all that have the field, or all of them, the nearest first; exactly. Of those equally near
        the one inserted first comes first, or what that key puts first. Of a sparse field only what shares an index
        with the query. Raises DimensionError, VectorError for a query that is not like the field's, KeyError for a
        field that the collection has not."""
        asked = self._fields[field]
        checked(field, asked, vector)
        records = [record for record in self.matching(where, ids) if field in record.vectors]
        scores = _scores(asked, vector, [record.vectors[field] for record in records])
        hits = [Hit(record, score) for record, score in zip(records, scores.tolist(), strict=True) if score == score]
        if ties is not None:
            hits.sort(key=lambda hit: ties(hit.record))
        hits.sort(key=operator.attrgetter("score"), reverse=not asked.measure.is_distance)
        return hits[:k]

    def cost(self, queries: int = 1, filtered: bool = False) -> float:
        """About how many seconds of one core queries of it take."""
        numbers = sum(field.dimension or 100 for field in self._fields.values()) * len(self._records)
        return queries * (numbers * 2e-10 + len(self._records) * (2e-6 if filtered else 2e-7) + 1e-4)

    def _of(self, ids: Collection[Id] | None) -> list[Record]:
        if ids is None:
            return [*self._records.values()]
        found = {id: self._records[id] for id in ids if id in self._records}
        return sorted(found.values(), key=_PLACE)


def checked(name: str, field: Field, vector: Vector) -> None:
    """Raises DimensionError or VectorError if the vector is not like the field's."""
    form = Form.SPARSE if isinstance(vector, Sparse) else {1: Form.DENSE, 2: Form.MULTI}.get(vector.ndim)
    if form is not field.form:
        raise VectorError(f"expected {field.form.value} vectors{f' of {name!r}' if name else ''}")
    values = vector.values if isinstance(vector, Sparse) else vector
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise VectorError("a vector has a number in it that is not finite as a float of 32 bits")
    if form is not Form.SPARSE:
        dimension = values.shape[-1]
        if not values.size:
            raise VectorError("a vector has no numbers")
        if field.dimension is not None and dimension != field.dimension:
            raise DimensionError(field.dimension, dimension, name)


def _scores(field: Field, query: Vector, vectors: Sequence[Any]) -> Doubles:
    if isinstance(query, Sparse):
        return sparse_scores(query, vectors)
    return (multi_scores if field.form is Form.MULTI else dense_scores)(field.measure, query, vectors)
