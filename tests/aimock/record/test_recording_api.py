"""Recording by `AIMock`: one server is the provider of another."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from aimock import AIMock
from aimock.record.config import record_config


class Said(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]


def ask(mock: AIMock, text: str = "hi", test_id: str | None = None, **body: Any) -> Said:
    """A chat request; what the model says, of a stream too."""
    connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=30)
    messages = body.pop("messages", [{"role": "user", "content": text}])
    sent = json.dumps({"model": "gpt-4o", "messages": messages, **body})
    headers = {"content-type": "application/json"} | ({"x-test-id": test_id} if test_id else {})
    connection.request("POST", "/v1/chat/completions", sent, headers)
    response = connection.getresponse()
    data = response.read().decode()
    connection.close()
    if data.startswith("data:"):
        chunks = [json.loads(line[6:]) for line in data.splitlines() if line.startswith("data: {")]
        said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    else:
        read = json.loads(data)
        said = read["choices"][0]["message"]["content"] if response.status == 200 else read["error"]["message"]
    return Said(response.status, said, dict(response.getheaders()))


@pytest.fixture
def provider() -> Iterator[AIMock]:
    with AIMock() as mock:
        yield mock


@pytest.fixture
def recording(provider: AIMock, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """recording(sequence=True): a config with the provider's URL."""

    def config(**more: Any) -> dict[str, Any]:
        return {"providers": {"openai": provider.url}, "fixturePath": str(tmp_path / "recorded"), **more}

    return config


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "recorded").rglob("*.json"))


def entries(tmp_path: Path) -> list[dict[str, Any]]:
    return [entry for file in files(tmp_path) for entry in json.loads(file.read_text("utf-8"))["fixtures"]]


