"""Indexes of the control plane: asked for in the words of each version, described for all (wire-vector §1.1)."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import orjson
import pytest
from pinecone._internal.adapters.indexes_adapter import IndexesAdapter
from pinecone.models.backups.model import BackupModel
from pinecone.models.indexes.index import IndexModel

from aimock_protocols.canonical import ErrorReply, WireError
from aimock_protocols.pinecone import errors, snapshots
from aimock_protocols.pinecone.index_requests import configured, read_creation, read_creation_for_model
from aimock_protocols.pinecone.indexes import Index, Kind, VectorField, described, is_expressible, sparse_name

SPEC = {"serverless": {"cloud": "aws", "region": "us-east-1"}}
DENSE = {"type": "dense_vector", "dimension": 3, "metric": "cosine"}


def test_both_ways_to_ask_make_the_same_index() -> None:
    deployment = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
    old = read_creation({"name": "a", "dimension": 3, "metric": "cosine", "spec": SPEC}, "")
    new = read_creation({"name": "a", "schema": {"fields": {"_values": DENSE}}, "deployment": deployment}, "")
    assert old == new
    assert (old.kind, old.metric, old.dimension) == (Kind.VECTORS, "cosine", 3)


def test_defaults() -> None:
    index = read_creation({"schema": {"fields": {"_values": DENSE}}}, "given")
    assert (index.name, index.deployment["region"], index.deletion_protection) == ("given", "us-east-1", "disabled")
    assert read_creation({"name": "a", "dimension": 3, "spec": SPEC}, "").metric == "cosine"
    sparse = read_creation({"name": "a", "vector_type": "sparse", "spec": SPEC}, "")
    assert (sparse.dimension, sparse.metric, sparse.shape.is_sparse) == (None, "dotproduct", True)
    pod = read_creation({"name": "a", "dimension": 3, "spec": {"pod": {"environment": "e"}}}, "")
    assert pod.deployment == {
        "deployment_type": "pod",
        "environment": "e",
        "pod_type": "p1.x1",
        "replicas": 1,
        "shards": 1,
    }


@pytest.mark.parametrize(
    ("metric", "fields"),
    [
        ("cosine", {"": VectorField(3, "cosine")}),
        ("dotproduct", {"": VectorField(3, "dotproduct"), "sparse": VectorField(None, "dotproduct")}),
    ],
)
def test_sparse_vectors_stand_beside_products_only(metric: str, fields: dict[str, VectorField]) -> None:
    assert read_creation({"name": "a", "dimension": 3, "metric": metric, "spec": SPEC}, "").vector_fields == fields


def test_an_index_of_documents() -> None:
    text = {"type": "string", "embed": {"dimension": 512}, "sparse_embed": {}}
    index = read_creation({"schema": {"fields": {"v": DENSE, "s": {"type": "sparse_vector"}, "t": text}}}, "a")
    assert index.kind is Kind.DOCUMENTS
    assert index.vector_fields == {
        "v": VectorField(3, "cosine"),
        "s": VectorField(None, "dotproduct"),
        "t": VectorField(512, "cosine", "llama-text-embed-v2"),
        sparse_name("t"): VectorField(None, "dotproduct", "pinecone-sparse-english-v0"),
    }
    assert index.fields["t"]["full_text_search"]["language"] == "en"
    assert [is_expressible(index, version) for version in ("2026-04", "2026-07")] == [False, True]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ([], 400, "Request body must be an object"),
        ({}, 422, "missing field `schema`"),
        ({"dimension": 3}, 422, "missing field `spec`"),
        ({"name": "Upper", "dimension": 3, "spec": SPEC}, 400, "only lowercase alphanumeric"),
        ({"name": "a-", "dimension": 3, "spec": SPEC}, 400, "only lowercase alphanumeric"),
        ({"name": "a" * 46, "dimension": 3, "spec": SPEC}, 400, "between 1 and 45"),
        ({"name": "a", "spec": SPEC}, 400, "dimension is required"),
        ({"name": "a", "dimension": 0, "spec": SPEC}, 400, "between 1 and 20000"),
        ({"name": "a", "dimension": 3, "metric": "l2", "spec": SPEC}, 400, "cosine, euclidean, dotproduct"),
        ({"name": "a", "dimension": 3, "vector_type": "sparse", "spec": SPEC}, 400, "must not have a dimension"),
        ({"name": "a", "metric": "cosine", "vector_type": "sparse", "spec": SPEC}, 400, "must use the dotproduct"),
        ({"name": "a", "dimension": 3, "spec": {}}, 400, "serverless, pod or byoc"),
        ({"name": "a", "dimension": 3, "spec": {"serverless": {"cloud": "x", "region": "r"}}}, 400, "aws, gcp, azure"),
        ({"name": "a", "dimension": 3, "spec": SPEC, "tags": {"a b": "c"}}, 400, "Tag keys"),
        ({"name": "a", "dimension": 3, "spec": SPEC, "tags": {"a": "c" * 121}}, 400, "Tag values"),
        ({"name": "a", "dimension": 3, "spec": SPEC, "tags": {str(n): "c" for n in range(21)}}, 400, "at most 20 tags"),
        ({"schema": {"fields": {}}}, 400, "at least one field"),
        ({"schema": {"fields": {"_x": DENSE}}}, 400, "reserved"),
        ({"schema": {"fields": {"a": DENSE, "b": DENSE}}}, 400, "at most one dense_vector"),
        ({"schema": {"fields": {"_values": {"type": "sparse_vector"}}}}, 400, "cannot be declared here"),
        ({"schema": {"fields": {"a": {"type": "float"}}}}, 400, "cannot be declared here"),
        ({"schema": {"fields": {"a": {"type": "string", "embed": {"model": "x"}}}}}, 404, "Supported models"),
    ],
)
def test_indexes_that_are_refused(body: Any, status: int, message: str) -> None:
    with pytest.raises(WireError) as error:
        read_creation(body, "given")
    assert error.value.reply.status == status
    assert message in error.value.reply.message


def every_index() -> list[Index]:
    embed = {"model": "multilingual-e5-large", "field_map": {"text": "chunk"}}
    text = {"type": "string", "full_text_search": {"stemming": True, "stop_words": True}}
    return [
        read_creation({"name": "dense", "dimension": 3, "spec": SPEC, "tags": {"a": "b"}}, ""),
        read_creation({"name": "sparse", "vector_type": "sparse", "spec": SPEC}, ""),
        read_creation({"name": "pod", "dimension": 3, "spec": {"pod": {"environment": "e", "replicas": 2}}}, ""),
        read_creation({"name": "byoc", "dimension": 3, "spec": {"byoc": {"environment": "e"}}}, ""),
        read_creation(
            {
                "name": "dedicated",
                "schema": {"fields": {"_values": DENSE}},
                "read_capacity": {
                    "mode": "Dedicated",
                    "dedicated": {"node_type": "b1", "scaling": "Manual", "manual": {"shards": 1, "replicas": 2}},
                },
            },
            "",
        ),
        read_creation_for_model({"name": "model", "cloud": "gcp", "region": "r", "embed": embed}),
        read_creation({"name": "documents", "schema": {"fields": {"v": DENSE, "t": text}}}, ""),
        read_creation(
            {
                "name": "indexed",
                "dimension": 3,
                "spec": {"serverless": {**SPEC["serverless"], "schema": {"fields": {"y": {"filterable": True}}}}},
            },
            "",
        ),
    ]


@pytest.mark.parametrize("index", every_index(), ids=lambda index: index.name)
def test_a_description_is_what_the_client_reads(index: Index) -> None:
    told = described(index, "http://127.0.0.1:1/vector/i/x", is_ready=True)
    model = IndexesAdapter.to_index_model(orjson.dumps(told))
    assert isinstance(model, IndexModel)
    assert (model.name, model.status.ready, model.host) == (index.name, True, "http://127.0.0.1:1/vector/i/x")
    assert set(model.schema.fields) >= set(index.fields)
    assert told["metric"] == index.metric
    assert Index(index.name, **orjson.loads(orjson.dumps(index.settings))) == index
    backup = snapshots.Backup("source", "id")
    told_backup = snapshots.described_backup("b", backup, index, snapshots.Held(1, 1, 1), 0.0)
    assert msgspec.convert(told_backup, BackupModel).created_at == "1970-01-01T00:00:00Z"


def test_configuring() -> None:
    index = read_creation({"name": "a", "dimension": 3, "spec": SPEC, "tags": {"a": "1", "b": "2"}}, "")
    changed = configured(index, {"deletion_protection": "enabled", "tags": {"a": "", "c": "3"}})
    assert changed == attrs.evolve(index, deletion_protection="enabled", tags={"b": "2", "c": "3"})
    capacity = {"mode": "Dedicated", "dedicated": {"node_type": "b1", "scaling": "Manual"}}
    assert configured(index, {"spec": {"serverless": {"read_capacity": capacity}}}).read_capacity == capacity
    pod = read_creation({"name": "a", "dimension": 3, "spec": {"pod": {"environment": "e"}}}, "")
    assert configured(pod, {"spec": {"pod": {"replicas": 3}}}).deployment["replicas"] == 3
    assert configured(pod, {"deployment": {"pod_type": "p1.x2"}}).deployment["pod_type"] == "p1.x2"
    with pytest.raises(WireError, match="pod-based"):
        configured(index, {"deployment": {"replicas": 3}})


def test_configuring_a_model() -> None:
    embed = {"model": "multilingual-e5-large", "field_map": {"text": "chunk"}}
    index = read_creation_for_model({"name": "a", "cloud": "aws", "region": "r", "embed": embed})
    assert (index.kind, index.vector_fields) == (
        Kind.RECORDS,
        {"": VectorField(1024, "cosine", "multilingual-e5-large")},
    )
    field = {"type": "semantic_text", "read_parameters": {"truncate": "NONE"}}
    changed = configured(index, {"schema": {"fields": {"chunk": field}}})
    assert changed.embed is not None
    assert changed.embed["read_parameters"] == {"input_type": "query", "truncate": "NONE"}
    with pytest.raises(WireError, match="cannot be changed"):
        configured(index, {"schema": {"fields": {"chunk": {"type": "semantic_text", "model": "llama-text-embed-v2"}}}})
    plain = read_creation({"name": "a", "dimension": 1024, "spec": SPEC}, "")
    assert configured(plain, {"embed": embed}).kind is Kind.RECORDS
    with pytest.raises(WireError, match="does not match"):
        configured(read_creation({"name": "a", "dimension": 3, "spec": SPEC}, ""), {"embed": embed})


@pytest.mark.parametrize(
    ("path", "speaks_gateway"),
    [
        ("/pinecone/i/x/vectors/upsert", True),
        ("/query", True),
        ("/pinecone/query", True),
        ("/i/indexes/query", True),
        ("/i/x/describe_index_stats", True),
        ("/i/x/namespaces", True),
        ("/i/x/namespaces/y", True),
        ("/i/x/bulk/imports/1", True),
        ("/i/x/namespaces/y/documents/upsert", False),
        ("/i/x/records/namespaces/y/search", False),
        ("/indexes/query", False),
        ("/embed", False),
    ],
)
def test_errors_in_the_words_of_each_plane(path: str, speaks_gateway: bool) -> None:
    told = errors.encode(ErrorReply("no", status=404), path)
    body = orjson.loads(told.body)
    assert told.status == 404
    if speaks_gateway:
        assert body == {"code": 5, "message": "no", "details": []}
    else:
        assert body == {"error": {"code": "NOT_FOUND", "message": "no"}, "status": 404}


def test_errors_tell_when_to_come_back() -> None:
    told = errors.encode(ErrorReply("slow down", status=429, retry_after=2.5), "/query")
    assert ("retry-after", "2.5") in told.headers
    assert orjson.loads(told.body)["code"] == 8
    assert (
        orjson.loads(errors.encode(ErrorReply("?", status=418), "/embed").body)["error"]["code"] == "INVALID_ARGUMENT"
    )
