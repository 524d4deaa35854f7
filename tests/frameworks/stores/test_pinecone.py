"""LangChain's and LlamaIndex's vector stores on Pinecone, with the older client that they pin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_pinecone", reason="needs an environment of its own: extra stores")
pytest.importorskip("llama_index.vector_stores.pinecone")

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_pinecone import PineconeVectorStore as LangChainStore
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.vector_stores.pinecone import PineconeVectorStore as LlamaStore
from pinecone import Pinecone, ServerlessSpec

from aimock.surfaces.vector.mock import VectorMock

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair

VECTORS = {"apple": [1.0, 0.0, 0.0], "pear": [0.9, 0.1, 0.0], "car": [0.0, 0.0, 1.0]}


class Known(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [VECTORS[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return VECTORS[text]


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[VectorMock]:
    with VectorMock() as running:
        monkeypatch.setenv("PINECONE_API_KEY", "test")
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", running.url)
        yield running


@pytest.fixture
def index(mock: VectorMock) -> Any:
    client = Pinecone(api_key="test", host=mock.url)
    client.create_index(
        name="stores", dimension=3, metric="cosine", spec=ServerlessSpec(cloud="aws", region="us-east-1")
    )
    return client.Index("stores")


def test_langchain(index: Any) -> None:
    store = LangChainStore(index=index, embedding=Known(), namespace="ns")
    documents = [Document(page_content=text, metadata={"fruit": text != "car"}) for text in VECTORS]
    assert store.add_documents(documents, ids=[*VECTORS]) == [*VECTORS]
    assert [each.page_content for each in store.similarity_search("apple", k=2)] == ["apple", "pear"]
    found = store.similarity_search_with_score("apple", k=3, filter={"fruit": {"$eq": True}})
    assert [(each.id, round(score, 3)) for each, score in found] == [("apple", 1.0), ("pear", 0.994)]
    assert store.max_marginal_relevance_search("apple", k=2, fetch_k=3)[0].page_content == "apple"
    store.delete(ids=["apple"])
    store.delete(filter={"fruit": False})
    assert [each.page_content for each in store.similarity_search("apple", k=3)] == ["pear"]
    store.delete(delete_all=True)
    assert store.similarity_search("apple", k=3) == []


def test_langchain_by_the_name_of_the_index(index: Any) -> None:
    """It finds the host by itself, and asks what the index has."""
    store = LangChainStore.from_texts([*VECTORS], Known(), index_name="stores")
    assert [each.page_content for each in store.as_retriever(search_kwargs={"k": 1}).invoke("car")] == ["car"]


def test_llama_index(index: Any) -> None:
    store = LlamaStore(pinecone_index=index, namespace="ns")
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="book")}
    nodes = [
        TextNode(id_=text, text=text, embedding=vector, metadata={"size": size}, relationships=source)
        for size, (text, vector) in enumerate(VECTORS.items())
    ]
    assert len(store.add(nodes)) == 3
    asked = VectorStoreQuery(query_embedding=VECTORS["apple"], similarity_top_k=2)
    assert [node.get_content() for node in store.query(asked).nodes or ()] == ["apple", "pear"]
    filters = MetadataFilters(
        filters=[
            MetadataFilter(key="size", value=0, operator=FilterOperator.GT),
            MetadataFilter(key="size", value=[1, 2], operator=FilterOperator.IN),
        ],
        condition=FilterCondition.AND,
    )
    filtered = VectorStoreQuery(query_embedding=VECTORS["car"], similarity_top_k=3, filters=filters)
    assert [node.get_content() for node in store.query(filtered).nodes or ()] == ["car", "pear"]
    assert {node.get_content() for node in store.get_nodes(filters=filters)} == {"pear", "car"}
    store.delete("book")
    assert index.describe_index_stats()["total_vector_count"] == 0