def test_a_miss_is_asked_for_once_and_replayed(
    provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    provider.on_message("hi", {"content": "from afar"})
    with AIMock(record=recording()) as mock:
        assert [ask(mock).text for _ in range(3)] == ["from afar"] * 3
    assert len(provider.get_requests()) == 1
    with AIMock(fixtures=tmp_path / "recorded", strict=True) as replaying:
        assert ask(replaying).text == "from afar"
    assert len(provider.get_requests()) == 1


def test_recording_goes_on_and_off_while_the_server_runs(
    provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    provider.on_message("hi", {"content": "first"}).on_message("ho", {"content": "second"})
    with AIMock() as mock:
        assert ask(mock).status == 404
        assert mock.enable_recording(record_config(recording())) is mock
        assert ask(mock).text == "first"
        assert mock.disable_recording() is mock
        assert (ask(mock).text, ask(mock, "ho").status) == ("first", 404)
        assert len(files(tmp_path)) == 1
        mock.enable_recording(recording())
        assert ask(mock, "ho").text == "second"
    assert len(files(tmp_path)) == 2


def test_a_server_records_again_after_it_was_stopped(
    provider: AIMock, recording: Callable[..., dict[str, Any]]
) -> None:
    provider.on({}, {"content": "x"})
    mock = AIMock(record=recording())
    for text in ("one", "two"):
        with mock:
            assert ask(mock, text).text == "x"


def open_connections(mock: AIMock) -> int:
    recorder = mock._state.recorder
    assert recorder is not None
    return len(recorder._upstream._pool.connections)


def test_connections_are_closed_at_the_end(provider: AIMock, recording: Callable[..., dict[str, Any]]) -> None:
    provider.on({}, {"content": "x"})
    with AIMock(record=recording()) as mock:
        ask(mock)
        assert open_connections(mock) == 1
    assert open_connections(mock) == 0
    guest = AIMock(record=recording())
    closed = threading.Event()
    with AIMock() as host:
        with host.hosting(guest):
            assert ask(guest, "there").text == "x"
            recorder = guest._state.recorder
            assert recorder is not None
            aclose = recorder.aclose

            async def noted() -> None:
                await aclose()
                closed.set()

            recorder.aclose = noted  # type: ignore[method-assign]
        assert closed.wait(30)
        assert open_connections(guest) == 0


async def test_an_asgi_application_closes_them_when_its_server_says_so(
    provider: AIMock, recording: Callable[..., dict[str, Any]]
) -> None:
    mock = AIMock(record=recording())
    application = mock.asgi()
    events, told = trio.open_memory_channel[Any](1)
    said, hears = trio.open_memory_channel[Any](2)
    closed: list[bool] = []
    recorder = mock._state.recorder
    assert recorder is not None
    recorder.aclose = lambda: _noted(closed)  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(application, {"type": "lifespan"}, told.receive, said.send)
        await events.send({"type": "lifespan.startup"})
        assert (await hears.receive())["type"] == "lifespan.startup.complete"
        assert closed == []
        await events.send({"type": "lifespan.shutdown"})
        assert (await hears.receive())["type"] == "lifespan.shutdown.complete"
    assert closed == [True]


async def _noted(closed: list[bool]) -> None:
    await trio.lowlevel.checkpoint()
    closed.append(True)


def test_what_is_under_way_comes_to_its_end(provider: AIMock, recording: Callable[..., dict[str, Any]]) -> None:
    asked, goes_on = threading.Event(), threading.Event()

    async def later(body: Any) -> dict[str, Any]:
        asked.set()
        await trio.to_thread.run_sync(goes_on.wait, 30)
        return {"content": "late"}

    provider.on({}, later)
    with AIMock(record=recording()) as mock, concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, mock)
        assert asked.wait(30)
        recorder = mock._state.recorder
        assert recorder is not None
        aclose, closed = recorder.aclose, threading.Event()

        async def noted() -> None:
            await aclose()
            closed.set()

        recorder.aclose = noted  # type: ignore[method-assign]
        mock.disable_recording()
        assert not closed.is_set()
        goes_on.set()
        assert answer.result(30).text == "late"
        assert closed.wait(30)
        assert recorder._upstream._pool.connections == []
        assert ask(mock).text == "late"
        assert len(provider.get_requests()) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"providers": {"openia": "http://x"}}, 'record.providers.openia: unknown provider, did you mean "openai"'),
        ({"fal": {}}, "record.fal: this version does not support it"),
        ("http://x", "record: expected an object"),
    ],
)
def test_a_wrong_config_is_refused(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AIMock(record=config)
    with pytest.raises(ValueError, match=message):
        AIMock().enable_recording(config)


def test_repeats_in_sequence(provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    for index, text in enumerate(("one", "two", "three")):
        provider.on({}, {"content": text}, sequence_index=index)
    with AIMock(record=recording(sequence=True)) as mock:
        assert [ask(mock, test_id="t").text for _ in range(3)] == ["one", "two", "three"]
    assert [entry["match"]["sequenceIndex"] for entry in entries(tmp_path)] == [0, 1, 2]
    with AIMock(fixtures=tmp_path / "recorded", strict=True) as replaying:
        assert [ask(replaying, test_id="t").text for _ in range(3)] == ["one", "two", "three"]
        assert ask(replaying, test_id="t").status == 503


def at_once(mock: AIMock, provider: AIMock, count: int, **config: Any) -> list[Said]:
    """What so many clients hear who all ask before the provider has said anything."""
    came, goes_on = threading.Semaphore(0), threading.Event()

    async def later(body: Any) -> dict[str, Any]:
        came.release()
        await trio.to_thread.run_sync(goes_on.wait, 30)
        return {"content": "once"}

    provider.on({}, later)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(ask, mock, **config)]
        assert came.acquire(timeout=30)
        answers += [pool.submit(ask, mock, **config) for _ in range(count - 1)]
        recorder = mock._state.recorder
        assert recorder is not None
        while mock._do(lambda: sum(e.statistics().tasks_waiting for e in recorder._under_way.values())) < count - 1:
            threading.Event().wait(0.01)
        goes_on.set()
        return [answer.result(30) for answer in answers]


@pytest.mark.parametrize("stream", [False, True])
def test_those_who_ask_the_same_wait_for_one_answer(
    provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path, stream: bool
) -> None:
    with AIMock(record=recording(coalesce=True)) as mock:
        assert [said.text for said in at_once(mock, provider, 5, stream=stream)] == ["once"] * 5
        sources = [entry["response"].get("source") for entry in mock.get_requests()]
    assert sources.count("proxy") == 1
    assert len(provider.get_requests()) == len(entries(tmp_path)) == 1


def test_those_who_wait_ask_themselves_where_nothing_was_recorded(
    provider: AIMock, recording: Callable[..., dict[str, Any]]
) -> None:
    with AIMock(record=recording(coalesce=True, proxyOnly=True)) as mock:
        assert [said.text for said in at_once(mock, provider, 4)] == ["once"] * 4
    assert len(provider.get_requests()) == 4


def test_what_is_redacted_is_in_no_file_and_in_no_replay(
    provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    provider.on({}, {"content": "the password is hunter2, keep it"})
    with AIMock(record=recording(redact=["hunter[0-9]"])) as mock:
        for stream in (False, True):
            text = f"ask hunter3 {stream}"
            assert ask(mock, text, stream=stream).text == "the password is hunter2, keep it"
            assert ask(mock, text, stream=stream).text == "the password is [redacted], keep it"
    assert len(files(tmp_path)) == 2
    assert not any("hunter" in file.read_text("utf-8") for file in files(tmp_path))


def test_all_is_recorded_anew(provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    provider.on({}, {"content": "old"}, sequence_index=0).on({}, {"content": "new"})
    own = {"match": {"userMessage": "mine"}, "response": {"content": "own"}}
    (tmp_path / "own.json").write_text(json.dumps({"fixtures": [own]}), "utf-8")
    with AIMock(record=recording()) as mock:
        assert ask(mock).text == "old"
    with AIMock(fixtures=tmp_path, record=recording(mode="all")) as mock:
        assert [ask(mock).text, ask(mock).text, ask(mock, "mine").text] == ["new", "new", "own"]
    assert len(provider.get_requests()) == 2
    assert [entry["response"]["content"] for entry in entries(tmp_path)] == ["new"]


def test_a_recorded_turn_does_not_answer_the_next(provider: AIMock, recording: Callable[..., dict[str, Any]]) -> None:
    provider.on({"turnIndex": 0}, {"content": "zero"}).on({"turnIndex": 1}, {"content": "one"})
    user = {"role": "user", "content": "go on"}
    with AIMock(record=recording()) as mock:
        assert ask(mock, messages=[user]).text == "zero"
        assert ask(mock, messages=[user, {"role": "assistant", "content": "zero"}, user]).text == "one"


def with_prompt(prompt: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": prompt}, {"role": "user", "content": "hi"}]


def test_another_system_prompt_is_asked_again(
    provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    for prompt in ("Be brief.", "Be long."):
        provider.on_system_message(prompt, {"content": prompt})
    with AIMock(record=recording()) as mock:
        for prompt in ("Be brief.", "Be long.", "Be brief.", "Be long."):
            assert ask(mock, messages=with_prompt(prompt)).text == prompt
        assert len(provider.get_requests()) == 2
    with AIMock(fixtures=tmp_path / "recorded", strict=True) as mock:
        for prompt in ("Be long.", "Be brief."):
            assert ask(mock, messages=with_prompt(prompt)).text == prompt


@pytest.mark.parametrize("mode", ["none", "once", "new_episodes", "strict", "replayed"])
def test_where_nobody_may_be_asked_the_first_answers_and_it_is_told_once(
    provider: AIMock,
    recording: Callable[..., dict[str, Any]],
    tmp_path: Path,
    mode: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.on({}, {"content": "x"})
    with AIMock(record=recording()) as mock:
        ask(mock, messages=with_prompt("Be brief."))
    options = {} if mode in ("strict", "replayed") else {"record": recording(mode=mode)}
    with (
        AIMock(fixtures=tmp_path / "recorded", strict=mode == "strict", **options) as mock,  # type: ignore[arg-type]
        caplog.at_level(logging.WARNING, "aimock"),
    ):
        for prompt in ("Be brief.", "Be long.", "Be long."):
            assert ask(mock, messages=with_prompt(prompt)).text == "x"
    told = [record.getMessage() for record in caplog.records if "system prompt" in record.getMessage()]
    if mode == "new_episodes":
        assert (len(provider.get_requests()), told) == (2, [])
    else:
        assert len(provider.get_requests()) == len(told) == 1
        assert "was recorded with other system prompt" in told[0]


@pytest.mark.parametrize("stream", [False, True])
def test_the_journal_tells_of_the_provider(
    provider: AIMock, recording: Callable[..., dict[str, Any]], tmp_path: Path, stream: bool
) -> None:
    provider.on_message("hi", {"content": "x"})
    with AIMock(record=recording()) as mock:
        ask(mock, stream=stream)
        ask(mock, "unknown", stream=stream)
        ask(mock, stream=stream)
        recorded, missed, replayed = [entry["response"] for entry in mock.get_requests()]
    assert recorded["source"] == missed["source"] == "proxy"
    assert recorded["recorded"] == str(files(tmp_path)[0])
    assert recorded["upstream"]["status"] == 200
    assert recorded["upstream"]["durationMs"] > 0
    assert (missed["status"], missed["recorded"], missed["upstream"]["status"]) == (404, False, 404)
    assert "upstream" not in replayed


def test_the_journal_tells_of_a_provider_that_is_not_there(tmp_path: Path) -> None:
    with AIMock() as gone:
        url = gone.url
    with AIMock(record={"providers": {"openai": url}, "fixturePath": str(tmp_path)}) as mock:
        assert ask(mock).status == 502
        response = mock.get_requests()[0]["response"]
    assert (response["source"], response["recorded"], response["upstream"]["status"]) == ("proxy", False, None)
