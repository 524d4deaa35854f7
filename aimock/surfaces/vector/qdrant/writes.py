"""Operations that change points, done to a collection.

An operation is checked as a whole before it changes anything. One that names points which are not there is done to the
others all the same, and then refused, as the server does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from aimock.surfaces.vector.qdrant.fields import stored
from aimock.surfaces.vector.qdrant.target import Target
from aimock.surfaces.vector.store import Full, Record, Vector, VectorError
from aimock_protocols.canonical import ErrorReply, WireError
from aimock_protocols.qdrant.errors import bad_request, no_point, no_vector_name, wrong_input
from aimock_protocols.qdrant.ids import PointId
from aimock_protocols.qdrant.operations import (
    ClearPayload,
    Delete,
    DeletePayload,
    DeleteVectors,
    Operation,
    OverwritePayload,
    Selection,
    SetPayload,
    UpdateVectors,
    Upsert,
)
from aimock_protocols.qdrant.paths import assigned, without
from aimock_protocols.qdrant.vectors import Vectors

Payload = Mapping[str, Any]


def prepared(target: Target, operation: Operation) -> Callable[[], None]:
    """What does the operation; its vectors are checked already. Raises WireError, as what is given back does."""
    if isinstance(operation, Upsert):
        return _upsert(target, operation)
    if isinstance(operation, UpdateVectors):
        return _update_vectors(target, operation)
    return lambda: _ON_SELECTIONS[type(operation)](target, operation)


# -- whole points ------------------------------------------------------------------------------------------------------


def _upsert(target: Target, operation: Upsert) -> Callable[[], None]:
    coming = [Record(point.id, _arrays(target, point.vectors), metadata=point.payload) for point in operation.points]

    def run() -> None:
        put: dict[PointId, Record] = {}
        for record in coming:
            before = put.get(record.id) or target.points.get(record.id)
            if operation.mode == ("update_only" if before is None else "insert_only"):
                continue
            if before is None or operation.where is None or operation.where(before):
                put[record.id] = record
        _put(target, put.values())

    return run


def _delete(target: Target, operation: Delete) -> None:
    if isinstance(operation.points, list):
        _refuse_none(operation.points)
        target.points.delete(operation.points)
    else:
        target.points.delete([record.id for record in target.points if operation.points(record)])


# -- payloads ----------------------------------------------------------------------------------------------------------


def _set_payload(target: Target, operation: SetPayload) -> None:
    _change_payloads(target, operation.points, lambda before: assigned(before, operation.at, operation.payload))


def _overwrite_payload(target: Target, operation: OverwritePayload) -> None:
    _change_payloads(target, operation.points, lambda before: operation.payload)


def _delete_payload(target: Target, operation: DeletePayload) -> None:
    def less(payload: Payload) -> Payload:
        for key in operation.keys:
            payload = without(payload, key)
        return payload

    _change_payloads(target, operation.points, less)


def _clear_payload(target: Target, operation: ClearPayload) -> None:
    _change_payloads(target, operation.points, lambda before: {})


def _change_payloads(target: Target, points: Selection, change: Callable[[Payload], Payload]) -> None:
    _change(target, points, lambda record: attrs.evolve(record, metadata=change(record.metadata or {})))


# -- vectors -----------------------------------------------------------------------------------------------------------


def _update_vectors(target: Target, operation: UpdateVectors) -> Callable[[], None]:
    told = [(point, _arrays(target, vectors)) for point, vectors in operation.points]

    def run() -> None:
        put: dict[PointId, Record] = {}
        for point, vectors in told:
            before = put.get(point) or target.points.get(point)
            if before is not None and (operation.where is None or operation.where(before)):
                put[point] = attrs.evolve(before, vectors={**before.vectors, **vectors})
        _put(target, put.values())
        _refuse_missing(target, [point for point, _ in told])

    return run


def _delete_vectors(target: Target, operation: DeleteVectors) -> None:
    gone = frozenset(operation.names)
    for name in operation.names:
        if name not in target.collection.fields:
            raise no_vector_name(name)

    def less(record: Record) -> Record:
        return attrs.evolve(record, vectors={name: item for name, item in record.vectors.items() if name not in gone})

    _change(target, operation.points, less)


def _arrays(target: Target, vectors: Vectors) -> dict[str, Vector]:
    return {name: stored(name, vector, target.collection.fields) for name, vector in vectors.items()}


_ON_SELECTIONS: Mapping[type[Operation], Callable[[Target, Any], None]] = {
    Delete: _delete,
    SetPayload: _set_payload,
    OverwritePayload: _overwrite_payload,
    DeletePayload: _delete_payload,
    ClearPayload: _clear_payload,
    DeleteVectors: _delete_vectors,
}

# -- what they share ---------------------------------------------------------------------------------------------------


def _change(target: Target, points: Selection, change: Callable[[Record], Record]) -> None:
    if not isinstance(points, list):
        _put(target, [change(record) for record in target.points if points(record)])
        return
    _refuse_none(points)
    records = (target.points.get(point) for point in dict.fromkeys(points))
    _put(target, [change(record) for record in records if record is not None])
    _refuse_missing(target, points)


def _put(target: Target, records: Iterable[Record]) -> None:
    try:
        target.points.put(records)
    except VectorError as error:
        raise wrong_input(str(error)) from error
    except Full as error:
        raise WireError(ErrorReply(f"Service internal error: {error}", status=500)) from error


def _refuse_none(points: list[PointId]) -> None:
    if not points:
        raise bad_request("Empty update request")


def _refuse_missing(target: Target, points: Iterable[PointId]) -> None:
    for point in points:
        if point not in target.points:
            raise no_point(point)
