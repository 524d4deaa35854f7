"""VectorMock, alone and mounted; the control API, journal and metrics of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from aimock import AIMock, create_mock_suite
from aimock.surfaces.vector.mock import VectorMock

Ask = Callable[..., httpx.Response]

RECORDS: list[Any] = [{"id": "a", "values": [1, 0], "metadata": {"t": 1}}, {"id": 7, "values": [0, 1]}]


@pytest.fixture
def control(mock: VectorMock) -> Callable[..., Any]:
    """control("GET", "?collection=docs"): the JSON of an answer of the control API."""
    assert mock._server is not None
    url = f"{mock._server.url}/__aimock/services/vector"
    return lambda method, more="", body=None: httpx.request(method, url + more, json=body).json()


# -- the object ------------------------------------------------------------------------------------------------------


def test_an_upsert_makes_the_collection_with_the_first_vector_s_length(mock: VectorMock, ask: Ask) -> None:
    """wire-vector §4"""
    mock.upsert("docs", RECORDS).upsert("docs", [{"id": "a", "values": np.array([0.5, 0.5])}])
    with pytest.raises(ValueError, match=r"values: expected 2 numbers, got 3"):
        mock.upsert("docs", [{"id": "c", "values": [1, 2, 3]}])
    assert [(each["id"], round(each["score"], 3)) for each in ask().json()] == [("a", 0.707), (7, 0.0)]
    assert mock.health() == {"status": "ok", "collections": 1}


def test_a_collection_has_what_it_is_told(mock: VectorMock, ask: Ask) -> None:
    mock.add_collection("docs", {"dimension": 2}, metric="euclidean", vectors=RECORDS)
    mock.upsert("docs", [{"id": "eu", "values": [1, 1]}], namespace="eu")
    (docs,) = mock.service.store
    assert {name: len(held) for name, held in docs.namespaces.items()} == {"": 2, "eu": 1}
    assert [each["score"] for each in ask().json()] == [0.0, 2.0]


def test_collections_go(mock: VectorMock, ask: Ask) -> None:
    mock.upsert("docs", RECORDS).upsert("more", RECORDS).delete_collection("docs")
    assert (ask().status_code, ask("more").status_code) == (404, 200)
    with pytest.raises(ValueError, match=r"^name: there is no collection 'docs'$"):
        mock.delete_collection("docs")
    assert mock.reset().health()["collections"] == 0


def test_a_name_is_free_again_when_a_collection_is_called_otherwise(mock: VectorMock) -> None:
    mock.upsert("docs", RECORDS)
    (docs,) = mock.service.store
    mock.service.store.rename(docs, "old")
    mock.upsert("docs", RECORDS[:1])
    assert [(each.name, len(each)) for each in mock.service.store] == [("old", 2), ("docs", 1)]


def test_files_are_found_from_the_working_directory(
    mock: VectorMock, ask: Ask, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs.jsonl").write_text('{"id": "x", "values": [1, 0]}')
    monkeypatch.chdir(tmp_path)
    mock.add_collection("docs", vectors="docs.jsonl")
    assert [each["id"] for each in ask().json()] == ["x"]


def test_what_is_wrong_is_said_in_snake_case_options_too(mock: VectorMock) -> None:
    with pytest.raises(ValueError, match=r'collections\[0\]\.dimensions: unknown key, did you mean "dimension"\?'):
        mock.add_collection("docs", dimensions=3)
    with pytest.raises(ValueError, match=r'^limits\.maxRecord: unknown key, did you mean "maxRecords"\?$'):
        VectorMock(limits={"maxRecord": 1})
    with pytest.raises(ValueError, match=r"^sequence_index: expected a whole number of 0 or more, got -1$"):
        mock.on_query("docs", [], sequence_index=-1)


def test_threads_may_change_it_at_once(mock: VectorMock, ask: Ask) -> None:
    mock.upsert("docs", RECORDS)

    def put(thread: int) -> None:
        for number in range(20):
            mock.upsert("docs", [{"id": f"{thread}/{number}", "values": [1, number]}])

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    assert all(ask().status_code == 200 for _ in range(20))
    for thread in threads:
        thread.join()
    (docs,) = mock.service.store
    assert len(docs) == 82


@pytest.mark.usefixtures("plain")
def test_it_is_part_of_a_suite() -> None:
    with create_mock_suite(vector={"collections": [{"name": "docs", "vectors": RECORDS}]}) as suite:
        assert suite.vector is not None
        assert suite.vector.url == f"{suite.url}/vector"
        assert httpx.get(f"{suite.url}/vector/of/docs").json()["records"] == 2
        assert httpx.get(f"{suite.url}/health").json()["services"]["vector"] == {"status": "ok", "collections": 1}
        suite.reset()
        assert httpx.get(f"{suite.url}/vector/of/docs").status_code == 404


@pytest.mark.usefixtures("plain")
def test_it_is_mounted_where_one_wants() -> None:
    with AIMock() as server:
        mock = VectorMock()
        server.mount("/db", mock)
        mock.upsert("docs", RECORDS)
        assert httpx.get(f"{server.url}/db/of/docs").json()["records"] == 2
        assert httpx.get(f"{server.url}/db/qdrant/of/docs").json()["records"] == 2


# -- the journal and the metrics ---------------------------------------------------------------------------------------


def test_requests_are_noted_and_counted(mock: VectorMock, ask: Ask) -> None:
    mock.upsert("docs", RECORDS)
    ask(k=1)
    ask("none")
    httpx.get(f"{mock.url}/nowhere")
    assert [(each["service"], each["response"]["status"]) for each in mock.get_requests()] == [
        ("vector", 200),
        ("vector", 404),
        ("vector", 404),
    ]
    assert mock.get_requests()[0]["body"] == {"vector": [1, 0], "k": 1}
    assert mock._server is not None
    told = httpx.get(f"{mock._server.url}/metrics").text
    assert 'aimock_vector_requests_total{operation="query",provider="qdrant"} 2' in told
    assert 'aimock_vector_requests_total{operation="unknown",provider="qdrant"} 1' in told


def test_chaos_comes_before_what_was_told(mock: VectorMock) -> None:
    mock.add_collection("docs", vectors=RECORDS, error={"status": 503, "times": 1})
    url = f"{mock.url}/of/docs"
    statuses = [httpx.get(url, headers=headers).status_code for headers in ({"x-aimock-fault": "overloaded"}, {}, {})]
    assert statuses == [529, 503, 200]


def test_paths_are_counted_by_what_says_most_of_them() -> None:
    with VectorMock(metrics=True) as mock:
        mock.upsert("docs", RECORDS)
        for path in ("/collections/docs/points/search", "/chroma/api/v1/collections/docs/query"):
            httpx.post(mock.url + path, json={"vector": [1, 0], "limit": 1, "query_embeddings": [[1, 0]]})
        assert mock._server is not None
        told = httpx.get(f"{mock._server.url}/metrics").text
    assert 'path="/vector/collections/{collection}/points/search"' in told
    assert 'path="/vector/chroma/api/v1/collections/{collection}/query"' in told
    assert 'aimock_vector_requests_total{operation="query",provider="chromadb"} 1' in told


# -- the control API ------------------------------------------------------------------------------------------------


def test_the_control_api_adds_and_empties(mock: VectorMock, control: Callable[..., Any], ask: Ask) -> None:
    body = {"collections": [{"name": "docs", "vectors": RECORDS, "queryResults": [{"id": "t", "score": 1}]}]}
    assert control("POST", body=body) == {"added": 4}
    assert [each["id"] for each in ask().json()] == ["t"]
    assert control("POST", body={"collections": [{"name": "docs", "vectors": "/etc/passwd"}]}) == {
        "error": 'collections[0].vectors: expected an array, for files are read at the start only, got "/etc/passwd"'
    }
    assert control("POST", "/reset") == {"reset": True}
    assert ask().status_code == 404


def test_the_control_api_shows_collections(mock: VectorMock, control: Callable[..., Any]) -> None:
    mock.add_collection("docs", dialects=["chroma"], dimension=2, vectors=RECORDS, fields={"w": {"form": "sparse"}})
    mock.on_query("other", [])
    shown = control("GET")
    assert {key: shown[key] for key in ("path", "name", "health")} == {
        "path": "/vector",
        "name": "vector",
        "health": {"status": "ok", "collections": 2},
    }
    for each in shown["collections"]:
        assert len(each.pop("id")) == 36
    assert shown["collections"] == [
        {
            "name": "docs",
            "dialects": ["chroma"],
            "dimension": 2,
            "metric": "cosine",
            "fields": {"w": {"dimension": None, "metric": "dotproduct", "form": "sparse"}},
            "records": 2,
            "namespaces": {"": 2},
            "isScripted": False,
        },
        {
            "name": "other",
            "dialects": ["chroma", "pinecone", "qdrant"],
            "dimension": None,
            "metric": "cosine",
            "records": 0,
            "namespaces": {},
            "isScripted": True,
        },
    ]


def test_the_control_api_shows_records(mock: VectorMock, control: Callable[..., Any]) -> None:
    mock.upsert("docs", RECORDS)
    mock.upsert(
        "docs", [{"id": "e", "text": "x", "uri": "u"}, {"id": "s", "values": [1, 1], "sparseValues": SPARSE}], "eu"
    )

    def records(query: str = "") -> list[dict[str, Any]]:
        told = control("GET", f"?collection=docs{query}")
        (collection,) = told["collections"]
        assert all(each.pop("collection") == collection["id"] for each in told["records"])
        listed: list[dict[str, Any]] = told["records"]
        return listed

    assert records()[:3] == [
        {"namespace": "", "id": "a", "metadata": {"t": 1}},
        {"namespace": "", "id": 7},
        {"namespace": "eu", "id": "e", "metadata": {"text": "x"}, "document": "x", "uri": "u"},
    ]
    assert [each["id"] for each in records("&limit=2&offset=1")] == [7, "e"]
    assert [each["id"] for each in records("&namespace=eu&limit=1")] == ["e"]
    assert [each["id"] for each in records("&namespace=")] == ["a", 7]
    assert records("&namespace=eu&offset=1&vectors=true")[0]["vectors"] == {"": [1.0, 1.0], "sparse": SPARSE}


SPARSE = {"indices": [3], "values": [0.5]}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?limit=1", "limit: goes with collection only"),
        ("?collection=none", "collection: there is no 'none'; there are: docs"),
        ("?collection=docs&limit=x", "limit: expected a whole number from 0 to 1000, got 'x'"),
        ("?collection=docs&limit=1001", "limit: expected a whole number from 0 to 1000, got '1001'"),
        ("?collection=docs&offset=-1", "offset: expected a whole number from 0 to 1000000000000, got '-1'"),
        ("?collection=docs&vectors=yes", "vectors: expected true or false, got 'yes'"),
        (
            "?colection=docs",
            "colection: unknown parameter; expected one of collection, limit, namespace, offset, vectors",
        ),
    ],
)
def test_a_parameter_that_is_wrong_is_refused(
    mock: VectorMock, control: Callable[..., Any], query: str, said: str
) -> None:
    mock.upsert("docs", RECORDS)
    assert control("GET", query) == {"error": said}
