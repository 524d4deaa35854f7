"""Qdrant's official client, unmodified, through its quick starts, with every kind of condition, query and change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("qdrant_client")

from grpc import RpcError
from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client import models as m
from qdrant_client.http.exceptions import UnexpectedResponse

from aimock.surfaces.vector.mock import VectorMock

CITIES = {
    1: (
        [0.05, 0.61, 0.76, 0.74],
        {"city": "Berlin", "country": "DE", "people": 3.7, "geo": {"lon": 13.4, "lat": 52.5}},
    ),
    2: (
        [0.19, 0.81, 0.75, 0.11],
        {"city": "London", "country": "GB", "people": 8.9, "geo": {"lon": -0.1, "lat": 51.5}},
    ),
    3: ([0.36, 0.55, 0.47, 0.94], {"city": "Moscow", "tags": ["big", "cold"], "founded": "1147-04-04"}),
    4: ([0.18, 0.01, 0.85, 0.80], {"city": "New York", "country": "US", "tags": [], "mayor": None}),
    5: ([0.24, 0.18, 0.22, 0.44], {"city": "Beijing", "people": 21, "parts": [{"n": "a", "k": 1}, {"n": "b", "k": 5}]}),
    6: ([0.35, 0.08, 0.11, 0.44], {"city": "Mumbai", "note": "The city that never sleeps", "open": True}),
}
UUID = "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def mock() -> Iterator[VectorMock]:
    with VectorMock(dialects=["qdrant"], seed=1) as mock:
        yield mock


@pytest.fixture(scope="module")
def client(mock: VectorMock) -> Iterator[QdrantClient]:
    client = QdrantClient(url=mock.url, check_compatibility=False)
    yield client
    client.close()


@pytest.fixture
def cities(client: QdrantClient) -> Iterator[str]:
    """A collection of six."""
    client.create_collection("cities", m.VectorParams(size=4, distance=m.Distance.DOT))
    points = [m.PointStruct(id=id, vector=vector, payload=payload) for id, (vector, payload) in CITIES.items()]
    client.upsert("cities", points)
    yield "cities"
    client.delete_collection("cities")


def found(result: tuple[list[m.Record], Any]) -> list[Any]:
    return [point.id for point in result[0]]


def ids(points: list[Any]) -> list[Any]:
    return [point.id for point in points]


def key(name: str, **condition: Any) -> m.Filter:
    return m.Filter(must=[m.FieldCondition(key=name, **condition)])


# -- quick starts ------------------------------------------------------------------------------------------------------


def test_the_quick_start(client: QdrantClient) -> None:
    """https://qdrant.tech/documentation/quickstart"""
    assert not client.collection_exists("test")
    assert client.create_collection("test", vectors_config=m.VectorParams(size=4, distance=m.Distance.DOT))
    info = client.upsert(
        "test",
        wait=True,
        points=[m.PointStruct(id=id, vector=vector, payload=payload) for id, (vector, payload) in CITIES.items()],
    )
    assert info.status is m.UpdateStatus.COMPLETED
    result = client.query_points("test", query=[0.2, 0.1, 0.9, 0.7], with_payload=False, limit=3).points
    assert ids(result) == [4, 1, 3]
    assert [point.score for point in result] == pytest.approx([1.362, 1.273, 1.208])
    where = m.Filter(must=[m.FieldCondition(key="city", match=m.MatchValue(value="London"))])
    result = client.query_points("test", query=[0.2, 0.1, 0.9, 0.7], query_filter=where, with_payload=True).points
    assert [(point.id, point.score, point.payload) for point in result] == [(2, pytest.approx(0.871), CITIES[2][1])]
    assert client.get_collection("test").points_count == 6
    assert client.delete_collection("test")
    assert not client.collection_exists("test")


def test_the_client_finds_a_version_that_it_takes(mock: VectorMock) -> None:
    """At the mount, and at the origin, where clients take no path. It asks in a thread, and a warning there would be an
    error here."""
    for options in ({"prefix": "vector"}, {}):
        others = {*threading.enumerate()}
        client = QdrantClient(url=mock.url.removesuffix("/vector"), **options)
        for thread in {*threading.enumerate()} - others:
            thread.join(30)
        assert client.info().title == "qdrant - vector search engine"
        assert client.get_collections() == m.CollectionsResponse(collections=[])
        client.close()


