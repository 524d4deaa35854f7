"""Documents of an index with a schema: reading them and their patches, what is searched by, and the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.pinecone import inference, lucene
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
    one_of,
    required,
    shown,
    text,
    texts,
    within,
)
from aimock_protocols.pinecone.text import TEXT, tokens_of
from aimock_protocols.pinecone.vectors import (
    MAX_BATCH,
    MAX_BYTES,
    MAX_TOP_K,
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
_MAX_SCORERS = 100
_MAX_QUERY = 10 * 1024
_STANDALONE = ("dense_vector", "sparse_vector", "embed", "sparse_embed")
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
    asked = _included(fields, schema) or None
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


def _included(fields: Mapping[str, Any], schema: Schema) -> list[str]:
    """The fields to be shown: `*` is all that are stored."""
    names = member(fields, "include_fields", texts, [])
    for name in names:
        if schema.get(name, {}).get("store_text") is False:
            raise refusal(f"Field '{name}' is declared with store_text: false, and so cannot be returned")
    return names


# -- searching ---------------------------------------------------------------------------------------------------------


class ByDense(NamedTuple):
    field: str
    values: list[float]


class BySparse(NamedTuple):
    field: str
    values: SparseValues


class ByText(NamedTuple):
    """By the embedding of a text: with the dense model of a field, or with its sparse one."""

    field: str
    query: str
    is_sparse: bool


class ByWords(NamedTuple):
    """By their relevance for any of these."""

    queries: Sequence[lucene.Query]


Scoring = ByDense | BySparse | ByText | ByWords


@attrs.frozen(eq=False)
class Search:
    scoring: Scoring
    top_k: int
    where: Predicate | None
    shown: Sequence[str]
    """Fields; `*`: all."""


def read_search(body: Any, schema: Schema) -> Search:
    fields = fields_of(body)
    clauses = required(fields, "score_by", listed)
    if not 1 <= len(clauses) <= _MAX_SCORERS:
        raise refusal(f"score_by must have between 1 and {_MAX_SCORERS} elements, got {len(clauses)}")
    where = compiled(fields.get("filter"), lambda name: operators(schema.get(name)))
    top_k = required(fields, "top_k", within(1, MAX_TOP_K))
    return Search(_scoring(clauses, schema), top_k, where, _included(fields, schema))


def _scoring(clauses: Sequence[Any], schema: Schema) -> Scoring:
    read = [fields_of(each, f"score_by[{place}]") for place, each in enumerate(clauses)]
    kinds = [required(each, "type", one_of(*_STANDALONE, "text", "query_string"), "score_by.") for each in read]
    if len(kinds) > 1 and any(kind in _STANDALONE for kind in kinds):
        raise refusal(f"score_by: {', '.join(_STANDALONE)} must appear alone")
    if kinds[0] == "dense_vector":
        name = _one_field(read[0], schema, lambda field: field["type"] == "dense_vector", "dense_vector")
        values = required(read[0], "values", floats, "score_by.")
        if len(values) != schema[name]["dimension"]:
            expected = schema[name]["dimension"]
            raise refusal(
                f"Query vector dimension {len(values)} does not match the dimension of field '{name}' {expected}"
            )
        return ByDense(name, values)
    if kinds[0] == "sparse_vector":
        name = _one_field(read[0], schema, lambda field: field["type"] == "sparse_vector", "sparse_vector")
        given = required(read[0], "sparse_values", sparse_values, "score_by.")
        if given is None:
            raise refusal("sparse_vector scoring requires non-empty sparse_values")
        return BySparse(name, given)
    if kinds[0] in ("embed", "sparse_embed"):
        kind = kinds[0]
        name = _one_field(read[0], schema, lambda field: field.get(kind) is not None, kind)
        return ByText(name, _query(read[0]), kind == "sparse_embed")
    searched = text_fields(schema)
    # One clause that is there twice scores once.
    queries = dict.fromkeys(_words(each, kind, searched) for each, kind in zip(read, kinds, strict=True))
    return ByWords([*queries])


def _words(clause: Mapping[str, Any], kind: str, searched: Sequence[str]) -> lucene.Query:
    query = _query(clause)
    if kind == "query_string":
        if clause.get("field") is not None or clause.get("fields") is not None:
            raise refusal("query_string scoring must not specify 'field' or 'fields'")
        return lucene.parsed(query, searched)
    names = _names(clause)
    if not names:
        raise refusal("Text scoring requires specifying at least one field")
    for name in names:
        if name not in searched:
            raise refusal(f"Field '{name}' is not declared with full_text_search")
    words = dict.fromkeys(tokens_of(query))
    if not words:
        raise refusal("score_by.query must have at least one word")
    return lucene.Clauses(should=tuple(lucene.Phrase(tuple(dict.fromkeys(names)), (word,)) for word in words))


def _query(clause: Mapping[str, Any]) -> str:
    query = required(clause, "query", filled, "score_by.").strip()
    if len(query.encode("utf-8", "replace")) > _MAX_QUERY:
        raise refusal(f"score_by.query may have at most {_MAX_QUERY} bytes")
    return query


def _names(clause: Mapping[str, Any]) -> list[str]:
    if clause.get("field") is not None and clause.get("fields") is not None:
        raise refusal("score_by: give either 'field' or 'fields'")
    return member(clause, "fields", texts, []) or [each for each in [member(clause, "field", text, None)] if each]


def _one_field(clause: Mapping[str, Any], schema: Schema, fits: Any, kind: str) -> str:
    names = _names(clause)
    if len(names) != 1:
        raise refusal(f"{kind} scoring requires specifying the name of exactly one field")
    if names[0] not in schema or not fits(schema[names[0]]):
        raise refusal(f"Field '{names[0]}' is not declared for {kind} scoring")
    return names[0]


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
