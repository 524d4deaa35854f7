"""Records: what calls tell of them and ask for, and what they answer.

A body is read in two steps, as the server does it: its shape (422) before the collection is looked for, and what is in
it (400) after that.
"""

from __future__ import annotations

import base64
import binascii
import math
import string
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import attrs

from aimock_protocols.chroma import reading
from aimock_protocols.chroma.errors import refused, unreadable
from aimock_protocols.chroma.metadata import Metadata, changed_metadata, check_local, check_record, record_metadata

T = TypeVar("T")

DEFAULT_RESULTS = 10

_GET_INCLUDE = ("documents", "metadatas")
_QUERY_INCLUDE = ("documents", "metadatas", "distances")
_INCLUDABLE = ("distances", "documents", "embeddings", "metadatas", "uris")
_READ_LEVELS = ("index_and_wal", "index_only", "index_and_bounded_wal")
_BASE64 = frozenset((string.ascii_letters + string.digits + "+/").encode())


# -- writing -----------------------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """What is told of one record. None: nothing."""

    id: str
    embedding: array[float] | None
    metadata: Metadata | None
    document: str | None
    uri: str | None


@attrs.frozen
class Batch:
    """Records that are to be added or changed, column by column."""

    ids: list[str]
    embeddings: list[Any] | None
    metadatas: list[Metadata | None] | None
    documents: list[str | None] | None
    uris: list[str | None] | None

    def vectors(self) -> list[array[float] | None]:
        """The embeddings. Raises WireError if one is none."""
        return [None if each is None else _decoded(each) for each in self.embeddings or ()]

    def changes(self, vectors: Sequence[array[float] | None]) -> list[Change]:
        """The batch row by row. Raises WireError if it is none, or has what only the cloud keeps."""
        size = len(self.ids)
        columns = (None if self.embeddings is None else vectors, self.metadatas, self.documents, self.uris)
        if any(column is not None and len(column) != size for column in columns):
            raise refused("Inconsistent number of IDs, embeddings, documents, URIs and metadatas")
        if "" in self.ids:
            raise refused("Empty ID, ID must have at least one character")
        for metadata in self.metadatas or ():
            check_local(metadata or {})
        rows = zip(self.ids, *([None] * size if column is None else column for column in columns), strict=True)
        return [Change(*row) for row in rows]

    def check(self, vectors: Iterable[array[float] | None]) -> None:
        """Raises WireError for values that none may have."""
        for vector in vectors:
            if vector is not None and not vector:
                raise refused("Validation error: embeddings: Each embedding must have at least 1 dimension")
            if vector is not None and not math.isfinite(sum(vector)):
                raise refused("Validation error: embeddings: Embeddings must not contain NaN or Infinity values")
        for place, metadata in enumerate(self.metadatas or ()):
            check_record(metadata or {}, place)


def new_batch(value: Any) -> Batch:
    """The body of an add or an upsert. Raises WireError."""
    body = reading.mapping(value, "", "a map")
    ids = reading.required(body, "ids", reading.each(reading.string))
    embeddings = reading.required(body, "embeddings", _embeddings)
    return Batch(ids, embeddings, *_columns(body, record_metadata))


def upserted_batch(value: Any) -> Batch:
    """The same where metadata may be changes of what is there."""
    body = reading.mapping(value, "", "a map")
    ids = reading.required(body, "ids", reading.each(reading.string))
    embeddings = reading.required(body, "embeddings", _embeddings)
    return Batch(ids, embeddings, *_columns(body, changed_metadata))


def changed_batch(value: Any) -> Batch:
    """The body of an update. Raises WireError."""
    body = reading.mapping(value, "", "a map")
    ids = reading.required(body, "ids", reading.each(reading.string))
    raw = body.get("embeddings")
    embeddings = None if raw is None else _embeddings(raw, "embeddings", "UpdateEmbeddingsPayload", {type(None)})
    return Batch(ids, embeddings, *_columns(body, changed_metadata))