def test_the_async_client(mock: VectorMock) -> None:
    async def work() -> None:
        client = AsyncQdrantClient(url=mock.url, check_compatibility=False)
        await client.create_collection("a", vectors_config=m.VectorParams(size=2, distance=m.Distance.COSINE))
        points = [m.PointStruct(id=number, vector=[number, 1.0], payload={"n": number}) for number in range(20)]
        await asyncio.gather(*(client.upsert("a", [point]) for point in points))
        assert (await client.count("a")).count == 20
        near = await asyncio.gather(*(client.query_points("a", [0.0, 1.0], limit=limit) for limit in range(1, 6)))
        assert [len(each.points) for each in near] == [1, 2, 3, 4, 5]
        assert all(each.points[0].id == 0 for each in near)
        with pytest.raises(UnexpectedResponse, match=r"doesn.+t exist"):
            await client.count("nowhere")
        await client.delete_collection("a")
        await client.close()

    asyncio.run(work())


# -- collections -------------------------------------------------------------------------------------------------------


def test_a_collection_tells_what_it_was_told(client: QdrantClient) -> None:
    client.create_collection(
        "kinds",
        {
            "dense": m.VectorParams(size=3, distance=m.Distance.EUCLID, on_disk=True),
            "rows": m.VectorParams(
                size=2, distance=m.Distance.DOT, multivector_config=m.MultiVectorConfig(comparator="max_sim")
            ),
        },
        sparse_vectors_config={"words": m.SparseVectorParams(modifier=m.Modifier.IDF)},
        hnsw_config=m.HnswConfigDiff(m=4),
        metadata={"owner": "me"},
    )
    client.update_collection("kinds", hnsw_config=m.HnswConfigDiff(ef_construct=7), metadata={"team": "us"})
    config = client.get_collection("kinds").config
    assert config.params.vectors["dense"].distance is m.Distance.EUCLID  # type: ignore[index,call-overload]
    assert config.params.vectors["rows"].multivector_config is not None  # type: ignore[index,call-overload]
    assert config.params.sparse_vectors == {"words": m.SparseVectorParams(modifier=m.Modifier.IDF)}
    assert (config.hnsw_config.m, config.hnsw_config.ef_construct) == (4, 7)
    assert config.metadata == {"owner": "me", "team": "us"}
    with pytest.raises(UnexpectedResponse) as caught:
        client.create_collection("kinds", m.VectorParams(size=1, distance=m.Distance.DOT))
    assert caught.value.status_code == 409
    assert b"Wrong input: Collection `kinds` already exists!" in caught.value.content
    assert client.delete_collection("kinds")
    assert not client.delete_collection("kinds")


def test_aliases(client: QdrantClient, cities: str) -> None:
    def change(*actions: Any) -> None:
        client.update_collection_aliases(change_aliases_operations=[*actions])

    def create(alias: str, name: str = cities) -> m.CreateAliasOperation:
        return m.CreateAliasOperation(create_alias=m.CreateAlias(alias_name=alias, collection_name=name))

    change(create("towns"), create("places"))
    assert client.count("towns").count == 6
    assert client.collection_exists("places")
    change(
        m.RenameAliasOperation(rename_alias=m.RenameAlias(old_alias_name="towns", new_alias_name="burghs")),
        m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name="places")),
    )
    assert [each.alias_name for each in client.get_collection_aliases(cities).aliases] == ["burghs"]
    with pytest.raises(UnexpectedResponse, match=r"doesn.+t exist"):
        change(create("x"), create("y", "nowhere"))
    with pytest.raises(UnexpectedResponse, match="already exists"):
        change(create(cities))
    assert [each.alias_name for each in client.get_aliases().aliases] == ["burghs"]
    client.delete_collection(cities)
    assert client.get_aliases().aliases == []


