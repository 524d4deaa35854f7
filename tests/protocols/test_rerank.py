"""Rerankers: the score by shared words, results of fixtures, and each API's own words (wire-services §2)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cohere.types import RerankResponse
from cohere.v2.types import V2RerankResponse
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import bedrock_invoke
from aimock_protocols.canonical import Head, Results, Stamp, WireError
from aimock_protocols.rerank import bedrock_agent, cohere, details
from aimock_protocols.rerank.asking import Shape
from aimock_protocols.rerank.lexical import LONGEST_TEXTS, relevance
from aimock_protocols.rerank.ranking import MANNERS, left_out, ranking
from aimock_protocols.rerank.shared import among
from aimock_protocols.services import RANKINGS
from protocol_cases.rerank import CASES

CAPITALS = [
    "Carson City is the capital city of the American state of Nevada.",
    "The Commonwealth of the Northern Mariana Islands is a group of islands. Its capital is Saipan.",
    "Washington, D.C. is the capital of the United States.",
    "Capital punishment has existed in the United States since before it was a country.",
    "Bananas are yellow.",
]


# -- the score by shared words ---------------------------------------------------------------------------------------

words = st.text("abcdefgh ", max_size=30) | st.text(max_size=30)
collections = st.lists(words, max_size=6)


def test_what_answers_the_query_comes_first() -> None:
    scores = relevance("What is the capital of the United States?", CAPITALS)
    assert max(scores) == scores[2]
    assert scores[4] == 0


@pytest.mark.parametrize(
    ("query", "related", "other"),
    [
        ("refund policy", "Our refunds take five days.", "We sell shoes."),
        ("CAFÉ", "a cafe au lait", "a cup of tea"),
        ("天气", "今天天气很好", "你好"),
        ("the blue whale", "Whales are mammals.", "The end is the end of the the."),
        ("Straße", "STRASSE", "Gasse"),
    ],
)
def test_related_words_count(query: str, related: str, other: str) -> None:
    near, far = relevance(query, [related, other])
    assert near > far


@given(words, collections)
def test_scores_are_between_0_and_1_and_always_the_same(query: str, documents: list[str]) -> None:
    scores = relevance(query, documents)
    assert len(scores) == len(documents)
    assert all(0 <= score < 1 for score in scores)
    assert relevance(query, documents) == scores


@given(words, collections, st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(query: str, documents: list[str], random: Any) -> None:
    order = list(range(len(documents)))
    random.shuffle(order)
    scores = relevance(query, documents)
    assert relevance(query, [documents[place] for place in order]) == pytest.approx([scores[place] for place in order])


@given(st.text("abcdefgh", min_size=3, max_size=9), st.lists(st.text("ijklmnop ", max_size=30), max_size=5))
def test_nothing_in_common_is_0_and_the_query_itself_is_best(query: str, others: list[str]) -> None:
    *scores, itself = relevance(query, [*others, query])
    assert not any(scores)
    assert itself > 0


def test_of_many_documents_each_is_read_as_far_as_the_others() -> None:
    share = LONGEST_TEXTS // 1000
    late, early = "x" * share + " needle", "x needle"
    scores = relevance("needle", [late, early, *["y"] * 998])
    assert scores[0] == 0 < scores[1]


# -- results ---------------------------------------------------------------------------------------------------------


def shape(*documents: str, **more: Any) -> Shape:
    return Shape("m", "hello", documents or ("one", "two", "three"), **more)


def told(*results: Any) -> dict[str, Any]:
    return {"results": list(results)}


def indices(given: dict[str, Any], shape: Shape) -> list[tuple[int, float]]:
    return [(hit.index, hit.score) for hit in ranking(given, shape).hits]


@pytest.mark.parametrize(
    ("results", "expected", "warning"),
    [
        ([{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 1}], [(2, 1), (0, 0.1)], None),
        ([{"index": 2}, {"index": 0}, {"index": 1}], [(2, 0.99), (0, 0.98), (1, 0.97)], None),
        ([{"index": 1, "relevance_score": "high"}], [(1, 0.99)], None),
        ([{"index": 1, "relevance_score": True}], [(1, 0.99)], None),
        ([{"index": 3, "relevance_score": 0.5}], [], "index 3 is not that of one of the 3 documents"),
        ([{"index": -1}], [], "index -1 is not"),
        ([{"index": True}, {"index": 0.0}, {}, "x"], [], "neither an index nor a part"),
        ([{"index": 1}, {"index": 1}], [(1, 0.99)], "document 1 has a result already"),
        ([{"document": "TW", "relevance_score": 0.7}], [(1, 0.7)], None),
        ([{"document": "e", "relevance_score": 0.7}, {"document": "e"}], [(2, 0.98), (0, 0.7)], None),
        ([{"document": "four"}], [], "no document has 'four' in it"),
        ([{"document": "two"}, {"document": "two"}], [(1, 0.99)], "no other document has 'two' in it"),
        ([{"index": 0, "document": "two"}], [(0, 0.99)], None),
        ([{"index": 0, "document": {"text": "two"}}], [(0, 0.99)], None),
    ],
)
def test_results_are_those_of_documents_that_there_are(
    results: list[Any], expected: list[tuple[int, float]], warning: str | None
) -> None:
    assert indices(told(*results), shape()) == expected
    warnings = left_out(told(*results), shape())
    assert (warning is None) == (not warnings)
    assert all((warning or "") in each for each in warnings[:1])


def test_no_more_than_are_wanted_and_the_best_of_all() -> None:
    results = told(*({"index": index, "relevance_score": index / 10} for index in range(3)))
    assert indices(results, shape(most=2)) == [(2, 0.2), (1, 0.1)]
    assert indices(results, shape(most=9)) == [(2, 0.2), (1, 0.1), (0, 0.0)]


def test_documents_of_which_nothing_is_said() -> None:
    assert tuple(MANNERS) == RANKINGS
    asked = shape("bye", "hello", "hello you")
    assert [index for index, _ in indices({}, asked)] == [1, 2, 0]
    assert indices({}, asked) == indices({"ranking": "lexical"}, asked)
    assert indices({"ranking": "identity"}, asked) == [(0, 0.99), (1, 0.98), (2, 0.97)]
    assert indices({"ranking": "empty"}, asked) == indices({"results": []}, asked) == []
    assert indices({"ranking": "lexical", "results": [{"index": 0}]}, asked) == [(0, 0.99)]


@pytest.mark.parametrize("number", [1, 99, 100, 5000])
def test_made_up_scores_descend_between_0_and_1(number: int) -> None:
    scores = [score for _, score in indices({"ranking": "identity"}, shape(*["x"] * number))]
    assert scores == sorted(set(scores), reverse=True)
    assert len(scores) == number
    assert 0 <= scores[-1] <= scores[0] == 0.99


# -- each API in its own words ---------------------------------------------------------------------------------------


def answer(protocol: Any, head: Head, stamp: Stamp, said: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body that answers the protocol's case, with more in the request."""
    request = protocol.decode(head, {}, orjson.dumps({**CASES[protocol.name].request, **more}))
    body: dict[str, Any] = orjson.loads(protocol.encode(Results((said,)), protocol.shape(request), stamp))
    return body


