"""What changes points: operations, as their routes have them one by one and a batch has them in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from aimock_protocols.qdrant.errors import bad_request, invalid, malformed, shown
from aimock_protocols.qdrant.filters import Filter, Filters
from aimock_protocols.qdrant.ids import PointId, ids, point_id
from aimock_protocols.qdrant.paths import Path, path
from aimock_protocols.qdrant.reading import Fields, listed, one_of, struct, text
from aimock_protocols.qdrant.vectors import Vectors, batch, vectors

Selection = Filter | list[PointId]
"""The points that a filter finds, or those named."""


@attrs.frozen(eq=False)
class PointValue:
    """A point to be."""

    id: PointId
    vectors: Vectors
    payload: dict[str, Any]


@attrs.frozen(eq=False)
class Upsert:
    points: Sequence[PointValue]
    where: Filter | None
    """Points that are there already and do not satisfy it stay as they are."""
    mode: str
    """`upsert`, `insert_only` or `update_only`."""


@attrs.frozen(eq=False)
class Delete:
    points: Selection


@attrs.frozen(eq=False)
class SetPayload:
    points: Selection
    payload: dict[str, Any]
    at: Path
    """Where in the payload; empty: at its root."""


@attrs.frozen(eq=False)
class OverwritePayload:
    points: Selection
    payload: dict[str, Any]


@attrs.frozen(eq=False)
class DeletePayload:
    points: Selection
    keys: Sequence[Path]


@attrs.frozen(eq=False)
class ClearPayload:
    points: Selection


@attrs.frozen(eq=False)
class UpdateVectors:
    points: Sequence[tuple[PointId, Vectors]]
    where: Filter | None


@attrs.frozen(eq=False)
class DeleteVectors:
    points: Selection
    names: Sequence[str]


Operation = (
    Upsert | Delete | SetPayload | OverwritePayload | DeletePayload | ClearPayload | UpdateVectors | DeleteVectors
)
Read = Callable[[Filters, Any, str], Operation]
"""Reads an operation. Raises WireError."""


def upsert(filters: Filters, value: Any, place: str = "") -> Upsert:
    fields = Fields(value, place)
    if "points" in fields:
        points = fields.need("points", listed(_point))
    elif "batch" in fields:
        points = _columns(fields.within("batch"))
    else:
        raise malformed(f"data did not match any variant of untagged enum PointInsertOperations: {shown(value)}")
    if not points:
        raise bad_request("Empty update request")
    mode = fields.get("update_mode", one_of("upsert", "insert_only", "update_only"), "upsert")
    return Upsert(points, fields.get("update_filter", filters.filter), mode)


def _point(value: Any, place: str) -> PointValue:
    fields = Fields(value, place)
    return PointValue(fields.need("id", point_id), fields.need("vector", vectors), fields.get("payload", struct, {}))


def _columns(fields: Fields) -> list[PointValue]:
    named = fields.need("ids", ids)
    columns = fields.need("vectors", lambda value, place: batch(value, place, len(named)))
    payloads = fields.get("payloads", listed(lambda value, place: {} if value is None else struct(value, place)))
    if payloads is not None and len(payloads) != len(named):
        raise invalid("batch", f"number of ids and payloads must be equal ({len(named)} != {len(payloads)})")
    return [PointValue(*each) for each in zip(named, columns, payloads or [{}] * len(named), strict=True)]


def delete(filters: Filters, value: Any, place: str = "") -> Delete:
    return Delete(_selection(filters, value, place))


def set_payload(filters: Filters, value: Any, place: str = "") -> SetPayload:
    fields = Fields(value, place)
    return SetPayload(_selection(filters, value, place), fields.need("payload", struct), fields.get("key", path, ()))


def overwrite_payload(filters: Filters, value: Any, place: str = "") -> OverwritePayload:
    """A `key` says nothing here: the whole payload is another."""
    return OverwritePayload(_selection(filters, value, place), Fields(value, place).need("payload", struct))


def delete_payload(filters: Filters, value: Any, place: str = "") -> DeletePayload:
    return DeletePayload(_selection(filters, value, place), Fields(value, place).need("keys", listed(path)))


def clear_payload(filters: Filters, value: Any, place: str = "") -> ClearPayload:
    return ClearPayload(_selection(filters, value, place))


def update_vectors(filters: Filters, value: Any, place: str = "") -> UpdateVectors:
    fields = Fields(value, place)
    points = fields.need("points", listed(_point_vectors))
    if not points:
        raise invalid(fields.place("points"), "must specify points to update")
    return UpdateVectors(points, fields.get("update_filter", filters.filter))


def _point_vectors(value: Any, place: str) -> tuple[PointId, Vectors]:
    fields = Fields(value, place)
    told = fields.need("vector", vectors)
    if not told:
        raise invalid(fields.place("vector"), "must specify vectors to update for point")
    return fields.need("id", point_id), told


def delete_vectors(filters: Filters, value: Any, place: str = "") -> DeleteVectors:
    fields = Fields(value, place)
    names = fields.need("vector", listed(text))
    if not names:
        raise invalid(fields.place("vector"), "must specify vector names to delete")
    return DeleteVectors(_selection(filters, value, place), names)


def _selection(filters: Filters, value: Any, place: str) -> Selection:
    """Points come before a filter, where both are given."""
    fields = Fields(value, place)
    if "points" in fields:
        return fields.need("points", ids)
    if "filter" in fields:
        return fields.need("filter", filters.filter)
    raise malformed("Either list of point ids or filter should be provided")


_BATCHED: Mapping[str, Read] = {
    "upsert": upsert,
    "delete": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}


def operations(filters: Filters, value: Any) -> list[Operation]:
    """Reads a batch: all of it, before anything is done. Raises WireError."""

    def one(told: Any, place: str) -> Operation:
        for name, read in _BATCHED.items():
            if name in struct(told, place):
                return read(filters, told[name], f"{place}.{name}")
        raise malformed(f"{place}: data did not match any variant of untagged enum UpdateOperation: {shown(told)}")

    return Fields(value).need("operations", listed(one))
