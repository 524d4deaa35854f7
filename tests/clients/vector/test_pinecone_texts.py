"""The official client where texts are embedded and searched: records, documents, models; and copies of indexes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from pinecone import (
    DenseVectorQuery,
    EmbedQuery,
    Index,
    Pinecone,
    QueryStringQuery,
    SparseEmbedQuery,
    SparseValues,
    SparseVectorQuery,
    TextQuery,
)
from pinecone.errors import ApiError, ConflictError, ForbiddenError, NotFoundError

from aimock.surfaces.vector.mock import VectorMock


@pytest.fixture(scope="module")
def pc() -> Iterator[Pinecone]:
    with VectorMock(seed=3) as mock, contextlib.closing(Pinecone(api_key="test", host=mock.url)) as client:
        yield client


@pytest.fixture(scope="module")
def records(pc: Pinecone) -> Iterator[Index]:
    """An index that embeds what is put there."""
    embed = {"model": "llama-text-embed-v2", "field_map": {"text": "chunk"}, "dimension": 512}
    made = pc.indexes.create_for_model(name="records", cloud="aws", region="us-east-1", embed=embed)
    assert (made.embed.model, made.embed.field_map) == ("llama-text-embed-v2", {"text": "chunk"})
    with contextlib.closing(pc.Index("records")) as index:
        answer = index.upsert_records(
            namespace="ns",
            records=[
                {"_id": "apples", "chunk": "Apples are a healthy fruit", "kind": "food", "year": 2020},
                {"_id": "cars", "chunk": "Cars drive on roads", "kind": "traffic", "year": 2021},
                {"id": "pears", "chunk": "Pears are a sweet fruit", "kind": "food", "year": 2022},
            ],
        )
        assert answer.record_count == 3
        yield index


def hit_ids(answer: Any) -> list[str]:
    return [hit.id for hit in answer.result.hits]


def test_searching_records(records: Index) -> None:
    found = records.search(namespace="ns", top_k=2, inputs={"text": "an apple is a fruit"})
    assert hit_ids(found) == ["apples", "pears"]
    assert found.result.hits[0].fields == {"chunk": "Apples are a healthy fruit", "kind": "food", "year": 2020}
    assert (found.usage.read_units, found.usage.embed_total_tokens > 0) == (1, True)
    narrow = records.search(
        namespace="ns", top_k=3, inputs={"text": "fruit"}, filter={"year": {"$gte": 2021}}, fields=["year"]
    )
    assert [(hit.id, hit.fields) for hit in narrow.result.hits] == [("pears", {"year": 2022}), ("cars", {"year": 2021})]
    near = records.search(namespace="ns", top_k=2, id="pears")
    assert hit_ids(near) == ["pears", "apples"]
    vector = records.fetch(ids=["cars"], namespace="ns").vectors["cars"].values
    assert hit_ids(records.search(namespace="ns", top_k=1, vector=vector)) == ["cars"]
    assert hit_ids(records.search(namespace="nowhere", top_k=1, inputs={"text": "x"})) == []


def test_reranking_what_is_found(records: Index) -> None:
    rerank = {"model": "bge-reranker-v2-m3", "rank_fields": ["chunk"], "top_n": 1, "query": "cars on roads"}
    found = records.search(namespace="ns", top_k=3, inputs={"text": "fruit"}, rerank=rerank)
    assert (hit_ids(found), found.usage.rerank_units) == (["cars"], 1)
    with pytest.raises(ApiError, match="Rank field 'nothing' is missing"):
        records.search(namespace="ns", top_k=3, inputs={"text": "x"}, rerank={**rerank, "rank_fields": ["nothing"]})
    with pytest.raises(NotFoundError, match="Supported models"):
        records.search(namespace="ns", top_k=3, inputs={"text": "x"}, rerank={**rerank, "model": "none"})


def test_records_of_words(pc: Pinecone) -> None:
    embed = {"model": "pinecone-sparse-english-v0", "field_map": {"text": "t"}}
    pc.indexes.create_for_model(name="words", cloud="gcp", region="us-central1", embed=embed)
    with contextlib.closing(pc.Index("words")) as index:
        index.upsert_records(
            namespace="ns", records=[{"_id": "a", "t": "red car"}, {"_id": "b", "t": "red bus, red sky"}]
        )
        assert hit_ids(index.search(namespace="ns", top_k=2, inputs={"text": "car"})) == ["a"]
        terms = {"strategy": "all", "terms": ["SKY", "red"]}
        assert hit_ids(index.search(namespace="ns", top_k=2, inputs={"text": "red"}, match_terms=terms)) == ["b"]


def test_records_that_are_refused(pc: Pinecone, records: Index) -> None:
    for record in ({"_id": "x"}, {"_id": "x", "chunk": 1}, {"_id": "x", "chunk": "t", "nested": {"a": 1}}):
        with pytest.raises(ApiError) as error:
            records.upsert_records(namespace="ns", records=[record])
        assert (error.value.status_code, error.value.error_code) == (400, "INVALID_ARGUMENT")
    with pytest.raises(ApiError, match="between 1 and 96"):
        records.upsert_records(namespace="ns", records=[{"_id": str(n), "chunk": "t"} for n in range(97)])
    pc.indexes.create(
        name="plain", schema={"fields": {"_values": {"type": "dense_vector", "dimension": 2, "metric": "cosine"}}}
    )
    with contextlib.closing(pc.Index("plain")) as plain:
        plain.upsert(vectors=[("a", [1, 0])], namespace="ns")
        with pytest.raises(ApiError, match="Integrated inference is not configured"):
            plain.search(namespace="ns", top_k=1, inputs={"text": "x"})
        assert hit_ids(plain.search(namespace="ns", top_k=1, vector=[1, 0])) == ["a"]
        with pytest.raises(ApiError, match="served by the vectors API"):
            plain.documents.upsert(namespace="ns", documents=[{"_id": "a", "x": 1}])


# -- documents ---------------------------------------------------------------------------------------------------------

SCHEMA = {
    "fields": {
        "embedding": {"type": "dense_vector", "dimension": 2, "metric": "cosine"},
        "terms": {"type": "sparse_vector"},
        "title": {"type": "string", "full_text_search": {"language": "en"}},
        "body": {"type": "string", "full_text_search": {}},
    }
}
DOCUMENTS: list[dict[str, Any]] = [
    {
        "_id": "1",
        "embedding": [1, 0],
        "title": "Machine learning",
        "body": "How machines learn from data",
        "year": 2020,
    },
    {
        "_id": "2",
        "embedding": [0, 1],
        "title": "Deep learning",
        "body": "Networks of many layers",
        "tags": ["ai", "nn"],
    },
    {"_id": "3", "embedding": [1, 1], "title": "Cooking", "terms": {"indices": [1, 9], "values": [0.5, 2.0]}},
]


@pytest.fixture
def documents(pc: Pinecone) -> Iterator[Any]:
    pc.indexes.create(name="documents", schema=SCHEMA)
    with contextlib.closing(pc.Index("documents")) as index:
        assert index.documents.upsert(namespace="ns", documents=DOCUMENTS).upserted_count == 3
        yield index.documents
    pc.indexes.delete("documents")


def found(documents: Any, *score_by: Any, **more: Any) -> list[str]:
    return [match.id for match in documents.search(namespace="ns", top_k=10, score_by=[*score_by], **more).matches]


def test_searching_documents(documents: Any) -> None:
    assert found(documents, DenseVectorQuery(field="embedding", values=[1, 0])) == ["1", "3", "2"]
    assert found(documents, SparseVectorQuery(field="terms", sparse_values=SparseValues([9], [1.0]))) == ["3"]
    assert found(documents, TextQuery(query="machine learning", fields=["title"])) == ["1", "2"]
    assert found(documents, TextQuery(query="layers cooking", fields=["title", "body"])) == ["3", "2"]
    assert found(documents, QueryStringQuery(query='title:"deep learning" OR body:data^5')) == ["1", "2"]
    assert found(documents, QueryStringQuery(query="learning AND NOT deep")) == ["1"]
    assert found(documents, TextQuery(query="deep", fields=["title"]), QueryStringQuery(query="cooking")) == ["3", "2"]
    one = documents.search(
        namespace="ns", top_k=1, score_by=[TextQuery(query="machine", fields=["title"])], include_fields=["year"]
    ).matches[0]
    assert one.to_dict() == {"_id": "1", "_score": one.score, "year": 2020}


def test_filters_of_documents(documents: Any) -> None:
    everything = DenseVectorQuery(field="embedding", values=[1, 0])
    for filter, expected in (
        ({"year": {"$gte": 2020}}, ["1"]),
        ({"tags": "nn"}, ["2"]),
        ({"title": {"$match_phrase": "machine learning"}}, ["1"]),
        ({"title": {"$match_all": "learning DEEP"}}, ["2"]),
        ({"$or": [{"title": {"$match_any": "cooking deep"}}, {"year": 2020}]}, ["1", "3", "2"]),
    ):
        assert found(documents, everything, filter=filter) == expected
    for filter in ({"title": {"$eq": "Cooking"}}, {"year": {"$match_any": "2020"}}, {"embedding": {"$exists": True}}):
        with pytest.raises(ApiError, match="illegal condition"):
            found(documents, everything, filter=filter)


def test_fetching_listing_and_deleting_documents(documents: Any) -> None:
    assert documents.fetch(namespace="ns", ids=["1", "none"]).documents["1"].to_dict() == DOCUMENTS[0]
    assert documents.fetch(namespace="ns", ids=["3"]).documents["3"].to_dict() == DOCUMENTS[2]
    first = documents.fetch(
        namespace="ns", filter={"title": {"$match_any": "learning"}}, limit=1, include_fields=["year"]
    )
    rest = documents.fetch(
        namespace="ns", filter={"title": {"$match_any": "learning"}}, limit=1, pagination_token=first.pagination.next
    )
    assert ([*first.documents, *rest.documents], rest.pagination) == (["1", "2"], None)
    assert [each.id for each in documents.list(namespace="ns", limit=2)] == ["1", "2", "3"]
    assert documents.delete(namespace="ns", filter={"year": 2020}).matched_records == 1
    assert documents.delete(namespace="ns", ids=["2"]).matched_records is None
    assert [each.id for each in documents.list(namespace="ns")] == ["3"]
    documents.delete(namespace="ns", delete_all=True)
    assert documents.list(namespace="ns").to_list() == []


def test_patching_documents(documents: Any) -> None:
    documents.update(namespace="ns", documents=[{"_id": "1", "title": "Statistics", "_remove_fields": ["year"]}])
    documents.update(namespace="ns", documents=[{"_id": "nobody", "title": "Nothing"}])
    assert found(documents, TextQuery(query="statistics", fields=["title"])) == ["1"]
    patched = documents.fetch(namespace="ns", ids=["1"]).documents["1"].to_dict()
    assert patched == {key: value for key, value in DOCUMENTS[0].items() if key != "year"} | {"title": "Statistics"}
    by_filter = documents.update(
        namespace="ns", filter={"tags": "ai"}, set_fields={"seen": True}, remove_fields=["tags"]
    )
    assert by_filter.matched_records == 1
    assert documents.fetch(namespace="ns", filter={"seen": True}).documents.keys() == {"2"}


def test_documents_that_are_refused(documents: Any) -> None:
    for document, message in (
        ({"_id": "x", "title": "t"}, "missing required fields: embedding"),
        ({"_id": "x", "embedding": [1, 2, 3]}, "Vector dimension 3 does not match"),
        ({"_id": "x", "embedding": [1, 0], "title": 1}, "title must be a string"),
        ({"_id": "x", "embedding": [1, 0], "y": None}, "for field 'y'"),
        ({"_id": "x", "embedding": [1, 0], "_y": 1}, "reserved"),
    ):
        with pytest.raises(ApiError) as error:
            documents.upsert(namespace="ns", documents=[document])
        assert (error.value.status_code, error.value.error_code) == (400, "INVALID_ARGUMENT")
        assert message in error.value.message
    for clause, message in (
        (TextQuery(query="x", fields=["year"]), "not declared with full_text_search"),
        (QueryStringQuery(query="title:(x"), r"'\)' is missing"),
        (QueryStringQuery(query="ti*le"), "not supported"),
        (DenseVectorQuery(field="title", values=[1]), "not declared for dense_vector"),
        (DenseVectorQuery(field="embedding", values=[1]), "dimension 1"),
    ):
        with pytest.raises(ApiError, match=message):
            found(documents, clause)


def test_documents_that_are_embedded(pc: Pinecone) -> None:
    field = {"type": "string", "embed": {"model": "multilingual-e5-large"}, "sparse_embed": {}, "store_text": False}
    pc.indexes.create(name="embedded", schema={"fields": {"text": field}})
    with contextlib.closing(pc.Index("embedded")) as index:
        documents = index.documents
        told = documents.upsert(
            namespace="ns", documents=[{"_id": "a", "text": "red apples", "n": 1}, {"_id": "b", "text": "fast cars"}]
        )
        assert told.usage.embed_total_tokens > 0
        assert found(documents, EmbedQuery(field="text", query="an apple"))[0] == "a"
        assert found(documents, SparseEmbedQuery(field="text", query="cars")) == ["b"]
        documents.update(namespace="ns", documents=[{"_id": "b", "text": "green pears"}])
        assert found(documents, SparseEmbedQuery(field="text", query="cars")) == []
        assert documents.fetch(namespace="ns", ids=["a"]).documents["a"].to_dict() == {"_id": "a", "n": 1}
        with pytest.raises(ApiError, match="store_text"):
            documents.fetch(namespace="ns", ids=["a"], include_fields=["text"])


# -- models ------------------------------------------------------------------------------------------------------------


def test_embedding(pc: Pinecone) -> None:
    dense = pc.inference.embed("llama-text-embed-v2", ["one", "two"], {"input_type": "query", "dimension": 384})
    assert [len(each.values) for each in dense.data] == [384, 384]
    again = pc.inference.embed("llama-text-embed-v2", ["two"], {"input_type": "query", "dimension": 384})
    assert again.data[0].values == dense.data[1].values
    sparse = pc.inference.embed(
        "pinecone-sparse-english-v0", ["red car red"], {"input_type": "passage", "return_tokens": True}
    )
    weights = dict(zip(sparse.data[0].sparse_tokens, sparse.data[0].sparse_values, strict=True))
    assert weights["red"] > weights["car"] > 0
    with pytest.raises(NotFoundError, match="Supported models"):
        pc.inference.embed("none", ["x"], {"input_type": "query"})
    for parameters, message in (
        ({}, "input_type"),
        ({"input_type": "query", "dimension": 3}, "does not support dimension"),
    ):
        with pytest.raises(ApiError, match=message):
            pc.inference.embed("llama-text-embed-v2", ["x"], parameters)


def test_reranking(pc: Pinecone) -> None:
    answer = pc.inference.rerank("bge-reranker-v2-m3", "red apple", ["a blue car", "an apple that is red"], top_n=1)
    assert [(each.index, each.document) for each in answer.data] == [(1, {"text": "an apple that is red"})]
    bare = pc.inference.rerank(
        "cohere-rerank-3.5", "x", [{"a": "x", "b": "y"}], rank_fields=["a", "b"], return_documents=False
    )
    assert (bare.data[0].document, bare.usage.rerank_units) == (None, 1)
    with pytest.raises(ApiError, match="Only 1 rank field"):
        pc.inference.rerank("bge-reranker-v2-m3", "x", [{"a": "x", "b": "y"}], rank_fields=["a", "b"])


def test_models(pc: Pinecone) -> None:
    assert [each.model for each in pc.inference.list_models(type="embed", vector_type="sparse")] == [
        "pinecone-sparse-english-v0"
    ]
    assert pc.inference.get_model(model="multilingual-e5-large").default_dimension == 1024
    with pytest.raises(NotFoundError):
        pc.inference.get_model(model="none")


# -- copies ------------------------------------------------------------------------------------------------------------


def test_backups(pc: Pinecone, records: Index) -> None:
    backup = pc.backups.create(index_name="records", name="nightly", description="before the change")
    assert (backup.status, backup.record_count, backup.source_index_name) == ("Ready", 3, "records")
    assert [each.backup_id for each in pc.indexes.list_backups("records")] == [backup.backup_id]
    assert pc.backups.describe(backup_id=backup.backup_id).name == "nightly"
    made = pc.create_index_from_backup(name="restored", backup_id=backup.backup_id)
    assert made.source_backup_id == backup.backup_id
    with contextlib.closing(pc.Index("restored")) as restored:
        restored.delete(ids=["apples"], namespace="ns")
        assert hit_ids(restored.search(namespace="ns", top_k=1, inputs={"text": "fruit"})) == ["pears"]
    assert set(records.fetch(ids=["apples"], namespace="ns").vectors) == {"apples"}
    [job] = pc.restore_jobs.list()
    assert (job.status, job.target_index_name) == ("Completed", "restored")
    assert pc.restore_jobs.describe(job_id=job.restore_job_id).percent_complete == 100
    with pytest.raises(ConflictError):
        pc.create_index_from_backup(name="restored", backup_id=backup.backup_id)
    pc.backups.delete(backup_id=backup.backup_id)
    with pytest.raises(NotFoundError):
        pc.backups.describe(backup_id=backup.backup_id)
    pc.indexes.delete("restored")


def test_a_backup_outlives_its_index(pc: Pinecone) -> None:
    fields = {"_values": {"type": "dense_vector", "dimension": 2, "metric": "cosine"}}
    pc.indexes.create(name="short", schema={"fields": fields})
    pc.backups.create(index_name="short")
    pc.indexes.delete("short")
    with pytest.raises(NotFoundError):
        pc.indexes.list_backups("short").to_list()
    [left] = pc.indexes.list_backups("short", include_deleted=True)
    assert left.source_index_deleted_at is not None


def test_collections_and_schedules(pc: Pinecone, records: Index) -> None:
    made = pc.collections.create(name="copy", source="records")
    assert (made.status, made.vector_count, made.dimension) == ("Ready", 3, 512)
    assert pc.collections.list().names() == ["copy"]
    pc.collections.delete("copy")
    with pytest.raises(NotFoundError):
        pc.collections.describe("copy")
    assert pc.backup_schedules.list(index_name="records").data == []
    with pytest.raises(NotFoundError):
        pc.backup_schedules.describe(schedule_id="none")
    with pytest.raises(ForbiddenError, match="not available for your plan"):
        pc.backup_schedules.create(index_name="records", name="x", frequency="daily", retention_days=3)
