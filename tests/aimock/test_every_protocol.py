"""What holds for every chat protocol and every route that takes a body, whoever adds one: see `registry.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

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
from aimock_protocols.registry import PROTOCOLS, Registered
from protocol_cases import CHATS, EVERY, Case, ServiceCase, VectorCase

Call = Callable[..., Any]
Start = Callable[..., Any]


every_protocol = pytest.mark.parametrize("case", CHATS.values(), ids=CHATS)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def posted(of: Callable[[Registered], Any]) -> list[Any]:
    """Each path of routes that take a body, its placeholders filled in, and the case of its protocol."""
    return [
        pytest.param(re.sub(r"\{\w+(:path)?\}", "m", route.template), EVERY[registered.name], id=route.template)
        for registered in PROTOCOLS
        if registered.name in EVERY
        for route in of(registered)
        if route.method == "POST" and route.template not in EVERY[registered.name].bodyless
    ]


ROUTES = posted(lambda registered: registered.routes)
SIDES = posted(lambda registered: registered.sides)


@pytest.fixture
def ask(call: Call) -> Call:
    """ask(case, stream, …): one request, whole or streamed; keywords add to its body."""

    def send(case: Case, stream: bool = False, headers: Mapping[str, str] = {}, **more: Any) -> Any:
        path, body = case.asks(stream, **more)
        return call("POST", path, body, headers)

    return send


def test_every_protocol_is_here() -> None:
    assert set(EVERY) == {registered.name for registered in PROTOCOLS if registered.routes}
    assert "/v1/messages/count_tokens" in [side.values[0] for side in SIDES]


# -- bodies that are none --------------------------------------------------------------------------------------------

NO_JSON = [b"", b"{", b'{"a": }', b"\xff\xfe", b'{"messages": []} trailing', b"[" * 100_000]
NO_OBJECT = [b"null", b"[]", b"3", b'"text"', b"true"]


@pytest.mark.parametrize(("path", "case"), ROUTES)
def test_what_is_no_request_is_a_400_everywhere(
    mock: AIMock, call: Call, path: str, case: Case | VectorCase | ServiceCase
) -> None:
    """core-lessons A21 and C20, field 2.56"""
    mock.on({}, {"content": "never"})
    bodies = [*NO_JSON, *NO_OBJECT, b"{}"]
    bodies += [json.dumps({**case.request, name: value}).encode() for name, all in case.wrong.items() for value in all]
    refused = case.refused if isinstance(case, ServiceCase) else 400
    for body in bodies:
        response = call("POST", path, body)
        assert (response.status, response.headers["content-type"]) == (refused, case.error_type), body
        message = case.error(response.json)
        assert message.startswith("Malformed JSON: ") is (body in NO_JSON)
        assert (message == "Request body must be a JSON object") is (body in NO_OBJECT)
        entry = mock.get_last_request()
        assert (entry["response"], entry["body"]) == ({"status": refused, "fixture": None}, None)
    assert len(mock.get_requests()) == len(bodies)


@pytest.mark.parametrize(("path", "case"), SIDES)
def test_what_is_no_request_is_a_400_beside_the_chat_too(
    call: Call, path: str, case: Case | VectorCase | ServiceCase
) -> None:
    """core-lessons C20, field 2.56"""
    for body in (*NO_JSON, *NO_OBJECT):
        response = call("POST", path, body)
        assert response.status == 400, body
        assert ("Malformed JSON" if body in NO_JSON else "must be a JSON object") in case.error(response.json)


@pytest.mark.parametrize("path", ["/__aimock/fixtures", "/__aimock/error", "/__aimock/chaos"])
def test_what_is_no_request_is_a_400_to_the_control_api(call: Call, path: str) -> None:
    """core-lessons C20, field 2.56"""
    assert path in CONTROL_PATHS
    for body in (*NO_JSON, *NO_OBJECT):
        response = call("POST", path, body)
        assert response.status == 400, body
        told = response.json["error"]
        assert ("Malformed JSON" if body in NO_JSON else "must be a JSON object") in (
            told if isinstance(told, str) else told["message"]
        )


def is_a_fault_of_our_own(response: Any, path: str, caplog: pytest.LogCaptureFixture) -> bool:
    (record,) = [each for each in caplog.records if each.exc_info]
    assert f"POST {path} failed" in record.message
    assert record.exc_info[0] is LookupError
    told = {"error": {"message": "no such thing", "type": "server_error"}}
    return bool((response.status, response.json) == (500, told))


def fail(*_: Any) -> None:
    raise LookupError("no such thing")


@pytest.mark.parametrize(("path", "case"), ROUTES)
def test_a_fault_of_our_own_is_a_500_without_its_traceback(
    mock: AIMock,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
    case: Case | VectorCase | ServiceCase,
) -> None:
    """core-lessons C15: the stack is for the log, the client is told in a line."""
    monkeypatch.setattr(Renderings, "whole", fail)
    monkeypatch.setattr(Renderings, "stream", fail)
    mock.on({}, {"content": "Hi"} if isinstance(case, Case) else {"embedding": [1.0]})
    assert is_a_fault_of_our_own(call("POST", path, dict(case.request)), path, caplog)


@pytest.mark.parametrize("registered", [each for each in PROTOCOLS if each.sides], ids=lambda each: each.name)
def test_a_fault_of_our_own_beside_the_chat_too(
    call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, registered: Registered
) -> None:
    """core-lessons C15"""
    for side in registered.sides:
        if side.method == "POST":
            caplog.clear()
            monkeypatch.setattr(registered.load(), side.function, fail)
            path = re.sub(r"\{\w+(:path)?\}", "m", side.template)
            headers = {name: start or "x" for name, start in registered.known_by[:1]}
            assert is_a_fault_of_our_own(call("POST", path, {}, headers), path, caplog)


# -- errors ----------------------------------------------------------------------------------------------------------


@every_protocol
@whole_and_streamed
def test_an_error_is_the_fixture_s_and_its_status_is_no_part_of_it(
    mock: AIMock, ask: Call, case: Case, stream: bool
) -> None:
    """core-lessons C22, field 2.19"""
    mock.on({}, {"error": {"message": "No.", "type": "odd", "code": "c"}, "status": 418})
    response = ask(case, stream)
    assert (response.status, response.headers["content-type"]) == (418, case.error_type)
    assert case.error(response.json) == "No."
    for name, told in (("type", "odd"), ("code", "c")):
        assert (f'"{name}":"{told}"' in response.body.decode()) is (name in case.error_keeps)
    assert case.tells_status or not re.search(r"\b(418|status)\b", response.body.decode())


@every_protocol
@whole_and_streamed
def test_a_one_shot_error_is_for_one_request(mock: AIMock, ask: Call, case: Case, stream: bool) -> None:
    """core-lessons D1, D3 and D4, field 2.15"""
    mock.on({"turnIndex": 0}, {"content": "Hi"}).next_request_error(418).next_request_error(423)
    assert [ask(case, stream).status for _ in range(3)] == [423, 418, 200]


@every_protocol
def test_a_429_says_when_to_come_back(mock: AIMock, ask: Call, case: Case) -> None:
    """core-lessons C21"""
    mock.on({}, {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 7})
    headers = ask(case).headers
    assert headers["retry-after"] == "7"
    spent = [headers[name] for name in headers if "ratelimit" in name and "remaining" in name]
    assert not spent or "0" in spent


@every_protocol
def test_a_strict_miss_is_a_503_that_counts_what_was_skipped(mock: AIMock, ask: Call, case: Case) -> None:
    """core-lessons A13, A14 and C7, field 2.10, 2.13"""
    asked: list[Any] = []
    mock.on({"predicate": asked.append}, {"content": "never"})
    mock.on({"sequenceIndex": 5}, {"content": "never"}).on({"hasToolResult": True}, {"content": "never"})
    response = ask(case, headers={"X-AIMock-Strict": " True "})
    assert response.status == 503
    assert case.error(response.json) == "Strict mode: 1 candidate fixture(s) skipped by sequence/turn state"
    assert len(asked) == 1
    assert mock.get_last_request()["response"]["strictOverride"] is True


# -- what is sent ----------------------------------------------------------------------------------------------------


@every_protocol
def test_without_being_asked_to_nobody_streams(mock: AIMock, call: Call, case: Case) -> None:
    """field 2.28"""
    mock.on({}, {"content": "Hi"})
    path, body = case.asks(stream=False)
    unsaid = {name: value for name, value in body.items() if name != "stream"}
    for asked in (unsaid, body, {**body, "stream": None}):
        response = call("POST", path, asked)
        streams = case.streams_by_default and asked is not body
        expected = case.stream_type if streams else case.whole_type
        assert (response.status, response.headers["content-type"]) == (200, expected)
        assert "Hi" in case.readable(response.body)


@every_protocol
def test_nothing_on_the_way_may_hold_a_stream_back(mock: AIMock, ask: Call, case: Case) -> None:
    """field 2.35"""
    mock.on({}, {"content": "Hi"})
    headers = ask(case, stream=True).headers
    assert headers["content-type"] == case.stream_type
    if case.stream_type.startswith("text/event-stream"):
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
    mock: AIMock, ask: Call, case: Case, stream: bool, reply: dict[str, Any]
) -> None:
    """core-lessons B8, B10, E1 and E2, field 2.20: a token for every four characters."""
    mock.add_fixture({"match": {}, "response": reply})
    response = ask(case, stream)
    told = case.events(response.body) if stream else [response.json]
    assert [tokens for tokens in map(case.tokens, told) if tokens is not None][-1] == 9


@every_protocol
def test_ids_are_one_s_own_and_last_for_a_stream(mock: AIMock, ask: Call, case: Case) -> None:
    """field 2.22"""
    mock.on({}, {"content": "Hello", "toolCalls": [{"name": "f", "arguments": {"x": 1}}] * 2}, chunk_size=2)
    minted: set[str] = set()
    for stream in (True, True, False, False):
        body = case.readable(ask(case, stream).body)
        found = [(pattern, set(re.findall(pattern, body))) for pattern in (case.ids, case.call_ids) if pattern]
        for pattern, ids in found:
            assert len(ids) == (1 if pattern == case.ids else 2)
            assert not ids & minted
            minted |= ids


@every_protocol
@whole_and_streamed
@pytest.mark.parametrize("called", [False, True], ids=["text", "a call before text"])
def test_blocks_alone_are_an_answer(mock: AIMock, ask: Call, case: Case, stream: bool, called: bool) -> None:
    """core-lessons B6, field 2.24: not an empty one, and finished by what is in it; completions have text only."""
    blocks = [{"type": "toolCall", "name": "get_it", "arguments": "{}"}] if called else []
    mock.add_fixture({"match": {}, "response": {"blocks": [*blocks, {"type": "text", "text": "Hi"}]}})
    body = case.readable(ask(case, stream).body)
    assert "Hi" in body
    assert ("get_it" in body) is (called and case.calls is not None)
    assert case.finish(body) == (case.calls if called and case.calls else case.ends)


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
    mock: AIMock, ask: Call, case: Case, stream: bool, shape: str, thought: dict[str, Any]
) -> None:
    """core-lessons E13, field 2.23, 2.32"""
    mock.on({}, SHAPES[shape] | thought)
    strict, plain = (
        case.readable(ask(case, stream, {"X-AIMock-Strict": told}, model="gpt-4.1").body) for told in ("true", "false")
    )
    assert traces(strict) == set()
    assert "Hi" in strict or shape == "tools", "the answer itself is never gated"
    assert case.shows(plain, thought)


# -- streams that do not end well ------------------------------------------------------------------------------------


async def asked(server: Any, case: Case, stream: bool = True, headers: Mapping[str, str] = {}) -> Any:
    path, body = case.asks(stream)
    return await server.exchange(path=path, headers=headers, **body)


async def served(memory: Start, **options: Any) -> Any:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"content": "0123456789"}, **{"chunk_size": 2} | options)])
    return server


@every_protocol
@pytest.mark.parametrize("latency", [0, 50])
async def test_a_truncated_stream_has_as_many_chunks_as_the_fixture_says(
    autojump_clock: MockClock, memory: Start, case: Case, latency: int
) -> None:
    """core-lessons E6 and E7, field 2.41"""
    server = await served(memory, latency=latency, truncate_after_chunks=3)
    seen = await asked(server, case)
    assert len(case.events(seen.body)) == 3
    assert seen.ending == "fin"
    await trio.testing.wait_all_tasks_blocked()
    (entry,) = server.journal
    assert (entry["response"]["interrupted"], entry["response"]["interruptReason"]) == (True, "truncateAfterChunks")


@every_protocol
async def test_a_disconnect_that_is_due_after_the_end_never_comes(
    autojump_clock: MockClock, memory: Start, case: Case
) -> None:
    """core-lessons E5"""
    server = await served(memory, latency=10, disconnect_after_ms=10_000)
    seen = await asked(server, case)
    assert seen.ending == "whole"
    assert seen.ended_at < 1_000
    await trio.sleep(20)
    assert "interrupted" not in server.journal[-1]["response"]


@every_protocol
@pytest.mark.parametrize("after", [0, 1, 4])
async def test_what_fails_within_a_stream_is_an_error_event_and_an_end(
    autojump_clock: MockClock,
    memory: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    case: Case,
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
    seen = await asked(server, case)
    assert (seen.status, seen.ending) == (200, "whole")
    assert case.error(case.events(seen.body)[-1]) == "no such thing"
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
    autojump_clock: MockClock, memory: Start, case: Case, fault: FaultName, level: str
) -> None:
    """core-lessons E11: what a header says that cannot be read leaves the levels below in force."""
    chaos = chaos_from_json({"faults": str(fault)})
    server = memory(seed=1, **({"chaos": chaos} if level == "server" else {}))
    await trio.testing.wait_all_tasks_blocked()
    options = {"chaos": {"faults": str(fault)}} if level == "fixture" else {}
    server.state.book.append([fixture_from({}, {"content": "Hi"}, **options)])
    odd = {"X-AIMock-Chaos-Drop": "0.5abc", "X-AIMock-Chaos-Malformed": "0x1", "X-AIMock-Chaos-Ratelimit": "5"}
    headers = {"X-AIMock-Fault": str(fault)} if level == "header" else odd
    seen = await asked(server, case, stream=False, headers=headers)
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
    case: Case,
    stream: bool,
    fault: FaultName,
) -> None:
    """Whatever strikes does so as the journal says, and makes nothing fail but the answer."""
    server = await served(memory)
    seen = await asked(server, case, stream, {"X-AIMock-Fault": str(fault)})
    expected = STRICKEN.get(fault, 529 if fault is FaultName.ERROR_EVENT and not stream else 200)
    assert seen.status == expected or (fault is FaultName.RESET and seen.status == 0)
    await trio.testing.wait_all_tasks_blocked()
    (entry,) = server.journal
    assert entry["response"]["chaosAction"] == fault
    assert [record for record in caplog.records if record.exc_info] == []
