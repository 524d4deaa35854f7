"""What holds for every chat protocol and every route that takes a body, whoever adds one: see `registry.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.chaos import chaos_from_json
from aimock.control import PATHS as CONTROL_PATHS
from aimock.fixtures import fixture_from
from aimock.fixtures.faults import FaultName
from aimock.rendering import Renderings
from aimock_protocols.canonical import Frame
from aimock_protocols.registry import PROTOCOLS

Call = Callable[..., Any]
Start = Callable[..., Any]


class Spoken(NamedTuple):
    """One protocol over HTTP."""

    path: str
    """Where whole answers are asked for, with a place for the model if it is told there."""
    streams_at: str
    tokens: Callable[[Any], int]
    """The output tokens that a body, or an event, tells of."""
    ids: str
    """How the id of an answer begins."""


VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/{model}"
SPOKEN = {
    "openai_chat": Spoken(
        "/v1/chat/completions", "/v1/chat/completions", lambda told: told["usage"]["completion_tokens"], "chatcmpl-"
    ),
    "openai_completions": Spoken(
        "/v1/completions", "/v1/completions", lambda told: told["usage"]["completion_tokens"], "cmpl-"
    ),
    "anthropic_messages": Spoken("/v1/messages", "/v1/messages", lambda told: told["usage"]["output_tokens"], "msg_"),
    "anthropic_messages.vertex": Spoken(
        VERTEX + ":rawPredict", VERTEX + ":streamRawPredict", lambda told: told["usage"]["output_tokens"], "msg_"
    ),
}
ASKED = {
    "model": "o3",
    "prompt": "hello",
    "messages": [{"role": "user", "content": "hello"}],
    "stream_options": {"include_usage": True},
}
"""A body that every protocol understands."""

every_protocol = pytest.mark.parametrize("api", SPOKEN.values(), ids=SPOKEN)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def routes(of: Callable[[Any], Any]) -> list[str]:
    """The paths of all routes that take a body, their placeholders filled in."""
    return [
        re.sub(r"\{\w+(:path)?\}", "m", route.template)
        for registered in PROTOCOLS
        for route in of(registered)
        if route.method == "POST"
    ]


CHATS = routes(lambda registered: registered.routes)
SIDES = routes(lambda registered: registered.sides)


@pytest.fixture
def ask(call: Call) -> Call:
    """ask(api, stream, …): one request, whole or streamed; keywords add to ASKED."""

    def send(api: Spoken, stream: bool = False, headers: Mapping[str, str] = {}, **more: Any) -> Any:
        body = ASKED | ({"stream": True} if stream else {}) | more
        path = (api.streams_at if stream else api.path).format(model=body["model"])
        return call("POST", path, body, headers)

    return send


def events(body: bytes) -> list[Any]:
    """The JSON of all events."""
    lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def test_every_protocol_is_here() -> None:
    assert list(SPOKEN) == [registered.name for registered in PROTOCOLS]
    assert set(SIDES) & set(CHATS) == set()
    assert "/v1/messages/count_tokens" in SIDES


# -- bodies that are none --------------------------------------------------------------------------------------------

NO_JSON = [b"", b"{", b'{"a": }', b"\xff\xfe", b'{"messages": []} trailing', b"[" * 100_000]
NO_OBJECT = [b"null", b"[]", b"3", b'"text"', b"true"]
NO_MESSAGES: list[Any] = [None, "hello", 5, {}, [None], ["hello"], [[]], [{"role": "user", "content": "x"}, None]]
NO_PROMPT: list[Any] = [None, 5, {}, [], [None], ["hello", None], [{}], [1.5], [True], [[5], None], [[5], "hello"]]


@pytest.mark.parametrize("path", CHATS)
def test_what_is_no_request_is_a_400_everywhere(mock: AIMock, call: Call, path: str) -> None:
    """core-lessons A21 and C20, field 2.56"""
    mock.on({}, {"content": "never"})
    wrong = {"prompt": NO_PROMPT} if re.search("(?<!chat)/completions", path) else {"messages": NO_MESSAGES}
    bodies = [*NO_JSON, *NO_OBJECT, b"{}"]
    bodies += [json.dumps({name: value}).encode() for name, values in wrong.items() for value in values]
    for body in bodies:
        response = call("POST", path, body)
        assert response.status == 400, body
        error = response.json["error"]
        assert error["type"] == "invalid_request_error"
        assert error["message"].startswith("Malformed JSON: ") is (body in NO_JSON)
        if body in NO_OBJECT:
            assert error["message"] == "Request body must be a JSON object"
        entry = mock.get_last_request()
        assert (entry["response"], entry["body"]) == ({"status": 400, "fixture": None}, None)
    assert len(mock.get_requests()) == len(bodies)


@pytest.mark.parametrize("path", [*SIDES, "/__aimock/fixtures", "/__aimock/error", "/__aimock/chaos"])
def test_what_is_no_request_is_a_400_beside_the_chat_too(call: Call, path: str) -> None:
    """core-lessons C20, field 2.56"""
    assert path in SIDES or path in CONTROL_PATHS
    for body in (*NO_JSON, *NO_OBJECT):
        response = call("POST", path, body)
        assert response.status == 400, body
        told = response.json["error"]
        assert ("Malformed JSON" if body in NO_JSON else "must be a JSON object") in (
            told if isinstance(told, str) else told["message"]
        )


@pytest.mark.parametrize("path", [*CHATS, *SIDES])
def test_a_fault_of_our_own_is_a_500_without_its_traceback(
    mock: AIMock, call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """core-lessons C15: the stack is for the log, the client is told in a line."""

    def fail(*_: Any) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(Renderings, "whole", fail)
    monkeypatch.setattr(Renderings, "stream", fail)
    monkeypatch.setattr("aimock_protocols.anthropic_messages.count_tokens", fail)
    monkeypatch.setattr("aimock_protocols.anthropic_messages.vertex.count_tokens", fail)
    mock.on({}, {"content": "Hi"})
    response = call("POST", path, ASKED)
    assert (response.status, response.json) == (500, {"error": {"message": "no such thing", "type": "server_error"}})
    (record,) = [each for each in caplog.records if each.exc_info]
    assert f"POST {path} failed" in record.message
    assert record.exc_info[0] is LookupError


# -- errors ----------------------------------------------------------------------------------------------------------


@every_protocol
@whole_and_streamed
def test_an_error_is_the_fixture_s_and_its_status_is_no_part_of_it(
    mock: AIMock, ask: Call, api: Spoken, stream: bool
) -> None:
    """core-lessons C22, field 2.19"""
    mock.on({}, {"error": {"message": "No.", "type": "odd", "code": "c"}, "status": 418})
    response = ask(api, stream)
    assert (response.status, response.headers["content-type"]) == (418, "application/json")
    error = response.json["error"]
    assert (error["message"], error["type"], error["code"]) == ("No.", "odd", "c")
    assert ("param" in error) is api.path.endswith("completions"), "of OpenAI's errors it is a part, if only as null"
    assert "418" not in response.body.decode()
    assert "status" not in response.body.decode()


@every_protocol
@whole_and_streamed
def test_a_one_shot_error_is_for_one_request(mock: AIMock, ask: Call, api: Spoken, stream: bool) -> None:
    """core-lessons D1, D3 and D4, field 2.15"""
    mock.on({"turnIndex": 0}, {"content": "Hi"}).next_request_error(418).next_request_error(423)
    assert [ask(api, stream).status for _ in range(3)] == [423, 418, 200]


@every_protocol
def test_a_429_says_when_to_come_back(mock: AIMock, ask: Call, api: Spoken) -> None:
    """core-lessons C21"""
    mock.on({}, {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 7})
    headers = ask(api).headers
    assert headers["retry-after"] == "7"
    spent = [headers[name] for name in headers if "ratelimit" in name and "remaining" in name]
    assert len(spent) >= 2
    assert "0" in spent


@every_protocol
def test_a_strict_miss_is_a_503_that_counts_what_was_skipped(mock: AIMock, ask: Call, api: Spoken) -> None:
    """core-lessons A13, A14 and C7, field 2.10, 2.13"""
    asked: list[Any] = []
    mock.on({"predicate": asked.append}, {"content": "never"})
    mock.on({"sequenceIndex": 5}, {"content": "never"}).on({"hasToolResult": True}, {"content": "never"})
    response = ask(api, headers={"X-AIMock-Strict": " True "})
    assert response.status == 503
    error = response.json["error"]
    assert error["message"] == "Strict mode: 1 candidate fixture(s) skipped by sequence/turn state"
    assert error["code"] == "no_fixture_match"
    assert len(asked) == 1
    assert mock.get_last_request()["response"]["strictOverride"] is True


# -- what is sent ----------------------------------------------------------------------------------------------------


@every_protocol
def test_without_being_asked_to_nobody_streams(mock: AIMock, ask: Call, api: Spoken) -> None:
    """field 2.28"""
    mock.on({}, {"content": "Hi"})
    for more in ({}, {"stream": False}, {"stream": None}):
        response = ask(api, **more)
        assert (response.status, response.headers["content-type"]) == (200, "application/json")
        assert "Hi" in response.body.decode()


@every_protocol
def test_nothing_on_the_way_may_hold_a_stream_back(mock: AIMock, ask: Call, api: Spoken) -> None:
    """field 2.35"""
    mock.on({}, {"content": "Hi"})
    headers = ask(api, stream=True).headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")


@every_protocol
@whole_and_streamed
@pytest.mark.parametrize(
    "reply",
    [
        {"content": "x" * 33},
        {"content": "x" * 33, "usage": {"cost": 0.5}},
        {"blocks": [{"type": "text", "text": "x" * 20}, {"type": "text", "text": "x" * 13}]},
        {"content": "", "blocks": [{"type": "text", "text": "x" * 33}]},
    ],
    ids=["text", "B10 only a cost", "E2 blocks", "B8 E2 empty content"],
)
def test_tokens_are_estimated_where_the_fixture_has_none(
    mock: AIMock, ask: Call, api: Spoken, stream: bool, reply: dict[str, Any]
) -> None:
    """core-lessons B8, B10, E1 and E2, field 2.20: a token for every four characters."""
    mock.add_fixture({"match": {}, "response": reply})
    response = ask(api, stream)
    told = [each for each in events(response.body) if each.get("usage")][-1] if stream else response.json
    assert api.tokens(told) == 9


@every_protocol
def test_ids_are_one_s_own_and_last_for_a_stream(mock: AIMock, ask: Call, api: Spoken) -> None:
    """field 2.22"""
    mock.on({}, {"content": "Hello", "toolCalls": [{"name": "f", "arguments": {"x": 1}}] * 2}, chunk_size=2)
    minted: set[str] = set()
    for stream in (True, True, False, False):
        body = ask(api, stream, tools=[]).body.decode()
        answer = set(re.findall(rf'"id":"({api.ids}\w+)"', body))
        assert len(answer) == 1
        ids = answer | set(re.findall(r'"id":"((?:call_|toolu_)\w+)"', body))
        assert len(ids) == (1 if api.ids == "cmpl-" else 3), "text has no calls"
        assert not ids & minted
        minted |= ids


@every_protocol
@whole_and_streamed
@pytest.mark.parametrize(
    ("blocks", "finishes"),
    [
        ([{"type": "text", "text": "Hi"}], {"stop", "end_turn"}),
        (
            [{"type": "toolCall", "name": "get_it", "arguments": "{}"}, {"type": "text", "text": "Hi"}],
            {"tool_calls", "tool_use", "stop"},
        ),
    ],
    ids=["text", "a call before text"],
)
def test_blocks_alone_are_an_answer(
    mock: AIMock, ask: Call, api: Spoken, stream: bool, blocks: list[Any], finishes: set[str]
) -> None:
    """core-lessons B6, field 2.24: not an empty one, and finished by what is in it; completions have text only."""
    mock.add_fixture({"match": {}, "response": {"blocks": blocks}})
    body = ask(api, stream).body.decode()
    assert "Hi" in body
    assert ("get_it" in body) is (len(blocks) == 2 and api.ids != "cmpl-")
    (finish,) = re.findall(r'"(?:finish|stop)_reason":"(\w+)"', body)
    assert finish in finishes
    assert (finish == "stop") is (api.ids == "cmpl-" or (api.ids == "chatcmpl-" and len(blocks) == 1))


def traces(body: str) -> set[str]:
    """What an answer says of reasoning."""
    return {sign for sign in ("I think", "c2lnbmVk", "cmVkYWN0ZWQ", "thinking", "reasoning_content") if sign in body}


SHAPES: dict[str, dict[str, Any]] = {
    "text": {"content": "Hi"},
    "tools": {"toolCalls": [{"name": "f", "arguments": "{}"}]},
    "combined": {"content": "Hi", "toolCalls": [{"name": "f", "arguments": "{}"}]},
    "blocks": {"blocks": [{"type": "toolCall", "name": "f", "arguments": "{}"}, {"type": "text", "text": "Hi"}]},
}


@every_protocol
@whole_and_streamed
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning": "I think"},
        {"reasoning": "I think", "reasoningSignature": "c2lnbmVk"},
        {"reasoningSignature": "c2lnbmVk"},
        {"redactedThinking": ["cmVkYWN0ZWQ"]},
    ],
    ids=["thought", "signed", "signature alone", "redacted"],
)
def test_a_model_that_does_not_reason_shows_no_trace_of_it_in_strict_mode(
    mock: AIMock, ask: Call, api: Spoken, stream: bool, shape: str, thought: dict[str, Any]
) -> None:
    """core-lessons E13, field 2.23, 2.32"""
    mock.on({}, SHAPES[shape] | thought)
    strict, plain = (
        ask(api, stream, {"X-AIMock-Strict": told}, model="gpt-4.1").body.decode() for told in ("true", "false")
    )
    assert traces(strict) == set()
    assert "Hi" in strict or shape == "tools", "the answer itself is never gated"
    if api.ids == "msg_":
        assert traces(plain) >= set(thought.get("redactedThinking", ())) | {"thinking"}
    elif api.ids == "chatcmpl-":
        assert traces(plain) == ({"I think", "reasoning_content"} if "reasoning" in thought else set())


# -- streams that do not end well ------------------------------------------------------------------------------------


async def served(memory: Start, **options: Any) -> Any:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"content": "0123456789"}, **{"chunk_size": 2} | options)])
    return server


@every_protocol
@pytest.mark.parametrize("latency", [0, 50])
async def test_a_truncated_stream_has_as_many_chunks_as_the_fixture_says(
    autojump_clock: MockClock, memory: Start, api: Spoken, latency: int
) -> None:
    """core-lessons E6 and E7, field 2.41"""
    server = await served(memory, latency=latency, truncate_after_chunks=3)
    streamed = await server.stream(path=api.streams_at.format(model="m"), prompt="hello")
    assert len([data for _, data in streamed.events if "ping" not in data]) == 3
    assert not streamed.whole
    await trio.testing.wait_all_tasks_blocked()
    (entry,) = server.journal
    assert (entry["response"]["interrupted"], entry["response"]["interruptReason"]) == (True, "truncateAfterChunks")


@every_protocol
async def test_a_disconnect_that_is_due_after_the_end_never_comes(
    autojump_clock: MockClock, memory: Start, api: Spoken
) -> None:
    """core-lessons E5"""
    server = await served(memory, latency=10, disconnect_after_ms=10_000)
    streamed = await server.stream(path=api.streams_at.format(model="m"), prompt="hello")
    assert streamed.whole
    assert streamed.ended_at < 1_000
    await trio.sleep(20)
    assert "interrupted" not in server.journal[-1]["response"]


@every_protocol
@pytest.mark.parametrize("after", [0, 1, 4])
async def test_what_fails_within_a_stream_is_an_error_event_and_an_end(
    autojump_clock: MockClock,
    memory: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    api: Spoken,
    after: int,
) -> None:
    """core-lessons C10 and C15, field 2.38: the head has gone out, and with it the status."""
    frames = Renderings.frames

    def breaking(*asked: Any) -> Iterator[Frame]:
        for place, frame in enumerate(frames(*asked)):
            if place == after:
                raise LookupError("no such thing")
            yield frame

    monkeypatch.setattr(Renderings, "frames", breaking)
    server = await served(memory, latency=50)
    streamed = await server.stream(path=api.streams_at.format(model="m"), prompt="hello")
    assert (streamed.status, streamed.whole, len(streamed.events)) == (200, True, after + 1)
    last = streamed.events[-1][1]
    assert orjson.loads(last[last.index("{") :])["error"]["message"] == "no such thing"
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError]
    await trio.testing.wait_all_tasks_blocked()
    assert server.server.connections == 0


# -- chaos -------------------------------------------------------------------------------------------------------------

STRICKEN = {
    FaultName.DROP: 500,
    FaultName.RATE_LIMIT: 429,
    FaultName.DISCONNECT: 0,
    FaultName.THROTTLED: 429,
    FaultName.OVERLOADED: 529,
    FaultName.UNAVAILABLE: 503,
}
"""The statuses of the faults that leave nothing of an answer; 0: not even that."""


@every_protocol
@pytest.mark.parametrize("fault", [FaultName.DROP, FaultName.RATE_LIMIT, FaultName.MALFORMED, FaultName.OVERLOADED])
@pytest.mark.parametrize("level", ["header", "fixture", "server"])
async def test_chaos_strikes_from_every_level(
    autojump_clock: MockClock, memory: Start, api: Spoken, fault: FaultName, level: str
) -> None:
    """core-lessons E11: what a header says that cannot be read leaves the levels below in force."""
    chaos = chaos_from_json({"faults": str(fault)})
    server = memory(seed=1, **({"chaos": chaos} if level == "server" else {}))
    await trio.testing.wait_all_tasks_blocked()
    options = {"chaos": {"faults": str(fault)}} if level == "fixture" else {}
    server.state.book.append([fixture_from({}, {"content": "Hi"}, **options)])
    odd = {"X-AIMock-Chaos-Drop": "0.5abc", "X-AIMock-Chaos-Malformed": "0x1", "X-AIMock-Chaos-Ratelimit": "5"}
    headers = {"X-AIMock-Fault": str(fault)} if level == "header" else odd
    seen = await server.exchange(path=api.path.format(model="m"), headers=headers, prompt="hello")
    assert seen.status == STRICKEN.get(fault, 200)
    assert b"Hi" not in seen.body
    assert server.journal[-1]["response"]["chaosAction"] == fault


@every_protocol
@whole_and_streamed
@pytest.mark.parametrize("fault", FaultName)
async def test_no_fault_is_one_of_our_own(
    autojump_clock: MockClock,
    memory: Start,
    caplog: pytest.LogCaptureFixture,
    api: Spoken,
    stream: bool,
    fault: FaultName,
) -> None:
    """Whatever strikes does so as the journal says, and makes nothing fail but the answer."""
    server = await served(memory)
    path = (api.streams_at if stream else api.path).format(model="m")
    headers = {"X-AIMock-Fault": str(fault)}
    seen = await server.exchange(path=path, headers=headers, prompt="hello", stream=stream)
    expected = STRICKEN.get(fault, 529 if fault is FaultName.ERROR_EVENT and not stream else 200)
    assert seen.status == expected or (fault is FaultName.RESET and seen.status == 0)
    await trio.testing.wait_all_tasks_blocked()
    (entry,) = server.journal
    assert entry["response"]["chaosAction"] == fault
    assert [record for record in caplog.records if record.exc_info] == []
