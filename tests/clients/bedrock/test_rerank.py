"""Rerankers on Bedrock: InvokeModel, Rerank of the agents' runtime, and LangChain's BedrockRerank on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from langchain_aws.document_compressors.rerank import BedrockRerank
from langchain_core.documents import Document

from aimock import AIMock

DOCUMENTS = ["It rains in Spain.", "The capital of France is Paris.", "Bananas are yellow."]
ARN = "arn:aws:bedrock:us-west-2::foundation-model/cohere.rerank-v3-5:0"


@pytest.fixture
def agents(connect_bedrock: Callable[..., Any]) -> Any:
    """The agents' runtime."""
    return connect_bedrock(service="bedrock-agent-runtime")


def reranked(agents: Any, query: str = "capital of France", number: int | None = None) -> list[tuple[int, float]]:
    configuration: dict[str, Any] = {"modelConfiguration": {"modelArn": ARN}}
    if number is not None:
        configuration["numberOfResults"] = number
    answer = agents.rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": query}}],
        sources=[
            {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}}
            for text in DOCUMENTS
        ]
        + [{"type": "INLINE", "inlineDocumentSource": {"type": "JSON", "jsonDocument": {"fruit": "kiwi"}}}],
        rerankingConfiguration={
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": configuration,
        },
    )
    return [(result["index"], result["relevanceScore"]) for result in answer["results"]]


def test_the_agents_runtime(mock: AIMock, agents: Any) -> None:
    mock.on_rerank("kiwi", [{"document": "kiwi", "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.5}])
    mock.on({"endpoint": "rerank", "query": "no", "model": "rerank-v3-5"}, {"error": {"message": "No."}, "status": 424})
    assert reranked(agents, "a Kiwi") == [(3, 0.75), (0, 0.5)]
    assert reranked(agents, "a Kiwi", 1) == [(3, 0.75)]
    assert reranked(agents)[0][0] == 1
    with pytest.raises(agents.exceptions.DependencyFailedException, match=r"No\."):
        reranked(agents, "no")
    assert [entry["service"] for entry in mock.get_requests()] == ["rerank"] * 4


@pytest.mark.parametrize("model", ["cohere.rerank-v3-5:0", "amazon.rerank-v1:0"])
def test_invoke_model(mock: AIMock, bedrock: Any, model: str) -> None:
    mock.on_rerank("kiwi", [{"index": 2, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.5}])

    def ask(**body: Any) -> Any:
        answer = bedrock.invoke_model(
            modelId=model, body=json.dumps({"documents": DOCUMENTS, "api_version": 2, **body})
        )
        assert int(answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"]) > 0
        return json.loads(answer["body"].read())

    assert ask(query="kiwi", top_n=1) == {"results": [{"index": 2, "relevance_score": 0.75}]}
    assert ask(query="capital of France")["results"][0]["index"] == 1
    with pytest.raises(ClientError, match="required key \\[query\\] not found") as raised:
        ask()
    assert raised.value.response["Error"]["Code"] == "ValidationException"


def test_langchain(mock: AIMock, agents: Any) -> None:
    compressor = BedrockRerank(model_arn=ARN, client=agents, top_n=2)
    documents = [Document(text) for text in DOCUMENTS]
    best, _ = compressor.compress_documents(documents, "capital of France")
    assert best.page_content == DOCUMENTS[1]
    assert 0 < best.metadata["relevance_score"] < 1
