"""Documents of an index with a schema: reading them and their patches, what is searched by, and the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.pinecone import inference
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import METADATA, Compile, Predicate, compiled
from aimock_protocols.pinecone.pages import Page
from aimock_protocols.pinecone.reading import (
    fields_of,
    filled,
    flag,
    floats,
    listed,
    member,
    required,
    shown,
    text,
    texts,
    within,
)
from aimock_protocols.pinecone.text import TEXT
from aimock_protocols.pinecone.values import (
    MAX_BATCH,
    MAX_BYTES,
    Shape,
    SparseValues,
    check_dense,
    check_metadata,
    sparse_values,
    valid_id,
    valid_prefix,
)

Schema = Mapping[str, Mapping[str, Any]]
"""The fields that an index declares."""

MAX_TEXT = 100 * 1024
"""Bytes of one field that is searched by its words."""
_REMOVED = "_remove_fields"


@attrs.frozen(eq=False)
class Document:
    """A document, or what a patch sets of one."""

    id: str
    dense: Mapping[str, list[float]]
    sparse: Mapping[str, SparseValues]
    held: Mapping[str, Any]
    """Texts and metadata."""
    removed: frozenset[str] = frozenset()

    @property
    def fields(self) -> frozenset[str]:
        """Those that it sets."""
        return frozenset({*self.dense, *self.sparse, *self.held})


def is_searchable(field: Mapping[str, Any] | None) -> bool:
    """Whether a field is one that documents are found by."""
    return field is not None and field.get("type") in ("dense_vector", "sparse_vector", "string")


def text_fields(schema: Schema) -> list[str]:
    """Those that are searched by their words."""
    return [name for name, field in schema.items() if field.get("full_text_search") is not None]


def is_embedded(field: Mapping[str, Any]) -> bool:
    return field.get("embed") is not None or field.get("sparse_embed") is not None


# -- requests ----------------------------------------------------------------------------------------------------------


def read_upsert(body: Any, schema: Schema) -> Sequence[Document]:
    """Raises WireError for what Pinecone refuses."""
    documents = _documents(required(fields_of(body), "documents", listed), schema)
    needed = {name for name, field in schema.items() if field["type"] == "dense_vector" or field.get("embed")}
    for document in documents:
        if not needed <= document.fields:
            missing = ", ".join(sorted(needed - document.fields))
            raise refusal(f"Document '{document.id}' is missing required fields: {missing}")
        if not any(is_searchable(schema.get(name)) for name in document.fields):
            known = ", ".join(schema)
            raise refusal(f"Document '{document.id}' must have at least one of the schema's fields: {known}")
    return documents


def _documents(given: Sequence[Any], schema: Schema) -> Sequence[Document]:
    most = (
        inference.EMBED_MODELS[inference.DENSE_DEFAULT].max_batch
        if any(map(is_embedded, schema.values()))
        else MAX_BATCH
    )
    if not 1 <= len(given) <= most:
        raise refusal(f"documents must have between 1 and {most} elements, got {len(given)}")
    documents = [_document(each, schema, f"documents[{place}]") for place, each in enumerate(given)]
    size = sum(map(_size, documents))
    if size > MAX_BYTES:
        raise refusal(f"Request size {size} bytes exceeds the limit of {MAX_BYTES} bytes", 413)
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            raise refusal(f"Duplicate document '_id' '{document.id}' in the request")
        seen.add(document.id)
    return documents


def _document(value: Any, schema: Schema, where: str) -> Document:
    fields = fields_of(value, where)
    record_id = valid_id(required(fields, "_id", text, f"{where}."), f"{where}._id")
    removed = frozenset(member(fields, _REMOVED, texts, []))
    return _filled(
        {key: each for key, each in fields.items() if key not in ("_id", _REMOVED)}, schema, record_id, removed
    )


def _filled(fields: Mapping[str, Any], schema: Schema, record_id: str, removed: frozenset[str]) -> Document:
    dense, sparse, held = {}, {}, {}
    for name, value in fields.items():
        kind = schema.get(name, {}).get("type")
        if kind == "dense_vector":
            dense[name] = floats(value, name)
            check_dense(dense[name], Shape(schema[name]["dimension"], False), record_id)
        elif kind == "sparse_vector":
            read = sparse_values(value, name)
            if read is None:
                raise refusal(f"{name}: a sparse vector must have at least one value")
            sparse[name] = read
        elif kind == "string":
            held[name] = _searched(value, name, schema[name])
        else:
            check_metadata(name, value)
            if name.startswith("_"):
                raise refusal(f"Field names starting with '_' are reserved, got {shown(name)}")
            held[name] = value
    if removed & fields.keys():
        raise refusal(f"Fields cannot be both set and removed: {', '.join(sorted(removed & fields.keys()))}")
    if removed & {name for name, field in schema.items() if field["type"] == "dense_vector" or field.get("embed")}:
        raise refusal("Required fields cannot be removed")
    return Document(record_id, dense, sparse, held, removed)


def _searched(value: Any, name: str, field: Mapping[str, Any]) -> str:
    written = filled(value, name) if is_embedded(field) else text(value, name)
    if len(written.encode("utf-8", "replace")) > MAX_TEXT:
        raise refusal(f"{name}: a text that is searched may have at most {MAX_TEXT} bytes")
    return written


def _size(document: Document) -> int:
    numbers = sum(map(len, document.dense.values())) + 2 * sum(len(each.indices) for each in document.sparse.values())
    return len(document.id) + 4 * numbers + len(orjson.dumps(document.held))


class Update(NamedTuple):
    """Patches of single documents; or one of all that `where` selects, whose id is empty."""

    patches: Sequence[Document]
    where: Predicate | None


def read_update(body: Any, schema: Schema) -> Update:
    fields = fields_of(body)
    set_fields = member(fields, "set_fields", fields_of, {})
    removed = frozenset(member(fields, "remove_fields", texts, []))
    if fields.get("documents") is not None:
        if fields.get("filter") is not None or set_fields or removed:
            raise refusal("'documents' is mutually exclusive with 'filter', 'set_fields' and 'remove_fields'")
        return Update(_documents(listed(fields["documents"], "documents"), schema), None)
    if fields.get("filter") is None:
        raise refusal("No 'documents' or 'filter' provided in the document update request")
    if not set_fields and not removed:
        raise refusal("An update by 'filter' must have 'set_fields' or 'remove_fields'")
    where = _metadata_filter(fields, schema)
    return Update([_filled(set_fields, schema, "", removed)], where)


class Selection(NamedTuple):
    """Those with these ids, those that a filter selects, or (neither is given) all."""

    ids: Sequence[str] | None
    where: Predicate | None


def read_delete(body: Any, schema: Schema) -> Selection:
    fields = fields_of(body)
    deletes_all = member(fields, "delete_all", flag, False)
    ids = _ids(fields)
    if (ids is not None) + (fields.get("filter") is not None) + deletes_all != 1:
        raise refusal("Exactly one of 'ids', 'filter' and 'delete_all' must be provided in the document delete request")
    return Selection(ids, None if fields.get("filter") is None else _metadata_filter(fields, schema))


class Fetch(NamedTuple):
    ids: Sequence[str] | None
    where: Predicate | None
    shown: Sequence[str] | None
    """Fields; None: all."""
    limit: int
    token: Any


def read_fetch(body: Any, schema: Schema) -> Fetch:
    fields = fields_of(body)
    ids = _ids(fields)
    if (ids is None) == (fields.get("filter") is None):
        raise refusal("Exactly one of 'ids' and 'filter' must be provided in the document fetch request")
    if ids is not None and fields.get("pagination_token") is not None:
        raise refusal("'pagination_token' is only valid together with 'filter'")
    where = None if ids is not None else _filter(fields, schema)
    asked = included(fields, schema) or None
    limit = member(fields, "limit", within(1, 10_000), 100)
    return Fetch(ids, where, asked, limit, fields.get("pagination_token") or None)


class Listing(NamedTuple):
    prefix: str
    limit: int
    token: Any


def read_list(body: Any) -> Listing:
    fields = fields_of(body)
    prefix = valid_prefix(member(fields, "prefix", text, ""), "prefix")
    return Listing(prefix, member(fields, "limit", within(1, 100), 100), fields.get("pagination_token") or None)


def _ids(fields: Mapping[str, Any]) -> list[str] | None:
    ids = member(fields, "ids", listed, None) or None
    if ids is not None and len(ids) > MAX_BATCH:
        raise refusal(f"Number of ids ({len(ids)}) exceeds the maximum limit of {MAX_BATCH} ids per request")
    return None if ids is None else [valid_id(each, "ids") for each in ids]


def _filter(fields: Mapping[str, Any], schema: Schema) -> Predicate:
    """A filter that must select something: on metadata, and on the words of texts."""
    where = compiled(fields["filter"], lambda name: operators(schema.get(name)))
    if where is None:
        raise refusal("The 'filter' field must be a non-empty object of filter predicates")
    return where


def _metadata_filter(fields: Mapping[str, Any], schema: Schema) -> Predicate:
    """The same on metadata alone."""

    def of(name: str) -> Mapping[str, Compile]:
        if is_searchable(schema.get(name)):
            raise refusal(f"Field '{name}' is searched, and documents are selected here on metadata alone")
        return METADATA

    where = compiled(fields["filter"], of)
    if where is None:
        raise refusal("The 'filter' field must be a non-empty object of filter predicates")
    return where


def operators(field: Mapping[str, Any] | None) -> Mapping[str, Compile]:
    """What a field takes in filters: one that is searched by its words those of words, metadata all others."""
    if not is_searchable(field):
        return METADATA
    return TEXT if field is not None and field.get("full_text_search") and field.get("store_text") is not False else {}


def included(fields: Mapping[str, Any], schema: Schema) -> list[str]:
    """The fields to be shown: `*` is all that are stored."""
    names = member(fields, "include_fields", texts, [])
    for name in names:
        if schema.get(name, {}).get("store_text") is False:
            raise refusal(f"Field '{name}' is declared with store_text: false, and so cannot be returned")
    return names


# -- answers -----------------------------------------------------------------------------------------------------------


def document(record_id: str, fields: Mapping[str, Any], asked: Sequence[str] | None, schema: Schema) -> dict[str, Any]:
    """A document with the fields that are asked for; None or `*`: all that are stored."""
    every = asked is None or "*" in asked
    kept = {key: value for key, value in fields.items() if schema.get(key, {}).get("store_text") is not False}
    return {"_id": record_id, **{key: value for key, value in kept.items() if every or key in (asked or ())}}


def usage(read_units: int = 1, embedded_tokens: int = 0) -> dict[str, int]:
    return {"read_units": read_units} | ({"embed_total_tokens": embedded_tokens} if embedded_tokens else {})


def matches(found: Sequence[tuple[Mapping[str, Any], Any]], namespace: str, embedded_tokens: int) -> dict[str, Any]:
    """The answer to a search: documents with their scores, the best first."""
    told = [{"_id": each["_id"], "_score": score, **each} for each, score in found]
    return {"matches": told, "namespace": namespace, "usage": usage(1, embedded_tokens)}


def fetched(found: Sequence[Mapping[str, Any]], namespace: str, page: Page | None) -> dict[str, Any]:
    pagination = {} if page is None else page.pagination
    return {"documents": {each["_id"]: each for each in found}, "namespace": namespace, "usage": usage(), **pagination}


def listing(page: Page, namespace: str) -> dict[str, Any]:
    documents = [{"_id": key} for key in page.keys]
    return {"documents": documents, "namespace": namespace, "usage": usage(), **page.pagination}
