"""What a namespace held at one moment, and what of it is nearest to a vector."""

from __future__ import annotations

import heapq
import itertools
import operator
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aimock.surfaces.vector.store.bounds import Bounded, bounded
from aimock.surfaces.vector.store.columns import Block
from aimock.surfaces.vector.store.errors import DimensionError, VectorError
from aimock.surfaces.vector.store.scoring import scores
from aimock.surfaces.vector.store.values import Doubles, Field, Form, Hit, Id, Measure, Record, Sparse, Vector

Where = Callable[[Record], bool]

_FEW = 64
"""Records that are scored without further ado."""
_FILTERED = 500
"""Records that are asked a filter before other threads have their turn: about a millisecond."""
_TURN = 1e-5
"""Seconds that others are given; the system makes more of it."""

_PLACE = operator.attrgetter("place")


class Snapshot:
    """Never changes, and may be read in any thread."""

    def __init__(
        self,
        records: Mapping[Id, Record],
        fields: Mapping[str, Field],
        blocks: Mapping[str, Sequence[Block]],
        at: int,
        size: int,
    ) -> None:
        """`records`: in the order of insertion, of `size` bytes. `blocks`: of each field, as they are after the
        operation `at`."""
        self._records = records
        self._fields = fields
        self._blocks = blocks
        self._at = at
        self._size = size

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
        records: Iterable[Record] = self._records.values()
        if ids is not None:
            found = {id: self._records[id] for id in ids if id in self._records}
            records = sorted(found.values(), key=_PLACE)
        return [*records] if where is None else [*filter(_giving_way(where), records)]

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
        if k is not None and k < 1:
            return []
        if k is not None and ids is None and len(self) > max(_FEW, k) and asked.form is not Form.MULTI:
            blocks = self._blocks.get(field, ())
            records = _contenders(bounded(asked, field, vector, blocks, self._at), k, where)
        else:
            records = [record for record in self.matching(where, ids) if field in record.vectors]
        found = scores(asked, vector, [record.vectors[field] for record in records])
        return _ordered(records, found, asked.measure.is_distance, ties)[:k]

    def cost(self, queries: int = 1, filtered: bool = False) -> float:
        """About how many seconds of one core so many queries of it take. What asks for all is as dear as a filter."""
        price = max((_price(field) for field in self._fields.values()), default=0.0)
        return queries * (1e-4 + self._size / 4 * price + len(self) * (2e-6 if filtered else 2e-7))


def _price(field: Field) -> float:
    """Seconds for each number of the vectors, as measured with a core that reads 15 GB of them a second."""
    if field.form is Form.DENSE:
        return 6e-10 if field.measure is Measure.MANHATTAN else 2.5e-10
    if field.form is Form.SPARSE:
        return 1e-8  # a tenth of that, once their postings are made
    return 4e-8 if field.measure.is_distance else 1e-8  # asked for 32 vectors


def checked(name: str, field: Field, vector: Vector) -> None:
    """Raises DimensionError or VectorError if the vector is not like the field's."""
    form = Form.SPARSE if isinstance(vector, Sparse) else {1: Form.DENSE, 2: Form.MULTI}.get(vector.ndim)
    if form is not field.form:
        raise VectorError(f"expected {field.form.value} vectors{f' of {name!r}' if name else ''}")
    values = vector.values if isinstance(vector, Sparse) else vector
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise VectorError("a vector has a number in it that is not finite as a float of 32 bits")
    if form is not Form.SPARSE:
        if not values.size:
            raise VectorError("a vector has no numbers")
        if field.dimension is not None and values.shape[-1] != field.dimension:
            raise DimensionError(field.dimension, values.shape[-1], name)


def _giving_way(where: Where) -> Where:
    """The filter, that lets other threads have their turn now and then: frames of streams are due meanwhile."""
    turns = itertools.cycle(range(_FILTERED))

    def passes(record: Record) -> bool:
        if next(turns) == _FILTERED - 1:
            time.sleep(_TURN)
        return where(record)

    return passes


def _contenders(candidates: Bounded, k: int, where: Where | None) -> list[Record]:
    """All that may be among the k nearest of those that pass. They are looked at from the likeliest on, so that a
    filter need be asked about few."""
    records, low, high = candidates
    passes = None if where is None else _giving_way(where)
    found: list[Record] = []
    nearest: list[float] = []
    """How far the k nearest are at most, with the sign turned, so that the farthest of them is first."""
    for position in _ascending(low, 2 * k + _FEW):
        if len(nearest) == k and low[position] > -nearest[0]:
            break
        record = records[position]
        if passes is None or passes(record):
            found.append(record)
            (heapq.heappush if len(nearest) < k else heapq.heappushpop)(nearest, -high[position])
    return found


def _ascending(keys: Doubles, first: int) -> Iterator[int]:
    """The positions of the keys in their order, of which but the first will be wanted as a rule."""
    rest: npt.NDArray[np.intp] = np.arange(len(keys))
    while len(rest) > first:
        parted = rest[np.argpartition(keys[rest], first)]
        head, rest = parted[:first], parted[first:]
        yield from head[np.argsort(keys[head])].tolist()
        first *= 4
    yield from rest[np.argsort(keys[rest])].tolist()


def _ordered(
    records: Sequence[Record], found: Doubles, is_distance: bool, ties: Callable[[Record], Any] | None
) -> list[Hit]:
    """The nearest first, less what has no score."""
    far = found if is_distance else -found
    order = np.lexsort((np.fromiter(map(_PLACE, records), np.int64, len(records)), far))
    order = order[~np.isnan(far[order])]
    hits = [
        Hit(records[position], score) for position, score in zip(order.tolist(), found[order].tolist(), strict=True)
    ]
    if ties is not None and len(hits) > 1:
        edges = np.flatnonzero(np.diff(far[order]) != 0) + 1
        for start, end in itertools.pairwise([0, *edges.tolist(), len(hits)]):
            if end - start > 1:
                hits[start:end] = sorted(hits[start:end], key=lambda hit: ties(hit.record))
    return hits
