"""The data plane's vectors: what requests ask for, and what a record looks like in an answer.

A record's numbers come as plain lists, and go back as whatever sequence the caller has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import Predicate, compiled
from aimock_protocols.pinecone.namespaces import valid_namespace
from aimock_protocols.pinecone.reading import fields_of, flag, floats, listed, member, required, text, within
from aimock_protocols.pinecone.values import (
    MAX_BATCH,
    MAX_BYTES,
    MAX_TOP_K,
    Shape,
    SparseValues,
    check_dense,
    check_dimension,
    check_sparse,
    metadata_of,
    sparse_values,
    valid_id,
    valid_prefix,
)


@attrs.frozen(eq=False)
class Vector:
    id: str
    values: list[float]
    sparse: SparseValues | None
    metadata: Mapping[str, Any] | None


@attrs.frozen(eq=False)
class Query:
    top_k: int
    values: list[float] | None
    sparse: SparseValues | None
    id: str | None
    filter: Any
    """As it was sent."""
    where: Predicate | None
    includes_values: bool
    includes_metadata: bool


class Selection(NamedTuple):
    """Records of one namespace: those with these ids, those that a filter selects, or (neither is given) all."""

    ids: Sequence[str] | None
    where: Predicate | None


@attrs.frozen(eq=False)
class Update:
    """Of one record if `id` is given, else of all that `where` selects."""

    id: str | None
    where: Predicate | None
    values: list[float] | None
    sparse: SparseValues | None
    metadata: Mapping[str, Any]
    """Set beside what there is."""
    is_dry: bool


class Found(NamedTuple):
    """A record to be shown, without what is not asked for."""

    id: str
    values: Any = ()
    """A sequence of numbers, or what the caller writes as an array; so those of `sparse`, in its members' order."""
    sparse: tuple[Any, Any] | None = None
    metadata: Mapping[str, Any] | None = None


# -- requests ----------------------------------------------------------------------------------------------------------


def namespace_of(body: Any) -> str:
    """The namespace that a body names, as it does; empty if it names none."""
    return valid_namespace(member(fields_of(body), "namespace", text, ""), "namespace")


def namespace_asked(query: Mapping[str, Sequence[str]]) -> str:
    """The same of a query string."""
    return valid_namespace(_last(query, "namespace", ""), "namespace")


def read_upsert(body: Any) -> Sequence[Vector]:
    """Of several with one id the last counts. Raises WireError for what Pinecone refuses of any index."""
    fields = fields_of(body)
    given = required(fields, "vectors", listed)
    if not 1 <= len(given) <= MAX_BATCH:
        raise refusal(f"vectors must have between 1 and {MAX_BATCH} elements, got {len(given)}")
    vectors = [_vector(each, f"vectors[{place}]") for place, each in enumerate(given)]
    size = sum(map(_size, vectors))
    if size > MAX_BYTES:
        raise refusal(f"Error, message length too large: found {size} bytes, the limit is: {MAX_BYTES} bytes", 413)
    return vectors


def check_vectors(vectors: Iterable[Vector], shape: Shape) -> None:
    """That an index takes these. Raises WireError."""
    for vector in vectors:
        check_dense(vector.values, shape, vector.id)
        check_sparse(vector.sparse, shape)
        if shape.is_sparse and vector.sparse is None:
            raise refusal(f"Sparse vector is missing for vector ID '{vector.id}'")


def read_query(body: Any, shape: Shape) -> Query:
    fields = fields_of(body)
    values = member(fields, "vector", floats, None)
    sparse = member(fields, "sparseVector", sparse_values, None)
    record_id = member(fields, "id", valid_id, None) or None
    if record_id is not None and (values or sparse is not None):
        raise refusal("Query vector and query ID are mutually exclusive: give one of them")
    if record_id is None and not values and sparse is None:
        raise refusal("Query vector, sparse vector or ID is required")
    if record_id is None:
        if shape.is_sparse and values:
            raise refusal("Cannot query a sparse index with dense values")
        check_dimension(values or [], shape, "Query vector")
        check_sparse(sparse, shape)
    where = compiled(fields.get("filter"))
    return Query(
        required(fields, "topK", within(1, MAX_TOP_K)),
        values or None,
        sparse,
        record_id,
        fields.get("filter"),
        where,
        member(fields, "includeValues", flag, False),
        member(fields, "includeMetadata", flag, False),
    )


