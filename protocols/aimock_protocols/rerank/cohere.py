"""Cohere's reranking in both versions (wire-cohere §7, wire-services §2), on its own platform and on Azure's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, Stamp
from aimock_protocols.cohere import platform
from aimock_protocols.cohere.platform import compact, read_object, read_optional, read_required, refusal, wrong_type
from aimock_protocols.collapsing import mapping
from aimock_protocols.json_bodies import dumped
from aimock_protocols.rerank.asking import Shape, request, shape_of
from aimock_protocols.rerank.ranking import Hit, Ranking
from aimock_protocols.rerank.reranker import Reranker, told

MOST_DOCUMENTS = 10_000
"""The first version's limit of chunks, of which a document is at least one."""

_TOKENS_OF_CHUNK = 500
_CHUNKS_OF_UNIT = 100
"""What is billed: a query with up to 100 documents, of which one that is longer than 500 tokens counts as several."""

_DEFAULT_FIELDS = ("text",)


def _read(body: bytes, text_of: Callable[[Any, str, tuple[str, ...]], str], model: str | None) -> ChatRequest:
    """A request whose documents' texts a function reads. Raises WireError, a 400."""
    sent = read_object(body)
    model = read_required(sent, "model") if model is None else read_optional(sent, "model", str) or model
    query = read_required(sent, "query")
    documents = read_optional(sent, "documents", list)
    if documents is None:
        raise refusal("documents is required")
    if not documents:
        raise refusal("invalid request: list of documents must not be empty")
    if len(documents) > MOST_DOCUMENTS:
        raise refusal(
            f"invalid request: list of documents must have at most {MOST_DOCUMENTS} elements - received "
            f"{len(documents)}"
        )
    most = read_optional(sent, "top_n", int)
    if most is not None and most < 1:
        raise refusal(f"invalid request: top_n must be at least 1 - received {most}")
    fields = tuple(read_optional(sent, "rank_fields", list) or _DEFAULT_FIELDS)
    texts = [text_of(document, f"documents[{place}]", fields) for place, document in enumerate(documents)]
    return request(sent, model, query, texts, most)


def _text(document: Any, where: str, fields: tuple[str, ...]) -> str:
    """A document of the second version, which are texts."""
    if type(document) is not str:
        raise wrong_type(where, document, str)
    return document


def _text_of_fields(document: Any, where: str, fields: tuple[str, ...]) -> str:
    """A document of the first version: a text, or an object of which the fields count that the request names."""
    if type(document) is not dict:
        return _text(document, where, fields)
    values = [document[field] for field in fields if type(field) is str and field in document]
    if not values:
        raise refusal(f"invalid request: {where} has none of the fields that are to be ranked by")
    return "\n".join(each if type(each) is str else compact(each, where) for each in values)


def _shape_v1(asked: ChatRequest) -> Shape:
    if asked.native.get("return_documents") is not True:
        return shape_of(asked)
    return shape_of(asked, [dumped(_echo(document)) for document in asked.native["documents"]])


def _echo(document: Any) -> Any:
    return {"text": document} if type(document) is str else document


def _write(version: str, ranking: Ranking, given: Mapping[str, Any], shape: Shape, stamp: Stamp) -> dict[str, Any]:
    meta = {"api_version": {"version": version}, "billed_units": {"search_units": _search_units(shape)}}
    if ranking.warnings:
        meta["warnings"] = ranking.warnings
    return {
        "id": given.get("id", stamp.uuid()),
        "results": [_result(hit, shape) for hit in ranking.hits],
        "meta": {**meta, **mapping(given.get("meta"))},
    }


def _result(hit: Hit, shape: Shape) -> dict[str, Any]:
    """Spans are as the fixture has them."""
    spans = hit.told.get("relevant_spans")
    return told(hit, shape) if spans is None else {**told(hit, shape), "relevant_spans": spans}


def _search_units(shape: Shape) -> int:
    query = shape.query_tokens
    chunks = sum(-(-(tokens + query) // _TOKENS_OF_CHUNK) for tokens in shape.document_tokens)
    return -(-chunks // _CHUNKS_OF_UNIT)


v2 = Reranker(
    name="rerank.cohere:v2",
    platform=platform,
    whole_headers=platform.WHOLE_HEADERS,
    read=functools.partial(_read, text_of=_text, model=None),
    shape=shape_of,
    write=functools.partial(_write, "2"),
)
v1 = Reranker(
    name="rerank.cohere:v1",
    platform=platform,
    whole_headers=platform.WHOLE_HEADERS,
    read=functools.partial(_read, text_of=_text_of_fields, model=""),
    shape=_shape_v1,
    write=functools.partial(_write, "1"),
)
