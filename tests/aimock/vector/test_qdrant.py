"""Qdrant's API over plain HTTP: envelopes, statuses, older routes, and what it has in common with other services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from aimock.surfaces.vector.mock import VectorMock

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _plain() -> None:
    """The real dialects are there."""


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False) as client:
        yield client


@pytest.fixture
def mock() -> Iterator[VectorMock]:
    with VectorMock(dialects=["qdrant"], seed=1, metrics=True) as mock:
        yield mock


@pytest.fixture
def send(mock: VectorMock, http: httpx.Client) -> Callable[..., httpx.Response]:
    """send("PUT", "/collections/c", {…})"""

    def ask(method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return http.request(method, mock.url + path, json=body, **options)

    return ask


@pytest.fixture
def ask(send: Callable[..., httpx.Response]) -> Ask:
    """The result of a request that is answered."""

    def result(*request: Any) -> Any:
        response = send(*request)
        assert response.status_code == 200, response.text
        told = response.json()
        assert (told["status"], told["time"]) == ("ok", 0.0)
        return told["result"]

    return result


@pytest.fixture
def points(ask: Ask) -> str:
    """A collection with three points; the path of its points."""
    ask("PUT", "/collections/c", {"vectors": {"size": 2, "distance": "Euclid"}})
    vectors = {1: [0, 0], 2: [3, 4], 3: [0, 1]}
    told = [{"id": id, "vector": vector, "payload": {"n": id}} for id, vector in vectors.items()]
    ask("PUT", "/collections/c/points?wait=true", {"points": told})
    return "/collections/c/points"


# -- envelopes and statuses --------------------------------------------------------------------------------------------


def test_results_are_in_an_envelope(ask: Ask, points: str) -> None:
    assert ask("GET", "/collections") == {"collections": [{"name": "c"}]}
    assert ask("GET", "/collections/c/exists") == {"exists": True}
    assert ask("GET", f"{points}/2") == {"id": 2, "payload": {"n": 2}, "vector": [3.0, 4.0]}
    assert ask("POST", f"{points}/query", {"query": [0, 0], "limit": 2}) == {
        "points": [{"id": 1, "version": 1, "score": 0.0}, {"id": 3, "version": 1, "score": 1.0}]
    }
    assert ask("DELETE", "/collections/nowhere") is False


def test_changes_are_acknowledged_or_done(ask: Ask, points: str) -> None:
    assert ask("POST", f"{points}/delete", {"points": [1]})["status"] == "acknowledged"
    done = ask("POST", f"{points}/delete?wait=true", {"points": [2]})
    assert done == {"operation_id": 3, "status": "completed"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/collections/x", None, 404, "Not found: Collection `x` doesn't exist!"),
        ("PUT", "/collections/c", {}, 409, "Wrong input: Collection `c` already exists!"),
        ("PUT", "/collections/a%2Fb", {}, 422, "Validation error in path parameters: [name: "),
        ("GET", "/collections/c/points/9", None, 404, "Not found: Point with id 9 does not exists!"),
        ("GET", "/collections/c/points/x", None, 400, 'Wrong input: Can not recognize "x" as point id'),
        ("POST", "/collections/c/points", {}, 400, "Format error in JSON body: ids: missing field `ids`"),
        ("POST", "/collections/c/points/scroll", {"limit": 0}, 422, "Validation error in JSON body: [limit: "),
        ("POST", "/collections/c/points/query", [], 400, "Format error in JSON body: body: invalid type: sequence"),
        ("POST", "/collections/c/points/scroll", {"offset": 1, "order_by": "n"}, 400, "Cannot use an `offset`"),
        ("PUT", "/collections/c/index", {"field_name": "n"}, 400, "Unable to infer type for the field 'n'"),
        ("PUT", "/collections/c/index", {"field_name": "n", "field_schema": "x"}, 400, "unknown variant `x`"),
        ("PATCH", "/collections/c", {"vectors": {"v": {}}}, 400, "Not existing vector name error: v"),
        ("POST", "/collections/c/vectors/x", None, 405, "Method Not Allowed"),
        ("POST", "/collections/aliases", {"actions": [{}]}, 400, "untagged enum AliasOperations"),
        ("POST", "/collections/c/snapshots", None, 400, "Bad request: Snapshots are not kept here"),
        ("PUT", "/collections/c/points/delete", None, 405, "Method Not Allowed"),
        ("POST", "/nowhere", None, 404, "Not Found"),
    ],
)
def test_refusals(
    send: Callable[..., httpx.Response], points: str, method: str, path: str, body: Any, status: int, words: str
) -> None:
    response = send(method, path, body)
    assert response.status_code == status, response.text
    told = response.json()
    assert words in told["status"]["error"]
    assert told["time"] == 0.0


def test_bodies_that_are_no_json(send: Callable[..., httpx.Response], points: str) -> None:
    response = send("POST", f"{points}/query", content=b'{"limit": ', headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["status"]["error"].startswith("Format error in JSON body: ")


def test_the_server_tells_of_itself(send: Callable[..., httpx.Response], ask: Ask) -> None:
    assert send("GET", "/").json() == {
        "title": "qdrant - vector search engine",
        "version": "1.19.0",
        "commit": "0" * 40,
    }
    for path, words in (
        ("/healthz", "healthz check passed"),
        ("/livez", "healthz"),
        ("/readyz", "all shards are ready"),
    ):
        assert words in send("GET", path).text
    assert ask("GET", "/cluster") == {"status": "disabled"}
    assert ask("GET", "/telemetry")["collections"] == {"number_of_collections": 0}
    assert "collections_total 0" in send("GET", "/metrics").text


def test_the_page_at_the_origin_is_ours_but_for_its_clients(mock: VectorMock, http: httpx.Client) -> None:
    origin = mock.url.removesuffix("/vector")
    ours = http.get(origin, headers={"user-agent": "curl/8"})
    assert "qdrant" not in ours.text
    for agent in ("python-client/1.20.0 python/3.11", "qdrant-js/1.18.0"):
        assert http.get(origin, headers={"user-agent": agent}).json()["version"] == "1.19.0"


# -- the older routes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "body", "expected"),
    [
        ("search", {"vector": [0, 0], "limit": 2}, [1, 3]),
        ("search", {"vector": {"name": "", "vector": [3, 4]}, "limit": 1}, [2]),
        ("search", {"vector": [0, 0], "limit": 5, "score_threshold": 1.5}, [1, 3]),
        ("search", {"vector": [0, 0], "limit": 5, "filter": {"must": [{"has_id": [2]}]}}, [2]),
        ("recommend", {"positive": [1], "limit": 5}, [3, 2]),
        ("recommend", {"positive": [1], "negative": [3], "strategy": "best_score", "limit": 5}, [2]),
        ("discover", {"target": 1, "context": [{"positive": 3, "negative": 2}], "limit": 5}, []),
        ("discover", {"target": [0, 0], "limit": 1}, [1]),
    ],
)
def test_older_routes_give_bare_lists(ask: Ask, points: str, route: str, body: Any, expected: list[int]) -> None:
    assert [each["id"] for each in ask("POST", f"{points}/{route}", body)] == expected
    batch = ask("POST", f"{points}/{route}/batch", {"searches": [body, body]})
    assert [[each["id"] for each in one] for one in batch] == [expected, expected]


def test_older_groups(ask: Ask, points: str) -> None:
    body = {"vector": [0, 0], "limit": 2, "group_by": "n", "group_size": 1, "with_payload": True}
    groups = ask("POST", f"{points}/search/groups", body)["groups"]
    assert [(group["id"], group["hits"][0]["payload"]) for group in groups] == [(1, {"n": 1}), (3, {"n": 3})]


# -- as other services -------------------------------------------------------------------------------------------------


def test_told_results_win_over_the_store(mock: VectorMock, ask: Ask) -> None:
    asked: list[Any] = []

    def results(query: Any) -> list[Any]:
        asked.append(query)
        return [{"id": "a", "score": 0.9, "metadata": {"t": "x"}}, {"id": 7, "score": 0.5}]

    mock.add_collection("docs", dimension=2).on_query("docs", results)
    expected = [{"id": "a", "version": 0, "score": 0.9, "payload": {"t": "x"}}, {"id": 7, "version": 0, "score": 0.5}]
    path = "/collections/docs/points"
    assert ask("POST", f"{path}/query", {"query": [1, 0], "limit": 1}) == {"points": expected[:1]}
    assert ask("POST", f"{path}/search", {"vector": [1, 0], "limit": 2, "filter": {}}) == expected
    assert ask("POST", f"{path}/query/batch", {"searches": [{"query": [1, 0]}]}) == [{"points": expected}]
    groups = ask("POST", f"{path}/query/groups", {"query": [1, 0], "group_by": "t"})["groups"]
    assert [group["id"] for group in groups] == ["a", 7]
    assert asked[0] == {"vector": [1, 0], "topK": 1, "filter": None, "collection": "docs"}
    assert asked[1]["filter"] == {}


def test_collections_of_a_config_are_collections_here(mock: VectorMock, ask: Ask) -> None:
    records = [{"id": 1, "values": [1, 0], "metadata": {"a": 1}}, {"id": "b", "values": [0, 1]}]
    mock.add_collection("docs", dimension=2, metric="cosine", vectors=records)
    params = ask("GET", "/collections/docs")["config"]["params"]
    assert params["vectors"] == {"size": 2, "distance": "Cosine"}
    page = ask("POST", "/collections/docs/points/scroll", {"filter": {"must": [{"slice": {"total": 1, "index": 0}}]}})
    assert [point["id"] for point in page["points"]] == [1, "b"]
    found = ask("POST", "/collections/docs/points/query", {"query": [1, 1], "with_payload": True})["points"]
    assert [(point["id"], point["payload"]) for point in found] == [(1, {"a": 1}), ("b", {})]
    ask("PUT", "/collections/docs/index", {"field_name": "a", "field_schema": "integer"})
    assert ask("GET", "/collections/docs")["payload_schema"] == {"a": {"data_type": "integer", "points": 1}}
    assert ask("GET", "/collections/docs")["config"]["params"]["vectors"] == {"size": 2, "distance": "Cosine"}


def test_requests_are_journaled_and_counted(mock: VectorMock, ask: Ask, points: str, http: httpx.Client) -> None:
    ask("POST", f"{points}/query", {"query": [0, 0]})
    entry = mock.get_requests()[-1]
    assert (entry["service"], entry["path"]) == ("vector", "/vector/collections/c/points/query")
    assert entry["body"] == {"query": [0, 0]}
    text = http.get(mock.url.removesuffix("/vector") + "/metrics").text
    assert 'aimock_vector_requests_total{operation="query",provider="qdrant"} 1' in text
    assert 'aimock_vector_requests_total{operation="upsert",provider="qdrant"} 1' in text


def test_chaos_speaks_as_the_server_does(send: Callable[..., httpx.Response], points: str) -> None:
    response = send("POST", f"{points}/query", {"query": [0, 0]}, headers={"x-aimock-fault": "overloaded"})
    assert response.status_code == 529
    assert set(response.json()["status"]) == {"error"}
    assert send("GET", "/healthz", headers={"x-aimock-fault": "overloaded"}).status_code == 200


def test_a_full_store_takes_no_more(http: httpx.Client) -> None:
    with VectorMock(dialects=["qdrant"], limits={"maxRecords": 2}) as mock:
        http.put(f"{mock.url}/collections/c", json={"vectors": {"size": 1, "distance": "Dot"}})
        told = [{"id": id, "vector": [id]} for id in range(3)]
        response = http.put(f"{mock.url}/collections/c/points", json={"points": told})
        assert response.status_code == 500
        assert "Service internal error: the vector store is full" in response.json()["status"]["error"]
        assert http.post(f"{mock.url}/collections/c/points/count", json={}).json()["result"] == {"count": 0}


def test_what_takes_long_is_answered_from_a_thread(ask: Ask, send: Callable[..., httpx.Response]) -> None:
    ask("PUT", "/collections/big", {"vectors": {"size": 1, "distance": "Dot"}})
    count = 3000
    ids, vectors = [*range(count)], [[number] for number in range(count)]
    payloads = [{"n": number % 7} for number in ids]
    ask("PUT", "/collections/big/points", {"batch": {"ids": ids, "vectors": vectors, "payloads": payloads}})
    path = "/collections/big/points"
    where = {"must": [{"key": "n", "match": {"value": 3}}]}
    found = ask("POST", f"{path}/query", {"query": [1], "filter": where, "limit": 2})["points"]
    assert [point["id"] for point in found] == [
        2999 - 2999 % 7 + 3 - 7 * (2999 % 7 < 3),
        2999 - 2999 % 7 - 4 - 7 * (2999 % 7 < 3),
    ]
    assert ask("POST", f"{path}/count", {"filter": where}) == {"count": sum(number % 7 == 3 for number in ids)}
    refused = send("POST", f"{path}/scroll", {"order_by": "n"})
    assert refused.status_code == 400
    assert "No range index" in refused.json()["status"]["error"]


def test_random_samples_repeat_from_the_seed(http: httpx.Client) -> None:
    def sampled() -> Any:
        with VectorMock(dialects=["qdrant"], seed=7) as mock:
            http.put(f"{mock.url}/collections/c", json={"vectors": {"size": 1, "distance": "Dot"}})
            told = [{"id": id, "vector": [id]} for id in range(50)]
            http.put(f"{mock.url}/collections/c/points", json={"points": told})
            body = {"query": {"sample": "random"}, "limit": 5}
            return http.post(f"{mock.url}/collections/c/points/query", json=body).json()

    assert sampled() == sampled()