def check_dimensions(vectors: Iterable[array[float] | None], dimension: int | None) -> int | None:
    """The dimension of the collection after these, which it takes from the first. Raises WireError."""
    lengths = {len(vector) for vector in vectors if vector is not None}
    if len(lengths) > 1:
        raise refused("Inconsistent dimensions in provided embeddings")
    if dimension is not None and lengths - {dimension}:
        raise refused(f"Collection expecting embedding with dimension of {dimension}, got {min(lengths)}")
    return next(iter(lengths), dimension)


def _columns(
    body: dict[str, Any], metadata: reading.Read[Metadata]
) -> tuple[list[Metadata | None] | None, list[str | None] | None, list[str | None] | None]:
    texts = reading.optional(reading.each(reading.optional(reading.string)))
    metadatas = reading.optional(reading.each(reading.optional(metadata)))
    return (
        metadatas(body.get("metadatas"), "metadatas"),
        texts(body.get("documents"), "documents"),
        texts(body.get("uris"), "uris"),
    )


def _embeddings(value: Any, path: str, variants: str = "EmbeddingsPayload", besides: Iterable[type] = ()) -> list[Any]:
    """Lists of numbers, or texts in base64; never both."""
    kinds = {type(each) for each in value} - {*besides} if isinstance(value, list) else {object}
    if not kinds <= {list} and not kinds <= {str}:
        raise unreadable(f"{path}: data did not match any variant of untagged enum {variants}")
    if kinds == {list} and not all(_are_numbers(each) for each in value if each is not None):
        raise unreadable(f"{path}: data did not match any variant of untagged enum {variants}")
    return value  # type: ignore[no-any-return]


def _are_numbers(values: list[Any]) -> bool:
    return {*map(type, values)} <= {int, float}


def _decoded(embedding: Any) -> array[float]:
    """From numbers, or from base64 of 32-bit floats, the lowest byte first."""
    if isinstance(embedding, list):
        return array("f", embedding)
    raw = _base64(embedding)
    vector = array("f")
    if len(raw) % vector.itemsize:
        raise refused(
            f"Invalid byte length: {len(raw)} bytes cannot be converted to f32 values (must be divisible by 4)"
        )
    vector.frombytes(raw)
    if sys.byteorder == "big":
        vector.byteswap()
    for place, number in enumerate(vector if not math.isfinite(sum(vector)) else ()):
        if not math.isfinite(number):
            shown = "NaN" if number != number else "inf" if number > 0 else "-inf"
            raise refused(f"Non-finite float value at embedding index {place}: {shown}")
    return vector


def _base64(text: str) -> bytes:
    """Raises WireError that says what is wrong with it."""
    encoded = text.encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        digits = len(encoded.rstrip(b"="))
        bad = next((place for place, byte in enumerate(encoded[:digits]) if byte not in _BASE64), None)
        detail = "Invalid padding" if bad is None else f"Invalid symbol {encoded[bad]}, offset {bad}."
        raise refused(f"Invalid base64 string: {detail}") from None


# -- reading -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Filters:
    """Which records a call is for."""

    ids: list[str] | None
    where: Any
    where_document: Any


@attrs.frozen
class Get:
    filters: Filters
    limit: int | None
    offset: int
    include: list[str]


@attrs.frozen
class Query:
    embeddings: list[array[float]]
    filters: Filters
    n_results: int
    include: list[str]


@attrs.frozen
class Delete:
    filters: Filters
    limit: int | None

    def check(self) -> None:
        """Raises WireError."""
        filters = self.filters
        is_filtered = filters.where is not None or filters.where_document is not None
        if self.limit is not None and not is_filtered:
            raise refused("Validation error: limit, where: limit can only be specified when a where clause is provided")
        if filters.ids == [] and not is_filtered:
            raise refused("Validation error: ids, where: Either ids or where must be specified")


