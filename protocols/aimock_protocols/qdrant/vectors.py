"""Vectors as requests have them: dense, sparse, of several rows, or something that a vector is to be made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aimock_protocols.qdrant.errors import invalid, malformed, shown, wrong_input
from aimock_protocols.qdrant.ids import PointId, point_id
from aimock_protocols.qdrant.reading import Fields, anything, integer, listed, numbers, struct, text

UNNAMED = ""
"""The name of a collection's only vector, where it has none."""

_MOST_INDEX = (1 << 32) - 1


@attrs.frozen(eq=False)
class Dense:
    values: list[float]


@attrs.frozen
class Sparse:
    """Sorted by index."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@attrs.frozen(eq=False)
class Multi:
    """Rows of one length, one at least."""

    rows: list[list[float]]


@attrs.frozen
class Inferred:
    """A text, an image or an object, of which the server's inference would make a vector."""

    kind: str
    content: Any = attrs.field(hash=False)
    model: str


Vector = Dense | Sparse | Multi | Inferred
Vectors = Mapping[str, Vector]
"""A point's, by their names."""
Input = Vector | PointId
"""What a query is near to: a vector, or that of a point."""


def vector(value: Any, place: str) -> Vector:
    """Reads one. Raises WireError."""
    if isinstance(value, dict):
        if "indices" in value or "values" in value:
            return _sparse(value, place)
        for kind in ("text", "image", "object"):
            if kind in value and "model" in value:
                fields = Fields(value, place)
                return Inferred(kind, fields.need(kind, anything), fields.need("model", text))
    elif isinstance(value, list):
        if value and isinstance(value[0], list):
            return _multi(value, place)
        return Dense(numbers(value, place))
    raise malformed(f"{place}: data did not match any variant of untagged enum Vector: {shown(value)}")


def _sparse(value: Any, place: str) -> Sparse:
    fields = Fields(value, place)
    indices, values = fields.need("indices", listed(integer)), fields.need("values", numbers)
    if len(indices) != len(values):
        raise invalid(fields.place("values"), "must be the same length as indices")
    if len(set(indices)) != len(indices):
        raise invalid(fields.place("indices"), "must be unique")
    if indices and not 0 <= min(indices) <= max(indices) <= _MOST_INDEX:
        raise malformed(f"{fields.place('indices')}: invalid value, expected u32")
    pairs = sorted(zip(indices, values, strict=True))
    return Sparse(tuple(index for index, _ in pairs), tuple(value for _, value in pairs))


def _multi(value: Any, place: str) -> Multi:
    rows = listed(numbers)(value, place)
    if not all(rows):
        raise invalid(place, "all vectors must be non-empty")
    if len({len(row) for row in rows}) > 1:
        raise invalid(place, "all vectors must have the same dimension")
    return Multi(rows)


def vectors(value: Any, place: str) -> Vectors:
    """Reads those of a point: one without a name, or an object of them. Raises WireError."""
    if isinstance(value, dict) and not _is_inferred(value):
        return {name: vector(item, f"{place}.{name}") for name, item in value.items()}
    return {UNNAMED: vector(value, place)}


def _is_inferred(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("model"), str) and not {"text", "image", "object"}.isdisjoint(value)


def query_input(value: Any, place: str) -> Input:
    """Reads what a query is near to. Raises WireError."""
    return vector(value, place) if isinstance(value, (dict, list)) else point_id(value, place)


def batch(value: Any, place: str, count: int) -> list[dict[str, Vector]]:
    """Reads the vectors of so many points: a list, or an object of lists. Raises WireError."""
    columns = value if isinstance(value, dict) else {UNNAMED: value}
    points: list[dict[str, Vector]] = [{} for _ in range(count)]
    for name, column in struct(columns, place).items():
        read = listed(vector)(column, f"{place}.{name}" if name else place)
        if len(read) != count:
            raise invalid("batch", f"number of ids and vectors must be equal ({count} != {len(read)})")
        for point, item in zip(points, read, strict=True):
            point[name] = item
    return points


def averaged(positive: list[Sparse], negative: list[Sparse]) -> Sparse:
    """What lies amid the positive examples and away from the negative ones."""
    weights: dict[int, float] = {}
    for examples, factor in ((positive, 2.0 if negative else 1.0), (negative, -1.0)):
        for example in examples:
            for index, value in zip(example.indices, example.values, strict=True):
                weights[index] = weights.get(index, 0.0) + factor * value / len(examples)
    return Sparse(tuple(sorted(weights)), tuple(weights[index] for index in sorted(weights)))


def refuse_kind(expected: str) -> Exception:
    """For a vector of another kind than its field has (`sparse` or `multi`)."""
    return wrong_input(f"Conversion between {expected} and regular vectors failed")