def test_vectors_come_and_go(client: QdrantClient) -> None:
    client.create_collection("v", {"a": m.VectorParams(size=2, distance=m.Distance.DOT)})
    client.upsert("v", [m.PointStruct(id=1, vector={"a": [1, 2]})])
    for size in (3, 4):
        config = m.DenseVectorNameConfig(dense=m.DenseVectorConfig(size=size, distance=m.Distance.COSINE))
        client.create_vector_name("v", "b", config)
        client.update_vectors("v", [m.PointVectors(id=1, vector={"b": [0.0] * (size - 1) + [2.0]})])
        assert client.retrieve("v", [1], with_vectors=["b"])[0].vector == {"b": [0.0] * (size - 1) + [1.0]}
        client.delete_vector_name("v", "b")
        assert client.retrieve("v", [1], with_vectors=True)[0].vector == {"a": [1.0, 2.0]}
    client.delete_collection("v")


# -- points ------------------------------------------------------------------------------------------------------------


def test_ids_are_numbers_or_uuids(client: QdrantClient, cities: str) -> None:
    client.upsert(cities, m.Batch(ids=[UUID.upper(), 2**63], vectors=[[1, 0, 0, 0], [0, 1, 0, 0]]))
    assert ids(client.retrieve(cities, [UUID, 2**63, 77])) == [UUID, 2**63]
    with pytest.raises(UnexpectedResponse, match="not a valid point ID"):
        client.upsert(cities, [m.PointStruct(id="seven", vector=[0, 0, 0, 1])])


def test_pages(client: QdrantClient, cities: str) -> None:
    page, following = client.scroll(cities, limit=4)
    assert (ids(page), following) == ([1, 2, 3, 4], 5)
    page, following = client.scroll(cities, limit=4, offset=following)
    assert (ids(page), following) == ([5, 6], None)


def test_payloads_change(client: QdrantClient, cities: str) -> None:
    def payload(id: int) -> Any:
        return client.retrieve(cities, [id])[0].payload

    client.set_payload(cities, {"country": None, "more": 1}, points=[1])
    assert payload(1) == {"city": "Berlin", "people": 3.7, "geo": {"lon": 13.4, "lat": 52.5}, "more": 1}
    client.set_payload(cities, {"k": 9}, points=m.Filter(must=[m.HasIdCondition(has_id=[5])]), key="parts[0]")
    assert payload(5)["parts"] == [{"n": "a", "k": 9}, {"n": "b", "k": 5}]
    client.delete_payload(cities, ["parts[].n", "people"], points=[5])
    assert payload(5) == {"city": "Beijing", "parts": [{"k": 9}, {"k": 5}]}
    client.overwrite_payload(cities, {"only": True}, points=[2])
    assert payload(2) == {"only": True}
    client.clear_payload(cities, [2])
    assert payload(2) == {}
    with pytest.raises(UnexpectedResponse, match="Not found: No point with id 99 found"):
        client.set_payload(cities, {"late": 1}, points=[3, 99])
    assert payload(3)["late"] == 1


def test_points_are_upserted_in_modes(client: QdrantClient, cities: str) -> None:
    def put(id: int, mode: m.UpdateMode | None = None, where: m.Filter | None = None) -> Any:
        point = m.PointStruct(id=id, vector=[0, 0, 0, 1], payload={"new": True})
        client.upsert(cities, [point], update_mode=mode, update_filter=where)
        return [record.payload for record in client.retrieve(cities, [id])]

    assert put(1, m.UpdateMode.INSERT_ONLY) == [CITIES[1][1]]
    assert put(9, m.UpdateMode.UPDATE_ONLY) == []
    assert put(1, where=key("city", match=m.MatchValue(value="Rome"))) == [CITIES[1][1]]
    assert put(1, m.UpdateMode.UPDATE_ONLY) == [{"new": True}]


def test_a_batch_of_changes(client: QdrantClient, cities: str) -> None:
    point = m.PointStruct(id=7, vector=[1, 1, 1, 1], payload={"city": "Rome"})
    results = client.batch_update_points(
        cities,
        [
            m.UpsertOperation(upsert=m.PointsList(points=[point])),
            m.SetPayloadOperation(set_payload=m.SetPayload(payload={"old": True}, points=[7])),
            m.DeleteOperation(delete=m.PointIdsList(points=[1, 2])),
            m.ClearPayloadOperation(
                clear_payload=m.FilterSelector(filter=m.Filter(must=[m.HasIdCondition(has_id=[3])]))
            ),
        ],
    )
    assert [each.status for each in results] == [m.UpdateStatus.COMPLETED] * 4
    assert found(client.scroll(cities)) == [3, 4, 5, 6, 7]
    assert client.retrieve(cities, [7])[0].payload == {"city": "Rome", "old": True}


