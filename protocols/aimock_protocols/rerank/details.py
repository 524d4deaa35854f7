"""Jina's reranking, which servers of open models speak too (vLLM, llama.cpp, LocalAI), and Voyage's: they differ in few
words."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import (
    Allowance,
    ChatRequest,
    ErrorReply,
    Excess,
    Headers,
    Stamp,
    WireError,
    WireResponse,
)
from aimock_protocols.json_bodies import JsonBodies, dumped
from aimock_protocols.rerank.asking import Shape, request, shape_of
from aimock_protocols.rerank.ranking import Ranking
from aimock_protocols.rerank.reranker import Reranker, told
from aimock_protocols.retrying import retry_headers

_WHOLE_HEADERS: Headers = (("content-type", "application/json"),)


@attrs.frozen(eq=False)
class _Detailed:
    """The platform of one of them, whose errors are a `detail`."""

    refused: int
    """The status of what it will not take."""
    most_documents: int
    most: str
    """What it calls the number of results that are wanted."""

    def refusal(self, message: str) -> WireError:
        return WireError(ErrorReply(message, status=self.refused))

    def read(self, body: bytes) -> ChatRequest:
        """A request. Raises WireError."""
        sent = JsonBodies(self.refusal).read_object(body)
        documents = self._required(sent, "documents", list, "a list")
        if not 0 < len(documents) <= self.most_documents:
            raise self.refusal(f"documents: there must be 1 to {self.most_documents}, but there are {len(documents)}")
        most = sent.get(self.most)
        if most is not None and (type(most) is not int or most < 1):
            raise self.refusal(f"{self.most}: Input should be a whole number of at least 1")
        texts = [self._text(document, f"documents.{place}") for place, document in enumerate(documents)]
        model = self._required(sent, "model", str, "a string")
        query = self._text(sent.get("query"), "query")
        if not query:
            raise self.refusal("query: Input should have at least 1 character")
        return request(sent, model, query, texts, most)

    def _required(self, sent: Mapping[str, Any], key: str, kind: type, named: str) -> Any:
        if type(sent.get(key)) is not kind:
            raise self.refusal(f"{key}: Input should be {named}" if key in sent else f"{key}: Field required")
        return sent[key]

    def _text(self, value: Any, where: str) -> str:
        """A text, or one of an object's; of an image its address or bytes, which are as good as any text."""
        told = (value.get("text") or value.get("image")) if type(value) is dict else value
        if type(told) is not str:
            raise self.refusal(f"{where}: Input should be a string")
        return told

    def fresh_headers(self, stamp: Stamp) -> Headers:
        return ()

    def rate_limits(self, allowance: Allowance, now: float) -> Headers:
        return ()

    def rate_limited(self, excess: Excess) -> ErrorReply:
        message = f"Rate limit exceeded: {excess.limit} {excess.unit} per minute, {excess.used} used."
        return ErrorReply(message, status=429, retry_after=excess.wait)

    def error(self, error: ErrorReply, stamp: Stamp) -> WireResponse:
        told = {"detail": error.message}
        if error.hint is not None:
            told["hint"] = error.hint
        return WireResponse(error.status, _WHOLE_HEADERS + retry_headers(error), orjson.dumps(told))

    def read_error(self, value: dict[str, Any]) -> ErrorReply | None:
        """The error that a body tells: its detail, or what is the matter with the first member of the request."""
        detail = value.get("detail")
        if isinstance(detail, list) and detail and isinstance(detail[0], dict):
            detail = detail[0].get("msg")
        return ErrorReply(detail) if isinstance(detail, str) else None


_JINA = _Detailed(refused=422, most_documents=2048, most="top_n")
_VOYAGE = _Detailed(refused=400, most_documents=1000, most="top_k")


def _jina_shape(asked: ChatRequest) -> Shape:
    """Documents are repeated unless they are not wanted."""
    if asked.native.get("return_documents") is False:
        return shape_of(asked)
    return shape_of(
        asked, [dumped({"text": each} if type(each) is str else each) for each in asked.native["documents"]]
    )


def _voyage_shape(asked: ChatRequest) -> Shape:
    """Documents are repeated if they are wanted, as they came."""
    return shape_of(
        asked, map(dumped, asked.native["documents"]) if asked.native.get("return_documents") is True else ()
    )


def _write(place: str, ranking: Ranking, given: Mapping[str, Any], shape: Shape, stamp: Stamp) -> dict[str, Any]:
    return {
        "object": "list",
        place: [told(hit, shape) for hit in ranking.hits],
        "model": given.get("model", shape.model),
        "usage": given.get("usage", {"total_tokens": shape.total_tokens}),
    }


jina = Reranker(
    name="rerank.details:jina",
    platform=_JINA,
    whole_headers=_WHOLE_HEADERS,
    read=_JINA.read,
    shape=_jina_shape,
    write=functools.partial(_write, "results"),
)
voyage = Reranker(
    name="rerank.details:voyage",
    platform=_VOYAGE,
    whole_headers=_WHOLE_HEADERS,
    read=_VOYAGE.read,
    shape=_voyage_shape,
    write=functools.partial(_write, "data"),
    place="data",
)
