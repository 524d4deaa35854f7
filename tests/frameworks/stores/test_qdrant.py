"""Qdrant as the vector store of LangChain and of LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_qdrant")
pytest.importorskip("llama_index.vector_stores.qdrant")

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore, RetrievalMode, SparseEmbeddings, SparseVector
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaQdrant
from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client import models as m

from aimock.surfaces.vector.mock import VectorMock
from aimock_protocols.semantic import semantic_vector_of

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair

TEXTS = ("Bread is made of flour and water", "The train leaves at noon", "Rye flour makes dark bread")
SIZE = 256


class Texts(Embeddings):
    """By our own embedding of texts, so that those about the same are near."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[*semantic_vector_of(text, SIZE)] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Words(SparseEmbeddings):
    """A value for each word, by its first letter."""

    def embed_documents(self, texts: list[str]) -> list[SparseVector]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> SparseVector:
        letters = {ord(word[0]) for word in text.lower().split()}
        return SparseVector(indices=sorted(letters), values=[1.0] * len(letters))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with VectorMock(seed=1) as mock:
        yield mock.url


def langchain_store(url: str, mode: RetrievalMode) -> QdrantVectorStore:
    documents = [Document(text, metadata={"n": place, "side": "ab"[place % 2]}) for place, text in enumerate(TEXTS)]
    return QdrantVectorStore.from_documents(
        documents,
        embedding=Texts(),
        sparse_embedding=Words(),
        retrieval_mode=mode,
        vector_name="dense",
        sparse_vector_name="words",
        url=url,
        check_compatibility=False,
        collection_name=f"lc-{mode.value}",
        force_recreate=True,
    )


@pytest.mark.parametrize("mode", [*RetrievalMode])
def test_langchain(url: str, mode: RetrievalMode) -> None:
    store = langchain_store(url, mode)
    found = store.similarity_search("flour for bread", k=2)
    assert {document.metadata["n"] for document in found} == {0, 2}
    where = m.Filter(must=[m.FieldCondition(key="metadata.side", match=m.MatchValue(value="b"))])
    scored = store.similarity_search_with_score("flour for bread", k=3, filter=where)
    assert [document.metadata["n"] for document, _ in scored] in ([1], [])
    ids = store.add_texts(["Water boils at 100 degrees"], [{"n": 9}])
    assert store.get_by_ids(ids)[0].page_content == "Water boils at 100 degrees"
    assert store.delete(ids)
    assert store.get_by_ids(ids) == []


def test_langchain_wants_variety(url: str) -> None:
    store = langchain_store(url, RetrievalMode.DENSE)
    found = store.max_marginal_relevance_search(
        "flour for bread", k=2, fetch_k=3, lambda_mult=1.0
    )  # which it sends as the diversity
    assert found[1].metadata["n"] == 1


def llama_store(url: str, name: str, **options: Any) -> LlamaQdrant:
    where = {"url": url, "check_compatibility": False}
    store = LlamaQdrant(
        collection_name=name, client=QdrantClient(**where), aclient=AsyncQdrantClient(**where), **options
    )
    nodes = [
        TextNode(
            id_=f"00000000-0000-0000-0000-00000000000{place}",
            text=text,
            embedding=[*semantic_vector_of(text, SIZE)],
            metadata={"n": place, "side": "ab"[place % 2]},
        )
        for place, text in enumerate(TEXTS)
    ]
    store.add(nodes)
    return store


def asked(**more: Any) -> VectorStoreQuery:
    return VectorStoreQuery(query_embedding=[*semantic_vector_of("flour for bread", SIZE)], similarity_top_k=3, **more)


def places(result: Any) -> list[int]:
    return [node.metadata["n"] for node in result.nodes]


def test_llama_index(url: str) -> None:
    store = llama_store(url, "llama")
    assert {*places(store.query(asked()))[:2]} == {0, 2}
    for operator, value, expected in (
        (FilterOperator.EQ, 1, {1}),
        (FilterOperator.NE, 1, {0, 2}),
        (FilterOperator.GT, 0, {1, 2}),
        (FilterOperator.IN, [0, 1], {0, 1}),
        (FilterOperator.NIN, [0, 1], {2}),
    ):
        where = MetadataFilters(filters=[MetadataFilter(key="n", value=value, operator=operator)])
        assert {*places(store.query(asked(filters=where)))} == expected, operator
    either = MetadataFilters(
        filters=[MetadataFilter(key="side", value="b"), MetadataFilter(key="n", value=0)], condition=FilterCondition.OR
    )
    assert {*places(store.query(asked(filters=either)))} == {0, 1}
    assert {node.metadata["n"] for node in store.get_nodes(filters=either)} == {0, 1}
    store.delete_nodes(["00000000-0000-0000-0000-000000000001"])
    assert {*places(store.query(asked()))} == {0, 2}
    store.clear()


def test_llama_index_by_words_and_meaning(url: str) -> None:
    def words(texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
        vectors = Words().embed_documents(texts)
        return [vector.indices for vector in vectors], [vector.values for vector in vectors]

    store = llama_store(url, "hybrid", enable_hybrid=True, sparse_doc_fn=words, sparse_query_fn=words)
    query = asked(query_str="noon train", mode=VectorStoreQueryMode.HYBRID, sparse_top_k=3, hybrid_top_k=3)
    assert {*places(store.query(query))} == {0, 1, 2}