def test_deleting(client: QdrantClient, cities: str) -> None:
    client.delete(cities, [1, 99])
    client.delete(cities, key("city", match=m.MatchValue(value="London")))
    assert found(client.scroll(cities)) == [3, 4, 5, 6]
    with pytest.raises(UnexpectedResponse, match="Empty update request"):
        client.delete(cities, [])


# -- conditions --------------------------------------------------------------------------------------------------------

SQUARE = [m.GeoPoint(lon=lon, lat=lat) for lon, lat in ((0, 40), (20, 40), (20, 60), (0, 60), (0, 40))]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(key("city", match=m.MatchValue(value="London")), [2], id="match"),
        pytest.param(key("open", match=m.MatchValue(value=True)), [6], id="match a boolean"),
        pytest.param(key("country", match=m.MatchAny(any=["DE", "US"])), [1, 4], id="any"),
        pytest.param(key("country", match=m.MatchExcept(**{"except": ["DE", "US"]})), [2], id="except"),
        pytest.param(key("note", match=m.MatchText(text="sleeps CITY")), [6], id="text"),
        pytest.param(key("note", match=m.MatchTextAny(text_any="nowhere never")), [6], id="text_any"),
        pytest.param(key("note", match=m.MatchPhrase(phrase="never sleeps")), [6], id="phrase"),
        pytest.param(key("city", match=m.MatchPrefix(prefix="Be")), [1, 5], id="prefix"),
        pytest.param(key("city", match=m.MatchSubstring(substring="o")), [2, 3, 4], id="substring"),
        pytest.param(key("people", range=m.Range(gte=3.7, lt=21)), [1, 2], id="range"),
        pytest.param(key("founded", range=m.DatetimeRange(lt="1200-01-01T00:00:00Z")), [3], id="a range of time"),
        pytest.param(
            key(
                "geo",
                geo_bounding_box=m.GeoBoundingBox(
                    top_left=m.GeoPoint(lon=10, lat=53), bottom_right=m.GeoPoint(lon=14, lat=52)
                ),
            ),
            [1],
            id="a box",
        ),
        pytest.param(
            key("geo", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=0, lat=51.5), radius=20_000)), [2], id="a radius"
        ),
        pytest.param(
            key("geo", geo_polygon=m.GeoPolygon(exterior=m.GeoLineString(points=SQUARE))), [1], id="a polygon"
        ),
        pytest.param(key("tags", values_count=m.ValuesCount(gt=1)), [3], id="a count"),
        pytest.param(m.Filter(must=m.IsEmptyCondition(is_empty=m.PayloadField(key="country"))), [3, 5, 6], id="empty"),
        pytest.param(m.Filter(must=m.IsNullCondition(is_null=m.PayloadField(key="mayor"))), [4], id="null"),
        pytest.param(m.Filter(must=[m.HasIdCondition(has_id=[2, 5])]), [2, 5], id="ids"),
        pytest.param(m.Filter(must_not=[m.HasVectorCondition(has_vector="")]), [], id="vectors"),
        pytest.param(key("parts[].k", match=m.MatchValue(value=5)), [5], id="a path"),
        pytest.param(
            m.Filter(
                must=[
                    m.NestedCondition(
                        nested=m.Nested(
                            key="parts",
                            filter=m.Filter(
                                must=[
                                    m.FieldCondition(key="n", match=m.MatchValue(value="a")),
                                    m.FieldCondition(key="k", match=m.MatchValue(value=5)),
                                ]
                            ),
                        )
                    )
                ]
            ),
            [],
            id="nested",
        ),
        pytest.param(
            m.Filter(
                min_should=m.MinShould(
                    conditions=[
                        m.FieldCondition(key="people", range=m.Range(gt=5)),
                        m.FieldCondition(key="country", match=m.MatchValue(value="GB")),
                        m.HasIdCondition(has_id=[1]),
                    ],
                    min_count=2,
                )
            ),
            [2],
            id="two of three",
        ),
        pytest.param(
            m.Filter(
                should=[m.HasIdCondition(has_id=[1, 2]), m.Filter(must_not=[m.HasIdCondition(has_id=[1, 2, 3, 4])])],
                must_not=[m.HasIdCondition(has_id=[6])],
            ),
            [1, 2, 5],
            id="filters in a filter",
        ),
    ],
)
def test_every_condition(client: QdrantClient, cities: str, where: m.Filter, expected: list[int]) -> None:
    assert found(client.scroll(cities, scroll_filter=where)) == expected
    assert sorted(ids(client.query_points(cities, [1.0, 0, 0, 0], query_filter=where).points)) == expected
    assert client.count(cities, count_filter=where).count == len(expected)


