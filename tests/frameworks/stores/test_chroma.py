"""LangChain's and LlamaIndex's vector stores on Chroma."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_chroma", reason="needs an environment of its own: extra stores")
pytest.importorskip("llama_index.vector_stores.chroma")

import chromadb
from langchain_chroma import Chroma as LangChainStore
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.vector_stores.chroma import ChromaVectorStore as LlamaStore

from aimock.surfaces.vector.mock import VectorMock

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair

VECTORS = {"apple": [1.0, 0.0, 0.0], "pear": [0.5, 0.5, 0.0], "car": [0.0, 0.0, 1.0]}


class Known(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [VECTORS[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return VECTORS[text]


@pytest.fixture
def client() -> Iterator[Any]:
    with VectorMock() as mock:
        yield chromadb.HttpClient(host="127.0.0.1", port=mock.port)


def test_langchain(client: Any) -> None:
    store = LangChainStore("fruit", Known(), client=client, collection_configuration={"hnsw": {"space": "cosine"}})
    documents = [Document(text, metadata={"kind": "fruit" if text != "car" else "thing"}) for text in VECTORS]
    assert store.add_documents(documents, ids=["a", "p", "c"]) == ["a", "p", "c"]
    found = store.similarity_search_with_score("apple", k=2)
    assert [(document.page_content, round(score, 4)) for document, score in found] == [("apple", 0), ("pear", 0.2929)]
    (only,) = store.similarity_search("apple", k=5, filter={"kind": "thing"}, where_document={"$contains": "car"})
    assert (only.page_content, only.metadata) == ("car", {"kind": "thing"})
    diverse = store.max_marginal_relevance_search("apple", k=2, fetch_k=3, lambda_mult=0.1)
    assert [each.page_content for each in diverse] == ["apple", "car"]
    store.update_document("c", Document("pear", metadata={"kind": "fruit"}))
    assert store.get(ids=["c"], include=["documents", "metadatas"])["documents"] == ["pear"]
    store.delete(["a", "c"])
    assert [each.page_content for each in store.similarity_search("apple", k=3)] == ["pear"]
    store.delete_collection()
    assert client.count_collections() == 0


def test_llama_index(client: Any) -> None:
    store = LlamaStore(chroma_collection=client.get_or_create_collection("nodes", embedding_function=None))
    nodes = [
        TextNode(
            id_=text,
            text=text,
            embedding=vector,
            metadata={"year": 1990 + place},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"book-{place}")},
        )
        for place, (text, vector) in enumerate(VECTORS.items())
    ]
    store.add(nodes)
    found = store.query(VectorStoreQuery(query_embedding=VECTORS["apple"], similarity_top_k=2))
    assert (found.ids, [each.text for each in found.nodes]) == (["apple", "pear"], ["apple", "pear"])
    filters = MetadataFilters(
        filters=[
            MetadataFilter(key="year", value=1990, operator=FilterOperator.GT),
            MetadataFilter(key="year", value=1992, operator=FilterOperator.LT),
        ],
        condition=FilterCondition.AND,
    )
    asked = VectorStoreQuery(query_embedding=VECTORS["apple"], similarity_top_k=5, filters=filters)
    assert store.query(asked).ids == ["pear"]
    store.delete("book-1")
    assert store.query(VectorStoreQuery(query_embedding=VECTORS["apple"], similarity_top_k=5)).ids == ["apple", "car"]
    store.clear()
    assert client.get_collection("nodes", embedding_function=None).count() == 0
