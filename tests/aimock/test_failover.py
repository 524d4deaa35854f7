"""A request that names several models is answered for the first of them that can (wire-openai-chat §16.2): OpenRouter's
failover over HTTP, with errors, misses, sequences, chaos, streams and functions on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from aimock import AIMock

Call = Callable[..., Any]

PATH = "/api/v1/chat/completions"
NO = {"error": {"message": "No.", "metadata": {"raw": "x"}}, "status": 502}


@pytest.fixture
def ask(call: Call) -> Call:
    """ask("a", "b", …): a request to model a that may be answered by b; keywords add to its body."""

    def send(model: str | None, *models: Any, headers: Mapping[str, str] = {}, **more: Any) -> Any:
        body = {"models": list(models), "messages": [{"role": "user", "content": "hello"}]} | more
        return call("POST", PATH, body if model is None else {"model": model, **body}, headers)

    return send


def answers(mock: AIMock, *models: str) -> None:
    """A fixture for each model, which says its name."""
    for model in models:
        mock.on({"model": model}, {"content": f"I am {model}"})


def refuses(mock: AIMock, *models: str, **more: Any) -> None:
    for model in models:
        mock.on({"model": model}, {**NO, **more, "error": {**NO["error"], "message": f"No, says {model}."}})


@pytest.mark.parametrize("stream", [False, True])
def test_20_9_an_error_falls_through_to_the_next_model_which_the_reply_names(
    mock: AIMock, ask: Call, stream: bool
) -> None:
    refuses(mock, "a")
    answers(mock, "b")
    response = ask("a", "b", "c", stream=stream)
    assert response.status == 200
    text = response.body.decode()
    assert "I am b" in text
    assert '"model":"b"' in text
    assert '"model":"a"' not in text
    entry = mock.get_last_request()
    assert (entry["body"]["model"], entry["body"]["models"]) == ("a", ["b", "c"]), "the journal shows what was sent"
    assert entry["response"]["fixture"]["match"] == {"model": "b"}
    assert len(mock.get_requests()) == 1


def test_the_model_asked_for_answers_if_it_can(mock: AIMock, ask: Call) -> None:
    answers(mock, "b", "a")
    assert ask("a", "b").content == "I am a"


def test_a_model_without_a_fixture_is_passed_over(mock: AIMock, ask: Call) -> None:
    answers(mock, "c")
    assert ask("a", "b", "c").json["model"] == "c"


def test_when_all_refuse_the_last_refusal_is_told(mock: AIMock, ask: Call) -> None:
    refuses(mock, "a", "c")
    response = ask("a", "b", "c", "d")
    assert (response.status, response.json) == (
        502,
        {"error": {"code": 502, "message": "No, says c.", "metadata": {"raw": "x"}}},
    )


def test_when_none_is_known_it_is_a_miss_of_the_model_asked_for(mock: AIMock, ask: Call) -> None:
    mock.on({"model": "x", "userMessage": "hello"}, {"content": "never"})
    response = ask("a", "b")
    assert (response.status, response.json["error"]["code"]) == (404, 404)
    assert response.json["error"]["message"] == "No fixture matched"
    assert 'model "x" is not "a"' in response.json["error"]["hint"]
    strict = ask("a", "b", headers={"X-AIMock-Strict": "true"})
    assert (strict.status, strict.json["error"]["code"]) == (503, 503)


def test_fixtures_that_were_skipped_for_the_model_asked_for_are_told_of(mock: AIMock, ask: Call) -> None:
    mock.on({"model": "a", "sequenceIndex": 5}, {"content": "never"})
    message = ask("a", "b", headers={"X-AIMock-Strict": "true"}).json["error"]["message"]
    assert message == "Strict mode: 1 candidate fixture(s) skipped by sequence/turn state"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_does_not_fall_through_is_told(mock: AIMock, ask: Call, stream: bool) -> None:
    """core-fixtures §5.1, core-lessons B11"""
    refuses(mock, "a", fallthrough=False)
    answers(mock, "b")
    assert ask("a", "b", stream=stream).json["error"]["message"] == "No, says a."
    refuses(mock, "c")
    assert ask("c", "a", "b").json["error"]["message"] == "No, says a.", "wherever in the row it comes"


def test_without_fallbacks_only_the_first_is_asked(mock: AIMock, ask: Call) -> None:
    refuses(mock, "a")
    answers(mock, "b")
    refused = ask("a", "b", provider={"allow_fallbacks": False})
    assert (refused.status, refused.json["error"]["message"]) == (502, "No, says a.")
    for provider in ({"allow_fallbacks": True}, {"allow_fallbacks": None}, {"order": ["x"]}, None, 5, []):
        assert ask("a", "b", provider=provider).content == "I am b"


def test_every_candidate_is_asked_once(mock: AIMock, ask: Call) -> None:
    """Empty names and repetitions are none."""
    mock.on({"model": "a", "sequenceIndex": 0}, NO).on({"model": "a", "sequenceIndex": 1}, {"content": "second"})
    assert ask("a", "a", "", "a").status == 502
    assert ask("a", "a").content == "second"


@pytest.mark.parametrize("models", [None, "b", 5, {}, [None], [5, ["b"], {}]])
def test_what_is_no_list_of_models_names_none(mock: AIMock, call: Call, models: Any) -> None:
    refuses(mock, "a")
    answers(mock, "b")
    body = {"model": "a", "models": models, "messages": [{"role": "user", "content": "hello"}]}
    assert call("POST", PATH, body).status == 502


def test_without_a_model_the_first_of_the_list_is_asked(mock: AIMock, ask: Call) -> None:
    refuses(mock, "b")
    answers(mock, "c")
    assert ask(None, "b", "c").json["model"] == "c"
    assert ask(None, "c", "b").json["model"] == "c"
    assert mock.get_last_request()["body"]["model"] == "c"


def test_each_candidate_counts_what_it_consumes(mock: AIMock, ask: Call) -> None:
    """core-fixtures §3: also the errors that were fallen through."""
    mock.on({"model": "a", "sequenceIndex": 0}, NO).on({"model": "a", "sequenceIndex": 1}, {"content": "a again"})
    mock.on({"model": "b", "sequenceIndex": 0}, {"content": "b"}).on({"model": "b", "sequenceIndex": 1}, NO)
    answers(mock, "c")
    assert ask("a", "b", "c").content == "b"
    assert ask("a", "b", "c").content == "a again", "and b was not asked"
    assert ask("b", "c").content == "I am c"


def test_the_same_bytes_again_are_matched_again(mock: AIMock, ask: Call) -> None:
    """Requests that come again are kept as they were understood, others and all; each test has its own sequence."""
    mock.on({"model": "a"}, NO)
    for number in range(3):
        mock.on({"model": "b", "sequenceIndex": number}, {"content": f"b {number}"})
    for test in ("one", "two"):
        told = [ask("a", "b", headers={"X-Test-Id": test}).content for _ in range(3)]
        assert told == ["b 0", "b 1", "b 2"]


def test_d5_a_one_shot_error_is_served_and_not_failed_over(mock: AIMock, ask: Call) -> None:
    answers(mock, "a", "b")
    mock.next_request_error(503, {"message": "Injected"})
    assert ask("a", "b").json == {"error": {"code": 503, "message": "Injected"}}
    assert ask("a", "b").content == "I am a"


def test_chaos_is_that_of_the_fixture_that_answers(mock: AIMock, ask: Call) -> None:
    mock.on({"model": "a"}, NO, chaos={"dropRate": 1})
    mock.on({"model": "b"}, {"content": "b"})
    assert ask("a", "b").content == "b", "the error's own chaos is nobody's"
    mock.on({"model": "c"}, {"content": "c"}, chaos={"dropRate": 1})
    dropped = ask("a", "c")
    assert (dropped.status, dropped.json["error"]["message"]) == (500, "Chaos: request dropped")
    assert dropped.json["error"]["code"] == "chaos_drop"


def test_chaos_of_the_request_hits_whoever_answers(mock: AIMock, ask: Call) -> None:
    refuses(mock, "a")
    answers(mock, "b")
    assert ask("a", "b", headers={"x-aimock-chaos-drop": "1"}).status == 500
    assert ask("a", "b").content == "I am b"


def test_a_function_is_asked_for_each_model_and_its_errors_fall_through_too(mock: AIMock, ask: Call) -> None:
    """core-fixtures §5.6: once for each candidate that it is consumed for, with its model."""
    asked: list[str] = []

    def make(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body["model"])
        return {"content": "made"} if body["model"] == "c" else NO

    mock.on({"userMessage": "hello"}, make)
    assert ask("a", "b", "c", "d").content == "made"
    assert asked == ["a", "b", "c"]
    assert ask("a", "b").status == 502
    assert asked[3:] == ["a", "b"]


def test_a_function_s_error_may_stop_it(mock: AIMock, ask: Call) -> None:
    mock.on({"model": "a"}, lambda body: {**NO, "fallthrough": False})
    answers(mock, "b")
    assert ask("a", "b").status == 502


def test_a_function_that_waits_falls_through_too(mock: AIMock, ask: Call) -> None:
    async def make(body: dict[str, Any]) -> dict[str, Any]:
        return NO

    mock.on({"model": "a"}, make)
    mock.on({"model": "b"}, make)
    answers(mock, "c")
    assert ask("a", "b", "c").content == "I am c"
    assert ask("a", "b", "c", stream=True).status == 200
    assert ask("a", "b").status == 502


def test_elsewhere_models_are_no_fallbacks(mock: AIMock, call: Call) -> None:
    """Shaping and failover are decided by the path."""
    refuses(mock, "a")
    answers(mock, "b")
    body = {"model": "a", "models": ["b"], "messages": [{"role": "user", "content": "hello"}]}
    for path in (
        "/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/chat/completions",
        "/api/v3/chat/completions",
    ):
        response = call("POST", path, body)
        assert (response.status, "param" in response.json["error"]) == (502, True)


def test_text_completions_fall_back_too(mock: AIMock, call: Call) -> None:
    refuses(mock, "a")
    answers(mock, "b")
    told = call("POST", "/api/v1/completions", {"model": "a", "models": ["b"], "prompt": "hello"}).json
    assert (told["model"], told["choices"][0]["text"]) == ("b", "I am b")


def test_the_reasoning_gate_is_that_of_the_model_that_answers(mock: AIMock, ask: Call) -> None:
    """core-lessons E13"""
    refuses(mock, "o3")
    mock.on({"model": "gpt-4.1"}, {"content": "Hi", "reasoning": "Hm"})
    told = ask("o3", "gpt-4.1", headers={"X-AIMock-Strict": "true"}).json["choices"][0]["message"]
    assert (told["content"], told["reasoning"]) == ("Hi", None)
    assert "reasoning_details" not in told
