"""Sparse vectors by index: who has it, and with what value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aimock.surfaces.vector.store.values import Doubles, Floats, Indices, Sparse


class Postings(NamedTuple):
    """In the order of indices; of one index in that of the vectors."""

    indices: Indices
    owners: npt.NDArray[np.intp]
    values: Floats
    vectors: int
    """How many vectors these are of."""

    @classmethod
    def of(cls, vectors: Sequence[Sparse]) -> Postings:
        if not vectors:
            return cls(np.empty(0, np.uint32), np.empty(0, np.intp), np.empty(0, np.float32), 0)
        indices = np.concatenate([vector.indices for vector in vectors])
        owners = np.repeat(np.arange(len(vectors)), [len(vector.indices) for vector in vectors])
        order = np.argsort(indices, kind="stable")
        values = np.concatenate([vector.values for vector in vectors])
        return cls(indices[order], owners[order], values[order], len(vectors))

    def products(self, query: Sparse) -> Doubles:
        """The dot product of each vector with the query, added up in the order of indices; not a number where they
        have no index in common."""
        first = np.searchsorted(self.indices, query.indices, "left")
        counts = np.searchsorted(self.indices, query.indices, "right") - first
        ends = np.cumsum(counts)
        found = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + counts, counts)
        owners = self.owners[found]
        terms = self.values[found].astype(np.float64) * np.repeat(query.values, counts)
        shared = np.bincount(owners, minlength=self.vectors)
        return np.where(shared > 0, np.bincount(owners, terms, self.vectors), np.nan)
