"""How answers read: the envelope, and points in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimock.net.exchange import Whole
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.qdrant.fields import told_vectors
from aimock.surfaces.vector.script import Scripted
from aimock.surfaces.vector.store import Collection, Record
from aimock_protocols.qdrant.queries import Shown


def ok(call: Call, result: Any) -> Whole:
    return call.reply(200, {"result": result, "status": "ok", "time": 0.0})


def update_result(call: Call, collection: Collection) -> dict[str, Any]:
    """What is told of a change. It is always done at once, whether or not the client waits for it."""
    waits = call.query.get("wait", ["false"])[-1] == "true"
    return {"operation_id": collection.operations, "status": "completed" if waits else "acknowledged"}


def point(record: Record, shown: Shown, order_value: float | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": record.id}
    payload, vectors = shown.payload(record.metadata or {}), told_vectors(record, shown.vectors)
    if payload is not None:
        told["payload"] = payload
    if vectors is not None:
        told["vector"] = vectors
    if order_value is not None:
        told["order_value"] = order_value
    return told


def scored(record: Record, score: float, shown: Shown, order_value: float | None = None) -> dict[str, Any]:
    """A point with its score, which is written as a float of 32 bits."""
    id_first = point(record, shown, order_value)
    return {"id": record.id, "version": record.version, "score": np.float32(score), **id_first}


def scripted(result: Scripted) -> dict[str, Any]:
    """A result that was told beforehand."""
    told = {"id": result.id, "version": 0, "score": result.score}
    return told if result.metadata is None else {**told, "payload": dict(result.metadata)}
