"""Rerankers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol_cases import ServiceCase
from protocol_cases.strategies import counts, names

DOCUMENTS = ["hello there", "goodbye", "hello again"]
NO_TEXT: list[Any] = [None, 5, "", [], {}, ["a"]]
NO_DOCUMENTS: list[Any] = [None, 5, "a", [], {}, [None], [5], ["a", {}], [[]]]
NO_COUNT: list[Any] = [0, -1, "2", 1.5, [], True]


def message(error: Any) -> str:
    return str(error["message"])


def detail(error: Any) -> str:
    return str(error["detail"])


@st.composite
def ranked(draw: st.DrawFn, **members: st.SearchStrategy[Any]) -> tuple[dict[str, Any], ...]:
    """Results of some of the documents, the best first, and other members of an answer."""
    order = draw(st.permutations(range(len(DOCUMENTS))))[: draw(st.integers(0, len(DOCUMENTS)))]
    scores = sorted(draw(st.lists(st.floats(0, 1), min_size=len(order), max_size=len(order))), reverse=True)
    results = [{"index": index, "relevance_score": score} for index, score in zip(order, scores, strict=True)]
    return ({"results": results, **draw(st.fixed_dictionaries(members))},)


def meta(version: str) -> st.SearchStrategy[Any]:
    units = st.fixed_dictionaries({"search_units": counts})
    return st.fixed_dictionaries({"api_version": st.just({"version": version}), "billed_units": units})


USAGE = st.fixed_dictionaries({"total_tokens": counts})
REQUEST = {"model": "m", "query": "hello", "documents": DOCUMENTS}
WRONG = {"query": NO_TEXT, "documents": NO_DOCUMENTS}

CASES = {
    "rerank.cohere:v2": ServiceCase(
        "rerank",
        ranked(id=names, meta=meta("2")),
        REQUEST,
        "/v2/rerank",
        wrong={**WRONG, "model": NO_TEXT, "top_n": NO_COUNT},
        error=message,
    ),
    "rerank.cohere:v1": ServiceCase(
        "rerank",
        ranked(id=names, meta=meta("1")),
        {**REQUEST, "return_documents": True},
        "/v1/rerank",
        wrong={**WRONG, "top_n": NO_COUNT, "rank_fields": ["text", 5], "documents": [*NO_DOCUMENTS, [{"a": "b"}]]},
        error=message,
    ),
    "rerank.details:jina": ServiceCase(
        "rerank",
        ranked(model=names, usage=USAGE),
        {**REQUEST, "model": "jina-reranker-v2-base-multilingual"},
        "/jina/v1/rerank",
        wrong={**WRONG, "top_n": NO_COUNT},
        error=detail,
        refused=422,
    ),
    "rerank.details:voyage": ServiceCase(
        "rerank",
        ranked(model=names, usage=USAGE),
        {**REQUEST, "model": "rerank-2.5", "return_documents": True},
        "/voyage/v1/rerank",
        wrong={**WRONG, "top_k": NO_COUNT},
        error=detail,
    ),
    "rerank.bedrock_agent:api": ServiceCase(
        "rerank",
        ranked(),
        {
            "queries": [{"type": "TEXT", "textQuery": {"text": "hello"}}],
            "sources": [
                {
                    "type": "INLINE",
                    "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}},
                }
                for text in DOCUMENTS
            ],
            "rerankingConfiguration": {
                "type": "BEDROCK_RERANKING_MODEL",
                "bedrockRerankingConfiguration": {
                    "modelConfiguration": {"modelArn": "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0"}
                },
            },
        },
        "/bedrock-agent-runtime/rerank",
        wrong={
            "queries": [None, 5, [], [None], [{}], [{"textQuery": {"text": ""}}], [{"textQuery": {}}] * 2],
            "sources": [None, 5, [], [None], [{}], [{"inlineDocumentSource": {"textDocument": {"text": 5}}}]],
            "rerankingConfiguration": [None, {}, {"bedrockRerankingConfiguration": {"modelConfiguration": {}}}],
        },
        error=message,
    ),
}