SAID = told({"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": 0.75})


def test_cohere(head: Head, stamp: Stamp) -> None:
    second = answer(cohere.v2, head, stamp, SAID, top_n=1, return_documents=True)
    assert second == {
        "id": stamp.uuid(),
        "results": [{"index": 1, "relevance_score": 0.75}],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
    V2RerankResponse.model_validate(second)
    first = answer(cohere.v1, head, stamp, SAID, documents=["a", {"text": "b", "url": "c"}])
    assert first["results"] == [
        {"index": 1, "relevance_score": 0.75, "document": {"text": "b", "url": "c"}},
        {"index": 0, "relevance_score": 0.5, "document": {"text": "a"}},
    ]
    assert first["meta"]["api_version"] == {"version": "1"}
    RerankResponse.model_validate(first)
    assert "document" not in answer(cohere.v1, head, stamp, SAID, return_documents=False)["results"][0]


def test_cohere_says_what_is_left_out_and_what_the_fixture_says(head: Head, stamp: Stamp) -> None:
    spans = [{"start": 0, "end": 2, "score": 0.5}]
    said = {**told({"index": 0, "relevant_spans": spans}, {"index": 7}), "id": "mine", "meta": {"tokens": {}}}
    body = answer(cohere.v2, head, stamp, said)
    assert body["id"] == "mine"
    assert body["results"] == [{"index": 0, "relevance_score": 0.99, "relevant_spans": spans}]
    assert body["meta"]["tokens"] == {}
    assert body["meta"]["warnings"] == ["result 1 is left out: index 7 is not that of one of the 3 documents"]


@pytest.mark.parametrize(
    ("documents", "units"), [(["a"] * 100, 1), (["a"] * 101, 2), (["a" * 4 * 600] * 51, 2), (["a" * 400], 1)]
)
def test_a_search_unit_is_100_documents_of_500_tokens(
    head: Head, stamp: Stamp, documents: list[str], units: int
) -> None:
    body = answer(cohere.v2, head, stamp, {}, documents=documents)
    assert body["meta"]["billed_units"] == {"search_units": units}


def test_fields_to_rank_by(head: Head) -> None:
    documents = ["plain", {"text": "t", "title": "T", "year": 1999}]
    for fields, expected in (({}, "t"), ({"rank_fields": ["title", "text", "year"]}, "T\nt\n1999")):
        body = {"query": "q", "documents": documents, **fields}
        assert cohere.v1.decode(head, {}, orjson.dumps(body)).body["documents"] == ["plain", expected]


def test_jina(head: Head, stamp: Stamp) -> None:
    body = answer(details.jina, head, stamp, SAID, top_n=1, documents=["ab", {"image": "http://a/b.png"}])
    assert body == {
        "object": "list",
        "results": [{"index": 1, "relevance_score": 0.75, "document": {"image": "http://a/b.png"}}],
        "model": "jina-reranker-v2-base-multilingual",
        "usage": {"total_tokens": 9},
    }
    assert answer(details.jina, head, stamp, SAID)["results"][0]["document"] == {"text": "goodbye"}
    assert "document" not in answer(details.jina, head, stamp, SAID, return_documents=False)["results"][0]


def test_voyage(head: Head, stamp: Stamp) -> None:
    body = answer(details.voyage, head, stamp, SAID, top_k=1)
    assert body == {
        "object": "list",
        "data": [{"index": 1, "relevance_score": 0.75, "document": "goodbye"}],
        "model": "rerank-2.5",
        "usage": {"total_tokens": 14},
    }
    assert "document" not in answer(details.voyage, head, stamp, SAID, return_documents=None)["data"][0]


def test_bedrock_s_agents(head: Head, stamp: Stamp) -> None:
    body = answer(bedrock_agent.api, head, stamp, SAID)
    assert body == {"results": [{"index": 1, "relevanceScore": 0.75}, {"index": 0, "relevanceScore": 0.5}]}
    asked = {**CASES["rerank.bedrock_agent:api"].request}
    document = {"type": "JSON", "jsonDocument": {"hello": [1]}}
    asked["sources"] = [{"type": "INLINE", "inlineDocumentSource": document}]
    request = bedrock_agent.api.decode(head, {}, orjson.dumps(asked))
    assert request.body["documents"] == ['{"hello":[1]}']
    assert {"amazon.rerank-v1:0", "amazon.rerank", "rerank-v1:0"} <= set(request.aliases)


INVOKED = {"query": "hello", "documents": ["bye", "hello"], "api_version": 2}


def invoked(model: str, head: Head, **more: Any) -> Any:
    return bedrock_invoke.decode(head, {"model": model}, orjson.dumps({**INVOKED, **more}))


@pytest.mark.parametrize(
    "model",
    [
        "cohere.rerank-v3-5:0",
        "amazon.rerank-v1:0",
        "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0",
        "my-own-reranker",
    ],
)
def test_bedrock_s_invoke(head: Head, stamp: Stamp, model: str) -> None:
    request = invoked(model, head, top_n=1)
    asked = bedrock_invoke.shape(request)
    assert (request.endpoint, request.objection) == ("rerank", None)
    body = bedrock_invoke.encode(Results((SAID,)), asked, stamp)
    assert orjson.loads(body) == {"results": [{"index": 1, "relevance_score": 0.75}]}
    assert bedrock_invoke.parse(body) == Results((orjson.loads(body),))
    assert dict(bedrock_invoke.reply_headers(Results(), asked))["X-Amzn-Bedrock-Input-Token-Count"] == "7"
    assert bedrock_invoke.left_out(Results((told({"index": 9}),)), asked)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"documents": []}, "#/documents: expected minimum item count: 1, found: 0"),
        ({"documents": ["a"] * 1001}, "#/documents: expected maximum item count: 1000, found: 1001"),
        ({"documents": [{"text": "a"}]}, "#/documents/0: expected type: String, found: JSONObject"),
        ({"top_n": 0}, "#/top_n: 0 is not greater or equal to 1"),
        ({"query": None}, "#/query: expected type: String, found: Null"),
    ],
)
def test_what_bedrock_refuses(head: Head, more: dict[str, Any], fault: str) -> None:
    with pytest.raises(WireError, match=fault) as refused:
        invoked("cohere.rerank-v3-5:0", head, **more)
    assert refused.value.reply.status == 400


