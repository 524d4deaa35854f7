"""What a config file seeds and tells, as the three official clients see it: one collection, one answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import OpenAI

pinecone = pytest.importorskip("pinecone")
qdrant_client = pytest.importorskip("qdrant_client")
chromadb = pytest.importorskip("chromadb")

from aimock import AIMock, VectorMock, create_mock_suite  # noqa: E402
from aimock.config import load_config  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("left_to_the_collector"),
]

DIMENSION = 8
_rng = np.random.default_rng(8)
RECORDS: list[dict[str, Any]] = [
    {
        "id": number,
        "values": [round(float(value), 4) for value in _rng.normal(size=DIMENSION)],
        "metadata": {"half": number % 2, "name": f"record {number}"},
    }
    for number in range(40)
]
QUERY = [round(float(value), 4) for value in _rng.normal(size=DIMENSION)]

Found = list[tuple[str, float]]
"""Ids as text, and scores."""
Search = Callable[..., Found]


def by_pinecone(url: str) -> Search:
    client = pinecone.Pinecone(api_key="any", host=f"{url}/vector")

    def search(name: str, k: int, half: int | None = None, vector: list[float] = QUERY) -> Found:
        index = client.Index(name)
        only = None if half is None else {"half": half}
        found = index.query(vector=vector, top_k=k, filter=only, include_metadata=True)
        return [(each.id, each.score) for each in found.matches]

    return search


def by_qdrant(url: str) -> Search:
    client = qdrant_client.QdrantClient(url=url, prefix="vector", check_compatibility=False)
    models = qdrant_client.models

    def search(name: str, k: int, half: int | None = None, vector: list[float] = QUERY) -> Found:
        wanted = [] if half is None else [models.FieldCondition(key="half", match=models.MatchValue(value=half))]
        found = client.query_points(name, query=vector, limit=k, query_filter=models.Filter(must=wanted))
        return [(str(each.id), each.score) for each in found.points]

    return search


def by_chroma(url: str) -> Search:
    client = chromadb.HttpClient(host=f"{url}/vector")

    def search(name: str, k: int, half: int | None = None, vector: list[float] = QUERY) -> Found:
        only = {} if half is None else {"where": {"half": half}}
        found = client.get_collection(name).query(query_embeddings=[vector], n_results=k, **only)
        return [*zip(found["ids"][0], found["distances"][0], strict=True)]

    return search


CLIENTS = {"pinecone": by_pinecone, "qdrant": by_qdrant, "chroma": by_chroma}

TOLD = [{"id": "a", "score": 0.9, "metadata": {"t": "x"}}, {"id": "b", "score": 0.4}]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("seeded")
    lines = "\n".join(json.dumps(record) for record in RECORDS)
    (folder / "records.jsonl").write_text(lines)
    metrics = ("cosine", "dotproduct", "euclidean")
    section = {
        "collections": [
            *({"name": metric, "metric": metric, "vectors": "records.jsonl"} for metric in metrics),
            {"name": "told", "dimension": DIMENSION, "queryResults": TOLD},
            {
                "name": "failing",
                "vectors": "records.jsonl",
                "error": {"op": "query", "status": 400, "body": "no such luck"},
            },
        ]
    }
    (folder / "aimock.json").write_text(json.dumps({"vector": section}))
    with AIMock() as server:
        for path, service in load_config(folder / "aimock.json").services:
            server.mount(path, service)
        yield server.url


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def oracle(metric: str, k: int, half: int | None = None) -> tuple[list[str], list[float]]:
    """The nearest and how near they are, as Pinecone counts."""
    kept = [record for record in RECORDS if half in (None, record["metadata"]["half"])]
    vectors, query = np.array([record["values"] for record in kept]), np.array(QUERY)
    dots = vectors @ query
    scores = {
        "cosine": dots / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query),
        "dotproduct": dots,
        "euclidean": ((vectors - query) ** 2).sum(axis=1),
    }[metric]
    order = np.argsort(scores if metric == "euclidean" else -scores, kind="stable")[:k]
    return [str(kept[place]["id"]) for place in order], [float(scores[place]) for place in order]


AS_TOLD: dict[tuple[str, str], Callable[[float], float]] = {
    ("qdrant", "euclidean"): lambda squared: squared**0.5,
    ("chroma", "cosine"): lambda cosine: 1 - cosine,
    ("chroma", "dotproduct"): lambda dot: 1 - dot,
}
"""In whose words a score is another number."""


@pytest.mark.parametrize("half", [None, 1])
@pytest.mark.parametrize("metric", ["cosine", "dotproduct", "euclidean"])
def test_the_same_data_has_the_same_neighbours(url: str, client: str, metric: str, half: int | None) -> None:
    found = CLIENTS[client](url)(metric, 7, half)
    ids, scores = oracle(metric, 7, half)
    convert = AS_TOLD.get((client, metric), lambda score: score)
    assert [each for each, _ in found] == ids
    assert [score for _, score in found] == pytest.approx([convert(score) for score in scores], abs=1e-5)


def test_told_results_are_sent_as_they_are(url: str, client: str) -> None:
    search = CLIENTS[client](url)
    assert search("told", 5) == [("a", pytest.approx(0.9)), ("b", pytest.approx(0.4))]
    assert search("told", 1) == [("a", pytest.approx(0.9))]


def test_a_told_failure_is_the_client_s_exception(url: str, client: str) -> None:
    with pytest.raises(Exception, match="no such luck"):
        CLIENTS[client](url)("failing", 1)


def test_questions_find_texts_by_openai_s_embeddings(client: str) -> None:
    texts = ["Resetting a forgotten password", "Orders are shipped within three days", "How to pay by card"]
    documents = [{"id": number, "text": text} for number, text in enumerate(texts)]
    section = {"collections": [{"name": "faq", "dimension": 1536, "documents": documents}]}
    with create_mock_suite(llm={"embeddings": "semantic"}, vector=section) as suite:
        asked = OpenAI(base_url=f"{suite.url}/v1", api_key="any").embeddings.create(
            model="text-embedding-3-small", input=["How do I reset my password?", "When will my order be shipped?"]
        )
        search = CLIENTS[client](suite.url)
        assert [search("faq", 1, vector=each.embedding)[0][0] for each in asked.data] == ["0", "1"]


def test_all_see_what_one_has_put_there(client: str) -> None:
    with create_mock_suite(vector={"collections": [{"name": "docs", "vectors": RECORDS}]}) as suite:
        assert isinstance(suite.vector, VectorMock)
        new = {"pinecone": _put_by_pinecone, "qdrant": _put_by_qdrant, "chroma": _put_by_chroma}[client]
        new(suite.url)
        for search in CLIENTS.values():
            ((nearest, _),) = search(suite.url)("docs", 1)
            assert nearest == "1000"


def _put_by_pinecone(url: str) -> None:
    index = pinecone.Pinecone(api_key="any", host=f"{url}/vector").Index("docs")
    index.upsert(vectors=[{"id": "1000", "values": QUERY}])


def _put_by_qdrant(url: str) -> None:
    client = qdrant_client.QdrantClient(url=url, prefix="vector", check_compatibility=False)
    client.upsert("docs", [qdrant_client.models.PointStruct(id=1000, vector=QUERY)])


def _put_by_chroma(url: str) -> None:
    collection = chromadb.HttpClient(host=f"{url}/vector").get_collection("docs")
    collection.upsert(ids=["1000"], embeddings=[QUERY])
