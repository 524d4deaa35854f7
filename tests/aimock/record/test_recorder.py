"""A miss goes to the provider and comes back as it is; from then on the recording answers, as it came.

Asked in memory; the provider is a script, on a socket unless time matters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from recording_provider import (
    END,
    HI,
    Asked,
    Provider,
    Script,
    Sends,
    chunk,
    completion,
    events,
    head,
    recorded,
    saying,
    streaming,
    texts,
    whole,
)

Start = Callable[..., Any]


# -- recorded, and served from then on ---------------------------------------------------------------------------------


async def test_a_miss_is_relayed_saved_and_served(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path
) -> None:
    live.script = saying(whole(completion("Hi there"), x_ratelimit_remaining_requests="7", set_cookie="a=b"))
    server = await recording()
    first = await server.exchange("hello")
    (entry,) = recorded(tmp_path)
    assert first.status == 200
    assert first.body == completion("Hi there")
    assert first.headers["x-ratelimit-remaining-requests"] == "7"
    assert "set-cookie" not in first.headers
    assert entry["match"] == {
        "exact": True,
        "userMessage": "hello",
        "model": "gpt-4o",
        "turnIndex": 0,
        "hasToolResult": False,
    }
    assert entry["response"]["content"] == "Hi there"
    assert entry["response"]["usage"]["completion_tokens"] == 3
    for again in (await server.exchange("hello"), await (await replaying()).exchange("hello")):
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["x-ratelimit-remaining-requests"] == "7"
    assert len(live.asked) == 1
    sources = [entry["response"].get("source") for entry in server.journal]
    assert sources[0] == "proxy"
    assert server.journal[0]["response"]["fixture"] is None
    assert server.journal[1]["response"]["fixture"] is not None


async def test_what_comes_is_relayed_before_there_is_more(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path
) -> None:
    frames, goes_on = events("Hi", " there"), trio.Event()

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head() + chunk(frames[0] + frames[1][:9]))
        await goes_on.wait()
        await stream.send_all(b"".join(chunk(frame) for frame in (frames[1][9:], *frames[2:])) + END)

    live.script = script
    server = await recording()
    client = server.send("hello", stream=True)
    arrived = b""
    while frames[1][:9] not in arrived:
        arrived += (await client.receive()).data
    assert frames[0] in arrived
    assert recorded(tmp_path) == []
    goes_on.set()
    while not arrived.endswith(END):
        arrived += (await client.receive()).data
    assert b"HTTP/1.1 200" in arrived
    (entry,) = recorded(tmp_path)
    assert [text for _, text in entry["recording"]["frames"]] == [frame.decode() for frame in frames]
    for again in (
        await server.exchange("hello", stream=True),
        await (await replaying()).exchange("hello", stream=True),
    ):
        assert again.body == b"".join(frames)
        assert again.headers["content-type"] == "text/event-stream"
    assert len(live.asked) == 1


@pytest.mark.parametrize("speed", [1.0, 4.0])
async def test_frames_come_again_when_they_came(
    autojump_clock: MockClock,
    timeless: None,
    recording: Start,
    replaying: Start,
    live: Provider,
    tmp_path: Path,
    speed: float,
) -> None:
    frames = events("One", " two", " three")
    live.script = streaming(*frames, gap=0.0375)
    relayed = await (await recording()).exchange("hello", stream=True)
    assert [data for _, data in relayed.pieces] == frames
    assert (relayed.ending, relayed.times) == ("whole", [37.5 * n for n in range(1, 7)])
    (entry,) = recorded(tmp_path)
    assert entry["recordedTimings"] == {"ttftMs": 37.5, "interChunkDelaysMs": [37.5] * 5, "totalDurationMs": 225}
    again = await (await replaying(replay_speed=speed)).exchange("hello", stream=True)
    assert [data for _, data in again.pieces] == frames
    assert again.times == pytest.approx([time / speed for time in relayed.times])


async def test_turns_of_a_conversation_with_tools_hit_their_own(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path
) -> None:
    """Record-green implies replay-green."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    user = {"role": "user", "content": "weather?"}
    asks = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    tells = {"role": "assistant", "content": "It is sunny."}
    conversation = [
        ([user], completion("", tool_calls=[call])),
        ([user, asks, result], completion("It is sunny.")),
        ([user, asks, result, tells, {"role": "user", "content": "weather? And in Paris?"}], completion("Raining.")),
        ([user, asks, result, tells, user], completion("As I said: sunny.")),
    ]
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    live.script = saying(*(whole(answer) for _, answer in conversation))
    server = await recording()
    for messages, answer in conversation:
        assert (await server.exchange(messages=messages, tools=tools)).body == answer
    assert len(recorded(tmp_path)) == len(live.asked) == 4
    anew = await replaying()
    for messages, answer in reversed(conversation):
        for each in (server, anew):
            assert (await each.exchange(messages=messages, tools=tools)).body == answer
    assert len(live.asked) == 4
    assert all(set(entry["metadata"]) == {"toolsHash", "requestHash"} for entry in recorded(tmp_path))


