"""What may come between a provider's answer and its recording, and between the recording and its replay."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from recording_provider import (
    END,
    HI,
    Asked,
    Provider,
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


# -- what is broken ----------------------------------------------------------------------------------------------------


async def test_a_stream_that_ends_too_soon_is_broken_off(recording: Start, live: Provider, tmp_path: Path) -> None:
    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head() + chunk(events("Hi")[0]))

    live.script = script
    seen = await (await recording()).exchange("hello", stream=True)
    assert (seen.status, seen.ending, seen.body) == (200, "fin", events("Hi")[0])
    assert recorded(tmp_path) == []


async def test_a_broken_frame_comes_again_as_it_was(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [*events("Hi", done=False), b'data: {"choices": [{"del\n\n', *events()]
    live.script = streaming(*frames)
    server = await recording()
    assert (await server.exchange("hello", stream=True)).body == b"".join(frames)
    for each in (server, await replaying()):
        again = await each.exchange("hello", stream=True)
        assert (again.status, again.ending, again.body) == (200, "whole", b"".join(frames))
    assert len(live.asked) == 1


async def test_pieces_may_be_cut_anywhere(recording: Start, replaying: Start, live: Provider, tmp_path: Path) -> None:
    """Within characters, and within what ends a frame."""
    frames = [frame.replace(b"cut", "né🙂".encode()) for frame in events("cut", " cut")]

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head())
        for byte in b"".join(frames):
            await stream.send_all(chunk(bytes([byte])))
        await stream.send_all(END)

    live.script = script
    seen = await (await recording()).exchange("hello", stream=True)
    (entry,) = recorded(tmp_path)
    assert [text.encode() for _, text in entry["recording"]["frames"]] == frames
    assert entry["response"]["content"] == "né🙂 né🙂"
    again = await (await replaying()).exchange("hello", stream=True)
    assert seen.body == again.body == b"".join(frames)


# -- clients that leave ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["finish", "leave"])
async def test_a_client_that_has_all_may_leave(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path, how: str
) -> None:
    """What comes after the last frame that matters is still waited for, and is part of the recording."""
    frames, goes_on, has_ended = [*events("Hi"), b": a comment\n\n"], trio.Event(), trio.Event()

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head() + b"".join(map(chunk, frames[:-1])))
        await goes_on.wait()
        await stream.send_all(chunk(frames[-1]) + END)
        has_ended.set()

    live.script = script
    server = await recording()
    client = server.send("hello", stream=True)
    await client.receive_until(b"[DONE]")
    getattr(client, how)()
    await wait_all_tasks_blocked()
    assert recorded(tmp_path) == []
    goes_on.set()
    await has_ended.wait()
    with trio.fail_after(5):
        while not recorded(tmp_path):
            await trio.lowlevel.checkpoint()
    assert (await (await replaying()).exchange("hello", stream=True)).body == b"".join(frames)


async def test_a_client_that_leaves_earlier_leaves_nothing(recording: Start, live: Provider, tmp_path: Path) -> None:
    gone = trio.Event()

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head() + b"".join(map(chunk, events("Hi")[:2])))
        assert await stream.receive_some() == b""
        gone.set()

    live.script = script
    server = await recording()
    client = server.send("hello", stream=True)
    await client.receive_until(b"Hi")
    client.leave()
    await gone.wait()
    await wait_all_tasks_blocked()
    assert recorded(tmp_path) == []
    assert server.journal[0]["response"]["interrupted"] is True


async def test_whole_answers_are_recorded_though_nobody_waits(recording: Start, live: Provider, tmp_path: Path) -> None:
    asked_for, goes_on = trio.Event(), trio.Event()

    async def script(asked: Asked, stream: Sends) -> None:
        asked_for.set()
        await goes_on.wait()
        await stream.send_all(HI)

    live.script = script
    server = await recording()
    client = server.send("hello")
    await asked_for.wait()
    client.leave()
    await wait_all_tasks_blocked()
    goes_on.set()
    with trio.fail_after(5):
        while not len(server.state.book):
            await trio.lowlevel.checkpoint()
    assert (await server.exchange("hello")).body == completion("Hi there")
    assert len(live.asked) == 1


async def test_the_end_of_a_server_waits_for_no_provider(
    autojump_clock: MockClock,
    timeless: None,
    recording: Start,
    live: Provider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not for what is asked for though its client may leave, even."""

    async def script(asked: Asked, stream: Sends) -> None:
        await trio.sleep_forever()

    live.script = script
    server = await recording()
    server.send("hello")
    server.send("hello", stream=True)
    await wait_all_tasks_blocked()
    began = trio.current_time()
    await server.server.shut_down(2)
    await server.state.aclose()
    await server.server.ended.wait()
    assert trio.current_time() - began == 2
    assert "answers of providers that are not waited for, nor recorded: 2" in caplog.text
    assert recorded(tmp_path) == []


