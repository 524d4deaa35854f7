"""What stands between a fixture and its answer: factories, the request transform, the reasoning gate, the seed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import trio

from aimock import AIMock

Call = Callable[..., Any]


# -- factories -------------------------------------------------------------------------------------------------------


def test_a_factory_sees_the_request_and_its_answer_is_served(mock: AIMock, chat: Call) -> None:
    asked: list[dict[str, Any]] = []

    def factory(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        return {"content": body["messages"][-1]["content"].upper()}

    mock.on_message("hello", factory, chunk_size=2)
    assert chat("hello you").content == "HELLO YOU"
    assert [body["messages"] for body in asked] == [[{"role": "user", "content": "hello you"}]]
    assert b'"content":"HE"' in chat("hello", stream=True).body


async def slow(body: dict[str, Any]) -> dict[str, Any]:
    await trio.lowlevel.checkpoint()
    return {"content": {"awaited": True}}


def test_b13_an_asynchronous_factory_runs_in_the_server_s_loop(mock: AIMock, chat: Call) -> None:
    mock.on_message("hello", slow)
    assert chat().content == '{"awaited":true}'
    assert b"awaited" in chat(stream=True).body
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [200, 200]


async def test_a_waiting_factory_holds_nobody_up_and_ends_with_its_client(
    autojump_clock: trio.testing.MockClock, memory: Call
) -> None:
    """field 2.44"""
    from aimock.fixtures import fixture_from

    ends: list[str] = []

    async def forever(body: dict[str, Any]) -> dict[str, Any]:
        try:
            await trio.sleep_forever()
        finally:
            ends.append("cancelled")
        raise AssertionError

    server = memory()
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({"userMessage": "wait"}, forever), fixture_from({}, {"content": "Hi"})])
    waiting = server.send("wait")
    await trio.testing.wait_all_tasks_blocked()
    assert (await server.stream("hello")).whole
    waiting.leave()
    await trio.testing.wait_all_tasks_blocked()
    assert ends == ["cancelled"]
    assert server.server.connections == 0
    assert [entry["response"]["status"] for entry in server.journal] == [200], (
        "field_44: what was not served is not said"
    )


def raising(body: dict[str, Any]) -> dict[str, Any]:
    raise LookupError("no such thing")


async def raising_later(body: dict[str, Any]) -> dict[str, Any]:
    await trio.lowlevel.checkpoint()
    raise LookupError("no such thing")


@pytest.mark.parametrize("factory", [raising, raising_later], ids=lambda factory: factory.__name__)
@pytest.mark.parametrize("stream", [False, True])
def test_a_factory_that_raises_is_a_500(mock: AIMock, chat: Call, factory: Any, stream: bool) -> None:
    mock.on_message("hello", factory)
    response = chat(stream=stream)
    assert response.status == 500
    assert response.json["error"] == {
        "message": "Response factory threw: no such thing",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert mock.get_last_request()["response"]["status"] == 500


@pytest.mark.parametrize(
    "junk",
    [None, "text", 5, [], {}, {"contents": "x"}, {"toolCalls": [{"name": 5}]}, {"blocks": [{"type": "nope"}]}],
    ids=repr,
)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_factory_that_returns_junk_is_a_500(mock: AIMock, chat: Call, junk: Any, is_async: bool) -> None:
    async def later(body: dict[str, Any]) -> Any:
        await trio.lowlevel.checkpoint()
        return junk

    mock.on_message("hello", later if is_async else lambda body: junk)
    response = chat()
    assert response.status == 500
    assert response.json["error"]["message"].startswith("Response factory threw: ")
    assert mock.get_last_request()["response"]["status"] == 500


def test_a_factory_may_return_an_error(mock: AIMock, chat: Call) -> None:
    mock.on_message("hello", lambda body: {"error": {"message": "teapot"}, "status": 418})
    assert chat().status == 418


def test_a13_field_10_a_predicate_is_asked_once_a_request(mock: AIMock, chat: Call) -> None:
    asked: list[str] = []

    def refuse(body: dict[str, Any]) -> bool:
        asked.append("refuse")
        return False

    def fail(body: dict[str, Any]) -> bool:
        asked.append("fail")
        raise RuntimeError

    mock.strict = True
    for predicate in (refuse, fail):
        mock.on({"predicate": predicate}, {"content": "never"})
    assert chat().status == 503
    assert sorted(asked) == ["fail", "refuse"]


# -- kinds that chat does not serve ----------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [{}, {"endpoint": "chat"}], ids=["anything", "chat"])
@pytest.mark.parametrize(
    ("response", "status", "kind", "message"),
    [
        ({"audio": "aGk="}, 422, "invalid_request_error", "Fixture response is audio, which chat does not serve"),
        ({"embedding": [0.5]}, 500, "server_error", "Fixture response did not match any known type"),
        ({"image": {"url": "x"}}, 500, "server_error", "Fixture response did not match any known type"),
        ({"json": None}, 500, "server_error", "Fixture response did not match any known type"),
    ],
)
def test_a_fixture_of_another_kind_is_said_to_be_one(
    mock: AIMock, chat: Call, match: Any, response: Any, status: int, kind: str, message: str
) -> None:
    mock.on(match, response)
    for stream in (False, True):
        answer = chat(stream=stream)
        assert answer.status == status
        assert (answer.json["error"]["message"], answer.json["error"]["type"]) == (message, kind)
        assert mock.get_last_request()["response"]["status"] == status


@pytest.mark.parametrize("endpoint", ["image", "embedding", "speech", "Chat", "nonsense"])
def test_a10_field_12_fixtures_of_other_endpoints_do_not_answer_chat(mock: AIMock, chat: Call, endpoint: str) -> None:
    mock.on({"endpoint": endpoint}, {"content": "never"})
    assert chat().status == 404


# -- the request transform -------------------------------------------------------------------------------------------


def digits_out(body: dict[str, Any]) -> dict[str, Any]:
    last = body["messages"][-1]
    return {**body, "messages": [{**last, "content": re.sub("[0-9]+", "N", last["content"])}]}


def test_a_transform_normalises_and_literals_are_then_whole(call: Call) -> None:
    with AIMock(request_transform=digits_out) as mock:
        mock.on_message("order N", {"content": "exact"}).on_message("order", {"content": "never: a part"})
        mock.on({"systemMessage": "x"}, {"content": "never"}).on_message(re.compile("^page N"), {"content": "pattern"})

        def ask(text: str) -> Any:
            body = {"messages": [{"role": "user", "content": text}]}
            return call("POST", "/v1/chat/completions", body, port=mock.port)

        assert ask("order 4711").content == "exact"
        assert ask("page 12 of 20").content == "pattern"
        assert ask("order 4711 now").status == 404
        assert mock.get_last_request()["body"]["messages"][0]["content"] == "order 4711 now", "journaled as it came"


def test_a8_lists_stay_substrings_under_a_transform(call: Call) -> None:
    with AIMock(request_transform=lambda body: body) as mock:
        mock.on({"systemMessage": ["a", "b"]}, {"content": "list"})
        body = {"messages": [{"role": "system", "content": "x b y a"}, {"role": "user", "content": "z"}]}
        assert call("POST", "/v1/chat/completions", body, port=mock.port).content == "list"


def test_a_transform_that_raises_is_a_500(call: Call) -> None:
    with AIMock(request_transform=raising) as mock:
        mock.on({}, {"content": "x"})
        response = call("POST", "/v1/chat/completions", {"messages": []}, port=mock.port)
    assert (response.status, response.json["error"]["type"]) == (500, "server_error")


# -- the reasoning gate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "strict", "deny", "allow", "reasons"),
    [
        ("o3", True, "", "", True),
        ("gpt-4o", False, "", "", True),
        ("gpt-4o", True, "", "", False),
        ("gpt-4.1-2025-04-14", True, "", "", False),
        ("GPT-4o-mini", True, "", "", False),
        ("unheard-of", True, "", "", True),
        ("", True, "", "", True),
        ("o3", True, "o3", "", False),
        ("o3-mini", True, " x , O3 ", "", False),
        ("gpt-4o", True, "", "gpt-4o", True),
        ("gpt-4o", True, "", "nothing,gpt-4", True),
        ("gpt-4o", True, "gpt-4o", "gpt-4o", False),
        ("gpt-4o", True, ",", ",", False),
        ("us.anthropic.claude-3-opus-20240229-v1:0", True, "", "", False),
    ],
)
@pytest.mark.parametrize(
    "reply", [{"content": "Hi"}, {"toolCalls": [{"name": "f", "arguments": "{}"}]}], ids=["text", "tools"]
)
def test_e13_field_32_the_reasoning_gate(
    monkeypatch: pytest.MonkeyPatch,
    mock: AIMock,
    chat: Call,
    reply: dict[str, Any],
    model: str,
    strict: bool,
    deny: str,
    allow: str,
    reasons: bool,
) -> None:
    monkeypatch.setenv("AIMOCK_NONREASONING_MODELS", deny)  # read at each call
    monkeypatch.setenv("AIMOCK_REASONING_MODELS", allow)
    mock.strict = strict
    mock.on_message("hello", {"reasoning": "I think", **reply})
    message = chat(model=model).json["choices"][0]["message"]
    assert message.get("reasoning_content") == ("I think" if reasons else None)
    assert (b"reasoning_content" in chat(model=model, stream=True).body) is reasons
    assert message["content"] == reply.get("content"), "the answer itself is never gated"


def test_the_gate_follows_the_strict_header(mock: AIMock, chat: Call) -> None:
    mock.on_message("hello", {"reasoning": "I think", "content": "Hi"})
    for strict, reasons in (("true", False), ("false", True)):
        message = chat(headers={"X-AIMock-Strict": strict}).json["choices"][0]["message"]
        assert ("reasoning_content" in message) is reasons


# -- strict turns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "status"), [(None, 200), ("1", 503), ("true", 503), ("0", 200), ("TRUE", 200)])
def test_a11_field_1_turns_are_a_tiebreak_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, mock: AIMock, chat: Call, value: str | None, status: int
) -> None:
    if value is not None:
        monkeypatch.setenv("AIMOCK_STRICT_TURN_INDEX", value)
    mock.strict = True
    mock.on_turn(2, "hello", {"content": "Hi"})
    response = chat()
    assert response.status == status
    if status == 503:
        assert "1 candidate fixture(s) skipped" in response.json["error"]["message"]


# -- the seed --------------------------------------------------------------------------------------------------------


def run(call: Call, seed: int | None, tests: str = "aabca") -> tuple[list[bytes], list[str], Any]:
    """The bodies, request ids and journal of a run on a server of its own, at a moment that stands still."""
    with AIMock(seed=seed, wall_clock=lambda: 1795200000.0, chunk_size=3) as mock:
        mock.on_message("tool", {"toolCalls": [{"name": "f", "arguments": "{}"}] * 2})
        mock.on_message("hello", {"content": "Hello, world"})
        responses = [
            call(
                "POST",
                "/v1/chat/completions",
                {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream, "n": 2},
                {"X-Test-Id": test},
                mock.port,
            )
            for test in tests
            for text in ("hello", "tool", "miss")
            for stream in (False, True)
        ]
        journal = [{key: entry[key] for key in ("id", "timestamp", "response")} for entry in mock.get_requests()]
    return [response.body for response in responses], [each.headers["x-request-id"] for each in responses], journal


def test_the_same_seed_gives_the_same_bytes(call: Call) -> None:
    assert run(call, 42) == run(call, 42)


def test_another_seed_gives_other_ids_only(call: Call) -> None:
    one, other = run(call, 1)[0], run(call, 2)[0]
    assert one[0] != other[0]
    changing = re.compile(rb"(chatcmpl-|call_)\w+")
    assert [changing.sub(b"", body) for body in one] == [changing.sub(b"", body) for body in other]


def test_a_drawn_seed_repeats_the_run_when_given(call: Call) -> None:
    with AIMock() as mock:
        seed = mock.seed
    assert run(call, seed) == run(call, seed)
    assert AIMock(seed=seed).seed == seed
    assert AIMock().seed != AIMock().seed


def test_tests_in_parallel_do_not_disturb_each_other_s_ids(call: Call) -> None:
    alone, crowded = run(call, 42, "a")[0], run(call, 42, "bca")[0]
    assert crowded[-len(alone) :] == alone


def test_another_server_in_the_process_does_not_disturb_its_ids(call: Call) -> None:
    """core-lessons D9, field 2.54"""
    alone = run(call, 42, "ab")
    with AIMock(seed=42) as busy:
        busy.on_message("hello", {"content": "Hello, world"})
        for _ in range(3):
            call("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}]}, port=busy.port)
        assert run(call, 42, "ab") == alone


def test_probes_change_no_test_s_ids(mock: AIMock, call: Call) -> None:
    ids = []
    for probes in (0, 3):
        with AIMock(seed=1) as server:
            server.on_message("hello", {"content": "Hi"})
            for _ in range(probes):
                call("GET", "/health", port=server.port)
                call("GET", "/__aimock/journal", port=server.port)
            body = {"messages": [{"role": "user", "content": "hello"}]}
            ids.append(json.loads(call("POST", "/v1/chat/completions", body, port=server.port).body)["id"])
    assert ids[0] == ids[1]
