"""Embeddings over HTTP: whose vector a text gets, and what the pipeline does besides."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.fixtures import fixture_from
from aimock.quotas import Quota
from aimock_protocols.embedding import vector_of
from aimock_protocols.semantic import semantic_vector_of

Call = Callable[..., Any]
Start = Callable[..., Any]

PATH = "/v1/embeddings"
CAT, DOG, BOTH = [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]


@pytest.fixture
def embed(call: Call) -> Call:
    """embed("a", "b", …): one request for these texts; keywords add to its body."""

    def ask(*texts: Any, headers: Mapping[str, str] = {}, path: str = PATH, port: int = 0, **more: Any) -> Any:
        value = texts[0] if len(texts) == 1 else list(texts)
        return call("POST", path, {"model": "m", "input": value, "dimensions": 2} | more, headers, port=port)

    return ask


def vectors(response: Any) -> list[list[float]]:
    assert response.status == 200, response.body
    return [each["embedding"] for each in response.json["data"]]


def follows(text: str, dimensions: int = 2) -> list[float]:
    return list(vector_of(text, dimensions))


STRICT = {"X-AIMock-Strict": "true"}


# -- whose vector -----------------------------------------------------------------------------------------------------


def test_without_a_fixture_the_vector_follows_from_the_text(mock: AIMock, embed: Call) -> None:
    """core-fixtures 5.5"""
    assert vectors(embed("hello")) == [follows("hello")]
    assert vectors(embed("hello", "b", "hello")) == [follows("hello"), follows("b"), follows("hello")]
    assert vectors(embed("hello", dimensions=None)) == [follows("hello", 1536)]
    assert vectors(embed([1, 2, 3])) == [follows("1 2 3")]
    assert vectors(embed([1, 2], [3])) == [follows("1 2"), follows("3")]
    entry = mock.get_last_request()
    assert (entry["path"], entry["response"]) == (PATH, {"status": 200, "fixture": None})
    assert entry["body"] == {
        "model": "m",
        "input": ["1 2", "3"],
        "dimensions": 2,
        "_endpointType": "embedding",
    }


def test_a_fixture_s_vector_is_as_long_as_it_is(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("hello", {"embedding": [0.25, 1, -3]})
    assert vectors(embed("say hello")) == [[0.25, 1, -3]]
    assert vectors(embed("bye")) == [follows("bye")]
    assert mock.get_requests()[0]["response"]["fixture"]["response"] == {"embedding": [0.25, 1, -3]}


def test_one_fixture_is_for_every_text_of_a_request(mock: AIMock, embed: Call) -> None:
    """wire-openai-other §1: texts are matched joined by a space."""
    mock.on_embedding("cat dog", {"embedding": BOTH}).on_embedding(re.compile("^fish"), {"embedding": CAT})
    assert vectors(embed("a cat", "dogs")) == [BOTH, BOTH]
    assert vectors(embed("fish", "bird")) == [CAT, CAT]
    assert vectors(embed([1, 2], [3])) == [follows("1 2"), follows("3")]


def test_a_fixture_may_have_a_vector_for_each_text_in_turn(mock: AIMock, embed: Call) -> None:
    told = {"usage": {"prompt_tokens": 7, "total_tokens": 7}, "model": "m-1"}
    mock.on_embedding("cat dog", {"embeddings": [CAT, None, DOG], **told})
    answer = embed("cat", "dog", "x")
    assert vectors(answer) == [CAT, follows("dog"), DOG]
    assert {key: answer.json[key] for key in told} == told
    assert vectors(embed("cat", "dog", "x", "y")) == [CAT, follows("dog"), DOG, follows("y")]
    assert vectors(embed("cat dog")) == [CAT]


def test_a_vector_for_all_texts_may_come_with_its_usage(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat", {"embedding": CAT, "usage": {"prompt_tokens": 7}})
    answer = embed("cat", "cats")
    assert vectors(answer) == [CAT, CAT]
    assert answer.json["usage"]["prompt_tokens"] == 7


def test_texts_have_fixtures_of_their_own(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat", {"embedding": CAT}).on_embedding("dog", {"embedding": DOG})
    assert vectors(embed("a cat", "a dog", "a cat")) == [CAT, DOG, CAT]
    assert vectors(embed("a dog", "a fish", "a cat")) == [DOG, follows("a fish"), CAT]
    assert mock.get_last_request()["response"]["fixture"]["match"] == {"inputText": "dog"}, "the first stands for all"
    assert vectors(embed("a dog", "a fish")) == [DOG, DOG], "one alone is for all, as the reference has it"


def test_texts_that_do_not_match_together_may_do_so_alone(mock: AIMock, embed: Call) -> None:
    mock.on_embedding(re.compile("^cat$"), {"embedding": CAT})
    assert vectors(embed("dog", "cat")) == [follows("dog"), CAT]
    assert vectors(embed("cat", "cat")) == [CAT, CAT]
    assert vectors(embed("cats", "dogs")) == [follows("cats"), follows("dogs")]


def test_what_is_recorded_for_all_texts_beats_what_is_for_any_text(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat dog", {"embedding": BOTH}).on({"endpoint": "embedding"}, {"embedding": DOG})
    assert vectors(embed("cat", "dog")) == [BOTH, BOTH]
    assert vectors(embed("cat", "fish")) == [DOG, DOG]


def test_other_criteria_hold_for_each_text(mock: AIMock, embed: Call) -> None:
    mock.on({"inputText": "cat", "model": "large"}, {"embedding": [9]})
    mock.on_embedding("cat", {"embedding": CAT}).on_embedding("dog", {"embedding": DOG})
    assert vectors(embed("cat", "dog")) == [CAT, DOG]
    assert vectors(embed("cat", "dog", model="large")) == [[9], DOG]


def test_a_transform_sees_texts_together_and_alone(call: Call, embed: Call) -> None:
    """With a transform literals are compared whole."""
    seen: list[Any] = []

    def lower(body: dict[str, Any]) -> dict[str, Any]:
        seen.append(body["input"])
        return {**body, "input": [text.lower() for text in body["input"]]}

    with AIMock(request_transform=lower) as mock:
        mock.on_embedding("cat", {"embedding": CAT}).on_embedding("dog", {"embedding": DOG})
        assert vectors(embed("CAT", "Dog", "cats", port=mock.port)) == [CAT, DOG, follows("cats")]
        assert mock.get_last_request()["body"]["input"] == ["CAT", "Dog", "cats"]
    assert seen == [["CAT", "Dog", "cats"], ["CAT"], ["Dog"], ["cats"]]


# -- sequences --------------------------------------------------------------------------------------------------------


def test_a_sequence_goes_on_by_one_a_request(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat", {"embedding": CAT}, sequence_index=0).on_embedding(
        "cat", {"embedding": DOG}, sequence_index=1
    )
    assert [vectors(embed("cat")) for _ in range(3)] == [[CAT], [DOG], [follows("cat")]]
    assert vectors(embed("cat", headers={"X-Test-Id": "other"})) == [CAT]


def test_a_sequence_goes_on_by_one_for_all_texts_of_a_request(mock: AIMock, embed: Call) -> None:
    pattern = re.compile("^cat$")
    mock.on_embedding(pattern, {"embedding": CAT}, sequence_index=0)
    mock.on_embedding(pattern, {"embedding": DOG}, sequence_index=1)
    asked = [vectors(embed("cat", "x", "cat")) for _ in range(3)]
    assert asked == [[each, follows("x"), each] for each in (CAT, DOG, follows("cat"))]


def test_each_text_s_sequence_goes_on(mock: AIMock, embed: Call) -> None:
    for text, first, second in (("cat", [1], [2]), ("dog", [3], [4])):
        mock.on_embedding(text, {"embedding": first}, sequence_index=0)
        mock.on_embedding(text, {"embedding": second}, sequence_index=1)
    assert vectors(embed("cat", "dog")) == [[1], [3]]
    assert vectors(embed("dog")) == [[4]]
    assert vectors(embed("cat")) == [[2]]


def test_a_request_that_is_refused_does_not_go_on(mock: AIMock, embed: Call) -> None:
    mock.on_embedding(re.compile("^cat$"), {"embedding": CAT}, sequence_index=0)
    assert embed("cat", "dog", headers=STRICT).status == 503
    assert vectors(embed("cat", headers=STRICT)) == [CAT]


# -- strict mode ------------------------------------------------------------------------------------------------------


def test_a_strict_server_invents_nothing(mock: AIMock, embed: Call) -> None:
    mock.on_embedding(re.compile("^cat$"), {"embedding": CAT}).on_embedding("dog", {"embedding": DOG})
    for texts in (("fish",), ("cat", "fish"), ("fish", "bird"), ("dog", "cat", "fish")):
        response = embed(*texts, headers=STRICT)
        assert (response.status, response.json["error"]["code"]) == (503, "no_fixture_match"), texts
        assert response.json["error"]["message"] == "Strict mode: no fixture matched"
        assert '"fish' in response.json["error"]["hint"], "the text is told for which there is none"
        assert mock.get_last_request()["response"] == {"status": 503, "fixture": None, "strictOverride": True}
    assert vectors(embed("dog", "cat", headers=STRICT)) == [DOG, CAT]
    assert vectors(embed("dog", "fish", headers=STRICT)) == [DOG, DOG], "it is for all"


def test_a_strict_server_tells_of_places_in_sequences(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat", {"embedding": CAT}, sequence_index=5)
    message = embed("cat", "dog", headers=STRICT).json["error"]["message"]
    assert message == "Strict mode: 1 candidate fixture(s) skipped by sequence/turn state"


@pytest.mark.parametrize("texts", [("",), ("a", ""), ([[]],)])
def test_an_empty_text_is_refused_by_strict_servers_only(
    mock: AIMock, embed: Call, caplog: pytest.LogCaptureFixture, texts: Any
) -> None:
    response = embed(*texts, headers=STRICT)
    assert (response.status, response.json["error"]["message"]) == (400, "Input cannot be an empty string.")
    assert vectors(embed(*texts))[-1] == follows("")
    assert "a strict server would refuse it" in caplog.text


# -- errors -----------------------------------------------------------------------------------------------------------


def test_an_error_fixture(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("busy", {"error": {"message": "Slow down", "code": "x"}, "status": 429, "retryAfter": 7})
    response = embed("busy")
    assert (response.status, response.headers["retry-after"]) == (429, "7")
    assert response.json["error"] == {"message": "Slow down", "type": "server_error", "param": None, "code": "x"}


def test_an_error_for_one_text_is_the_answer_to_all(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat", {"embedding": CAT}, sequence_index=0)
    mock.on_embedding(re.compile("^bad$"), {"error": {"message": "No."}, "status": 422})
    assert embed("cat", "bad").status == 422
    assert mock.get_last_request()["response"]["fixture"]["response"]["status"] == 422
    assert vectors(embed("cat")) == [CAT], "it was not served, so it is still its turn"


def test_a_one_shot_error(mock: AIMock, embed: Call) -> None:
    mock.next_request_error(503, {"message": "Later"})
    assert [embed("a").status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("match", [{}, {"endpoint": "embedding"}, {"inputText": "hello"}], ids=json.dumps)
@pytest.mark.parametrize(
    "response",
    [{"content": "Hi"}, {"toolCalls": [{"name": "f", "arguments": "{}"}]}, {"audio": "aGk="}, {"json": 5}],
    ids=lambda each: next(iter(each)),
)
def test_a_fixture_of_another_kind_is_said_to_be_one(mock: AIMock, embed: Call, match: Any, response: Any) -> None:
    mock.on(match, response)
    for texts in (("hello",), ("hello", "you")):
        answer = embed(*texts)
        assert (answer.status, answer.json["error"]["type"]) == (500, "server_error")
        assert answer.json["error"]["message"] == "Fixture response did not match any known embedding type"
        assert mock.get_last_request()["response"]["status"] == 500


def test_a_text_fixture_that_looks_at_messages_is_none_for_embeddings(mock: AIMock, embed: Call) -> None:
    mock.on_message("hello", {"content": "Hi"}).on({"endpoint": "chat"}, {"content": "Hi"})
    assert vectors(embed("hello")) == [follows("hello")]


def test_a_fixture_may_be_of_two_kinds(mock: AIMock, embed: Call, chat: Call) -> None:
    mock.add_fixture({"match": {}, "response": {"content": "Hi", "embedding": CAT}})
    assert vectors(embed("a", "b")) == [CAT, CAT]
    assert chat().content == "Hi"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_factory_sees_all_texts_and_answers_for_all(mock: AIMock, embed: Call, is_async: bool) -> None:
    asked: list[Any] = []

    def factory(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body["input"])
        return {"embedding": [len(body["input"])]}

    async def later(body: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return factory(body)

    mock.on_embedding(re.compile("^cat$"), {"embedding": CAT})
    mock.on_embedding("dog", later if is_async else factory)
    assert vectors(embed("dog")) == [[1]]
    assert vectors(embed("cat", "dog")) == [[2], [2]]
    assert asked == [["dog"], ["cat", "dog"]]


def test_a_factory_that_makes_something_else_is_a_500(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("text", lambda body: {"content": "Hi"})
    mock.on_embedding("error", lambda body: {"error": {"message": "teapot"}, "status": 418})
    mock.on_embedding("junk", lambda body: {"embedding": ["x"]})
    assert [embed(text).status for text in ("text", "error", "junk")] == [500, 418, 500]


# -- what the pipeline does besides -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [PATH, "/v1/embeddings/", "/openai/v1/embeddings", "/api/v1/embeddings", "/v4/embeddings", "/embeddings"]
)
def test_behind_every_base(mock: AIMock, embed: Call, path: str) -> None:
    assert vectors(embed("hello", path=path)) == [follows("hello")]
    assert mock.get_last_request()["path"] == path


def test_azure_names_the_deployment_in_its_path(mock: AIMock, embed: Call) -> None:
    """core-lessons C5"""
    mock.on({"model": "dep 1"}, {"embedding": CAT})
    path = "/openai/deployments/dep%201/embeddings?api-version=2024-10-21"
    response = embed("hello", path=path, model=None)
    assert (vectors(response), response.json["model"]) == ([CAT], "dep 1")
    assert vectors(embed("hello", path=path, model="other")) == [follows("hello")]


def test_metrics_count_them_on_their_route(call: Call, embed: Call) -> None:
    with AIMock(metrics=True) as mock:
        for path in (PATH, "/openai/deployments/d/embeddings", "/x/embeddings"):
            embed("a", path=path, port=mock.port)
        page = call("GET", "/metrics", port=mock.port).body.decode()
    assert 'aimock_requests_total{method="POST",path="/v1/embeddings",status="200"} 3' in page


def test_quotas_count_their_tokens(call: Call, embed: Call) -> None:
    with AIMock(quota=Quota(tokens_per_minute=10)) as mock:
        first = embed("x" * 24, port=mock.port)
        assert (first.status, first.headers["x-ratelimit-remaining-tokens"]) == (200, "4")
        second = embed("x" * 12, "y" * 12, port=mock.port)
        assert (second.status, second.json["error"]["type"]) == (429, "tokens")


def test_chaos_from_a_header(mock: AIMock, embed: Call) -> None:
    """core-lessons E12"""
    mock.on_embedding("cat", {"embedding": CAT})
    assert embed("cat", headers={"X-AIMock-Chaos-Drop": "1"}).status == 500
    assert mock.get_last_request()["response"]["chaosAction"] == "drop"
    assert embed("cat", headers={"X-AIMock-Chaos-Malformed": "1"}).body.startswith(b"{malformed")
    assert embed("fish", headers={"X-AIMock-Fault": "throttled"}).status == 429


@pytest.mark.parametrize("texts", [("bad",), ("fish", "bad"), ("bad", "cat")])
def test_chaos_of_a_fixture(mock: AIMock, embed: Call, texts: tuple[str, ...]) -> None:
    """core-lessons E12; that of the first text which has any is for the request."""
    mock.on_embedding(re.compile("^bad$"), {"embedding": CAT}, chaos={"dropRate": 1})
    mock.on_embedding(re.compile("^cat$"), {"embedding": DOG})
    assert embed(*texts).status == 500
    assert mock.get_last_request()["response"]["source"] == "fixture"
    assert vectors(embed("fish", "cat")) == [follows("fish"), DOG]


async def test_chaos_makes_a_request_wait(autojump_clock: MockClock, memory: Start) -> None:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"embedding": CAT}, chaos={"latencyMs": 2000})])
    seen = await server.exchange(path=PATH, input=["a", "b"])
    assert (seen.status, seen.ended_at) == (200, 2000)


def test_what_comes_again_is_answered_alike_and_anew_when_fixtures_change(mock: AIMock, embed: Call) -> None:
    for texts in (("cat",), ("cat", "fish")):
        mock.clear_fixtures()
        before = [vectors(embed(*texts)) for _ in range(3)]
        mock.on_embedding(re.compile("^cat$"), {"embedding": CAT})
        assert [vectors(embed(*texts))[0] for _ in range(2)] == [CAT, CAT]
        mock.prepend_fixture({"match": {"inputText": "cat"}, "response": {"embedding": DOG}})
        assert vectors(embed(*texts))[0] == DOG
        assert before == [[follows(text) for text in texts]] * 3


def test_forms_of_one_question_are_kept_apart(mock: AIMock, embed: Call) -> None:
    mock.on_embedding("cat", {"embedding": [0.5, -1]})
    for _ in range(3):
        assert embed("cat", encoding_format="base64").json["data"][0]["embedding"] == "AAAAPwAAgL8="
        assert vectors(embed("cat", encoding_format="float")) == [[0.5, -1]]
        assert [len(each) for each in vectors(embed("dog", dimensions=7))] == [7]
        assert [len(each) for each in vectors(embed("dog", dimensions=9))] == [9]


def test_many_texts_at_once(mock: AIMock, embed: Call) -> None:
    texts = [f"text {place}" for place in range(2048)]
    for place in (0, 1000, 2047):
        mock.on_embedding(re.compile(f"^text {place}$"), {"embedding": [place]})
    told = vectors(embed(*texts))
    assert len(told) == 2048
    assert [told[place] for place in (0, 1, 1000, 2047)] == [[0], follows("text 1"), [1000], [2047]]
    assert embed(*texts, "one more").status == 400


# -- embedding fixtures and chat --------------------------------------------------------------------------------------


def test_an_embedding_fixture_is_no_answer_to_a_chat(mock: AIMock, chat: Call) -> None:
    mock.on({}, {"embedding": CAT})
    response = chat()
    assert (response.status, response.json["error"]["message"]) == (
        500,
        "Fixture response did not match any known type",
    )
    mock.clear_fixtures().on_embedding("hello", {"embedding": CAT}).on({"endpoint": "embedding"}, {"embedding": CAT})
    assert chat().status == 404


# -- in the semantic manner --------------------------------------------------------------------------------------------


@pytest.fixture
def semantic(embed: Call) -> Iterator[Call]:
    """semantic("a", …): the vectors of these texts, in 256 dimensions."""
    with AIMock(embeddings="semantic") as server:
        server.on_embedding("cat", {"embedding": CAT}).on_embedding("dog", {"embedding": DOG})
        yield lambda *texts, **more: vectors(embed(*texts, port=server.port, dimensions=256, **more))


def test_all_texts_without_a_fixture_have_semantic_vectors(semantic: Call) -> None:
    refund, lion = [list(semantic_vector_of(text, 256)) for text in ("refund", "lion")]
    assert semantic("refund") == [refund]
    assert semantic("refund", "lion", "refund") == [refund, lion, refund]
    assert semantic("refund", "a cat", "dogs") == [refund, CAT, DOG]  # each alone


def test_there_is_no_other_manner() -> None:
    with pytest.raises(ValueError, match=r'^embeddings: expected one of hash, semantic, got "words"$'):
        AIMock(embeddings="words")  # type: ignore[arg-type]
