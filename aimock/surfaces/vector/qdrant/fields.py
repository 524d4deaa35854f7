"""Qdrant's vectors as the store has them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aimock.surfaces.vector import store
from aimock.surfaces.vector.store import Field, Form, Measure, Record
from aimock_protocols.qdrant import vectors
from aimock_protocols.qdrant.collections import VectorField
from aimock_protocols.qdrant.errors import no_vector_name, wrong_dimension, wrong_input
from aimock_protocols.qdrant.inference import inferred
from aimock_protocols.qdrant.queries import WithVectors
from aimock_protocols.qdrant.vectors import UNNAMED, Dense, Inferred, Multi, refuse_kind

MEASURES: Mapping[str, Measure] = {
    "Cosine": Measure.COSINE,
    "Dot": Measure.DOT,
    "Euclid": Measure.SQUARED_EUCLIDEAN,
    "Manhattan": Measure.MANHATTAN,
}
_DISTANCES = {measure: name for name, measure in MEASURES.items()}

_EPSILON = float(np.finfo(np.float32).eps)
"""What is shorter has no direction."""


def field_of(told: VectorField) -> Field:
    return Field(MEASURES[told.distance], told.size, Form(told.form))


def told_of(field: Field) -> VectorField:
    return VectorField(field.form.value, field.dimension, _DISTANCES[field.measure])


def stored(name: str, told: vectors.Vector, fields: Mapping[str, Field]) -> store.Vector:
    """A vector as points have it: of a cosine field at length 1. Raises WireError."""
    made = vector_of(name, told, fields)
    if isinstance(made, store.Sparse) or fields[name].measure is not Measure.COSINE:
        return made
    lengths = np.linalg.norm(made, axis=-1, keepdims=True)
    np.divide(made, lengths, out=made, where=lengths > _EPSILON)
    return made


def vector_of(name: str, told: vectors.Vector, fields: Mapping[str, Field]) -> store.Vector:
    """A vector that is like its field's. Raises WireError."""
    field = fields.get(name)
    if field is None:
        raise no_vector_name(name)
    if isinstance(told, Inferred):
        told = inferred(told, field.form.value, field.dimension or 0)
    try:
        return fitting(name, _made(told, field), field)
    except store.VectorError as error:
        raise wrong_input(str(error)) from error


def _made(told: vectors.Vector, field: Field) -> store.Vector:
    if isinstance(told, vectors.Sparse):
        return store.sparse(told.indices, told.values)
    if isinstance(told, Multi):
        return store.multi(told.rows)
    assert isinstance(told, Dense)
    return store.multi([told.values]) if field.form is Form.MULTI else store.dense(told.values)


def fitting(name: str, vector: store.Vector, field: Field) -> store.Vector:
    """The vector, if it is like the field's. Raises WireError."""
    if isinstance(vector, store.Sparse) or field.form is Form.SPARSE:
        if not isinstance(vector, store.Sparse) or field.form is not Form.SPARSE:
            raise refuse_kind("sparse")
        return vector
    if (vector.ndim == 2) != (field.form is Form.MULTI):
        raise refuse_kind("multi")
    if not vector.size:
        raise wrong_input(f"Dense vector must not be empty for vector '{name}'")
    if field.dimension is not None and vector.shape[-1] != field.dimension:
        raise wrong_dimension(field.dimension, vector.shape[-1])
    return vector


def told_vectors(record: Record, wanted: WithVectors) -> Any:
    """What of a point's vectors is told; None: nothing. JSON but for numpy's arrays."""
    if wanted is False:
        return None
    names = [*record.vectors] if wanted is True else [name for name in wanted if name in record.vectors]
    if names == [UNNAMED]:
        return _told(record.vectors[UNNAMED])
    return {name: _told(record.vectors[name]) for name in names}


def _told(vector: store.Vector) -> Any:
    if isinstance(vector, store.Sparse):
        return {"indices": vector.indices, "values": vector.values}
    return vector