async def test_many_misses_at_once_are_all_kept(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path
) -> None:
    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(whole(completion(f"You said {asked.said}")))

    live.script = script
    server, answers = await recording(), {}
    headers = {"X-Test-Id": "many.test.ts > at once"}

    async def ask(text: str) -> None:
        answers[text] = (await server.exchange(text, headers)).body

    async with trio.open_nursery() as nursery:
        for number in range(25):
            nursery.start_soon(ask, f"number {number}")
    (file,) = (tmp_path / "recorded").rglob("*.json")
    assert file.name == "openai.json"
    assert len(recorded(tmp_path)) == len(live.asked) == 25
    anew = await replaying()
    for text, body in answers.items():
        assert body == completion(f"You said {text}")
        assert (await anew.exchange(text, headers)).body == body


async def test_a_short_question_does_not_answer_a_longer_one(recording: Start, live: Provider, tmp_path: Path) -> None:
    live.script = saying(HI, whole(completion("Something else")))
    server = await recording()
    for text in ("hi", "hi, what is the time?"):
        await server.exchange(text)
    assert [entry["response"]["content"] for entry in recorded(tmp_path)].count("Something else") == 1
    assert (await server.exchange("hi")).body == completion("Hi there")


# -- what is not recorded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "headers"), [({"strict": True}, {}), ({}, {"X-AIMock-Strict": "true"})], ids=["server", "request"]
)
async def test_strict_comes_first(
    recording: Start, live: Provider, tmp_path: Path, settings: dict[str, Any], headers: dict[str, str]
) -> None:
    seen = await (await recording(settings)).exchange("hello", headers)
    assert seen.status == 503
    assert live.asked == []
    assert recorded(tmp_path) == []


