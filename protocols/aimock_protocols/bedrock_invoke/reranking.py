"""Rerankers: Cohere's and Amazon's (wire-bedrock §5.10), whose bodies are alike."""

from __future__ import annotations

from typing import Any, cast

import orjson

from aimock_protocols.bedrock_invoke.family import Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import malformed, optional, required, typed
from aimock_protocols.canonical import ChatRequest, ErrorReply, Results, Stamp
from aimock_protocols.collapsing import dicts, json_object
from aimock_protocols.rerank import asking
from aimock_protocols.rerank.ranking import left_out as none_of_them
from aimock_protocols.rerank.ranking import ranking
from aimock_protocols.rerank.reranker import results_in, told

name = "reranking"
models = provided_by(r"cohere\.rerank|amazon\.rerank")

_COHERE = provided_by(r"cohere\.rerank")
_MOST_DOCUMENTS = 1000
_LEAST_VERSION = 2
"""Of Cohere's API, whose version stands in the body."""


def asks(sent: dict[str, Any]) -> bool:
    return "query" in sent and "documents" in sent


def answers(document: dict[str, Any]) -> bool:
    results = document.get("results")
    return bool(dicts(results)) and all("relevance_score" in each for each in dicts(results))


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    query = required(sent, "query", str)
    documents = required(sent, "documents", list)
    if not documents:
        raise malformed("#/documents: expected minimum item count: 1, found: 0")
    if len(documents) > _MOST_DOCUMENTS:
        raise malformed(f"#/documents: expected maximum item count: {_MOST_DOCUMENTS}, found: {len(documents)}")
    texts = [typed(document, f"#/documents/{place}", str) for place, document in enumerate(documents)]
    most = optional(sent, "top_n", int)
    if most is not None and most < 1:
        raise malformed(f"#/top_n: {most} is not greater or equal to 1")
    request = asking.request(sent, model, query, texts, most)
    if _COHERE.search(model):
        request.objection = _objection(sent)
    return request


def _objection(sent: dict[str, Any]) -> ErrorReply | None:
    version = optional(sent, "api_version", int)
    if version is None:
        return malformed("#: required key [api_version] not found").reply
    if version < _LEAST_VERSION:
        return malformed(f"#/api_version: {version} is not greater or equal to {_LEAST_VERSION}").reply
    return None


def shape(request: ChatRequest) -> Shape:
    own = asking.shape_of(request)
    return Shape(name, own, own.total_tokens)


def encode(reply: Results, shape: Shape, stamp: Stamp) -> bytes:
    own = _own(shape)
    return orjson.dumps({"results": [told(hit, own) for hit in ranking(reply.said[0], own).hits]})


def left_out(reply: Results, shape: Shape) -> list[str]:
    return none_of_them(reply.said[0], _own(shape))


def _own(shape: Shape) -> asking.Shape:
    return cast(asking.Shape, shape.own)


def parse(body: bytes) -> Results:
    return Results((results_in(json_object(body)),))
