"""Sessions whose turns the provider answers: over real sockets, with a provider that says what the test writes.

Spoken in Responses, whose events are few; what each protocol says is tested with the protocols, and with their SDKs.
"""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

from aimock import AIMock
from recording_provider import recorded, texts
from session_provider import Event, Line, SessionProvider, calling

Start = Callable[..., AIMock]

TARGET = "/v1/responses"
OURS = "sk-ours-and-secret"
THEIRS = "sk-theirs-and-secret"


def is_last(event: Event) -> bool:
    return event["type"] in ("response.completed", "response.incomplete", "response.failed", "error")


def told(text: str, number: int = 1, status: str = "completed", **more: Any) -> list[Event]:
    """The events of a response, with one that nobody here has heard of."""
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": f"resp_{number}", "object": "response", "created_at": 1795200000, "model": "gpt-5", **more}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: list[Event] = [
        {"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
        {"type": "response.unheard_of", "secret_of_the_provider": 42},
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
        {"type": "response.output_text.delta", **place, "delta": text},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": f"response.{status}", "response": response | {"status": status, "output": [item]}},
    ]
    return [event | {"sequence_number": at} for at, event in enumerate(events)]


async def echo(line: Line) -> None:
    """Answers each request by what was asked last."""
    for number in range(100):
        asked = await line.hear()
        if asked["type"] == "response.create":
            await line.say(
                *told(f"You said {_last(asked)}.", number, previous_response_id=asked.get("previous_response_id"))
            )


def _last(asked: Event) -> str:
    given = asked["input"]
    return str(given if isinstance(given, str) else given[-1]["content"])


def asking(text: str, **more: Any) -> Event:
    return {"type": "response.create", "model": "gpt-5-2026-01-01", "input": text, **more}


async def answer(line: Line, text: str, **more: Any) -> list[Event]:
    await line.say(asking(text, **more))
    return await line.until(is_last)


@pytest.fixture
async def provider() -> AsyncIterator[SessionProvider]:
    each = SessionProvider(echo)
    with trio.fail_after(30):
        async with each.on_a_socket():
            yield each


@pytest.fixture
def recording(provider: SessionProvider, tmp_path: Path) -> Any:
    """recording(**keys of record): a server that asks the provider, on a port of its own."""
    with ExitStack() as stack:

        def start(settings: Mapping[str, Any] = MappingProxyType({}), **chosen: Any) -> AIMock:
            record = {"providers": {"openai": provider.url}, "fixturePath": str(tmp_path / "recorded")} | chosen
            return stack.enter_context(AIMock(record=record, **settings))

        yield start