def test_slices_have_all_points(client: QdrantClient, cities: str) -> None:
    slices = [m.SliceCondition(slice=m.Slice(total=3, index=index)) for index in range(3)]
    parts = [found(client.scroll(cities, scroll_filter=m.Filter(must=[each]))) for each in slices]
    assert sorted(id for part in parts for id in part) == [1, 2, 3, 4, 5, 6]


def test_a_text_index_says_how_texts_are_matched(client: QdrantClient, cities: str) -> None:
    where = key("note", match=m.MatchText(text="slee"))
    assert found(client.scroll(cities, scroll_filter=where)) == []
    params = m.TextIndexParams(type="text", tokenizer=m.TokenizerType.PREFIX, min_token_len=2)
    client.create_payload_index(cities, "note", params)
    assert found(client.scroll(cities, scroll_filter=where)) == [6]
    schema = client.get_collection(cities).payload_schema["note"]
    assert (schema.data_type, schema.points) == (m.PayloadSchemaType.TEXT, 1)
    client.delete_payload_index(cities, "note")
    assert client.get_collection(cities).payload_schema == {}


# -- queries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param([0.2, 0.1, 0.9, 0.7], [4, 1, 3], id="a vector"),
        pytest.param(4, [1, 3, 2], id="a point"),
        pytest.param(
            m.RecommendQuery(recommend=m.RecommendInput(positive=[4], negative=[2])), [3, 1, 5], id="recommend"
        ),
        pytest.param(
            m.RecommendQuery(recommend=m.RecommendInput(negative=[2], strategy="best_score")),
            [6, 5, 4],
            id="best score",
        ),
        pytest.param(
            m.RecommendQuery(recommend=m.RecommendInput(positive=[4, 3], strategy="sum_scores")), [1, 2, 5], id="sums"
        ),
        pytest.param(
            m.DiscoverQuery(discover=m.DiscoverInput(target=4, context=[m.ContextPair(positive=3, negative=2)])),
            [1, 5, 6],
            id="discover",
        ),
        pytest.param(
            m.ContextQuery(context=[m.ContextPair(positive=[0, 0, 0, 1.0], negative=[0, 1.0, 0, 0])]),
            [1, 3, 4],
            id="context",
        ),
        pytest.param(
            m.NearestQuery(nearest=[0.2, 0.1, 0.9, 0.7], mmr=m.Mmr(diversity=0.9, candidates_limit=6)),
            [4, 6, 5],
            id="unlike each other",
        ),
        pytest.param(None, [1, 2, 3], id="none"),
    ],
)
def test_every_query(client: QdrantClient, cities: str, query: Any, expected: list[int]) -> None:
    assert ids(client.query_points(cities, query, limit=3).points) == expected


def test_order_and_counts_want_an_index(client: QdrantClient, cities: str) -> None:
    order = m.OrderByQuery(order_by=m.OrderBy(key="people", direction="desc"))
    with pytest.raises(UnexpectedResponse, match="No range index for `order_by` key: `people`"):
        client.query_points(cities, order)
    with pytest.raises(UnexpectedResponse, match="No appropriate index for faceting: `country`"):
        client.facet(cities, "country")
    client.create_payload_index(cities, "people", "float")
    client.create_payload_index(cities, "country", "keyword")
    assert ids(client.query_points(cities, order).points) == [5, 2, 1]
    records, following = client.scroll(cities, order_by=m.OrderBy(key="people", start_from=5))
    assert [(each.id, each.order_value) for each in records] == [(2, 8.9), (5, 21)]
    assert following is None
    hits = client.facet(cities, "country").hits
    assert [(hit.value, hit.count) for hit in hits] == [("DE", 1), ("GB", 1), ("US", 1)]