async def test_a_request_may_be_less_strict_than_its_server(recording: Start, tmp_path: Path) -> None:
    seen = await (await recording({"strict": True})).exchange("hello", {"X-AIMock-Strict": "0"})
    assert seen.body == completion("Hi there")
    assert len(recorded(tmp_path)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_mere_proxy_keeps_nothing(recording: Start, live: Provider, tmp_path: Path, stream: bool) -> None:
    if stream:
        live.script = streaming(*events("Hi"))
    server = await recording(proxy_only=True)
    bodies = {(await server.exchange("hello", stream=stream)).body for _ in range(3)}
    assert bodies == {b"".join(events("Hi")) if stream else completion("Hi there")}
    assert len(live.asked) == 3
    assert texts(tmp_path) == []


async def test_without_a_url_a_miss_is_a_miss(recording: Start, tmp_path: Path) -> None:
    seen = await (await recording(providers={"anthropic": "http://127.0.0.1:9"})).exchange("hello")
    assert seen.status == 404
    assert texts(tmp_path) == []


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
@pytest.mark.parametrize("record_errors", [False, True])
async def test_the_provider_s_errors(
    recording: Start, live: Provider, tmp_path: Path, status: int, record_errors: bool
) -> None:
    body = b'{"error": {"message": "No.",  "type": "a_type", "param": null, "code": "a_code"}}'
    live.script = saying(whole(body, status, retry_after="3", x_request_id="req_theirs"))
    server = await recording(record_errors=record_errors)
    for _ in range(2):
        seen = await server.exchange("hello")
        assert (seen.status, seen.body, seen.headers["retry-after"]) == (status, body, "3")
    entries = recorded(tmp_path)
    if record_errors and status != 401:
        (entry,) = entries
        assert entry["response"]["status"] == status
        assert entry["response"]["error"]["code"] == "a_code"
        assert len(live.asked) == 1
    else:
        assert entries == []
        assert len(live.asked) == 2


GONE = b'data: {"error": {"message": "Gone.", "type": "server_error", "code": "a_code"}}\n\n'


@pytest.mark.parametrize(
    ("stream", "script"),
    [
        (True, streaming(*events("Hi", done=False), GONE)),
        (True, streaming(GONE)),
        (False, saying(whole(GONE.removeprefix(b"data: ")))),
    ],
    ids=["after text", "alone", "whole"],
)
async def test_errors_under_a_good_status_are_recorded_and_told_of(
    recording: Start,
    live: Provider,
    tmp_path: Path,
    stream: bool,
    script: Script,
    caplog: pytest.LogCaptureFixture,
) -> None:
    live.script = script
    server = await recording()
    for _ in range(2):
        seen = await server.exchange("hello", stream=stream)
        assert (seen.status, seen.ending) == (200, "whole")
        assert b'"Gone."' in seen.body
    assert len(live.asked) == 1
    assert len(recorded(tmp_path)) == 1
    assert "openai said under a good status that it failed: it is recorded so" in caplog.text


# -- faults of the provider --------------------------------------------------------------------------------------------


async def test_nobody_listens(recording: Start, tmp_path: Path) -> None:
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        server = await recording(providers={"openai": f"http://127.0.0.1:{unused.getsockname()[1]}"})
        seen = await server.exchange("hello", stream=True)
    error = json.loads(seen.body)["error"]
    assert (seen.status, error["type"]) == (502, "proxy_error")
    assert error["message"].startswith("Proxy to upstream failed: cannot connect to 127.0.0.1:")
    told = server.journal[0]["response"]
    assert told.pop("upstream")["status"] is None
    assert told == {"status": 502, "fixture": None, "source": "proxy", "recorded": False}
    assert recorded(tmp_path) == []


async def _silence(asked: Asked, stream: Sends) -> None:
    await trio.sleep_forever()


async def _half_a_body(asked: Asked, stream: Sends) -> None:
    await stream.send_all(HI[:-20])
    await trio.sleep_forever()


async def _half_a_stream(asked: Asked, stream: Sends) -> None:
    await stream.send_all(head() + chunk(events("Hi")[0]))
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "after"), [(_silence, 2000), (_half_a_body, 5000)], ids=["before the head", "within the body"]
)
async def test_a_provider_that_falls_silent(
    autojump_clock: MockClock,
    timeless: None,
    recording: Start,
    live: Provider,
    tmp_path: Path,
    script: Any,
    after: float,
) -> None:
    live.script = script
    seen = await (await recording(upstream_timeout_ms=2000.0, body_timeout_ms=5000.0)).exchange("hello")
    assert (seen.status, seen.ending, seen.ended_at) == (502, "whole", after)
    assert json.loads(seen.body)["error"]["message"].endswith(f"sent nothing for {after / 1000:g} s")
    assert recorded(tmp_path) == []


async def test_a_stream_that_falls_silent_has_no_end(
    autojump_clock: MockClock, timeless: None, recording: Start, live: Provider, tmp_path: Path
) -> None:
    live.script = _half_a_stream
    server = await recording(body_timeout_ms=5000.0)
    seen = await server.exchange("hello", stream=True)
    assert (seen.status, seen.ending, seen.ended_at) == (200, "fin", 5000)
    assert seen.body == events("Hi")[0]
    assert server.journal[0]["response"]["interrupted"] is True
    assert recorded(tmp_path) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_connection_that_is_reset_halfway(
    recording: Start, live: Provider, tmp_path: Path, stream: bool
) -> None:
    frame, arrived = events("Hi")[0], trio.Event()

    async def script(asked: Asked, upstream: Sends) -> None:
        assert isinstance(upstream, trio.SocketStream)
        await upstream.send_all(head() + chunk(frame) if stream else HI[:-20])
        if stream:
            await arrived.wait()
        upstream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    live.script = script
    server = await recording()
    client = server.send("hello", stream=stream)
    received = b""
    while (arrival := await client.receive()) is not None:
        received += arrival.data
        if frame in received:
            arrived.set()
        if b"proxy_error" in received:
            break
    if stream:
        assert received.startswith(b"HTTP/1.1 200")
        assert not received.endswith(END)
    else:
        assert received.startswith(b"HTTP/1.1 502")
        assert b"Proxy to upstream failed: the connection to" in received
    assert recorded(tmp_path) == []
    live.script = saying(HI)
    assert (await server.exchange("hello")).status == 200