@pytest.fixture
def replaying(tmp_path: Path) -> Any:
    """A strict server that has nothing but what was recorded."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(AIMock(fixtures=tmp_path / "recorded", strict=True, **settings))


# -- recorded, and said again ------------------------------------------------------------------------------------------


async def test_a_turn_is_relayed_saved_and_said_again(
    recording: Start, replaying: Start, provider: SessionProvider, tmp_path: Path
) -> None:
    server = recording()
    async with calling(server.url, TARGET) as line:
        assert await answer(line, "hello") == told("You said hello.", 0, previous_response_id=None)
        (entry,) = recorded(tmp_path)  # before the client has the last message
        await answer(line, "and more", previous_response_id="resp_0")
    assert entry["match"] == {
        "exact": True,
        "userMessage": "hello",
        "model": "gpt-5",
        "turnIndex": 0,
        "hasToolResult": False,
    }
    assert entry["response"]["content"] == "You said hello."
    recording_of = entry["recording"]
    assert (recording_of["protocol"], recording_of["status"], recording_of["headers"]) == ("openai_responses", 101, {})
    assert [json.loads(text) for _, text in recording_of["frames"]] == told(
        "You said hello.", 0, previous_response_id=None
    )
    assert len(entry["recordedTimings"]["interChunkDelaysMs"]) == 5
    assert [each["match"]["turnIndex"] for each in recorded(tmp_path)] == [0, 1]
    shown = [each["response"] for each in server.get_requests()]
    assert [(each["status"], each["source"], each["upstream"]["status"]) for each in shown] == [(200, "proxy", 101)] * 2
    assert {each["recorded"] for each in shown} == {str(path) for path in (tmp_path / "recorded").iterdir()}
    assert all(each["upstream"]["durationMs"] > 0 for each in shown)
    async with calling(replaying().url, TARGET) as line:
        assert await answer(line, "hello") == told("You said hello.", 0, previous_response_id=None)
        assert await answer(line, "and more", previous_response_id="resp_0") == told(
            "You said and more.", 1, previous_response_id="resp_0"
        )
    assert len(provider.asked) == 1


async def test_a_second_run_goes_on_where_the_first_ended(
    recording: Start, provider: SessionProvider, tmp_path: Path
) -> None:
    server = recording()
    async with calling(server.url, TARGET) as line:
        await answer(line, "hello")
    async with calling(server.url, TARGET) as line:
        first = await answer(line, "hello")
        await answer(line, "and more", previous_response_id=first[-1]["response"]["id"])
        await answer(line, "hello")  # which the provider answers, now that it has taken over
    assert len(provider.lines) == 2
    retold, again = provider.lines[1].heard
    assert "previous_response_id" not in retold
    user, assistant, asked = retold["input"]
    assert [user["content"], asked["content"]] == ["hello", "and more"]
    assert (assistant["role"], assistant["content"][0]["text"]) == ("assistant", "You said hello.")
    assert all("id" not in each for each in retold["input"])
    assert again["input"] == "hello"
    assert [each["match"]["userMessage"] for each in recorded(tmp_path)] == ["hello", "and more"]
    assert [each["response"].get("source") for each in server.get_requests()] == ["proxy", None, "proxy", "proxy"]
    assert server.get_requests()[-1]["response"]["recorded"] is False


async def test_what_was_recorded_over_a_socket_is_told_over_http_in_its_own_way(
    recording: Start, replaying: Start, chat_like: Callable[..., Awaitable[str]]
) -> None:
    async with calling(recording().url, TARGET) as line:
        await answer(line, "hello")
    streamed = await chat_like(replaying().url, "hello")
    assert "event: response.completed" in streamed
    assert "You said hello." in streamed
    assert "unheard_of" not in streamed


@pytest.fixture
def chat_like() -> Callable[..., Awaitable[str]]:
    import httpx

    async def ask(url: str, text: str) -> str:
        async with httpx.AsyncClient() as client:
            body = {"model": "gpt-5", "input": text, "stream": True}
            return (await client.post(f"{url}/v1/responses", json=body)).text

    return ask


async def test_an_edited_response_wins(recording: Start, replaying: Start, tmp_path: Path) -> None:
    async with calling(recording().url, TARGET) as line:
        await answer(line, "hello")
    (file,) = (tmp_path / "recorded").glob("*.json")
    content = json.loads(file.read_bytes())
    content["fixtures"][0]["response"]["content"] = "Edited."
    file.write_text(json.dumps(content))
    async with calling(replaying().url, TARGET) as line:
        events = await answer(line, "hello")
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Edited."
    assert not [event for event in events if event["type"] == "response.unheard_of"]


async def test_what_is_redacted_is_in_no_frame(recording: Start, replaying: Start, tmp_path: Path) -> None:
    async with calling(recording(redact=["hunter\\d"]).url, TARGET) as line:
        events = await answer(line, "my password is hunter2")
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "You said my password is hunter2."
    assert not [text for text in texts(tmp_path) if "hunter2" in text]
    async with calling(replaying().url, TARGET) as line:
        events = await answer(line, "my password is hunter3")
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "You said my password is [redacted]."


async def test_two_connections_and_two_lanes_at_once(recording: Start, replaying: Start, tmp_path: Path) -> None:
    async def script(line: Line) -> None:
        """Both lanes at once, the second first, message by message."""
        asked = [await line.hear(), await line.hear()]
        pairs = [told(_last(each), at) for at, each in enumerate(asked)]
        for messages in zip(*reversed(pairs), strict=True):
            for message, lane in zip(messages, ("b", "a"), strict=True):
                await line.say(message | {"stream_id": lane})

    provider = SessionProvider(script)
    async with provider.on_a_socket() as url:
        server = recording(providers={"openai": url})
        heard: dict[str, list[Event]] = {}

        async def converse(name: str) -> None:
            async with calling(server.url, TARGET, {"X-Test-Id": name}) as line:
                await line.say(asking(f"{name} a", stream_id="a"), asking(f"{name} b", stream_id="b"))
                await line.until(is_last)
                await line.until(is_last)
                heard[name] = line.heard

        async with trio.open_nursery() as nursery:
            nursery.start_soon(converse, "one")
            nursery.start_soon(converse, "two")
    for name in ("one", "two"):
        entries = recorded(tmp_path / "recorded" / name)
        assert {entry["match"]["userMessage"]: entry["response"]["content"] for entry in entries} == {
            f"{name} a": f"{name} a",
            f"{name} b": f"{name} b",
        }
        async with calling(replaying().url, TARGET) as line:
            events = await answer(line, f"{name} b", stream_id="elsewhere")
        own = [event | {"stream_id": "elsewhere"} for event in heard[name] if event["stream_id"] == "b"]
        assert events == own


async def test_a_turn_under_way_comes_to_its_end_before_the_provider_takes_over(
    recording: Start, provider: SessionProvider
) -> None:
    server = recording()
    server.on_message("slow", {"content": "one two three four"}, chunk_size=4, latency=20)
    async with calling(server.url, TARGET) as line:
        await line.say(asking("slow", stream_id="a"), asking("hello", stream_id="b"))
        events = [*await line.until(is_last), *await line.until(is_last)]
    lanes = [event.get("stream_id", "b") for event in events]
    assert lanes == sorted(lanes)
    assert len(provider.lines[0].heard) == 1


# -- not recorded ------------------------------------------------------------------------------------------------------


async def test_a_strict_server_asks_nobody(recording: Start, provider: SessionProvider) -> None:
    async with calling(recording().url, TARGET, {"X-AIMock-Strict": "true"}) as line:
        await line.say(asking("hello"))
        code, _, heard = await line.goodbye()
    assert (code, heard, provider.asked) == (1008, [], [])


async def test_without_a_url_a_miss_is_a_miss(recording: Start) -> None:
    async with calling(recording(providers={"anthropic": "http://127.0.0.1:1"}).url, TARGET) as line:
        (event,) = await answer(line, "hello")
    assert (event["type"], event["status"]) == ("error", 404)


async def test_a_proxy_keeps_nothing(recording: Start, provider: SessionProvider, tmp_path: Path) -> None:
    server = recording(proxyOnly=True)
    for _ in range(2):
        async with calling(server.url, TARGET) as line:
            await answer(line, "hello")
    assert (len(provider.asked), texts(tmp_path)) == (2, [])


async def test_what_was_switched_off_is_relayed_to_its_end(recording: Start, tmp_path: Path) -> None:
    server = recording()
    async with calling(server.url, TARGET) as line:
        await answer(line, "hello")
        server.disable_recording()
        assert (await answer(line, "unrecorded"))[-1]["type"] == "response.completed"
    assert [each["match"]["userMessage"] for each in recorded(tmp_path)] == ["hello"]


async def test_a_session_that_was_there_before_stays_as_it_is(provider: SessionProvider, tmp_path: Path) -> None:
    with AIMock() as server:
        async with calling(server.url, TARGET) as before:
            assert (await answer(before, "hello"))[-1]["status"] == 404
            server.enable_recording({"providers": {"openai": provider.url}, "fixturePath": str(tmp_path)})
            async with calling(server.url, TARGET) as line:
                assert (await answer(line, "hello"))[-1]["type"] == "response.completed"
            assert (await answer(before, "hello"))[-1]["type"] == "response.completed", "as it was recorded"
            assert (await answer(before, "and more"))[-1]["status"] == 404


@pytest.mark.parametrize("status", ["failed", "steered"])
async def test_what_did_not_come_to_its_own_end_is_not_recorded(
    recording: Start, provider: SessionProvider, tmp_path: Path, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    why = {"incomplete_details": {"reason": "steered"}} if status == "steered" else {}

    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*told("Half of", 1, "failed" if status == "failed" else "incomplete", **why))
        await echo(line)

    provider.script = script
    async with calling(recording().url, TARGET) as line:
        await answer(line, "one")
        await answer(line, "two")
    assert [each["match"]["userMessage"] for each in recorded(tmp_path)] == (["two"] if status == "failed" else [])
    assert [record.message for record in caplog.records].count(
        "openai: a turn that was cut short or failed is relayed, and not recorded"
    ) == 1


async def test_more_than_is_kept_is_relayed_and_not_recorded(
    recording: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with calling(recording(maxProxyBufferFrames=3).url, TARGET) as line:
        assert await answer(line, "hello") == told("You said hello.", 0, previous_response_id=None)
    assert recorded(tmp_path) == []
    assert [record.message for record in caplog.records if "more than 3 frames" in record.message]


async def test_what_only_the_provider_knows_is_relayed(recording: Start, tmp_path: Path) -> None:
    async with calling(recording().url, TARGET) as line:
        await answer(line, "hello")
        events = await answer(line, "go on", previous_response_id="resp_of_last_week")
    assert events[-1]["type"] == "response.completed"
    assert [each["match"]["userMessage"] for each in recorded(tmp_path)] == ["hello"]


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def failing(server: AIMock, *texts: str) -> tuple[int, str, list[Event]]:
    async with calling(server.url, TARGET) as line:
        await line.say(*map(asking, texts or ("hello",)))
        code, reason, heard = await line.goodbye()
        return code, reason or "", heard


async def test_a_provider_that_is_not_there(recording: Start, tmp_path: Path) -> None:
    server = recording(providers={"openai": "http://127.0.0.1:1"})
    code, reason, heard = await failing(server)
    assert (code, heard) == (1011, [])
    assert "127.0.0.1:1" in reason
    (entry,) = server.get_requests()
    assert (entry["response"]["status"], entry["response"]["source"], entry["response"]["recorded"]) == (
        502,
        "proxy",
        False,
    )
    assert entry["response"]["upstream"]["status"] is None
    assert recorded(tmp_path) == []


async def test_a_provider_that_refuses(recording: Start, provider: SessionProvider) -> None:
    provider.status = 401
    server = recording()
    code, reason, _ = await failing(server)
    assert (code, reason) == (
        1011,
        f"Proxy to upstream failed: {provider.url[7:]} refused the WebSocket with status 401",
    )
    assert server.get_requests()[0]["response"]["upstream"]["status"] == 401


async def test_a_provider_that_hangs_up_in_the_handshake(recording: Start) -> None:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(functools.partial(trio.serve_tcp, _hang_up, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        code, reason, _ = await failing(recording(providers={"openai": f"http://127.0.0.1:{port}"}))
        nursery.cancel_scope.cancel()
    assert (code, reason.endswith("hung up in the midst of the handshake")) == (1011, True)


async def _hang_up(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.aclose()


async def test_a_provider_that_drops_in_the_midst_of_a_turn(
    recording: Start, provider: SessionProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*told("Half of", 1)[:3])
        await line.socket._stream.aclose()

    provider.script = script
    server = recording()
    code, _, heard = await failing(server)
    assert (code, heard) == (1011, told("Half of", 1)[:3])
    assert recorded(tmp_path) == []
    assert server.get_requests()[0]["response"]["interrupted"] is True
    assert "openai closed the session with 1006, in the midst of a turn" in caplog.messages


async def test_a_close_code_comes_down(recording: Start, provider: SessionProvider) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*told("One", 1))
        await line.hear()
        await line.socket.aclose(1008, "enough")

    provider.script = script
    server = recording()
    code, reason, heard = await failing(server, "one", "two")
    assert (code, reason, heard) == (1008, "enough", told("One", 1))


@pytest.mark.parametrize("key", ["upstreamTimeoutMs", "bodyTimeoutMs"])
async def test_a_provider_that_falls_silent(recording: Start, provider: SessionProvider, key: str) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*told("One", 1)[: 2 if key == "bodyTimeoutMs" else 0])
        await line.goodbye()

    provider.script = script
    code, reason, _ = await failing(recording(**{key: 150}))
    assert (code, reason) == (1011, "openai said nothing for 0.15 s")


async def test_a_provider_may_be_silent_between_turns(recording: Start) -> None:
    async with calling(recording(upstreamTimeoutMs=150, bodyTimeoutMs=150).url, TARGET) as line:
        await answer(line, "one")
        await trio.sleep(0.4)  # twice as long as it may be in a turn
        assert (await answer(line, "two"))[-1]["type"] == "response.completed"


async def test_a_client_that_leaves_in_the_midst_of_a_turn(
    recording: Start, provider: SessionProvider, tmp_path: Path
) -> None:
    left: list[tuple[int, str | None]] = []

    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*told("Half of", 1)[:2])
        code, reason, _ = await line.goodbye()
        left.append((code, reason))

    provider.script = script
    server = recording()
    async with calling(server.url, TARGET) as line:
        await line.say(asking("hello"))
        await line.hear()
        await line.socket.aclose(4321, "had enough")
    while not left:
        await trio.lowlevel.checkpoint()
    assert left == [(4321, "had enough")]
    assert recorded(tmp_path) == []


async def test_a_slow_client_holds_the_provider_and_a_slow_provider_the_client(
    recording: Start, provider: SessionProvider
) -> None:
    sent: list[None] = []

    async def script(line: Line) -> None:
        await line.hear()
        await line.say(told("Much", 1)[0])
        for _ in range(400):
            await line.say({"type": "response.noise", "noise": "x" * 100_000})
            sent.append(None)
        await line.say(told("Much", 1)[-1])
        while True:
            await line.hear()
            await line.say(*told("More", 2))

    provider.script = script
    async with calling(recording().url, TARGET) as line:
        await line.say(asking("hello"))
        with trio.move_on_after(1):  # nobody reads
            while True:
                await trio.sleep(0.05)
                assert len(sent) < 390
        assert len(await line.until(is_last)) == 402
        assert (await answer(line, "x" * 3_000_000))[-1]["response"]["id"] == "resp_2"


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "subprotocols", "expected"),
    [
        ({"Authorization": f"Bearer {THEIRS}"}, (), THEIRS),
        ({}, ("realtime", f"openai-insecure-api-key.{THEIRS}"), THEIRS),
        ({}, (), OURS),
        ({"Authorization": "Bearer sk-aimock-dummy"}, (), OURS),
        ({}, ("realtime", "openai-insecure-api-key.sk-aimock-x"), OURS),
    ],
)
async def test_keys_go_as_over_http_and_are_written_nowhere(
    recording: Start,
    provider: SessionProvider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    headers: dict[str, str],
    subprotocols: tuple[str, ...],
    expected: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server = recording(providerKeys={"openai": OURS})
    target = f"{TARGET}?testId=t&X-AIMock-Context=c&api_key={THEIRS}&kept=1"
    async with calling(server.url, target, headers | {"X-Request-Id": "r"}, subprotocols) as line:
        await answer(line, "hello")
    ((target, sent, offered),) = provider.asked
    assert sent["authorization"] == f"Bearer {expected}"
    assert [*offered] == [each for each in subprotocols if each == "realtime"]
    assert target == f"{TARGET}?api_key={THEIRS}&kept=1"
    assert not [name for name in sent if name.startswith(("x-aimock", "x-test"))]
    logged = [each.getMessage() for each in caplog.records if each.thread != threading.get_ident()]  # by the server
    assert logged
    seen = "".join([*texts(tmp_path), *logged, json.dumps(server.get_requests())])
    assert THEIRS not in seen
    assert OURS not in seen


async def test_the_key_of_this_server_goes_no_further(recording: Start, provider: SessionProvider) -> None:
    server = recording({"api_keys": ["sk-guard"]}, providerKeys={"openai": OURS})
    async with calling(server.url, TARGET, {"Authorization": "Bearer sk-guard"}) as line:
        await answer(line, "hello")
    assert provider.asked[0][1]["authorization"] == f"Bearer {OURS}"


async def test_a_closed_socket_says_so(recording: Start, provider: SessionProvider) -> None:
    """What the client sends when the provider is gone is lost with the connection, not answered by somebody else."""

    async def script(line: Line) -> None:
        await line.hear()
        await line.say(*told("One", 1))

    provider.script = script
    async with calling(recording().url, TARGET) as line:
        await answer(line, "hello")
        code, _, _ = await line.goodbye()
        assert code == 1000
        with pytest.raises(ConnectionClosed):
            await line.say(asking("still there?"))