def test_hybrid_queries(client: QdrantClient) -> None:
    client.create_collection(
        "hybrid",
        {"dense": m.VectorParams(size=2, distance=m.Distance.COSINE)},
        sparse_vectors_config={"words": m.SparseVectorParams()},
    )
    vectors: list[Any] = [
        {"dense": [1.0, 0.0], "words": m.SparseVector(indices=[1], values=[1.0])},
        {"dense": [0.8, 0.6], "words": m.SparseVector(indices=[1, 2], values=[0.5, 2.0])},
        {"dense": [0.0, 1.0], "words": m.SparseVector(indices=[2], values=[1.0])},
    ]
    client.upsert(
        "hybrid", [m.PointStruct(id=id, vector=vector, payload={"b": id}) for id, vector in enumerate(vectors)]
    )
    near = m.Prefetch(query=[1.0, 0.1], using="dense", limit=2)
    word = m.Prefetch(query=m.SparseVector(indices=[2], values=[1.0]), using="words", limit=2)
    result = client.query_points("hybrid", m.FusionQuery(fusion=m.Fusion.RRF), prefetch=[near, word]).points
    assert [(point.id, point.score) for point in result] == [
        (1, pytest.approx(1 / 3 + 1 / 2)),
        (0, 0.5),
        (2, pytest.approx(1 / 3)),
    ]
    weighted = m.RrfQuery(rrf=m.Rrf(k=60, weights=[0.1, 5.0]))
    assert ids(client.query_points("hybrid", weighted, prefetch=[near, word]).points) == [1, 2, 0]
    assert ids(client.query_points("hybrid", m.FusionQuery(fusion="dbsf"), prefetch=[near, word]).points)[0] == 1
    boosted = m.FormulaQuery(formula=m.SumExpression(sum=["$score", m.MultExpression(mult=[10.0, "b"])]))
    assert ids(client.query_points("hybrid", boosted, prefetch=[near]).points) == [1, 0]
    rescored = client.query_points("hybrid", [0.0, 1.0], using="dense", prefetch=[near]).points
    assert ids(rescored) == [1, 0]
    nested = m.Prefetch(prefetch=[near, word], query=m.FusionQuery(fusion="rrf"), limit=1)
    assert ids(client.query_points("hybrid", [0.0, 1.0], using="dense", prefetch=nested).points) == [1]
    client.delete_collection("hybrid")


def test_rows_are_compared_one_by_one(client: QdrantClient) -> None:
    params = m.VectorParams(size=2, distance="Dot", multivector_config=m.MultiVectorConfig(comparator="max_sim"))
    client.create_collection("rows", params)
    client.upsert("rows", [m.PointStruct(id=1, vector=[[1, 0], [0, 1]]), m.PointStruct(id=2, vector=[[2, 0]])])
    result = client.query_points("rows", [[1.0, 0.0], [0.0, 3.0]], with_vectors=True).points
    assert [(point.id, point.score, point.vector) for point in result] == [
        (1, 4.0, [[1.0, 0.0], [0.0, 1.0]]),
        (2, 2.0, [[2.0, 0.0]]),
    ]
    client.delete_collection("rows")


def test_rare_words_count_for_more(client: QdrantClient) -> None:
    client.create_collection("words", {}, sparse_vectors_config={"w": m.SparseVectorParams(modifier=m.Modifier.IDF)})
    texts = {1: [7, 8], 2: [7, 9], 3: [7]}
    points = [
        m.PointStruct(id=id, vector={"w": m.SparseVector(indices=words, values=[1.0] * len(words))})
        for id, words in texts.items()
    ]
    client.upsert("words", points)
    result = client.query_points("words", m.SparseVector(indices=[7, 9], values=[1.0, 1.0]), using="w").points
    assert ids(result) == [2, 1, 3]
    assert result[1].score == pytest.approx(0.1335314, rel=1e-5)
    client.delete_collection("words")


