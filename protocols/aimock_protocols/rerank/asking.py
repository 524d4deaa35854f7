"""What every reranker is asked: a query, documents, and how many of them are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aimock_protocols.canonical import ChatRequest
from aimock_protocols.usage import estimate, utf16_length


class Shape(NamedTuple):
    """All that an answer takes from its request."""

    model: str
    query: str
    documents: tuple[str, ...]
    """What is read of each."""
    most: int | None = None
    """How many results are wanted at most."""
    echoes: tuple[bytes, ...] = ()
    """Each document as results repeat it, in JSON; empty: they do not."""

    @property
    def query_tokens(self) -> int:
        return estimate(utf16_length(self.query))

    @property
    def document_tokens(self) -> tuple[int, ...]:
        return tuple(estimate(utf16_length(document)) for document in self.documents)

    @property
    def total_tokens(self) -> int:
        """What the model reads: the query once with each document."""
        return sum(self.document_tokens) + self.query_tokens * len(self.documents)


def request(
    sent: dict[str, Any], model: str, query: str, documents: Sequence[str], most: int | None = None
) -> ChatRequest:
    """The canonical request: `query`, `documents` as texts and `top_n`, whatever the provider calls them."""
    canonical: dict[str, Any] = {**sent, "model": model, "query": query, "documents": list(documents)}
    if most is not None:
        canonical["top_n"] = most
    return ChatRequest(canonical, sent, model, endpoint="rerank")


def shape_of(request: ChatRequest, echoes: Iterable[bytes] = ()) -> Shape:
    body = request.body
    return Shape(request.model, body["query"], tuple(body["documents"]), body.get("top_n"), tuple(echoes))
