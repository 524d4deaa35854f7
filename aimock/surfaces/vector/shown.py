"""What the control API shows of the store."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from aimock.surfaces.vector.section import METRICS
from aimock.surfaces.vector.store import Collection, Field, Form, Record, Sparse, Store, Vector

_LIMIT = 100
_MOST = 1000
_NAMES = {measure: word for word, measure in reversed([*METRICS.items()])}
PARAMETERS = frozenset({"collection", "namespace", "limit", "offset", "vectors"})


def collections(store: Store, parameters: Mapping[str, str]) -> dict[str, Any]:
    """All collections; or those of a name, and records of theirs. Raises ValueError that names the parameter."""
    if "collection" not in parameters:
        surplus = next(iter(parameters), None)
        if surplus is not None:
            raise ValueError(f"{surplus}: goes with collection only")
        return {"collections": [_collection(each) for each in store]}
    name = parameters["collection"]
    meant = [each for each in store if each.name == name]
    if not meant:
        there = ", ".join(dict.fromkeys(each.name for each in store)) or "none"
        raise ValueError(f"collection: there is no {name!r}; there are: {there}")
    limit, offset = _number(parameters, "limit", _LIMIT, _MOST), _number(parameters, "offset", 0)
    with_vectors = parameters.get("vectors", "false")
    if with_vectors not in ("true", "false"):
        raise ValueError(f"vectors: expected true or false, got {with_vectors!r}")
    wanted = parameters.get("namespace")
    records = (
        {"collection": each.id, "namespace": namespace, **_record(record, with_vectors == "true")}
        for each in meant
        for namespace, held in each.namespaces.items()
        if wanted in (None, namespace)
        for record in held
    )
    shown = [*itertools.islice(records, offset, offset + limit)]
    return {"collections": [_collection(each) for each in meant], "records": shown}


def _number(parameters: Mapping[str, str], name: str, default: int, most: int = 10**12) -> int:
    given = parameters.get(name, str(default))
    if not (given.isascii() and given.isdecimal()) or int(given[:20]) > most:
        raise ValueError(f"{name}: expected a whole number from 0 to {most}, got {given!r}")
    return int(given)


def _collection(collection: Collection) -> dict[str, Any]:
    told: dict[str, Any] = {"name": collection.name, "id": collection.id, "dialects": sorted(collection.dialects)}
    if collection.scope:
        told["scope"] = collection.scope
    fields = {name: _field(field) for name, field in collection.fields.items()}
    told |= fields.pop("", {})
    if fields:
        told["fields"] = fields
    namespaces = {name: len(held) for name, held in collection.namespaces.items()}
    return {**told, "records": len(collection), "namespaces": namespaces, "isScripted": collection.script is not None}


def _field(field: Field) -> dict[str, Any]:
    told = {"dimension": field.dimension, "metric": _NAMES[field.measure]}
    return told if field.form is Form.DENSE else {**told, "form": field.form.value}


def _record(record: Record, with_vectors: bool) -> dict[str, Any]:
    told = {"id": record.id, "metadata": record.metadata, "document": record.document, "uri": record.uri}
    told = {key: value for key, value in told.items() if value is not None}
    if with_vectors:
        told["vectors"] = {name: _vector(vector) for name, vector in record.vectors.items()}
    return told


def _vector(vector: Vector) -> Any:
    if isinstance(vector, Sparse):
        return {"indices": vector.indices.tolist(), "values": vector.values.tolist()}
    return vector.tolist()
