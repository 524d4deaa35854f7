"""Pinecone's API as plain HTTP sees it: versions, both planes' errors, whose a namespace is, what is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from aimock.surfaces.vector.mock import VectorMock

SPEC = {"serverless": {"cloud": "aws", "region": "us-east-1"}}


@pytest.fixture(autouse=True)
def _plain() -> None:
    """Not the other tests' API, but the real ones."""


@pytest.fixture
def mock() -> Iterator[VectorMock]:
    with VectorMock(seed=7, metrics=True) as running:
        yield running


@pytest.fixture
def ask(mock: VectorMock) -> Iterator[Callable[..., httpx.Response]]:
    """`ask("POST", "/query", {…}, version="2025-04")`."""
    with httpx.Client(verify=False) as client:

        def ask(method: str, path: str, body: Any = None, version: str = "2026-07", **more: Any) -> httpx.Response:
            headers = {"X-Pinecone-Api-Version": version, "Api-Key": "test"}
            return client.request(method, mock.url + path, json=body, headers=headers, **more)

        yield ask


def made(ask: Callable[..., httpx.Response], name: str = "one", **more: Any) -> str:
    """The path of a new index's data plane."""
    body = {"name": name, "dimension": 2, "metric": "cosine", "spec": SPEC} | more
    told = ask("POST", "/indexes", body, version="2025-10")
    assert told.status_code == 201
    return f"/i/{name}"


def upsert(ask: Callable[..., httpx.Response], path: str, *ids: str, namespace: str | None = None) -> httpx.Response:
    body: dict[str, Any] = {"vectors": [{"id": each, "values": [1, 0]} for each in ids]}
    return ask("POST", f"{path}/vectors/upsert", body if namespace is None else body | {"namespace": namespace})


# -- versions ----------------------------------------------------------------------------------------------------------


def test_what_versions_differ_in(ask: Callable[..., httpx.Response]) -> None:
    path = made(ask)
    upsert(ask, path, "a")
    for version, default, count in (("2025-04", "", 1), ("2025-10", "__default__", 1), ("2026-07", "__default__", "1")):
        stats = ask("POST", f"{path}/describe_index_stats", {}, version=version).json()
        assert stats["namespaces"] == {default: {"vectorCount": 1}}
        described = ask("GET", f"{path}/namespaces/__default__", version=version).json()
        assert described == {"name": "__default__", "record_count": count}


def test_a_description_has_the_members_of_all_versions(ask: Callable[..., httpx.Response]) -> None:
    made(ask, metric="dotproduct")
    told = ask("GET", "/indexes/one", version="2025-04").json()
    assert told == ask("GET", "/indexes/one", version="2026-07").json()
    assert (told["dimension"], told["metric"], told["vector_type"]) == (2, "dotproduct", "dense")
    assert told["schema"]["fields"]["_values"] == {"type": "dense_vector", "dimension": 2, "metric": "dotproduct"}
    assert told["host"].endswith("/vector/i/one")


def test_older_versions_are_not_told_of_documents(ask: Callable[..., httpx.Response]) -> None:
    made(ask)
    ask("POST", "/indexes", {"name": "docs", "schema": {"fields": {"t": {"type": "string", "full_text_search": {}}}}})
    for version, expected in (("2026-04", ["one"]), ("2026-07", ["one", "docs"])):
        assert [each["name"] for each in ask("GET", "/indexes", version=version).json()["indexes"]] == expected


# -- errors ------------------------------------------------------------------------------------------------------------


def test_errors_of_both_planes(ask: Callable[..., httpx.Response]) -> None:
    path = made(ask)
    unknown = ask("GET", "/indexes/none")
    assert unknown.status_code == 404
    assert unknown.json() == {"error": {"code": "NOT_FOUND", "message": "Index none not found"}, "status": 404}
    data = ask("POST", f"{path}/query", {"topK": 1, "vector": [1]})
    assert data.status_code == 400
    assert data.json() == {
        "code": 3,
        "message": "Query vector dimension 1 does not match the dimension of the index 2",
        "details": [],
    }
    assert ask("POST", "/i/none/query", {"topK": 1}).json()["code"] == 5
    records = ask("POST", f"{path}/records/namespaces/n/search", {"query": {"top_k": 1, "inputs": {"text": "x"}}})
    assert records.json()["error"]["code"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "route",
    [
        "/indexes",
        "/indexes/create-for-model",
        "/collections",
        "/embed",
        "/rerank",
        "/i/one/vectors/upsert",
        "/i/one/query",
        "/i/one/vectors/delete",
        "/i/one/vectors/update",
        "/i/one/vectors/fetch_by_metadata",
        "/i/one/namespaces",
        "/i/one/records/namespaces/n/search",
        "/i/one/namespaces/n/documents/upsert",
    ],
)
def test_bad_bodies_are_refused(ask: Callable[..., httpx.Response], route: str) -> None:
    made(ask)
    for content in (
        b"{",
        b"[]",
        b"null",
        b"1",
        b"\xff",
        b'{"topK": 1, "vector": {}}',
        b'{"filter": 1}',
        b'{"name": 1}',
    ):
        answer = ask("POST", route, content=content)
        assert answer.status_code in (400, 422), content
        assert "message" in (answer.json().get("error") or answer.json())