def read_fetch(query: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The ids of a query string."""
    return _ids(list(query.get("ids", ())), "ids")


class Listing(NamedTuple):
    prefix: str
    limit: int
    token: str | None


def read_list(query: Mapping[str, Sequence[str]]) -> Listing:
    """Of a query string."""
    limit = within(1, 100)(_last(query, "limit", "100"), "limit")
    token = _last(query, "paginationToken", "") or None
    return Listing(valid_prefix(_last(query, "prefix", ""), "prefix"), limit, token)


class FetchByMetadata(NamedTuple):
    where: Predicate
    limit: int
    token: Any


def read_fetch_by_metadata(body: Any) -> FetchByMetadata:
    fields = fields_of(body)
    where = compiled(fields.get("filter"))
    if where is None:
        raise refusal("Empty filter provided for fetch by metadata request")
    limit = member(fields, "limit", within(1, 10_000), 100)
    return FetchByMetadata(where, limit, fields.get("paginationToken") or None)


def read_delete(body: Any) -> Selection:
    fields = fields_of(body)
    ids = member(fields, "ids", listed, None) or None
    deletes_all = member(fields, "deleteAll", flag, False)
    if deletes_all and ids is not None:
        raise refusal("No explicit IDs allowed when delete_all=true")
    if deletes_all and fields.get("filter"):
        raise refusal("No filter allowed when delete_all=true")
    if deletes_all:
        return Selection(None, None)
    where = _filter_of(fields, "Delete with empty metadata filter is not allowed")
    if where is None and ids is None:
        raise refusal("Invalid request: at least one of ids, deleteAll or filter is required")
    # A filter wins over ids that come with it.
    return Selection(None if where is not None else _ids(ids, "ids"), where)


def read_update(body: Any, shape: Shape) -> Update:
    fields = fields_of(body)
    record_id = member(fields, "id", text, "") or None
    where = _filter_of(fields, "Update with empty metadata filter is not allowed")
    values = member(fields, "values", floats, None) or None
    sparse = member(fields, "sparseValues", sparse_values, None)
    if (record_id is None) == (where is None):
        raise refusal("Exactly one of id or filter must be provided")
    if where is not None and (values is not None or sparse is not None):
        raise refusal("Updates by filter can only set metadata")
    if record_id is not None:
        valid_id(record_id, "id")
    if values is not None:
        check_dense(values, shape, record_id or "")
    check_sparse(sparse, shape)
    metadata = member(fields, "setMetadata", metadata_of, {})
    return Update(record_id, where, values, sparse, metadata, member(fields, "dryRun", flag, False))


def refuse_filtered_stats(body: Any) -> None:
    """Statistics are of whole namespaces: a filter is refused, as serverless indexes do."""
    if fields_of(body).get("filter"):
        raise refusal("Serverless and Starter indexes do not support describing index stats with metadata filtering")


# -- parts of requests -------------------------------------------------------------------------------------------------


def _vector(value: Any, where: str) -> Vector:
    fields = fields_of(value, where)
    record_id = valid_id(required(fields, "id", text, f"{where}."), f"{where}.id")
    values = member(fields, "values", floats, None) or []
    sparse = member(fields, "sparseValues", sparse_values, None)
    return Vector(record_id, values, sparse, member(fields, "metadata", metadata_of, None))


def _size(vector: Vector) -> int:
    """Bytes of a vector as gRPC would encode it, about."""
    sparse = 0 if vector.sparse is None else 8 * len(vector.sparse.indices)
    metadata = 0 if vector.metadata is None else len(orjson.dumps(vector.metadata))
    return len(vector.id) + 4 * len(vector.values) + sparse + metadata


def _ids(value: Any, what: str) -> list[str]:
    ids = listed(value, what)
    if not 1 <= len(ids) <= MAX_BATCH:
        raise refusal(f"{what} must have between 1 and {MAX_BATCH} elements, got {len(ids)}")
    return [valid_id(each, f"{what}[{place}]") for place, each in enumerate(ids)]


def _filter_of(fields: Mapping[str, Any], if_empty: str) -> Predicate | None:
    where = compiled(fields.get("filter"))
    if where is None and fields.get("filter") is not None:
        raise refusal(if_empty)
    return where


def _last(query: Mapping[str, Sequence[str]], key: str, default: str) -> str:
    values = query.get(key)
    return values[-1] if values else default


# -- answers -----------------------------------------------------------------------------------------------------------


def vector(found: Found) -> dict[str, Any]:
    """A record as a fetch has it."""
    shown_as: dict[str, Any] = {"id": found.id, "values": found.values}
    if found.sparse is not None:
        shown_as["sparseValues"] = dict(zip(SparseValues._fields, found.sparse, strict=True))
    if found.metadata is not None:
        shown_as["metadata"] = found.metadata
    return shown_as


def matches(found: Iterable[tuple[Found, Any]], echoed: str, read_units: int) -> dict[str, Any]:
    """The answer to a query."""
    told = [vector(each) | {"score": score} for each, score in found]
    return {"results": [], "matches": told, "namespace": echoed, "usage": {"readUnits": read_units}}


def fetched(found: Iterable[Found], echoed: str, read_units: int) -> dict[str, Any]:
    """The answer to a fetch."""
    by_id = {each.id: vector(each) for each in found}
    return {"vectors": by_id, "namespace": echoed, "usage": {"readUnits": read_units}}


def stats(counts: Mapping[str, int], shape: Shape, metric: str, name_of: Callable[[str], str]) -> dict[str, Any]:
    """The answer to a request for statistics: the records of each namespace, by its name in the store."""
    told: dict[str, Any] = {
        "namespaces": {name_of(name): {"vectorCount": count} for name, count in counts.items()},
        "indexFullness": 0,
        "totalVectorCount": sum(counts.values()),
        "metric": metric,
        "vectorType": "sparse" if shape.is_sparse else "dense",
    }
    return told | {"dimension": shape.dimension} if shape.dimension else told