def test_words_of_a_field(client: QdrantClient, cities: str) -> None:
    client.create_payload_index(cities, "note", m.TextIndexParams(type="text", scoring=True))
    result = client.query_points(cities, m.TextQuery(text="sleeps never"), using="note").points
    assert ids(result) == [6]
    with pytest.raises(UnexpectedResponse, match="needs a text index with `scoring` on `city`"):
        client.query_points(cities, m.TextQuery(text="Berlin"), using="city")


def test_texts_are_embedded_as_by_the_servers_inference(mock: VectorMock) -> None:
    client = QdrantClient(url=mock.url, cloud_inference=True, check_compatibility=False)
    client.create_collection(
        "texts",
        {"dense": m.VectorParams(size=384, distance=m.Distance.COSINE)},
        sparse_vectors_config={"bm25": m.SparseVectorParams()},
    )

    def document(text: str) -> Any:
        return m.Document(text=text, model="sentence-transformers/all-minilm-l6-v2")

    texts = ["How do I reset my password?", "Bread is made of flour and water", "The train leaves at noon"]
    client.upsert(
        "texts",
        [
            m.PointStruct(id=id, vector={"dense": document(text), "bm25": document(text)})
            for id, text in enumerate(texts)
        ],
    )
    for using in ("dense", "bm25"):
        result = client.query_points("texts", document("flour and water"), using=using, limit=1).points
        assert ids(result) == [1]
    client.delete_collection("texts")
    client.close()


def test_thresholds_offsets_and_what_is_shown(client: QdrantClient, cities: str) -> None:
    def query(**options: Any) -> list[m.ScoredPoint]:
        return client.query_points(cities, [0.2, 0.1, 0.9, 0.7], **options).points

    assert ids(query(score_threshold=1.2)) == [4, 1, 3]
    assert ids(query(score_threshold=query(limit=2)[1].score)) == [4]
    assert ids(query(limit=2, offset=1)) == [1, 3]
    assert query(limit=1, with_payload=["city", "geo.lon"])[0].payload == {"city": "New York"}
    assert query(limit=2, with_payload=m.PayloadSelectorExclude(exclude=["geo", "people"]))[1].payload == {
        "city": "Berlin",
        "country": "DE",
    }
    assert query(limit=1, with_payload=False, with_vectors=True)[0].vector == pytest.approx(CITIES[4][0])


def test_batches_groups_and_matrices(client: QdrantClient, cities: str) -> None:
    answers = client.query_batch_points(
        cities, [m.QueryRequest(query=[1.0, 0, 0, 0], limit=1), m.QueryRequest(query=1)]
    )
    assert [len(answer.points) for answer in answers] == [1, 5]
    client.set_payload(cities, {"side": "west"}, points=[1, 2, 4])
    client.set_payload(cities, {"side": ["east", "west"]}, points=[3])
    groups = client.query_points_groups(cities, "side", query=[0.2, 0.1, 0.9, 0.7], group_size=2).groups
    assert {group.id: ids(group.hits) for group in groups} == {"west": [4, 1], "east": [3]}
    pairs = client.search_matrix_pairs(cities, sample=6, limit=2).pairs
    assert len(pairs) == 12
    offsets = client.search_matrix_offsets(cities, sample=6, limit=2)
    assert [offsets.ids[at] for at in offsets.offsets_col] == [pair.b for pair in pairs]
    assert len(client.query_points(cities, m.SampleQuery(sample=m.Sample.RANDOM), limit=4).points) == 4