def test_unknown_paths_and_methods(ask: Callable[..., httpx.Response]) -> None:
    path = made(ask)
    wrong = ask("GET", f"{path}/query")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert ask("POST", f"{path}/nothing", {}).status_code == 404
    for query in ("limit=0", "limit=101", "limit=x", "prefix=%C3%A4", "paginationToken=x"):
        assert ask("GET", f"{path}/vectors/list?{query}").status_code == 400
    assert ask("GET", f"{path}/vectors/fetch").status_code == 400


def test_the_store_may_be_full() -> None:
    with VectorMock(limits={"maxRecords": 2, "maxCollections": 1}) as mock, httpx.Client() as client:
        body = {"name": "one", "dimension": 1, "metric": "cosine", "spec": SPEC}
        assert client.post(f"{mock.url}/indexes", json=body).status_code == 201
        full = client.post(f"{mock.url}/indexes", json=body | {"name": "two"})
        assert (full.status_code, full.json()["error"]["code"]) == (403, "FORBIDDEN")
        vectors = [{"id": str(number), "values": [1]} for number in range(3)]
        over = client.post(f"{mock.url}/i/one/vectors/upsert", json={"vectors": vectors})
        assert (over.status_code, over.json()["code"]) == (403, 7)
        assert client.post(f"{mock.url}/i/one/vectors/upsert", json={"vectors": vectors[:2]}).status_code == 200


def test_a_copy_is_whole_or_not_there() -> None:
    with VectorMock(limits={"maxRecords": 3}) as mock, httpx.Client() as client:
        client.post(f"{mock.url}/indexes", json={"name": "one", "dimension": 1, "spec": SPEC})
        vectors = [{"id": str(number), "values": [1]} for number in range(2)]
        client.post(f"{mock.url}/i/one/vectors/upsert", json={"vectors": vectors})
        assert client.post(f"{mock.url}/indexes/one/backups", json={}).status_code == 403
        assert client.get(f"{mock.url}/backups").json() == {"data": []}
        more = client.post(f"{mock.url}/i/one/vectors/upsert", json={"vectors": [{"id": "x", "values": [1]}]})
        assert more.status_code == 200


# -- whose a namespace is ----------------------------------------------------------------------------------------------


def test_at_the_service_itself_a_namespace_is_an_index(ask: Callable[..., httpx.Response]) -> None:
    made(ask, "one")
    made(ask, "two")
    assert upsert(ask, "", "a", namespace="one").json() == {"upsertedCount": 1}
    assert upsert(ask, "", "b", namespace="two").json() == {"upsertedCount": 1}
    found = ask("POST", "/query", {"topK": 5, "vector": [1, 0], "namespace": "two"}).json()
    assert ([each["id"] for each in found["matches"]], found["namespace"]) == (["b"], "two")
    assert list(ask("GET", "/i/one/vectors/fetch?ids=a").json()["vectors"]) == ["a"]
    lost = upsert(ask, "", "c", namespace="three")
    assert lost.status_code == 404
    assert "There are 2 indexes here" in lost.json()["message"]


def test_the_only_index_has_namespaces_of_its_own(ask: Callable[..., httpx.Response]) -> None:
    made(ask)
    upsert(ask, "", "a", namespace="anything")
    upsert(ask, "", "b")
    counts = ask("POST", "/describe_index_stats", {}).json()["namespaces"]
    assert counts == {"anything": {"vectorCount": 1}, "__default__": {"vectorCount": 1}}


def test_without_a_namespace_the_default_collection_is_meant(
    mock: VectorMock, ask: Callable[..., httpx.Response]
) -> None:
    mock.add_collection("default", dimension=2)
    mock.add_collection("other", dimension=2)
    upsert(ask, "", "a")
    assert ask("GET", "/i/default/vectors/list").json()["vectors"] == [{"id": "a"}]


# -- what others made, and what was told beforehand --------------------------------------------------------------------


