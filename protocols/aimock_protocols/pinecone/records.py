"""Records that are embedded by the index's model: texts in, texts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.pinecone import inference
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.filters import Predicate, compiled
from aimock_protocols.pinecone.reading import fields_of, filled, floats, member, one_of, required, text, texts, within
from aimock_protocols.pinecone.text import tokens_of
from aimock_protocols.pinecone.values import (
    MAX_BATCH,
    MAX_BYTES,
    MAX_TOP_K,
    Shape,
    SparseValues,
    check_dimension,
    check_sparse,
    metadata_of,
    paired,
    valid_id,
)


class Record(NamedTuple):
    id: str
    text: str
    """What is embedded."""
    metadata: Mapping[str, Any]
    """All members but the id: the text too."""


class Rerank(NamedTuple):
    model: inference.RerankModel
    query: str
    fields: Any
    top_n: int


@attrs.frozen(eq=False)
class Search:
    top_k: int
    text: str | None
    """To be embedded; if it is None one of the following is given."""
    values: list[float] | None
    sparse: SparseValues | None
    id: str | None
    where: Predicate | None
    fields: Sequence[str] | None
    """Of the records, those to be shown; None: all."""
    rerank: Rerank | None
    terms: Sequence[str] = ()
    """Words that the text must have."""


def read_upsert(body: bytes, text_field: str, max_batch: int) -> Sequence[Record]:
    """A record a line, as JSON; `text_field`: which of its members is embedded. Of several with one id the last
    counts. Raises WireError."""
    if len(body) > MAX_BYTES:
        raise refusal(f"Request size {len(body)} bytes exceeds the limit of {MAX_BYTES} bytes", 413)
    lines = [line for line in body.splitlines() if line.strip()]
    if not 1 <= len(lines) <= min(MAX_BATCH, max_batch):
        raise refusal(f"Upsert must have between 1 and {min(MAX_BATCH, max_batch)} records, got {len(lines)}")
    return [_record(line, f"Record {place}", text_field) for place, line in enumerate(lines)]


def _record(line: bytes, what: str, text_field: str) -> Record:
    try:
        fields = fields_of(orjson.loads(line), what)
    except orjson.JSONDecodeError as error:
        raise refusal(f"{what}: malformed JSON: {error}") from None
    keys = [key for key in ("_id", "id") if key in fields]
    if len(keys) != 1:
        raise refusal(f"{what} must have either '_id' or 'id'")
    record_id = valid_id(fields[keys[0]], keys[0])
    held = metadata_of({key: value for key, value in fields.items() if key != keys[0]}, what)
    if type(held.get(text_field)) is not str or not held[text_field].strip():
        raise refusal(f"Missing or invalid field '{text_field}' in record '{record_id}': it is what the index embeds")
    return Record(record_id, held[text_field], held)


def read_search(body: Any, shape: Shape) -> Search:
    fields = fields_of(body)
    query = required(fields, "query", fields_of)
    inputs = member(query, "inputs", fields_of, None)
    asked = None if inputs is None else required(inputs, "text", filled, "query.inputs.")
    values, sparse = _vector(query)
    record_id = member(query, "id", valid_id, None)
    given = [each for each in (asked, values or sparse, record_id) if each is not None]
    if len(given) != 1:
        raise refusal("Exactly one of query.inputs, query.vector and query.id must be given")
    if values is not None:
        check_dimension(values, shape, "Query vector")
    check_sparse(sparse, shape)
    top_k = required(query, "top_k", within(1, MAX_TOP_K), "query.")
    rerank = member(fields, "rerank", fields_of, None)
    return Search(
        top_k,
        asked,
        values,
        sparse,
        record_id,
        compiled(query.get("filter")),
        member(fields, "fields", texts, None),
        None if rerank is None else _rerank(rerank, asked, top_k),
        _terms(query.get("match_terms"), asked, shape),
    )


def _vector(query: Mapping[str, Any]) -> tuple[list[float] | None, SparseValues | None]:
    if type(query.get("vector")) is list:  # as the oldest clients have it
        return floats(query["vector"], "query.vector"), None
    vector: dict[str, Any] = member(query, "vector", fields_of, {})
    sparse = paired(vector.get("sparse_indices"), vector.get("sparse_values"), "query.vector")
    return member(vector, "values", floats, None) or None, sparse


def _rerank(fields: Mapping[str, Any], asked: str | None, top_k: int) -> Rerank:
    model = inference.rerank_model(required(fields, "model", filled, "rerank."))
    query = member(fields, "query", filled, asked)
    if query is None:
        raise refusal("rerank.query is required when the search is by vector or id")
    top_n = member(fields, "top_n", within(1, MAX_TOP_K), top_k)
    return Rerank(model, query, required(fields, "rank_fields", texts, "rerank."), top_n)


def _terms(value: Any, asked: str | None, shape: Shape) -> Sequence[str]:
    if value is None:
        return ()
    fields = fields_of(value, "query.match_terms")
    if asked is None or not shape.is_sparse:
        needed = f"an index with the model '{inference.SPARSE_DEFAULT}'"
        raise refusal(f"match_terms needs query.inputs, and {needed}")
    one_of("all")(fields.get("strategy"), "query.match_terms.strategy")
    terms = required(fields, "terms", texts, "query.match_terms.")
    return [token for term in terms for token in tokens_of(text(term, "terms"))]


def shown(metadata: Mapping[str, Any], fields: Sequence[str] | None) -> dict[str, Any]:
    """The fields of a record that are asked for."""
    return {key: value for key, value in metadata.items() if fields is None or key in fields}


def hits(
    found: Iterable[tuple[str, Any, Mapping[str, Any]]], namespace: str, embedded_tokens: int, is_reranked: bool
) -> dict[str, Any]:
    """The answer to a search: ids, scores and fields, the best first."""
    usage = {"read_units": 1}
    if embedded_tokens:
        usage["embed_total_tokens"] = embedded_tokens
    if is_reranked:
        usage["rerank_units"] = 1
    told = [{"_id": record_id, "_score": score, "fields": fields} for record_id, score, fields in found]
    return {"result": {"hits": told}, "namespace": namespace, "usage": usage}