def test_points_of_another_collection(client: QdrantClient, cities: str) -> None:
    client.create_collection("other", {"v": m.VectorParams(size=4, distance=m.Distance.DOT)})
    client.upsert("other", [m.PointStruct(id=1, vector={"v": [0.2, 0.1, 0.9, 0.7]}, payload={"about": 1})])
    there = m.LookupLocation(collection="other", vector="v")
    assert ids(client.query_points(cities, 1, lookup_from=there, limit=3).points) == [4, 1, 3]
    client.set_payload(cities, {"of": 1}, points=[2])
    groups = client.query_points_groups(cities, "of", query=[1.0, 0, 0, 0], with_lookup="other").groups
    assert [(group.id, group.lookup.payload) for group in groups if group.lookup] == [(1, {"about": 1})]
    config = m.DenseVectorNameConfig(dense=m.DenseVectorConfig(size=2, distance=m.Distance.DOT))
    client.create_vector_name("other", "short", config)
    client.update_vectors("other", [m.PointVectors(id=1, vector={"short": [1.0, 2.0]})])
    with pytest.raises(UnexpectedResponse, match="expected dim: 4, got 2"):
        client.query_points(cities, 1, lookup_from=m.LookupLocation(collection="other", vector="short"))
    client.delete_collection("other")
    with pytest.raises(UnexpectedResponse, match=r"Collection `other` doesn.+t exist"):
        client.query_points(cities, 1, lookup_from=there)


def test_cosine_vectors_are_kept_at_length_1(client: QdrantClient) -> None:
    client.create_collection("c", m.VectorParams(size=2, distance=m.Distance.COSINE))
    client.upsert("c", [m.PointStruct(id=1, vector=[3.0, 4.0]), m.PointStruct(id=2, vector=[0.0, 0.0])])
    assert client.retrieve("c", [1], with_vectors=True)[0].vector == [0.6, 0.8]
    assert [point.score for point in client.query_points("c", [6.0, 8.0]).points] == [1.0, 0.0]
    client.delete_collection("c")


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "status", "words"),
    [
        pytest.param(
            lambda client: client.query_points("cities", [1.0, 2.0]),
            400,
            b"Wrong input: Vector dimension error: expected dim: 4, got 2",
            id="a query of another dimension",
        ),
        pytest.param(
            lambda client: client.upsert("cities", [m.PointStruct(id=1, vector=[1, 2])]),
            400,
            b"Wrong input: Vector dimension error: expected dim: 4, got 2",
            id="a point of another dimension",
        ),
        pytest.param(
            lambda client: client.upsert("cities", [m.PointStruct(id=1, vector={"v": [1, 2, 3, 4]})]),
            400,
            b"Wrong input: Not existing vector name error: v",
            id="a vector of no name",
        ),
        pytest.param(
            lambda client: client.query_points("cities", [1.0, 0, 0, 0], using="v"),
            400,
            b"Not existing vector name error: v",
            id="a query of no vector",
        ),
        pytest.param(
            lambda client: client.upsert(
                "cities", [m.PointStruct(id=1, vector={"": m.SparseVector(indices=[1], values=[1])})]
            ),
            400,
            b"Conversion between sparse and regular vectors failed",
            id="a sparse vector",
        ),
        pytest.param(
            lambda client: client.query_points("cities", 99),
            404,
            b"Not found: No point with id 99 found",
            id="a point that is not there",
        ),
        pytest.param(
            lambda client: client.scroll("nowhere"),
            404,
            b"Not found: Collection `nowhere` doesn't exist!",
            id="a collection that is not there",
        ),
        pytest.param(
            lambda client: client.scroll("cities", limit=0), 422, b"limit: value 0 invalid, must be 1", id="limit 0"
        ),
        pytest.param(
            lambda client: client.create_collection("x", m.VectorParams(size=0, distance="Dot")),
            422,
            b"must be from 1 to 65536",
            id="no dimension",
        ),
        pytest.param(
            lambda client: client.query_points("cities", m.FusionQuery(fusion="rrf")),
            400,
            b"cannot apply Fusion without prefetches",
            id="fusion of nothing",
        ),
    ],
)
def test_errors_are_the_servers(
    client: QdrantClient, cities: str, ask: Callable[[QdrantClient], Any], status: int, words: bytes
) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        ask(client)
    assert caught.value.status_code == status
    assert words in caught.value.content
    assert client.count(cities).count == 6


def test_grpc_is_refused(mock: VectorMock) -> None:
    client = QdrantClient(host="127.0.0.1", grpc_port=mock.port, prefer_grpc=True, check_compatibility=False, timeout=2)
    with pytest.raises(RpcError, match=r"Trying to connect an http1\.x server"):
        client.get_collections()
    client.close()