@pytest.mark.parametrize(("version", "fault"), [(None, "[api_version] not found"), (1, "1 is not greater or equal")])
def test_cohere_on_bedrock_wants_its_version(head: Head, version: int | None, fault: str) -> None:
    objection = invoked("cohere.rerank-v3-5:0", head, api_version=version).objection
    assert objection is not None
    assert fault in objection.message
    assert invoked("amazon.rerank-v1:0", head, api_version=version).objection is None


def test_rerankers_do_not_stream(head: Head) -> None:
    path = "/model/cohere.rerank-v3-5:0/invoke-with-response-stream"
    streamed = type(head)(path=path)
    with pytest.raises(WireError, match="unsupported for streaming"):
        invoked("cohere.rerank-v3-5:0", streamed)


# -- who is meant ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "sent", "meant"),
    [
        ("/v1/rerank", {}, cohere.v1),
        ("/v1/rerank", {"model": "rerank-v3.5"}, cohere.v1),
        ("/v1/rerank", {"model": "rerank-english-v3.0"}, cohere.v1),
        ("/v1/rerank", {"model": "rerank-2.5-lite"}, details.voyage),
        ("/v1/rerank", {"model": "rerank-lite-1"}, details.voyage),
        ("/v1/rerank", {"model": "m", "top_k": 2}, details.voyage),
        ("/v1/rerank", {"model": "jina-reranker-m0"}, details.jina),
        ("/v1/rerank", {"model": "jinaai/jina-reranker-v3"}, details.jina),
        ("/gateway/v1/rerank/", {"model": 5}, cohere.v1),
        ("/rerank", {}, details.jina),
        ("/rerank", {"queries": []}, bedrock_agent.api),
        ("/rerank", {"model": "rerank-2"}, details.voyage),
        ("/jina/v1/rerank", {"model": "rerank-2", "top_k": 2}, details.jina),
        ("/cohere/v1/rerank", {"model": "jina-reranker-m0"}, cohere.v1),
    ],
)
def test_who_is_meant(head: Head, path: str, sent: dict[str, Any], meant: Any) -> None:
    assert among(type(head)(path=path), orjson.dumps(sent)) is meant


