"""The official client, unmodified, through the flows of its quick-starts: REST, under asyncio, and gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pinecone import AsyncPinecone, Index, Pinecone, ServerlessSpec, SparseValues, Vector
from pinecone.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PayloadTooLargeError,
    PineconeError,
    UnauthorizedError,
)
from pinecone.grpc import GrpcIndex

from aimock import AIMock
from aimock.surfaces.vector.mock import VectorMock

SERVERLESS = ServerlessSpec(cloud="aws", region="us-east-1")
VERSIONS = ("2025-10", "2026-04", "2026-07")


@pytest.fixture(scope="module")
def vectors() -> Iterator[VectorMock]:
    with VectorMock(seed=3) as mock:
        yield mock


@pytest.fixture(scope="module")
def pc(vectors: VectorMock) -> Iterator[Pinecone]:
    with contextlib.closing(Pinecone(api_key="test", host=vectors.url)) as client:
        yield client


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return (f"index-{number}" for number in itertools.count())


@pytest.fixture
def make(pc: Pinecone, names: Iterator[str]) -> Iterator[Callable[..., Index]]:
    """A new index of plain vectors, as its own data plane."""
    with contextlib.ExitStack() as stack:

        def make(metric: str = "cosine", dimension: int | None = 3, **more: Any) -> Index:
            name = next(names)
            pc.indexes.create(name=name, metric=metric, dimension=dimension, spec=SERVERLESS, **more)
            return stack.enter_context(contextlib.closing(pc.Index(name)))

        yield make


def ids(answer: Any) -> list[str]:
    return [match.id for match in answer.matches]


def scores(answer: Any) -> list[float]:
    return [match.score for match in answer.matches]


# -- the control plane -------------------------------------------------------------------------------------------------


def test_the_life_of_an_index(pc: Pinecone) -> None:
    made = pc.indexes.create(
        name="life", dimension=3, metric="dotproduct", spec=SERVERLESS, deletion_protection="enabled", tags={"a": "1"}
    )
    assert (made.dimension, made.metric, made.vector_type) == (3, "dotproduct", "dense")
    assert (made.status.ready, made.spec.serverless.cloud, made.tags) == (True, "aws", {"a": "1"})
    assert "life" in [index.name for index in pc.indexes.list()]
    assert pc.indexes.exists("life")
    assert not pc.indexes.exists("nobody")
    with pytest.raises(ConflictError, match="already exists"):
        pc.indexes.create(name="life", dimension=3, spec=SERVERLESS)
    with pytest.raises(ForbiddenError, match="Deletion protection is enabled"):
        pc.indexes.delete("life")
    changed = pc.indexes.configure("life", deletion_protection="disabled", tags={"a": "", "b": "2"})
    assert (changed.deletion_protection, changed.tags) == ("disabled", {"b": "2"})
    pc.indexes.delete("life")
    with pytest.raises(NotFoundError, match="Index life not found"):
        pc.indexes.describe("life")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"type": "dense_vector", "dimension": 3, "metric": "l2"}, "cosine, euclidean, dotproduct"),
        ({"type": "dense_vector", "dimension": 20_001, "metric": "cosine"}, "between 1 and 20000"),
        ({"type": "integer"}, "cannot be declared here"),
        ({"type": "string"}, "full_text_search, embed or sparse_embed is required"),
    ],
)
def test_what_an_index_must_be(pc: Pinecone, field: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as error:
        pc.indexes.create(name="refused", schema={"fields": {"f": field}})
    assert (error.value.status_code, error.value.error_code) == (400, "INVALID_ARGUMENT")
    assert message in error.value.message
    assert not pc.indexes.exists("refused")


def test_an_index_may_take_a_while(vectors: VectorMock) -> None:
    vectors.add_collection("slow", dimension=3, readyAfterPolls=2)
    with contextlib.closing(Pinecone(api_key="test", host=vectors.url)) as client:
        assert [client.indexes.describe("slow").status.ready for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_the_api(vectors: VectorMock, version: str) -> None:
    headers = {"X-Pinecone-Api-Version": version}
    with contextlib.closing(Pinecone(api_key="test", host=vectors.url, additional_headers=headers)) as client:
        name = f"of-{version}"
        client.indexes.create(name=name, dimension=2, spec=SERVERLESS)
        with contextlib.closing(client.Index(name)) as index:
            index.upsert(vectors=[("a", [1, 0])])
            index.upsert(vectors=[("b", [0, 1])], namespace="other")
            stats = index.describe_index_stats()
            assert {key: each.vector_count for key, each in stats.namespaces.items()} == {"__default__": 1, "other": 1}
            assert [each.record_count for page in index.list_namespaces() for each in page.namespaces] == [1, 1]
        assert client.indexes.describe(name).dimension == 2
        client.indexes.delete(name)


# -- the data plane ----------------------------------------------------------------------------------------------------


def test_the_quick_start(make: Callable[..., Index]) -> None:
    index = make()
    answer = index.upsert(
        vectors=[
            ("a", [1, 0, 0], {"genre": "drama", "year": 2020}),
            Vector(id="b", values=[0, 1, 0], metadata={"genre": ["comedy", "drama"], "year": 2021}),
            {"id": "c", "values": [1, 1, 0]},
        ],
        namespace="ns",
    )
    assert answer.upserted_count == 3
    found = index.query(vector=[1, 0, 0], top_k=3, namespace="ns", include_values=True, include_metadata=True)
    assert ids(found) == ["a", "c", "b"]
    assert scores(found) == pytest.approx([1, 0.5**0.5, 0], abs=1e-6)
    assert (found.matches[0].values, found.matches[0].metadata) == ([1, 0, 0], {"genre": "drama", "year": 2020})
    assert (found.namespace, found.usage.read_units) == ("ns", 1)
    plain = index.query(id="b", top_k=1, namespace="ns")
    assert (ids(plain), plain.matches[0].values, plain.matches[0].metadata) == (["b"], [], None)
    assert index.query(id="nobody", top_k=1, namespace="ns").matches == []
    assert index.query(vector=[1, 0, 0], top_k=1, namespace="nowhere").matches == []
    assert set(index.fetch(ids=["a", "nobody"], namespace="ns").vectors) == {"a"}
    assert index.fetch(ids=["a"]).vectors == {}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("cosine", [("b", 1.0), ("a", 0.6), ("c", -1.0)]),
        ("dotproduct", [("b", 10.0), ("a", 6.0), ("c", -25.0)]),
        ("euclidean", [("b", 9.0), ("a", 17.0), ("c", 100.0)]),  # the squared distance, the smallest first
    ],
)
def test_metrics(make: Callable[..., Index], metric: str, expected: list[tuple[str, float]]) -> None:
    index = make(metric, 2)
    index.upsert(vectors=[("a", [2.0, 0.0]), ("b", [1.2, 1.6]), ("c", [-3.0, -4.0])])
    found = index.query(vector=[3.0, 4.0], top_k=3)
    assert ids(found) == [each for each, _ in expected]
    assert scores(found) == pytest.approx([score for _, score in expected], abs=1e-5)


RECORDS = {
    "text": {"f": "x"},
    "other": {"f": "y"},
    "texts": {"f": ["x", "z"]},
    "one": {"f": 1},
    "two": {"f": 2.5},
    "yes": {"f": True},
    "none": {"g": "x"},
}


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"f": "x"}, {"text", "texts"}),
        ({"f": {"$eq": "x"}}, {"text", "texts"}),
        ({"f": {"$eq": 1}}, {"one"}),
        ({"f": {"$eq": True}}, {"yes"}),
        ({"f": {"$ne": "x"}}, {"other", "one", "two", "yes", "none"}),
        ({"f": {"$gt": 1}}, {"two"}),
        ({"f": {"$gte": 1}}, {"one", "two"}),
        ({"f": {"$lt": 2.5}}, {"one"}),
        ({"f": {"$lte": 2.5}}, {"one", "two"}),
        ({"f": {"$gte": 1, "$lt": 2}}, {"one"}),
        ({"f": {"$in": ["y", "z", 1]}}, {"other", "texts", "one"}),
        ({"f": {"$nin": ["x", 1]}}, {"other", "two", "yes", "none"}),
        ({"f": {"$exists": True}}, set(RECORDS) - {"none"}),
        ({"f": {"$exists": False}}, {"none"}),
        ({"$and": [{"f": {"$in": ["x", "y"]}}, {"f": {"$ne": "y"}}]}, {"text", "texts"}),
        ({"$or": [{"f": "y"}, {"g": "x"}]}, {"other", "none"}),
        ({"f": "x", "g": "x"}, set()),
        ({}, set(RECORDS)),
    ],
)
def test_filters_of_every_operator(filtered: Index, filter: dict[str, Any], expected: set[str]) -> None:
    found = filtered.query(vector=[1, 0, 0], top_k=100, filter=filter)
    assert set(ids(found)) == expected
    if filter:
        assert set(filtered.fetch_by_metadata(filter=filter).vectors) == expected
        assert filtered.update(filter=filter, set_metadata={"h": 1}, dry_run=True).matched_records == len(expected)


@pytest.fixture(scope="module")
def filtered(pc: Pinecone) -> Iterator[Index]:
    pc.indexes.create(name="filtered", dimension=3, spec=SERVERLESS)
    with contextlib.closing(pc.Index("filtered")) as index:
        index.upsert(vectors=[(name, [1, 0, 0], metadata) for name, metadata in RECORDS.items()])
        yield index


@pytest.mark.parametrize(
    "filter",
    [
        {"f": {"$regex": "x"}},
        {"$not": [{"f": "x"}]},
        {"$and": []},
        {"$or": {"f": "x"}},
        {"f": {"$gt": "x"}},
        {"f": {"$in": "x"}},
        {"f": {"$exists": 1}},
        {"f": {}},
        {"f": ["x"]},
        {"f": None},
    ],
)
def test_filters_that_are_none(filtered: Index, filter: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as error:
        filtered.query(vector=[1, 0, 0], top_k=1, filter=filter)
    assert (error.value.status_code, error.value.body["code"]) == (400, 3)


def test_listing_and_paging(make: Callable[..., Index]) -> None:
    index = make()
    index.upsert(vectors=[(f"doc{number}#0", [1, 0, 0], {"g": "x"}) for number in range(7)])
    index.upsert(vectors=[("other", [1, 0, 0])])
    pages = list(index.list(prefix="doc", limit=3))
    assert [[each.id for each in page] for page in pages] == [
        ["doc0#0", "doc1#0", "doc2#0"],
        ["doc3#0", "doc4#0", "doc5#0"],
        ["doc6#0"],
    ]
    assert pages[-1].pagination is None
    first = index.fetch_by_metadata(filter={"g": "x"}, limit=4)
    rest = index.fetch_by_metadata(filter={"g": "x"}, limit=4, pagination_token=first.pagination.next)
    assert [*first.vectors, *rest.vectors] == [f"doc{number}#0" for number in range(7)]
    assert rest.pagination is None
    with pytest.raises(ApiError, match="pagination token"):
        index.list_paginated(pagination_token="nonsense")


def test_updates(make: Callable[..., Index]) -> None:
    index = make()
    index.upsert(vectors=[("a", [1, 0, 0], {"x": 1, "y": 1}), ("b", [0, 1, 0], {"x": 2}), ("c", [0, 0, 1])])
    index.update(id="a", values=[0, 0, 2], set_metadata={"y": 2, "z": "new"})
    index.update(id="nobody", set_metadata={"y": 2})
    assert index.update(filter={"x": {"$gte": 1}}, set_metadata={"seen": True}).matched_records == 2
    vectors = index.fetch(ids=["a", "b", "c"]).vectors
    assert (vectors["a"].values, vectors["a"].metadata) == ([0, 0, 2], {"x": 1, "y": 2, "z": "new", "seen": True})
    assert (vectors["b"].metadata, vectors["c"].metadata) == ({"x": 2, "seen": True}, None)


def test_deleting(make: Callable[..., Index]) -> None:
    index = make()
    index.upsert(vectors=[(each, [1, 0, 0], {"x": each}) for each in "abcd"], namespace="ns")
    index.delete(ids=["a", "nobody"], namespace="ns")
    index.delete(filter={"x": "b"}, namespace="ns")
    assert index.describe_index_stats().namespaces["ns"].vector_count == 2
    index.delete(delete_all=True, namespace="ns")
    assert index.describe_index_stats().namespaces["ns"].vector_count == 0
    index.delete(delete_all=True)
    with pytest.raises(NotFoundError, match="Namespace not found"):
        index.delete(delete_all=True, namespace="nowhere")


def test_the_default_namespace_has_three_names(make: Callable[..., Index]) -> None:
    index = make()
    index.upsert(vectors=[("a", [1, 0, 0])])
    for name in ("", "__default__"):
        assert set(index.fetch(ids=["a"], namespace=name).vectors) == {"a"}
        assert index.query(id="a", top_k=1, namespace=name).namespace == name
    assert index.describe_namespace(name="__default__").record_count == 1


def test_namespaces(make: Callable[..., Index]) -> None:
    index = make()
    schema = {"fields": {"year": {"filterable": True}}}
    made = index.create_namespace(name="made", schema=schema)
    assert (made.name, made.record_count, made.indexed_fields.fields) == ("made", 0, ["year"])
    index.upsert(vectors=[("a", [1, 0, 0])], namespace="filled")
    with pytest.raises(ConflictError):
        index.create_namespace(name="filled")
    assert [each.name for page in index.list_namespaces(limit=1) for each in page.namespaces] == ["filled", "made"]
    assert index.list_namespaces_paginated(prefix="fi").total_count == 1
    index.delete_namespace(name="filled")
    with pytest.raises(NotFoundError):
        index.describe_namespace(name="filled")


def test_sparse_and_hybrid(make: Callable[..., Index]) -> None:
    sparse = make("dotproduct", None, vector_type="sparse")
    sparse.upsert(
        vectors=[
            Vector(id="a", sparse_values=SparseValues([1, 5], [0.5, 2.0])),
            Vector(id="b", sparse_values=SparseValues([7], [1.0])),
        ]
    )
    found = sparse.query(sparse_vector={"indices": [5], "values": [2.0]}, top_k=5, include_values=True)
    assert [(match.id, match.score, match.sparse_values.indices) for match in found.matches] == [("a", 4.0, [1, 5])]
    hybrid = make("dotproduct")
    hybrid.upsert(
        vectors=[
            Vector(id="a", values=[1, 0, 0]),
            Vector(id="b", values=[0.5, 0, 0], sparse_values=SparseValues([3], [1.0])),
        ]
    )
    both = hybrid.query(vector=[1, 0, 0], sparse_vector=SparseValues([3], [2.0]), top_k=2)
    assert [(match.id, match.score) for match in both.matches] == [("b", 2.5), ("a", 1.0)]
    with pytest.raises(ApiError, match="does not support sparse values"):
        make("cosine").upsert(vectors=[Vector(id="a", values=[1, 0, 0], sparse_values=SparseValues([3], [1.0]))])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([("a", [1, 0])], "Vector dimension 2 does not match the dimension of the index 3"),
        ([("a", [0, 0, 0])], "Vector ID 'a' contains only zeros"),
        ([("a" * 513, [1, 0, 0])], "512"),
        ([("a", [1, 0, 0], {"$x": 1})], "must not start with"),
        ([("a", [1, 0, 0], {"x": "y" * 50_000})], "exceeds the limit of 40960 bytes"),
        ([(str(number), [1, 0, 0]) for number in range(1001)], "between 1 and 1000"),
    ],
)
def test_vectors_that_are_refused(filtered: Index, given: list[Any], message: str) -> None:
    with pytest.raises(ApiError) as error:
        filtered.upsert(vectors=given, namespace="refused")
    assert error.value.status_code == 400
    assert message in error.value.message
    assert "refused" not in filtered.describe_index_stats().namespaces


def test_of_one_id_the_last_counts(filtered: Index) -> None:
    twice = [("a", [1, 0, 0]), ("b", [1, 1, 0]), ("a", [0, 1, 0])]
    assert filtered.upsert(vectors=twice, namespace="twice").upserted_count == 3
    assert filtered.fetch(ids=["a"], namespace="twice").vectors["a"].values == [0, 1, 0]
    assert filtered.describe_index_stats().namespaces["twice"].vector_count == 2


def test_metadata_that_is_null_is_dropped(filtered: Index) -> None:
    filtered.upsert(vectors=[("a", [1, 0, 0], {"x": None, "y": 1})], namespace="nulls")
    assert filtered.fetch(ids=["a"], namespace="nulls").vectors["a"].metadata == {"y": 1}


def test_an_upsert_may_be_too_large(make: Callable[..., Index]) -> None:
    index = make("cosine", 1024)
    vectors = [(str(number), [0.5] * 1024) for number in range(600)]
    with pytest.raises(PayloadTooLargeError, match="2097152 bytes"):
        index.upsert(vectors=vectors)
    assert index.upsert(vectors=vectors, batch_size=200, show_progress=False).upserted_count == 600


def test_a_query_over_several_namespaces(make: Callable[..., Index]) -> None:
    index = make()
    for number in range(3):
        index.upsert(vectors=[(str(number), [1, number, 0])], namespace=f"n{number}")
    found = index.query_namespaces(vector=[1, 0, 0], namespaces=["n0", "n1", "n2"], metric="cosine", top_k=2)
    assert ([match.id for match in found.matches], found.usage.read_units) == (["0", "1"], 3)


# -- other clients of the same -----------------------------------------------------------------------------------------


def test_under_asyncio(vectors: VectorMock) -> None:
    async def main() -> list[str]:
        async with AsyncPinecone(api_key="test", host=vectors.url) as client:
            await client.indexes.create(name="async", dimension=2, metric="cosine", spec=SERVERLESS)
            described = await client.indexes.describe("async")
            async with await client.index(host=described.host) as index:
                await asyncio.gather(*(index.upsert(vectors=[(f"{n}", [1, n])]) for n in range(5)))
                found = await index.query(vector=[1, 0], top_k=2)
            await client.indexes.delete("async")
            return ids(found)

    assert asyncio.run(main()) == ["0", "1"]


def test_grpc_is_refused_in_words() -> None:
    with VectorMock(http2=True) as mock, contextlib.closing(Pinecone(api_key="test", host=mock.url)) as client:
        host = client.indexes.create(name="g", dimension=2, metric="cosine", spec=SERVERLESS).host
        index = GrpcIndex(host=host, api_key="test", grpc_scheme="http")
        with contextlib.closing(index), pytest.raises(PineconeError, match="gRPC is not spoken here"):
            index.upsert(vectors=[("a", [1, 0])])


def test_a_key_must_be_right() -> None:
    with VectorMock(api_keys=["right"]) as mock:
        with contextlib.closing(Pinecone(api_key="wrong", host=mock.url)) as client, pytest.raises(UnauthorizedError):
            client.indexes.list().to_list()
        with contextlib.closing(Pinecone(api_key="right", host=mock.url)) as client:
            assert client.indexes.list().to_list() == []


def test_at_the_origin_and_at_its_own_path() -> None:
    """Clients that take no path find it too."""
    with AIMock() as server:
        server.mount("/vector", VectorMock())
        for host in (server.url, f"{server.url}/vector", f"{server.url}/vector/pinecone"):
            with contextlib.closing(Pinecone(api_key="test", host=host)) as client:
                client.indexes.create(name="somewhere", dimension=2, metric="cosine", spec=SERVERLESS)
                with contextlib.closing(client.Index("somewhere")) as index:
                    index.upsert(vectors=[("a", [1, 0])])
                    assert ids(index.query(vector=[1, 0], top_k=1)) == ["a"]
                client.indexes.delete("somewhere")