async def test_who_asks_again_before_it_is_recorded_waits_for_that(
    recording: Start, live: Provider, tmp_path: Path
) -> None:
    """Clients take [DONE] for the end; what they ask next is answered by the recording that is then being made."""
    frames, goes_on, answers = events("Hi"), trio.Event(), []

    async def script(asked: Asked, stream: Sends) -> None:
        await stream.send_all(head() + b"".join(map(chunk, frames)))
        await goes_on.wait()
        await stream.send_all(END)

    live.script = script
    server = await recording()
    client = server.send("hello", stream=True)
    await client.receive_until(b"[DONE]")
    client.finish()

    async def again() -> None:
        answers.append((await server.exchange("hello", stream=True)).body)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(again)
        await wait_all_tasks_blocked()
        goes_on.set()
    assert answers == [b"".join(frames)]
    assert len(live.asked) == len(recorded(tmp_path)) == 1


# -- more than there is room for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cap", ["max_proxy_buffer_bytes", "max_proxy_buffer_frames"])
async def test_what_is_too_much_is_relayed_and_not_kept(
    recording: Start, live: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: bool, cap: str
) -> None:
    frames = events("One", " two", " three")
    expected = b"".join(frames) if stream else completion("Hi there")
    if stream:
        live.script = streaming(*frames)
    server = await recording(**{cap: 4})
    caplog.set_level(logging.WARNING, "aimock")
    seen = await server.exchange("hello", stream=True) if stream else await server.exchange("hello")
    assert (seen.status, seen.ending, seen.body) == (200, "whole", expected)
    is_over = stream or cap == "max_proxy_buffer_bytes"
    told = [record for record in caplog.records if "of a response: it is relayed, and not recorded" in record.message]
    assert len(told) == is_over
    assert len(recorded(tmp_path)) == (not is_over)


async def test_no_whole_answer_is_kept_in_memory_beyond_the_ceiling(
    recording: Start, live: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimock.record.taping.MOST_BUFFERED", 100)
    seen = await (await recording()).exchange("hello")
    assert seen.status == 502
    assert "proxy ceiling" in json.loads(seen.body)["error"]["message"]
    assert recorded(tmp_path) == []


# -- what cannot be saved ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_what_cannot_be_saved_is_answered_all_the_same(
    recording: Start, live: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    frames = events("Hi")
    expected = b"".join(frames) if stream else completion("Hi there")
    if stream:
        live.script = streaming(*frames)
    (tmp_path / "a file…").write_text("no directory")
    server = await recording(fixture_path=tmp_path / "a file…" / "recorded")
    caplog.set_level(logging.ERROR, "aimock")
    more = {"stream": True} if stream else {}
    seen = await server.exchange("hello", **more)
    assert (seen.status, seen.ending, seen.body) == (200, "whole", expected)
    (told,) = caplog.records
    assert told.message.startswith("a recording could not be saved: ")
    assert "Not a directory" in told.message
    if not stream:
        assert "a file?/recorded: Not a directory" in seen.headers["x-aimock-record-error"]
    assert (await server.exchange("hello", **more)).body == expected
    assert len(live.asked) == 1


# -- edits, and other manners ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_who_edits_the_response_is_heard(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path, stream: bool
) -> None:
    more = {"stream": True} if stream else {}
    if stream:
        live.script = streaming(*events("Hi", " there"))
    await (await recording()).exchange("hello", **more)
    (file,) = (tmp_path / "recorded").iterdir()
    file.write_text(file.read_text().replace('"content": "Hi there"', '"content": "Good day"', 1))
    seen = await (await replaying("recording.seal")).exchange("hello", **more)
    assert (b"Good" in seen.body, b"there" in seen.body) == (True, False)
    if not stream:
        answer = json.loads(seen.body)
        assert answer["choices"][0]["message"]["content"] == "Good day"
        assert answer["usage"]["completion_tokens"] == 3


