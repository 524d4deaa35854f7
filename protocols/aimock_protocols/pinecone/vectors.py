"""The data plane's vectors: what requests ask for, and what a record looks like in an answer.

A record's numbers come as plain lists, and go back as whatever sequence the caller has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.json_bodies import dumped
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import Predicate, compiled
from aimock_protocols.pinecone.namespaces import valid_namespace
from aimock_protocols.pinecone.reading import (
    fields_of,
    flag,
    floats,
    listed,
    member,
    required,
    shown,
    text,
    within,
)

MAX_BATCH = 1000
"""Vectors of an upsert, and ids of a fetch or delete."""
MAX_BYTES = 2 * 1024 * 1024
"""Of an upsert, as gRPC would encode it: four bytes a number."""
MAX_METADATA = 40 * 1024
"""Bytes of JSON of one record's metadata."""
MAX_ID = 512
MAX_TOP_K = 10_000
MAX_SPARSE = 2048
MAX_DIMENSION = 20_000

_LARGEST_INDEX = 2**32 - 1
_SHOWN_BYTES = 16
"""Of metadata that are refused."""
_TINY = 1e-8
"""A vector whose values are all smaller is taken for zeros."""


class SparseValues(NamedTuple):
    indices: list[int]
    values: list[float]


@attrs.frozen(eq=False)
class Shape:
    """What vectors an index takes."""

    dimension: int | None
    """Of its dense ones; None: it has none; 0: that of the first."""
    has_sparse: bool
    """Whether it takes sparse ones: alone, or beside the dense ones."""

    @property
    def is_sparse(self) -> bool:
        """Whether it takes sparse ones alone."""
        return self.dimension is None


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


def check_dense(values: Sequence[float], shape: Shape, record_id: str) -> None:
    """That a record may have these values. Raises WireError."""
    if shape.is_sparse and values:
        raise refusal("Cannot upsert dense values to a sparse index")
    check_dimension(values, shape, "Vector")
    if values and not any(abs(value) >= _TINY for value in values):
        told = f"Vector ID '{record_id}' contains only zeros"
        raise refusal(f"Dense vectors must contain at least one non-zero value. {told}")


def check_dimension(values: Sequence[float], shape: Shape, what: str) -> None:
    expected = shape.dimension or len(values) or 1
    if not shape.is_sparse and len(values) != expected:
        raise refusal(f"{what} dimension {len(values)} does not match the dimension of the index {expected}")


def check_sparse(sparse: SparseValues | None, shape: Shape) -> None:
    if sparse is not None and not shape.has_sparse:
        raise refusal("Index configuration does not support sparse values")


def sparse_values(value: Any, what: str) -> SparseValues | None:
    """`{"indices": […], "values": […]}`; None if both are empty."""
    fields = fields_of(value, what)
    return paired(fields.get("indices"), fields.get("values"), what)


def paired(indices: Any, values: Any, what: str) -> SparseValues | None:
    """Sparse values of two arrays."""
    if not indices and not values:
        return None
    places, numbers = listed(indices, f"{what}.indices"), floats(values, f"{what}.values")
    if len(places) != len(numbers):
        raise refusal(f"{what}: sparse values and indices must have the same length")
    if len(places) > MAX_SPARSE:
        raise refusal(f"{what}: at most {MAX_SPARSE} non-zero values are supported, got {len(places)}")
    if any(type(place) is not int or not 0 <= place <= _LARGEST_INDEX for place in places):
        raise refusal(f"{what}.indices must be integers between 0 and {_LARGEST_INDEX}")
    if len({*places}) != len(places):
        raise refusal(f"{what}.indices must be unique")
    return SparseValues(places, numbers)


def metadata_of(value: Any, what: str) -> dict[str, Any]:
    """A record's metadata: strings, numbers, booleans and lists of strings by their names. What is null is dropped."""
    fields = {key: held for key, held in fields_of(value, what).items() if held is not None}
    for key, held in fields.items():
        check_metadata(key, held)
    size = len(orjson.dumps(fields))
    if size > MAX_METADATA:
        raise refusal(f"metadata size is {size} bytes, which exceeds the limit of {MAX_METADATA} bytes per vector")
    return fields


def check_metadata(key: str, value: Any) -> None:
    """That a field of metadata may have a value. Raises WireError."""
    if key.startswith("$"):
        raise refusal(f"Metadata field names must not start with '$', got {shown(key)}")
    is_texts = type(value) is list and all(type(each) is str for each in value)
    if type(value) not in (str, int, float, bool) and not is_texts:
        expected = "a string, number, boolean or list of strings"
        raise refusal(f"Metadata value must be {expected}, got '{_abridged(value)}' for field '{key}'")


def _abridged(value: Any) -> str:
    written = dumped(value, otherwise=b"...")
    return written.decode() if len(written) <= _SHOWN_BYTES else written[:_SHOWN_BYTES].decode(errors="ignore") + "..."


def valid_id(value: Any, what: str) -> str:
    record_id = text(value, what)
    if not 1 <= len(record_id) <= MAX_ID:
        raise refusal(f"{what} must have between 1 and {MAX_ID} characters, got {len(record_id)}")
    if not record_id.isascii() or "\0" in record_id:
        raise refusal(f"Vector ID must be ASCII, but got '{_safe(record_id)}'")
    return record_id


def valid_prefix(value: str, what: str) -> str:
    if len(value) > MAX_ID or not value.isascii() or "\0" in value:
        raise refusal(f"{what} must be ASCII, of at most {MAX_ID} characters")
    return value


def _safe(value: str) -> str:
    return value[:64].encode("unicode_escape").decode()


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
