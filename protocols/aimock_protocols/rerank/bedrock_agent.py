"""Bedrock's own operation for all its rerankers: Rerank of the agents' runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aimock_protocols import bedrock_platform
from aimock_protocols.bedrock_platform import (
    EXCEPTIONS,
    WHOLE_HEADERS,
    compact,
    constraint,
    fresh_headers,
    rate_limited,
    rate_limits,
    read_error,
    read_object,
)
from aimock_protocols.canonical import ChatRequest, ErrorReply, Stamp, WireResponse
from aimock_protocols.rerank.asking import Shape, request, shape_of
from aimock_protocols.rerank.ranking import Ranking
from aimock_protocols.rerank.reranker import Reranker

_MOST = 1000
"""Sources, and results that can be asked for."""
_LONGEST = 32_000
"""Characters of a text."""

_EXCEPTIONS = EXCEPTIONS | {409: "ConflictException", 424: "DependencyFailedException", 502: "BadGatewayException"}
"""Those that this service knows besides or calls otherwise."""


def _read(body: bytes) -> ChatRequest:
    """A request. Raises WireError, a ValidationException."""
    sent = read_object(body)
    queries = _listed(sent, "queries", 1)
    sources = _listed(sent, "sources", _MOST)
    query = _text(_inside(queries[0], "queries.1.member", "textQuery"), "queries.1.member.textQuery")
    texts = [_source(source, f"sources.{place}.member") for place, source in enumerate(sources, 1)]
    where = "rerankingConfiguration.bedrockRerankingConfiguration"
    configuration = _inside(
        _inside(sent, "", "rerankingConfiguration"), "rerankingConfiguration", "bedrockRerankingConfiguration"
    )
    model = _inside(configuration, where, "modelConfiguration").get("modelArn")
    if type(model) is not str or not model:
        raise constraint(f"{where}.modelConfiguration.modelArn", "Member must not be null")
    most = configuration.get("numberOfResults")
    if most is not None and not (type(most) is int and 1 <= most <= _MOST):
        raise constraint(f"{where}.numberOfResults", f"Member must be between 1 and {_MOST}, inclusive")
    asked = request(sent, model, query, texts, most)
    asked.aliases = bedrock_platform.aliases(model)
    return asked


def _listed(sent: Mapping[str, Any], key: str, most: int) -> list[Any]:
    values = sent.get(key)
    if type(values) is not list:
        raise constraint(key, "Member must not be null" if values is None else "Member must be a list")
    if not 1 <= len(values) <= most:
        raise constraint(key, f"Member must have length between 1 and {most}, inclusive")
    return values


def _inside(value: Any, where: str, key: str) -> dict[str, Any]:
    """An object that an object must have. Raises WireError."""
    found = value.get(key) if type(value) is dict else None
    if type(found) is not dict:
        raise constraint(".".join(filter(None, (where, key))), "Member must not be null")
    return found


def _text(value: Mapping[str, Any], where: str) -> str:
    text = value.get("text")
    if type(text) is not str or not 1 <= len(text) <= _LONGEST:
        raise constraint(f"{where}.text", f"Member must have length between 1 and {_LONGEST}, inclusive")
    return text


def _source(source: Any, where: str) -> str:
    """What is read of a source: its text, or its JSON as it stands."""
    document = _inside(source, where, "inlineDocumentSource")
    where = f"{where}.inlineDocumentSource"
    if document.get("type") == "JSON" and "jsonDocument" in document:
        return compact(document["jsonDocument"], where)
    return _text(_inside(document, where, "textDocument"), f"{where}.textDocument")


def _write(ranking: Ranking, given: Mapping[str, Any], shape: Shape, stamp: Stamp) -> dict[str, Any]:
    return {"results": [{"index": hit.index, "relevanceScore": hit.score} for hit in ranking.hits]}


class _Platform:
    """Bedrock's, but for what errors are called."""

    fresh_headers = staticmethod(fresh_headers)
    rate_limits = staticmethod(rate_limits)
    rate_limited = staticmethod(rate_limited)
    read_error = staticmethod(read_error)

    @staticmethod
    def error(error: ErrorReply, stamp: Stamp) -> WireResponse:
        if error.code is None and error.status in _EXCEPTIONS:
            error = attrs.evolve(error, code=_EXCEPTIONS[error.status])
        return bedrock_platform.error(error, stamp)


api = Reranker(
    name="rerank.bedrock_agent:api",
    platform=_Platform(),
    whole_headers=WHOLE_HEADERS,
    read=_read,
    shape=shape_of,
    write=_write,
    score="relevanceScore",
)
