"""What documents are searched by: vectors, embeddings, words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from aimock_protocols.pinecone import lucene
from aimock_protocols.pinecone.documents import Schema, included, operators, text_fields
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import Predicate, compiled
from aimock_protocols.pinecone.reading import (
    fields_of,
    filled,
    floats,
    listed,
    member,
    one_of,
    required,
    text,
    texts,
    within,
)
from aimock_protocols.pinecone.text import tokens_of
from aimock_protocols.pinecone.values import MAX_TOP_K, SparseValues, sparse_values

_MAX_SCORERS = 100
_MAX_QUERY = 10 * 1024
_STANDALONE = ("dense_vector", "sparse_vector", "embed", "sparse_embed")


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
    return Search(_scoring(clauses, schema), top_k, where, included(fields, schema))


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


def _one_field(clause: Mapping[str, Any], schema: Schema, fits: Callable[[Mapping[str, Any]], bool], kind: str) -> str:
    names = _names(clause)
    if len(names) != 1:
        raise refusal(f"{kind} scoring requires specifying the name of exactly one field")
    if names[0] not in schema or not fits(schema[names[0]]):
        raise refusal(f"Field '{names[0]}' is not declared for {kind} scoring")
    return names[0]
