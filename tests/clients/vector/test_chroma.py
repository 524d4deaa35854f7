"""chromadb's HTTP clients, unmodified, on the mock: what their guides show, every operator, every typed error."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

chromadb = pytest.importorskip("chromadb", reason="chromadb is only where the whole is tested")

from chromadb import errors  # noqa: E402
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings  # noqa: E402
from chromadb.config import Settings  # noqa: E402

from aimock import AIMock  # noqa: E402
from aimock.surfaces.vector.mock import VectorMock  # noqa: E402

_NAMES = (f"books-{number}" for number in itertools.count())


def quiet(**settings: Any) -> Any:
    """Settings of a client's own, for it writes into them."""
    return Settings(anonymized_telemetry=False, **settings)


class Letters(EmbeddingFunction[Documents]):
    """Counts three letters. Chroma's own functions would download a model."""

    def __init__(self) -> None:
        pass

    def __call__(self, input: Documents) -> Embeddings:
        return [np.array([text.count(letter) for letter in "abc"], np.float32) for text in input]

    @staticmethod
    def name() -> str:
        return "letters"

    def get_config(self) -> dict[str, Any]:
        return {}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Letters:
        return Letters()


@pytest.fixture(scope="module")
def vectors() -> Iterator[VectorMock]:
    with VectorMock(dialects=["chroma"], allow_reset=True) as mock:
        yield mock


@pytest.fixture(scope="module")
def client(vectors: VectorMock) -> Any:
    """At the origin: host and port are all that it is told."""
    return chromadb.HttpClient(host="127.0.0.1", port=vectors.port, settings=quiet())


@pytest.fixture
def books(client: Any) -> Any:
    """A collection of five books, without an embedding function."""
    made = client.create_collection(next(_NAMES), embedding_function=None)
    made.add(
        ids=["a", "b", "c", "d", "e"],
        embeddings=[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]],
        metadatas=[
            {"year": 1990, "price": 9.5, "lent": True, "tags": ["red", "big"], "shelf": "x"},
            {"year": 2000, "price": 5.0, "lent": False, "tags": ["blue"], "shelf": "y"},
            {"year": 2010, "shelf": "z"},
            {"year": 2020, "tags": ["red"]},
            None,
        ],
        documents=["a red tale", "The blue book", "red and blue", "nothing", None],
        uris=["u:a", None, None, None, None],
    )
    return made


def test_the_first_steps_of_the_guide(client: Any) -> None:
    collection = client.create_collection("first-steps", embedding_function=Letters(), metadata={"about": "letters"})
    collection.add(ids=["1", "2"], documents=["aab", "ccc"], metadatas=[{"n": 1}, {"n": 2}])
    found = collection.query(query_texts=["cc"], n_results=1)
    assert (found["ids"], found["documents"], found["metadatas"]) == ([["2"]], [["ccc"]], [[{"n": 2}]])
    assert found["distances"] == [[1.0]]
    collection.upsert(ids=["2", "3"], documents=["cccc", "abc"])
    collection.update(ids=["1"], documents=["aa"], metadatas=[{"n": None, "m": 5}])
    got = collection.get(ids=["1", "2"])
    assert (got["documents"], got["metadatas"]) == (["aa", "cccc"], [{"m": 5}, {"n": 2}])
    collection.delete(ids=["3"])
    assert (collection.count(), collection.peek(1)["ids"]) == (2, ["1"])
    again = client.get_or_create_collection("first-steps", embedding_function=Letters())
    assert (again.id, again.metadata) == (collection.id, {"about": "letters"})
    with pytest.raises(ValueError, match="mbedding function"):
        client.get_collection("first-steps", embedding_function=Other())
    collection.modify(name="last-steps", metadata={"about": "words"})
    assert client.get_collection("last-steps").metadata == {"about": "words"}
    client.delete_collection("last-steps")
    with pytest.raises(errors.NotFoundError):
        client.get_collection("last-steps")


class Other(Letters):
    @staticmethod
    def name() -> str:
        return "other"


def test_the_server_is_asked_who_it_is(client: Any) -> None:
    assert client.heartbeat() > 1_600_000_000 * 10**9
    assert client.get_version() == "1.0.0"
    assert client.get_max_batch_size() == 5461
    assert client.get_user_identity().tenant == "default_tenant"