def test_a_collection_of_all_is_an_index(mock: VectorMock, ask: Callable[..., httpx.Response]) -> None:
    mock.upsert("docs", [{"id": 1, "values": [1, 0], "metadata": {"a": None}}, {"id": "x", "values": [0, 1]}])
    told = ask("GET", "/indexes/docs").json()
    assert (told["dimension"], told["metric"], told["deletion_protection"]) == (2, "cosine", "disabled")
    found = ask("POST", "/i/docs/query", {"topK": 2, "id": "1", "includeMetadata": True}).json()["matches"]
    assert [each["id"] for each in found] == ["1", "x"]
    assert list(ask("GET", "/i/docs/vectors/fetch?ids=1").json()["vectors"]) == ["1"]
    assert upsert(ask, "/i/docs", "1").status_code == 200
    assert ask("POST", "/i/docs/describe_index_stats", {}).json()["totalVectorCount"] == 2
    assert ask("PATCH", "/indexes/docs", {"tags": {"a": "b"}}).json()["tags"] == {"a": "b"}
    assert ask("POST", "/i/docs/vectors/delete", {"ids": ["1"]}).status_code == 200
    assert ask("POST", "/i/docs/describe_index_stats", {}).json()["totalVectorCount"] == 1


def test_a_collection_of_no_dimension_takes_that_of_its_first_vector(
    mock: VectorMock, ask: Callable[..., httpx.Response]
) -> None:
    mock.add_collection("docs")
    assert ask("GET", "/indexes/docs").json()["dimension"] == 0
    assert upsert(ask, "/i/docs", "a").status_code == 200
    assert ask("GET", "/indexes/docs").json()["dimension"] == 2


def test_told_results_win(mock: VectorMock, ask: Callable[..., httpx.Response]) -> None:
    mock.upsert("docs", [{"id": "a", "values": [1, 0]}])
    asked = []

    def results(query: dict[str, Any]) -> list[dict[str, Any]]:
        asked.append(query)
        return [{"id": "told", "score": 0.25, "metadata": {"x": 1}}, {"id": "more", "score": 0.125}]

    mock.on_query("docs", results)
    found = ask("POST", "/i/docs/query", {"topK": 1, "vector": [1, 0], "filter": {"x": 1}}).json()
    assert found["matches"] == [{"id": "told", "values": [], "metadata": {"x": 1}, "score": 0.25}]
    assert asked == [{"vector": [1, 0], "topK": 1, "filter": {"x": 1}, "collection": "docs"}]


def test_told_failures_come_first(mock: VectorMock, ask: Callable[..., httpx.Response]) -> None:
    mock.add_collection("docs", dimension=2, error={"op": "query", "status": 503, "body": "busy", "times": 1})
    failed = ask("POST", "/i/docs/query", {"topK": 1, "vector": [1, 0]})
    assert (failed.status_code, failed.json()) == (503, {"code": 14, "message": "busy", "details": []})
    assert ask("POST", "/i/docs/query", {"topK": 1, "vector": [1, 0]}).status_code == 200
    again = ask("POST", "/query", {"topK": 1, "vector": [1, 0], "namespace": "docs"})
    assert again.status_code == 200


def test_told_failures_come_before_large_bodies_are_read(mock: VectorMock, ask: Callable[..., httpx.Response]) -> None:
    mock.add_collection("docs", dimension=1000, error={"op": "upsert", "status": 418, "body": {"any": "thing"}})
    body = {"vectors": [{"id": str(number), "values": [0.5] * 1000} for number in range(60)], "namespace": "docs"}
    for path in ("/i/docs/vectors/upsert", "/vectors/upsert"):
        failed = ask("POST", path, body)
        assert (failed.status_code, failed.json()) == (418, {"any": "thing"})


# -- what is noted -----------------------------------------------------------------------------------------------------


def test_requests_are_journaled_and_counted(mock: VectorMock, ask: Callable[..., httpx.Response]) -> None:
    path = made(ask)
    upsert(ask, path, "a")
    ask("POST", f"{path}/query", {"topK": 1, "vector": [1, 0]})
    entries = [entry for entry in mock.get_requests() if entry["service"] == "vector"]
    assert [(entry["path"], entry["response"]["status"]) for entry in entries] == [
        ("/vector/indexes", 201),
        ("/vector/i/one/vectors/upsert", 200),
        ("/vector/i/one/query", 200),
    ]
    assert entries[2]["body"]["topK"] == 1
    metrics = httpx.get(mock.url.removesuffix("/vector") + "/metrics").text
    assert 'aimock_vector_requests_total{operation="query",provider="pinecone"} 1' in metrics
    assert 'path="/vector/i/{index}/query"' in metrics


def test_ids_repeat_from_the_seed() -> None:
    told = []
    for _ in range(2):
        with VectorMock(seed=5, wall_clock=lambda: 1_795_000_000.0) as mock, httpx.Client() as client:
            body = {"dimension": 2, "metric": "cosine", "spec": SPEC}
            name = client.post(f"{mock.url}/indexes", json=body).json()["name"]
            told.append(client.post(f"{mock.url}/indexes/{name}/backups", json={}).json())
    assert told[0] == told[1]
    assert told[0]["created_at"] == "2026-11-18T11:06:40Z"