def test_what_is_no_request_means_whose_path_it_is(head: Head) -> None:
    for body in (b"", b"[]", b"{"):
        assert among(type(head)(path="/v1/rerank"), body) is cohere.v1
        assert among(type(head)(path="/rerank"), body) is details.jina


@pytest.mark.parametrize("protocol", [cohere.v1, cohere.v2, details.jina, details.voyage, bedrock_agent.api])
def test_errors_are_read_again(protocol: Any, stamp: Stamp) -> None:
    from aimock_protocols.canonical import ErrorReply

    told = protocol.error(ErrorReply("Too much.", status=429, hint="less"), stamp)
    assert told.status == 429
    with pytest.raises(WireError, match=r"Too much\."):
        protocol.parse(told.body)
    for body in (b"{}", b'{"results": {}}', b'{"data": 1}'):
        with pytest.raises(ValueError, match="no list of"):
            protocol.parse(body)


def test_bedrock_s_agents_have_exceptions_of_their_own(stamp: Stamp) -> None:
    from aimock_protocols.canonical import ErrorReply

    for status, name in ((424, "DependencyFailedException"), (429, "ThrottlingException"), (409, "ConflictException")):
        headers = dict(bedrock_agent.api.error(ErrorReply("No.", status=status), stamp).headers)
        assert headers["x-amzn-ErrorType"].startswith(f"{name}:")