def test_under_the_path_of_a_service_beside_others() -> None:
    with AIMock() as server:
        mock = VectorMock()
        server.mount("/vector", mock)
        for base in (mock.url, f"{mock.url}/chroma"):
            client = chromadb.HttpClient(host=base, settings=quiet())
            made = client.get_or_create_collection("docs", embedding_function=None)
            made.upsert(ids=["1"], embeddings=[[1, 2]])
            assert made.count() == 1


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"year": 1990}, "a"),
        ({"year": {"$eq": 2000}}, "b"),
        ({"year": {"$ne": 2000}}, "acde"),
        ({"year": {"$gt": 2000}}, "cd"),
        ({"year": {"$gte": 2000}}, "bcd"),
        ({"year": {"$lt": 2000}}, "a"),
        ({"year": {"$lte": 2000}}, "ab"),
        ({"price": {"$gt": 5}}, "a"),
        ({"shelf": {"$in": ["x", "z"]}}, "ac"),
        ({"shelf": {"$nin": ["x", "z"]}}, "bde"),
        ({"lent": True}, "a"),
        ({"tags": {"$contains": "red"}}, "ad"),
        ({"tags": {"$not_contains": "red"}}, "bce"),
        ({"$and": [{"year": {"$gt": 1995}}, {"shelf": "y"}]}, "b"),
        ({"$or": [{"year": 1990}, {"$and": [{"shelf": "z"}, {"year": {"$lt": 2020}}]}]}, "ac"),
    ],
)
def test_every_operator_of_where(books: Any, where: Any, ids: str) -> None:
    assert "".join(books.get(where=where)["ids"]) == ids
    found = books.query(query_embeddings=[[0, 0, 0]], where=where)
    assert sorted(found["ids"][0]) == [*ids]


@pytest.mark.parametrize(
    ("where_document", "ids"),
    [
        ({"$contains": "red"}, "ac"),
        ({"$not_contains": "red"}, "bde"),
        ({"$regex": "(?i)^THE|tale$"}, "ab"),
        ({"$not_regex": "blue"}, "ade"),
        ({"$and": [{"$contains": "red"}, {"$contains": "blue"}]}, "c"),
        ({"$or": [{"$contains": "tale"}, {"$contains": "book"}]}, "ab"),
    ],
)
def test_every_operator_of_where_document(books: Any, where_document: Any, ids: str) -> None:
    assert "".join(books.get(where_document=where_document)["ids"]) == ids


COLUMNS = ("embeddings", "documents", "metadatas", "uris")


@pytest.mark.parametrize("include", [each for n in range(5) for each in itertools.combinations(COLUMNS, n)], ids=str)
def test_what_is_included(books: Any, include: tuple[str, ...]) -> None:
    got = books.get(include=[*include])
    assert got["ids"] == [*"abcde"]
    assert {name for name in COLUMNS if got[name] is not None} == {*include}
    found = books.query(query_embeddings=[[1, 0, 0], [0, 1, 0]], n_results=2, include=[*include, "distances"])
    assert found["ids"] == [["a", "d"], ["b", "d"]]
    assert {name for name in COLUMNS if found[name] is not None} == {*include}
    if "embeddings" in include:
        assert np.array_equal(found["embeddings"][1], [[0, 1, 0], [1, 1, 0]])


def test_pages_and_ids(books: Any) -> None:
    assert books.get(limit=2, offset=1)["ids"] == ["b", "c"]
    assert books.get(ids=["e", "a", "unknown"])["ids"] == ["a", "e"]
    assert books.get(ids=["e", "a"], limit=1)["ids"] == ["a"]
    assert books.query(query_embeddings=[[1, 0, 0]], ids=["b", "c"], n_results=9)["ids"] == [["b", "c"]]
    assert books.delete(where={"year": {"$gt": 1000}}, limit=2)["deleted"] == 2
    assert books.delete(where={"year": 2020}, ids=["d", "e"])["deleted"] == 1
    assert books.get()["ids"] == ["c", "e"]


@pytest.mark.parametrize(
    ("space", "distances"), [("l2", [0.0, 1.0, 1.0]), ("cosine", [0.0, 0.29289, 1.0]), ("ip", [0.0, 0.0, 1.0])]
)
def test_spaces(client: Any, space: str, distances: list[float]) -> None:
    made = client.create_collection(next(_NAMES), embedding_function=None, configuration={"hnsw": {"space": space}})
    made.add(ids=["a", "b", "c"], embeddings=[[1, 0], [1, 1], [0, 0]])
    found = made.query(query_embeddings=[[1, 0]])
    assert found["ids"] == [["a", "b", "c"]]
    assert found["distances"][0] == pytest.approx(distances, abs=1e-5)