def get(value: Any) -> Get:
    """Raises WireError."""
    body = reading.mapping(value, "", "a map")
    limit = reading.optional(reading.count)(body.get("limit"), "limit")
    offset = reading.optional(reading.count)(body.get("offset"), "offset")
    return Get(_filters(body), limit, offset or 0, _include(body, _GET_INCLUDE))


def query(value: Any) -> Query:
    """Raises WireError."""
    body = reading.mapping(value, "", "a map")
    embeddings = reading.required(body, "query_embeddings", reading.each(_vector))
    n_results = reading.optional(reading.count)(body.get("n_results"), "n_results")
    return Query(
        embeddings,
        _filters(body),
        DEFAULT_RESULTS if n_results is None else n_results,
        _include(body, _QUERY_INCLUDE),
    )


def delete(value: Any) -> Delete:
    """Raises WireError."""
    body = reading.mapping(value, "", "a map")
    return Delete(_filters(body), reading.optional(reading.count)(body.get("limit"), "limit"))


def check_search(value: Any) -> None:
    """Raises WireError if a body is not that of a search, which only the cloud answers."""
    reading.required(reading.mapping(value, "", "a map"), "searches", reading.each(reading.mapping))


def check_read_level(query: Mapping[str, list[str]]) -> None:
    """Raises WireError. All levels are one here, for what is written is indexed at once."""
    level = query.get("read_level", [_READ_LEVELS[0]])[-1]
    if level not in _READ_LEVELS:
        known = ", ".join(f"`{each}`" for each in _READ_LEVELS)
        told = f"read_level: unknown variant `{level}`, expected one of {known}"
        raise refused(f"Failed to deserialize query string: {told}")


def _filters(body: dict[str, Any]) -> Filters:
    ids = reading.optional(reading.each(reading.string))(body.get("ids"), "ids")
    return Filters(ids, body.get("where"), body.get("where_document"))


def _include(body: dict[str, Any], default: Sequence[str]) -> list[str]:
    read = reading.each(reading.one_of(*_INCLUDABLE))
    return read(body["include"], "include") if "include" in body else [*default]


def _vector(value: Any, path: str) -> array[float]:
    if not isinstance(value, list):
        raise reading.wrong(value, path, "a sequence")
    if not _are_numbers(value):
        place = next(place for place, each in enumerate(value) if type(each) not in (int, float))
        raise reading.wrong(value[place], f"{path}[{place}]", "f32")
    return array("f", value)


# -- answers -----------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A record as answers show it."""

    id: str
    embedding: Any
    """Something that is written as a list of numbers."""
    metadata: Metadata | None
    document: str | None
    uri: str | None
    distance: float | None = None


def got(rows: Sequence[Row], include: list[str]) -> dict[str, Any]:
    """What `get` answers."""
    columns = {name: _column(rows, read) if name in include else None for name, read in _SHOWN.items()}
    return {"ids": [row.id for row in rows], **columns, "include": include}


def queried(results: Sequence[Sequence[Row]], include: list[str]) -> dict[str, Any]:
    """What `query` answers: the rows of each of its vectors."""
    columns = {
        name: [_column(rows, read) for rows in results] if name in include else None
        for name, read in {**_SHOWN, "distances": _distance}.items()
    }
    return {"ids": [[row.id for row in rows] for rows in results], **columns, "include": include}


def _column(rows: Iterable[Row], read: Callable[[Row], T]) -> list[T]:
    return [read(row) for row in rows]


def _metadata(row: Row) -> Metadata | None:
    """A record with a URI has metadata, if none that is shown: the server keeps the URI there."""
    return row.metadata or (None if row.uri is None else {})


def _distance(row: Row) -> float | None:
    return row.distance


_SHOWN: dict[str, Callable[[Row], Any]] = {
    "embeddings": lambda row: row.embedding,
    "documents": lambda row: row.document,
    "uris": lambda row: row.uri,
    "metadatas": _metadata,
}