async def test_recorded_whole_and_asked_for_in_a_stream(recording: Start, replaying: Start) -> None:
    await (await recording()).exchange("hello")
    seen = await (await replaying()).stream("hello", stream_options={"include_usage": True})
    *chunks, done = (data for _, data in seen.events)
    told = [json.loads(data) for data in chunks]
    deltas = [choice for each in told for choice in each["choices"]]
    assert (seen.status, done) == (200, "[DONE]")
    assert "".join(choice["delta"].get("content") or "" for choice in deltas) == "Hi there"
    assert deltas[-1]["finish_reason"] == "stop"
    assert told[-1]["usage"]["total_tokens"] == 12
    assert {each["id"] for each in told} == {"chatcmpl-recorded"}


async def test_recorded_in_a_stream_and_asked_for_whole(recording: Start, replaying: Start, live: Provider) -> None:
    live.script = streaming(*events("Hi", " there"))
    await (await recording()).exchange("hello", stream=True)
    seen = await (await replaying()).exchange("hello")
    answer = json.loads(seen.body)
    assert (seen.status, seen.headers["content-type"]) == (200, "application/json")
    assert (answer["id"], answer["object"]) == ("chatcmpl-recorded", "chat.completion")
    assert answer["choices"][0]["message"]["content"] == "Hi there"
    assert answer["choices"][0]["finish_reason"] == "stop"


# -- secrets -----------------------------------------------------------------------------------------------------------


async def test_whose_key_it_was_is_told_to_the_client_only(
    recording: Start, replaying: Start, live: Provider, tmp_path: Path
) -> None:
    live.script = saying(whole(completion("Hi"), openai_organization="org-of-ours", openai_version="2020-10-01"))
    seen = await (await recording()).exchange("hello")
    assert seen.headers["openai-organization"] == "org-of-ours"
    assert not any("org-of-ours" in text for text in texts(tmp_path))
    again = await (await replaying()).exchange("hello")
    assert again.headers["openai-version"] == "2020-10-01"


async def test_no_secret_is_written_down(
    recording: Start, live: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in files, nor in the log, nor in the journal, whatever becomes of the request."""
    caplog.set_level(logging.DEBUG)
    sent = {
        "Authorization": "Bearer sk-of-a-bearer",
        "X-Api-Key": "sk-of-anthropic",
        "X-Goog-Api-Key": "sk-of-google",
        "Api-Key": "sk-of-azure",
        "Cookie": "session=sk-of-a-cookie",
    }
    query = "?key=sk-of-a-query&access_token=sk-of-a-token&X-Amz-Signature=sk-of-a-signature"
    urls = dict.fromkeys(("openai", "gemini", "anthropic"), live.url)
    server = await recording(providers=urls, provider_keys={"openai": "sk-of-ours"}, record_errors=True)
    gemini = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    asked = [
        ("/v1/chat/completions", {}),
        ("/v1/messages", {"max_tokens": 5}),
        ("/v1beta/models/gemini-2.5-flash:generateContent", gemini),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", gemini),
    ]
    cookie = whole(b'{"error": {"message": "No."}}', 429, set_cookie="cookie-of-theirs")
    scripts = [whole(completion("Hi")), cookie, head() + chunk(b"data: {\n\n"), b"HTTP/1.1 nonsense\r\n\r\n", b""]
    for number, answer in enumerate(scripts):

        async def script(asked: Asked, stream: Sends, answer: bytes = answer) -> None:
            if answer:
                await stream.send_all(answer)

        live.script = script
        for path, more in asked:
            await server.exchange(f"number {number}", sent, path=path + query, **more)
    guarded = await recording({"api_keys": ["sk-of-a-bearer"]}, providers=urls)
    await guarded.exchange("hello", sent, path="/v1/messages" + query, max_tokens=5)

    assert len(live.asked) > len(scripts)
    assert any(("authorization", sent["Authorization"]) in each.headers for each in live.asked)
    assert any("key=sk-of-a-query" in each.target for each in live.asked)
    assert len(recorded(tmp_path)) >= 3
    written = texts(tmp_path)
    written += [record.getMessage() + str(record.exc_text or "") for record in caplog.records if record.name != "trio"]
    written += [json.dumps(entry) for each in (server, guarded) for entry in each.journal]
    assert not [text for text in written if "sk-of-" in text]