def test_array_metadata_and_typed_values(books: Any) -> None:
    books.update(ids=["a"], metadatas=[{"tags": ["green"], "scores": [1.5, 2.0], "price": None, "lent": [True, False]}])
    assert books.get(ids=["a"])["metadatas"] == [
        {"year": 1990, "tags": ["green"], "scores": [1.5, 2.0], "lent": [True, False], "shelf": "x"}
    ]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda client, books: client.get_collection("nope"), errors.NotFoundError, r"Collection \[nope\] does not"),
        (lambda client, books: client.create_collection(books.name), errors.ChromaError, "already exists"),
        (lambda client, books: client.delete_collection("nope"), errors.NotFoundError, "nope"),
        (
            lambda client, books: books.add(ids=["z"], embeddings=[[1, 2]]),
            errors.InvalidArgumentError,
            "Collection expecting embedding with dimension of 3, got 2",
        ),
        (
            lambda client, books: books.query(query_embeddings=[[1, 2]]),
            errors.InvalidArgumentError,
            "dimension of 3, got 2",
        ),
        (lambda client, books: books.get(where_document={"$regex": "["}), errors.InvalidArgumentError, "unclosed"),
        (lambda client, books: books.add(ids=["q", "q"], embeddings=[[1, 2, 3]] * 2), errors.DuplicateIDError, "q"),
        (lambda client, books: client.set_tenant("nobody"), errors.NotFoundError, r"Tenant \[nobody\] not found"),
    ],
)
def test_errors_are_typed(client: Any, books: Any, call: Callable[[Any, Any], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(client, books)


def test_a_collection_that_was_deleted_is_not_found(client: Any, books: Any) -> None:
    client.delete_collection(books.name)
    for call in (books.count, books.get, books.peek):
        with pytest.raises(errors.NotFoundError):
            call()


def test_tenants_and_databases(vectors: VectorMock) -> None:
    admin = chromadb.AdminClient(
        quiet(
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host="127.0.0.1",
            chroma_server_http_port=vectors.port,
        )
    )
    admin.create_tenant("acme")
    admin.create_database("sales", tenant="acme")
    assert [each["name"] for each in admin.list_databases(tenant="acme")] == ["sales"]
    client = chromadb.HttpClient(host="127.0.0.1", port=vectors.port, tenant="acme", database="sales", settings=quiet())
    client.create_collection("books-of-acme", embedding_function=None)
    assert client.count_collections() == 1
    with pytest.raises(errors.NotFoundError):
        chromadb.HttpClient(host="127.0.0.1", port=vectors.port, settings=quiet()).get_collection("books-of-acme")
    admin.delete_database("sales", tenant="acme")
    with pytest.raises(errors.NotFoundError):
        admin.get_database("sales", tenant="acme")


def test_listing_has_pages(vectors: VectorMock) -> None:
    client = chromadb.HttpClient(host="127.0.0.1", port=vectors.port, settings=quiet())
    for name in ("one", "two", "three"):
        client.get_or_create_collection(f"page-{name}", embedding_function=None)
    every = [each.name for each in client.list_collections()]
    pages = [client.list_collections(limit=2, offset=place) for place in range(0, len(every), 2)]
    assert [each.name for page in pages for each in page] == every
    assert client.count_collections() == len(every)


def test_forks_go_their_own_way(client: Any, books: Any) -> None:
    fork = books.fork(next(_NAMES))
    fork.delete(ids=["a"])
    books.upsert(ids=["f"], embeddings=[[2, 2, 2]])
    assert (fork.count(), books.count()) == (4, 6)
    assert books.fork_count() == 1


def test_the_cloud_searches_alone(books: Any) -> None:
    with pytest.raises(errors.ChromaError, match="not implemented for local executor"):
        books.search(chromadb.Search())


def test_reset_where_it_is_allowed() -> None:
    for is_allowed in (False, True):
        with VectorMock(allow_reset=is_allowed) as mock:
            client = chromadb.HttpClient(host="127.0.0.1", port=mock.port, settings=quiet(allow_reset=True))
            client.create_collection("docs", embedding_function=None)
            if is_allowed:
                assert client.reset() is True
                assert client.count_collections() == 0
            else:
                with pytest.raises(errors.ChromaError, match="Reset is disabled by config"):
                    client.reset()


def test_results_that_were_told_beforehand_win(vectors: VectorMock, client: Any) -> None:
    vectors.upsert("told", [{"id": "a", "values": [1, 0]}, {"id": "b", "values": [0, 1]}])
    collection = client.get_collection("told")
    assert collection.query(query_embeddings=[[0, 1]])["ids"] == [["b", "a"]]
    vectors.on_query("told", [{"id": "z", "score": 0.9, "metadata": {"n": 1}}, {"id": "a", "score": 0.8}])
    found = collection.query(query_embeddings=[[0, 1]], n_results=2)
    assert (found["ids"], found["distances"]) == ([["z", "a"]], [[0.9, 0.8]])
    assert found["metadatas"] == [[{"n": 1}, None]]
    assert collection.query(query_embeddings=[[0, 1]], n_results=1)["ids"] == [["z"]]


def test_the_async_client(vectors: VectorMock) -> None:
    async def work() -> None:
        client = await chromadb.AsyncHttpClient(host="127.0.0.1", port=vectors.port, settings=quiet())
        collection = await client.get_or_create_collection("async", embedding_function=Letters())
        await collection.add(ids=["1", "2"], documents=["aab", "ccc"])
        found = await collection.query(query_texts=["c"], n_results=1, include=["documents", "distances"])
        assert (found["documents"], found["distances"]) == ([["ccc"]], [[4.0]])
        assert await collection.count() == 2
        with pytest.raises(errors.NotFoundError):
            await client.get_collection("nope")
        await client.delete_collection("async")

    asyncio.run(work())
