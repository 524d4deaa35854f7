"""Chroma's handlers over the wire, without its clients: what these cannot ask, and what is the house's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aimock.surfaces.mock import ServiceMock
from aimock.surfaces.vector.chroma import keeping
from aimock.surfaces.vector.chroma.patterns import Patterns
from aimock.surfaces.vector.section import script_of
from aimock.surfaces.vector.service import VectorService
from aimock.surfaces.vector.store import Collection, Field, Form, Measure, Record, Store, dense
from aimock_protocols.canonical import WireError
from chroma_server import chroma_mock

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
ALL = frozenset({"pinecone", "qdrant", "chroma"})


@pytest.fixture
def mock() -> Iterator[ServiceMock[VectorService]]:
    with chroma_mock(seed=1, metrics=True) as running:
        yield running


@pytest.fixture
def http(mock: ServiceMock[VectorService]) -> Iterator[httpx.Client]:
    """At the origin, where clients ask that take no path."""
    with httpx.Client(base_url=f"http://127.0.0.1:{mock.port}", trust_env=False) as client:
        yield client


def make(http: httpx.Client, name: str = "docs", **body: Any) -> str:
    """The path of a new collection."""
    made = http.post(f"{DATABASE}/collections", json={"name": name, **body})
    assert made.status_code == 200, made.text
    return f"{DATABASE}/collections/{made.json()['id']}"


def shared(name: str, *records: Record, fields: dict[str, Field] | None = None) -> Collection:
    """A collection that all APIs see."""
    fields = fields or {"": Field(Measure.COSINE)}
    collection = Collection(name, id="6d1f6a3e-0000-4000-8000-000000000001", dialects=ALL, fields=fields)
    collection.namespace().put(records)
    return collection


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


# -- the first version -------------------------------------------------------------------------------------------------


def test_the_four_calls_of_version_1(http: httpx.Client) -> None:
    make(http)
    assert [each["name"] for each in http.get("/api/v1/collections").json()] == ["docs"]
    added = http.post("/api/v1/collections/docs/add", json={"ids": ["a", "b"], "embeddings": [[1, 0], [0, 2]]})
    assert (added.status_code, added.json()) == (201, True)
    found = http.post("/api/v1/collections/docs/query", json={"query_embeddings": [[0, 1]], "n_results": 1})
    assert (found.json()["ids"], found.json()["distances"]) == ([["b"]], [[1.0]])
    assert http.delete("/api/v1/collections/docs").json() == {"status": "ok"}
    assert refusal(http.delete("/api/v1/collections/docs")) == (404, "NotFoundError")


@pytest.mark.parametrize(("method", "path"), [("GET", "heartbeat"), ("POST", "collections"), ("GET", "collections/x")])
def test_all_else_of_version_1_is_gone(http: httpx.Client, method: str, path: str) -> None:
    assert refusal(http.request(method, f"/api/v1/{path}", json={})) == (410, "Unimplemented")


# -- errors ------------------------------------------------------------------------------------------------------------


def test_a_body_that_is_no_json(http: httpx.Client) -> None:
    response = http.post(f"{DATABASE}/collections", content=b'{"name": ')
    assert refusal(response) == (400, "InvalidArgumentError")
    assert response.json()["message"].startswith("Failed to parse the request body as JSON: ")


@pytest.mark.parametrize(("status", "name"), [(429, "RateLimitError"), (503, "InternalError"), (404, "NotFoundError")])
def test_failures_that_were_told_have_names(
    mock: ServiceMock[VectorService], http: httpx.Client, status: int, name: str
) -> None:
    mock.add({"collections": [{"name": "docs", "error": {"status": status, "body": "No.", "times": 1}}]})
    path = f"{DATABASE}/collections/docs"
    assert (http.get(path).json(), http.get(path).status_code) == ({"error": name, "message": "No."}, 200)


def test_chaos_lets_probes_be(http: httpx.Client) -> None:
    chaos = {"x-aimock-chaos-drop": "1"}
    assert http.get(f"{DATABASE}/collections", headers=chaos).status_code == 500
    assert http.get("/api/v2/heartbeat", headers=chaos).status_code == 200


def test_paths_and_methods_that_are_not_there(mock: ServiceMock[VectorService], http: httpx.Client) -> None:
    assert refusal(http.get(f"{mock.url}/api/v2/nope")) == (404, "NotFoundError")
    wrong = http.put(f"{mock.url}/api/v2/version")
    assert (refusal(wrong), wrong.headers["allow"]) == ((405, "ChromaError"), "GET")


def test_limits_of_the_store() -> None:
    store = Store(max_collections=1, max_records=2)
    with chroma_mock(store) as mock, httpx.Client(base_url=mock.url, trust_env=False) as http:
        path = make(http)
        assert refusal(http.post(f"{DATABASE}/collections", json={"name": "more"})) == (422, "QuotaError")
        assert refusal(http.post(f"{path}/fork", json={"new_name": "more"})) == (422, "QuotaError")
        full = {"ids": ["a", "b", "c"], "embeddings": [[1], [2], [3]]}
        assert refusal(http.post(f"{path}/add", json=full)) == (422, "QuotaError")
        assert http.get(f"{path}/count").json() == 0


def test_a_query_may_not_have_endless_results(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimock.surfaces.vector.chroma.records.MAX_ROWS", 3)
    path = make(http)
    http.post(f"{path}/add", json={"ids": ["a", "b"], "embeddings": [[1], [2]]})
    body = {"query_embeddings": [[1], [2]]}
    assert refusal(http.post(f"{path}/query", json=body)) == (422, "QuotaError")
    assert http.post(f"{path}/query", json={**body, "n_results": 1}).json()["ids"] == [["a"], ["b"]]


def test_a_fork_for_which_there_is_no_room_leaves_nothing() -> None:
    with chroma_mock(Store(max_records=3)) as mock, httpx.Client(base_url=mock.url, trust_env=False) as http:
        path = make(http)
        http.post(f"{path}/add", json={"ids": ["a", "b"], "embeddings": [[1], [2]]})
        assert refusal(http.post(f"{path}/fork", json={"new_name": "more"})) == (422, "QuotaError")
        assert [each["name"] for each in http.get(f"{DATABASE}/collections").json()] == ["docs"]
        assert http.get(f"{path}/fork_count").json() == {"count": 0}


def test_tenants_and_databases_are_bounded(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MAX_NAMES", 3)
    assert http.post("/api/v2/tenants", json={"name": "one"}).status_code == 200
    assert refusal(http.post("/api/v2/tenants", json={"name": "two"})) == (422, "QuotaError")
    assert refusal(http.post("/api/v2/tenants/one/databases", json={"name": "one"})) == (422, "QuotaError")


# -- what the house has ------------------------------------------------------------------------------------------------


def test_collections_that_all_apis_see(mock: ServiceMock[VectorService], http: httpx.Client) -> None:
    records = [Record(1, {"": dense([1, 0])}, {"deep": {"er": 1}}, "one"), Record("x", {"": dense([0, 1])})]
    mock.service.store.create(shared("seeded", *records))
    shown = http.get(f"{DATABASE}/collections/seeded").json()
    assert (shown["configuration_json"]["hnsw"]["space"], shown["dimension"]) == ("cosine", 2)
    path = f"{DATABASE}/collections/{shown['id']}"
    assert http.post(f"{path}/get", json={"ids": ["1", "2"]}).json()["metadatas"] == [{"deep": {"er": 1}}]
    found = http.post(f"{path}/query", json={"query_embeddings": [[1, 0]], "where": {"deep": {"$in": [1, 2]}}})
    assert found.json()["ids"] == [[]]
    http.post(f"{path}/update", json={"ids": ["1"], "metadatas": [{"n": 2}], "documents": ["uno"]})
    kept = mock.service.store.named("qdrant", "seeded")
    assert kept is not None
    record = kept.namespace().get(1)
    assert record is not None
    assert (record.metadata, record.document) == ({"deep": {"er": 1}, "n": 2}, "uno")
    assert http.post(f"{path}/delete", json={"ids": ["1"]}).json() == {"deleted": 1}
    assert len(kept) == 1


def test_collections_without_embeddings_are_refused_in_words(
    mock: ServiceMock[VectorService], http: httpx.Client
) -> None:
    mock.service.store.create(
        shared("named", fields={"title": Field(Measure.DOT), "": Field(Measure.DOT, form=Form.MULTI)})
    )
    path = f"{DATABASE}/collections/{http.get(f'{DATABASE}/collections/named').json()['id']}"
    for operation, body in (
        ("add", {"ids": ["a"], "embeddings": [[1, 2]]}),
        ("query", {"query_embeddings": [[1, 2]]}),
    ):
        response = http.post(f"{path}/{operation}", json=body)
        assert refusal(response) == (400, "InvalidArgumentError")
        assert "has no embeddings" in response.json()["message"]


def test_told_results_have_what_the_store_knows_besides(mock: ServiceMock[VectorService], http: httpx.Client) -> None:
    collection = shared("told", Record("a", {"": dense([1, 0])}, {"n": 1}, "one", "u:a"))
    mock.service.store.create(collection)
    mock.add({"collections": [{"name": "told", "queryResults": [{"id": "b", "score": 7}, {"id": "a", "score": 8}]}]})
    assert script_of(collection).results
    asked = {
        "query_embeddings": [[1, 0], [0, 1]],
        "include": ["documents", "uris", "metadatas", "distances", "embeddings"],
    }
    found = http.post(f"{DATABASE}/collections/{collection.id}/query", json=asked).json()
    assert found["ids"] == [["b", "a"]] * 2
    assert (found["distances"][1], found["documents"][1], found["uris"][1]) == ([7, 8], [None, "one"], [None, "u:a"])
    assert (found["metadatas"][0], found["embeddings"][0]) == ([None, {"n": 1}], [None, [1.0, 0.0]])


def test_requests_are_journaled_and_counted(mock: ServiceMock[VectorService], http: httpx.Client) -> None:
    path = make(http)
    http.post(f"{path}/add", json={"ids": ["a"], "embeddings": [[1]]})
    http.post(f"{path}/query", json={"query_embeddings": [[1, 2]]})
    entries = [(entry["service"], entry["response"]["status"]) for entry in mock.get_requests()]
    assert entries == [("vector", 200), ("vector", 201), ("vector", 400)]
    counted = http.get("/metrics").text
    for operation in ("unknown", "upsert", "query"):
        assert f'aimock_vector_requests_total{{operation="{operation}",provider="chromadb"}} 1' in counted


def test_ids_follow_from_the_seed() -> None:
    paths = []
    for _ in range(2):
        with chroma_mock(seed=7) as mock, httpx.Client(base_url=mock.url, trust_env=False) as http:
            paths.append((make(http), make(http, "more")))
    assert paths[0] == paths[1]


def test_a_file_keeps_all_of_it(tmp_path: Path) -> None:
    seen = []
    for is_new in (True, False):
        store = Store(file=tmp_path / "store.db")
        with chroma_mock(store, seed=1) as mock, httpx.Client(base_url=mock.url, trust_env=False) as http:
            if is_new:
                http.post("/api/v2/tenants", json={"name": "acme"})
                http.post("/api/v2/tenants/acme/databases", json={"name": "sales"})
                path = make(http, metadata={"a": 1}, configuration={"hnsw": {"space": "ip"}})
                http.post(f"{path}/add", json={"ids": ["a"], "embeddings": [[1, 2]], "metadatas": [{"n": [1]}]})
                http.put(path, json={"new_metadata": {"b": 2}})
            everything = {"include": ["embeddings", "metadatas"]}
            told = [
                http.get("/api/v2/tenants/acme/databases"),
                http.get(f"{DATABASE}/collections/docs"),
                http.post(f"{path}/get", json=everything),
            ]
            seen.append([each.json() for each in told])
    assert seen[0] == seen[1]
    assert seen[1][1]["metadata"] == {"b": 2}


def test_a_reset_takes_away_what_chroma_sees_and_no_more(mock: ServiceMock[VectorService], http: httpx.Client) -> None:
    store = mock.service.store
    store.create(Collection("points", id="p", dialects={"qdrant"}, fields={"": Field(Measure.DOT)}))
    make(http)
    http.post("/api/v2/tenants", json={"name": "acme"})
    assert http.post("/api/v2/reset").json() is True
    assert [each.name for each in store] == ["points"]
    assert refusal(http.get("/api/v2/tenants/acme")) == (404, "NotFoundError")
    assert http.get(DATABASE).status_code == 200


def test_a_database_goes_with_its_collections(mock: ServiceMock[VectorService], http: httpx.Client) -> None:
    http.post("/api/v2/tenants/acme/databases", json={"name": "sales"})
    place = "/api/v2/tenants/acme/databases/sales"
    id = http.post(f"{place}/collections", json={"name": "docs"}).json()["id"]
    make(http)
    assert http.delete(place).json() == {}
    assert [each.scope for each in mock.service.store] == [""]
    assert http.get(f"{DATABASE}/collections/{id}/count").status_code == 404


def test_a_pattern_that_backtracks_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimock.surfaces.vector.chroma.patterns.SECONDS", 0.05)
    searcher = Patterns(left=0.05).searcher("(x|xx)+$")
    with pytest.raises(WireError, match=r"took more than 0\.05 s") as refused:
        searcher("x" * 60 + "y")
    assert refused.value.reply.status == 500


def test_a_large_answer_is_made_beside_the_streams(http: httpx.Client) -> None:
    path = make(http)
    ids = [f"r{number}" for number in range(3000)]
    http.post(f"{path}/add", json={"ids": ids, "embeddings": [[number % 7, 1] for number in range(3000)]})
    for body in (
        {"include": ["embeddings"]},
        {"include": [], "where": {"n": {"$ne": 1}}},
        {"include": [], "where_document": {"$not_regex": "x"}},
    ):
        assert http.post(f"{path}/get", json=body).json()["ids"] == ids
    found = http.post(f"{path}/query", json={"query_embeddings": [[3, 1]], "n_results": 3000}).json()
    assert (len(found["ids"][0]), found["ids"][0][:2]) == (3000, ["r3", "r10"])
    assert http.post(f"{path}/delete", json={"where_document": {"$not_regex": "x"}}).json() == {"deleted": 3000}
