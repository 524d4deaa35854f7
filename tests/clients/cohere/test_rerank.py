"""Rerank in both versions through the official SDK, as it is (wire-services §2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cohere import AsyncClient, Client
from cohere.errors import (
    BadRequestError,
    InternalServerError,
    NotFoundError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
    UnprocessableEntityError,
)

from aimock import AIMock

Connect = Callable[..., Any]

QUERY = "What is the capital of the United States?"
DOCUMENTS = [
    "Carson City is the capital city of the American state of Nevada.",
    "The Commonwealth of the Northern Mariana Islands is a group of islands. Its capital is Saipan.",
    "Washington, D.C. is the capital of the United States.",
]


@pytest.fixture(scope="module")
def server() -> Iterator[AIMock]:
    with AIMock() as running:
        yield running


@pytest.fixture
def mock(server: AIMock) -> AIMock:
    """That of the module, empty."""
    server.reset()
    return server


@pytest.fixture
def rerank(flavour: str, co: Any, run_cohere: Connect) -> Connect:
    """The second version."""

    def ask(query: str = QUERY, **more: Any) -> Any:
        asked = {"model": "rerank-v3.5", "query": query, "documents": DOCUMENTS} | more
        return co.rerank(**asked) if flavour == "sync" else run_cohere(flavour, lambda client: client.rerank(**asked))

    return ask


@pytest.fixture
def rerank_old(flavour: str, connect_cohere: Connect, run_cohere: Connect) -> Connect:
    """The first version."""

    def ask(query: str = QUERY, **more: Any) -> Any:
        asked = {"query": query, "documents": DOCUMENTS} | more
        if flavour == "sync":
            return connect_cohere(Client).rerank(**asked)
        return run_cohere(flavour, lambda client: client.rerank(**asked), AsyncClient)

    return ask


def ranked(answer: Any) -> list[tuple[int, float]]:
    return [(result.index, result.relevance_score) for result in answer.results]


def test_scripted_results_are_sorted_and_cut(mock: AIMock, rerank: Connect) -> None:
    mock.on_rerank(
        "CAPITAL", [{"index": 0, "relevance_score": 0.2}, {"index": 2, "relevance_score": 0.9}, {"index": 9}]
    )
    answer = rerank(top_n=1)
    assert ranked(answer) == [(2, 0.9)]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.id)
    assert (answer.meta.api_version.version, answer.meta.billed_units.search_units) == ("2", 1)
    assert answer.meta.warnings == ["result 2 is left out: index 9 is not that of one of the 3 documents"]
    entry = mock.get_last_request()
    assert (entry["service"], entry["path"], entry["body"]["query"]) == ("rerank", "/v2/rerank", QUERY)
    assert rerank().id != answer.id


def test_unscripted_documents_are_ranked_by_the_words_that_they_share(mock: AIMock, rerank: Connect) -> None:
    (first, best), *others = ranked(rerank())
    assert first == 2
    assert all(0 <= score < best < 1 for _, score in others)
    assert ranked(rerank()) == [(first, best), *others]


def test_the_first_version_gives_documents_back(mock: AIMock, rerank_old: Connect) -> None:
    mock.on_rerank(re.compile("united states", re.IGNORECASE), [{"document": "saipan"}, {"document": "nevada"}])
    documents = [{"text": "It is Saipan.", "url": "http://a"}, "Nevada"]
    answer = rerank_old(documents=documents, return_documents=True, model="rerank-english-v3.0")
    assert ranked(answer) == [(0, 0.99), (1, 0.98)]
    assert [result.document.text for result in answer.results] == ["It is Saipan.", "Nevada"]
    assert answer.results[0].document.url == "http://a"
    assert answer.meta.api_version.version == "1"
    plain = rerank_old(documents=[{"title": "nevada", "text": "-"}], rank_fields=["title"], top_n=1)
    assert (ranked(plain), plain.results[0].document) == ([(0, 0.98)], None)


@pytest.mark.parametrize("flavour", ["sync"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequestError),
        (401, UnauthorizedError),
        (404, NotFoundError),
        (422, UnprocessableEntityError),
        (429, TooManyRequestsError),
        (503, ServiceUnavailableError),
    ],
)
def test_errors_are_the_sdk_s(
    mock: AIMock, rerank: Connect, rerank_old: Connect, status: int, error: type[Exception]
) -> None:
    mock.on_rerank("capital", {"error": {"message": "No."}, "status": status})
    for ask in (rerank, rerank_old):
        with pytest.raises(error) as raised:
            ask()
        assert getattr(raised.value, "body")["message"] == "No."  # noqa: B009  # which each of them has


@pytest.mark.parametrize("flavour", ["sync"])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"documents": []}, "invalid request: list of documents must not be empty"),
        ({"query": ""}, "query is required"),
        ({"top_n": 0}, "invalid request: top_n must be at least 1 - received 0"),
        (
            {"documents": [{"text": "a"}]},
            "invalid type: parameter documents[0] is of type object but should be of type string.",
        ),
    ],
)
def test_what_cohere_refuses(mock: AIMock, rerank: Connect, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        rerank(**asked)
    assert raised.value.body["message"] == message


@pytest.mark.parametrize("flavour", ["sync"])
def test_on_azure(mock: AIMock, connect_cohere: Connect, flavour: str) -> None:
    """Where Azure AI Foundry has Cohere's models; the key is in another header there, which the SDK is told."""
    mock.on_rerank("capital", [{"index": 1}])
    azure = connect_cohere(base_url=f"{mock.url}/providers/cohere", api_key="key")
    answer = azure.rerank(
        model="Cohere-rerank-v4.0-fast",
        query=QUERY,
        documents=DOCUMENTS,
        request_options={"additional_headers": {"api-key": "key"}},
    )
    assert ranked(answer) == [(1, 0.99)]
    assert mock.get_last_request()["path"] == "/providers/cohere/v2/rerank"


@pytest.mark.parametrize("flavour", ["sync"])
def test_strict_sequences_chaos_and_test_ids(mock: AIMock, co: Any, flavour: str) -> None:
    def ask(**headers: str) -> Any:
        options = {"additional_headers": {name.replace("_", "-"): value for name, value in headers.items()}}
        return co.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS, request_options=options)

    mock.on({"endpoint": "rerank", "query": "capital", "sequenceIndex": 0}, {"results": [{"index": 0}]})
    mock.on({"endpoint": "rerank", "query": "capital", "sequenceIndex": 1}, {"ranking": "identity"})
    assert [len(ask(X_Test_Id="a").results) for _ in range(2)] == [1, 3]
    assert [len(ask(X_Test_Id="b").results) for _ in range(2)] == [1, 3]
    with pytest.raises(ServiceUnavailableError, match="Strict mode"):
        ask(X_Test_Id="a", X_AIMock_Strict="true")
    mock.set_chaos({"dropRate": 1.0})
    with pytest.raises(InternalServerError):
        ask(X_Test_Id="c")
