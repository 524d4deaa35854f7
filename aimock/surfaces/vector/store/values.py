"""What the store is told and tells: records with their vectors, and hits.

Vectors are made by `dense`, `sparse` and `multi`, which take what JSON has and check it: numbers that float32 has, and
is finite. They are kept as float32, as the real services keep them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import numpy as np
import numpy.typing as npt

from aimock.surfaces.vector.store.errors import VectorError

Id = str | int
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint32]
Doubles = npt.NDArray[np.float64]

_LAST_INDEX = 2**32 - 1


class Measure(enum.Enum):
    COSINE = "cosine"
    """0 if either vector is zero."""
    DOT = "dot"
    SQUARED_EUCLIDEAN = "squared_euclidean"
    MANHATTAN = "manhattan"

    @property
    def is_distance(self) -> bool:
        """The smaller the nearer."""
        return self in (Measure.SQUARED_EUCLIDEAN, Measure.MANHATTAN)


class Form(enum.Enum):
    DENSE = "dense"
    SPARSE = "sparse"
    MULTI = "multi"
    """Several dense vectors in one (Qdrant's multivectors)."""


@attrs.frozen
class Field:
    """What the vectors of one name in a collection are like."""

    measure: Measure
    dimension: int | None = None
    """None: the first vector's. Sparse vectors have none."""
    form: Form = Form.DENSE


@attrs.frozen(eq=False)
class Sparse:
    """Index by index in ascending order, each once."""

    indices: Indices
    values: Floats

    @property
    def nbytes(self) -> int:
        return self.indices.nbytes + self.values.nbytes


Vector = Floats | Sparse
"""Of one dimension: dense. Of two: several, each a row."""


@attrs.frozen(eq=False)
class Record:
    id: Id
    vectors: Mapping[str, Vector]
    """By field; "" is the one of a collection that has but one, or its unnamed one."""
    metadata: Mapping[str, Any] | None = None
    """JSON: Pinecone's metadata, Qdrant's payload, Chroma's metadata. Never changed in place."""
    document: str | None = None
    uri: str | None = None
    version: int = 0
    """The operation on its collection that wrote it. The store sets it, and what follows."""
    place: int = 0
    """In the order of insertion."""
    size: int = 0
    """About how many bytes it takes."""


class Hit(NamedTuple):
    record: Record
    score: float
    """By the field's measure, as it is."""


def dense(values: Sequence[float] | npt.NDArray[Any]) -> Floats:
    """Raises VectorError for what is no list of numbers that float32 has."""
    vector = _floats(values)
    if vector.ndim != 1:
        raise VectorError("a vector is a list of numbers")
    return vector


def multi(rows: Sequence[Sequence[float]] | npt.NDArray[Any]) -> Floats:
    """Raises VectorError for what is no list of vectors of one dimension."""
    vectors = _floats(rows)
    if vectors.ndim != 2:
        raise VectorError("a multivector is a list of at least one vector, all of one dimension")
    return vectors


def sparse(indices: Sequence[int], values: Sequence[float]) -> Sparse:
    """Raises VectorError for lists of unequal length, and indices that are not unsigned 32 bits or come twice."""
    if len(indices) != len(values):
        raise VectorError(f"a sparse vector has {len(indices)} indices and {len(values)} values")
    for index in indices:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index <= _LAST_INDEX:
            raise VectorError(f"the index {index!r} of a sparse vector is no number of 32 bits")
    numbers = np.asarray(indices, np.uint32)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise VectorError("an index comes twice in a sparse vector")
    return Sparse(ordered, np.ascontiguousarray(dense(values)[order]))


def _floats(values: Any) -> Floats:
    try:
        raw = np.asarray(values)
        if raw.dtype.kind not in "fiu" and raw.size:
            raise VectorError("a vector has something in it that is no number")
        with np.errstate(over="ignore"):
            floats = np.ascontiguousarray(raw, np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise VectorError("a vector has something in it that is no number, or rows of unequal length") from error
    if not np.isfinite(floats).all():
        raise VectorError("a vector has a number in it that is not finite as a float of 32 bits")
    return floats
